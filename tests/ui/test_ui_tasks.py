"""Work that is asked for faster than it is done: on the main thread, and off it."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from qtpy.QtCore import QObject

from napari_tcgn.ui.tasks import throttle as throttle_module
from napari_tcgn.ui.tasks.background import Background
from napari_tcgn.ui.tasks.latest import Latest
from napari_tcgn.ui.tasks.throttle import QUICK_SECONDS, Throttle


@pytest.fixture
def owner(qtbot):
    return QObject()


def test_a_throttled_call_runs_at_once_and_the_last_wish_is_met(owner, qtbot) -> None:
    wish, done = [0], []
    throttle = Throttle(lambda: done.append(wish[0]), owner)
    for number in range(1, 6):
        wish[0] = number
        throttle.throttle()
        if number == 1:
            assert done == [1]  # at once
    qtbot.waitUntil(lambda: done[-1] == 5, timeout=5000)


@pytest.mark.parametrize(("taken", "pause"), [(0.2, 200), (QUICK_SECONDS / 2, 0)])
def test_the_pause_is_as_long_as_the_last_call_took(owner, monkeypatch, taken, pause) -> None:
    now = [10.0]
    monkeypatch.setattr(throttle_module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def call() -> None:
        now[0] += taken

    throttle = Throttle(call, owner)
    throttle.throttle()
    assert throttle.timeout() == pause


def test_of_work_that_waits_only_the_newest_is_done(qtbot) -> None:
    background, gate, done = Background(), threading.Event(), []
    latest = Latest(background, done.append, lambda failure: None)

    def held() -> int:
        gate.wait(30)
        return 0

    latest.ask(held)
    for number in range(1, 4):
        latest.ask(lambda number=number: number)
    assert background.busy
    gate.set()
    qtbot.waitUntil(lambda: len(done) == 2, timeout=5000)
    assert done == [0, 3]
    background.close()
    assert not background.busy
