"""Progress: a bar on a terminal, a few plain lines in a log."""

from __future__ import annotations

import io

import pytest

from napari_tcgn.cli.report import ProgressReport, duration
from napari_tcgn.engine import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def steps() -> list[Progress]:
    load = [Progress("load model", 0, 1), Progress("load model", 1, 1)]
    return load + [Progress("predict", i, 100, 5.0, (100 - i) / 5) for i in range(10, 101, 10)]


def test_a_log_gets_first_and_last_line_of_a_stage_and_no_control_characters() -> None:
    log = io.StringIO()
    with ProgressReport(stream=log) as report:
        for step in steps():
            report(step)
    assert log.getvalue().splitlines() == [
        "load model …",
        "predict: 10 of 100 spots, 5.0 spots/s, 18 s left",
        "predict: 100 of 100 spots, 5.0 spots/s",
    ]


def test_a_log_gets_a_line_whenever_the_time_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    import napari_tcgn.cli.report as module

    now = iter(range(0, 1000, 4))  # 4 s pass at every look at the clock
    monkeypatch.setattr(module.time, "monotonic", lambda: next(now))
    log = io.StringIO()
    with ProgressReport(log_seconds=10, stream=log) as report:
        for step in steps():
            report(step)
    lines = log.getvalue().splitlines()
    assert 3 < len(lines) < len(steps())


def test_a_terminal_gets_a_bar_with_rate_and_time_left_that_is_gone_at_the_end() -> None:
    terminal = Terminal()
    with ProgressReport(stream=terminal) as report:
        for step in steps():
            report(step)
        report.say("done")
    text = terminal.getvalue()
    assert "predict:" in text
    assert "10/100" in text
    assert text.endswith("done\n")
    assert "/100" not in text.rpartition("\r")[2]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (7500, "2 h 5 min")],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words
