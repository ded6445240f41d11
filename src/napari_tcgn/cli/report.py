"""Progress on stderr: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from napari_tcgn.engine import Progress


class ProgressReport:
    """Draws the steps of a run; use as a context manager and call with every step.

    Parameters
    ----------
    unit : str
        What is counted, for people.
    log_seconds : float
        Least time between two lines of the same stage in a log.
    stream : text file, optional
        Default: stderr, so that results on stdout stay clean.
    """

    def __init__(self, unit: str = "spots", log_seconds: float = 10.0, stream: TextIO | None = None) -> None:
        self.unit = unit
        self.log_seconds = log_seconds
        self.stream = stream if stream is not None else sys.stderr
        self.stage = ""
        self._bar: Any = None
        self._last_line = 0.0

    def __enter__(self) -> ProgressReport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_bar()

    def __call__(self, step: Progress) -> None:
        """Show one step."""
        new_stage = step.stage != self.stage
        self.stage = step.stage
        if step.total <= 1:
            if new_stage:
                self.say(f"{step.stage} …")
        elif self.stream.isatty():
            self._draw(step, new_stage)
        elif new_stage or step.done == step.total or time.monotonic() - self._last_line >= self.log_seconds:
            self.say(describe(step, self.unit))

    def _draw(self, step: Progress, new_stage: bool) -> None:
        if new_stage or self._bar is None:
            from tqdm import tqdm

            self._close_bar()
            # A bar goes when its stage ends: what was made is said in words then.
            self._bar = tqdm(
                total=step.total,
                initial=step.done,
                desc=step.stage,
                unit=f" {self.unit}",
                file=self.stream,
                leave=False,
                dynamic_ncols=True,
            )
        self._bar.update(step.done - self._bar.n)

    def say(self, text: str) -> None:
        """Print a line of its own."""
        self._close_bar()
        self._last_line = time.monotonic()
        print(text, file=self.stream, flush=True)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def describe(step: Progress, unit: str) -> str:
    """Say one step in a line, such as "predict: 16 of 176 spots, 4.0 spots/s, 40 s left"."""
    text = f"{step.stage}: {step.done} of {step.total} {unit}"
    if step.rate:
        text += f", {step.rate:.1f} {unit}/s"
    if step.eta_seconds is not None and step.done < step.total:
        text += f", {duration(step.eta_seconds)} left"
    return text


def duration(seconds: float) -> str:
    """Say a time span in the two units that matter: "40 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
