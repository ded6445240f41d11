"""Work off the main thread whose outcome comes back to the main thread, and that can be left behind."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from superqt.utils import create_worker  # napari's would end with the window of another viewer that is closed

from napari_tcgn.errors import TcgnError
from napari_tcgn.ui.words import in_the_dock

Step = TypeVar("Step")
Outcome = TypeVar("Outcome")
CLOSE_SECONDS = 3.0  # how long closing waits for the batch in hand


@dataclass(frozen=True)
class Failure:
    """An error of background work.

    Attributes
    ----------
    sentence : str
        What went wrong and how to fix it.
    details : str
        The traceback, for a report.
    """

    sentence: str
    details: str

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Describe an error that is being handled."""
        if isinstance(error, TcgnError):
            sentence = in_the_dock(str(error))
        else:
            sentence = f"Something failed that should not ({type(error).__name__}: {error}). Please report the details."
        return cls(sentence, "".join(traceback.format_exception(error)))


@dataclass(frozen=True)
class _Done(Generic[Outcome]):
    value: Outcome


class BackgroundTask(Generic[Step, Outcome]):
    """One piece of background work.

    Its callbacks run on the main thread, and none of them after `cancel`.
    """

    def __init__(
        self,
        steps: Callable[[], Generator[Step, None, Outcome]],
        done: Callable[[Outcome], object],
        failed: Callable[[Failure], object],
        step: Callable[[Step], object] | None = None,
    ) -> None:
        self._stop = threading.Event()
        self.ended = threading.Event()
        self._done: Callable[[Outcome], object] | None = done
        self._failed: Callable[[Failure], object] | None = failed
        self._step = step
        work: Any = _work  # napari asks for a type that no generator function has
        worker = create_worker(work, steps, self._stop, self.ended, _start_thread=False)
        worker.yielded.connect(self._on_step)
        worker.returned.connect(self._on_returned)
        worker.finished.connect(self._on_finished)
        worker.start()

    @property
    def over(self) -> bool:
        """Whether the work has ended and nobody waits for its outcome any more."""
        return self.ended.is_set() and self._done is None

    def cancel(self) -> None:
        """Ask the work to stop at its next step and listen to it no longer."""
        self._stop.set()
        self._done = self._failed = self._step = None

    def _on_step(self, step: Step) -> None:
        if self._step is not None:
            self._step(step)

    def _on_returned(self, outcome: _Done[Outcome] | Failure | None) -> None:
        done, failed = self._done, self._failed
        self._done = self._failed = self._step = None
        if isinstance(outcome, _Done) and done is not None:
            done(outcome.value)
        elif isinstance(outcome, Failure) and failed is not None:
            failed(outcome)

    def _on_finished(self) -> None:
        # Without an outcome only if napari itself has stopped the worker.
        if self._failed is not None:
            self._on_returned(Failure("The work was stopped from outside the dock.", ""))


def _work(
    steps: Callable[[], Generator[Step, None, Outcome]], stop: threading.Event, ended: threading.Event
) -> Generator[Step, None, _Done[Outcome] | Failure | None]:
    """Walk through the steps in the worker thread; they are closed in the same thread, so nothing is left open."""
    try:
        with closing(steps()) as generator:
            while not stop.is_set():
                try:
                    step = next(generator)
                except StopIteration as end:
                    return _Done(end.value)
                yield step
        return None
    except Exception as error:
        # Returned and not raised: the dock shows it, beside the control that caused it.
        return Failure.of(error)
    finally:
        ended.set()


class Running(Protocol):
    """What a session knows of the run that is going on (`actions.run.Run`), to end it."""

    def cancel(self) -> None:
        """Stop at once and keep what is predicted so far."""

    def disconnect_all(self) -> None:
        """Stop watching the viewer, which is going away."""


class Background:
    """The background work of one dock."""

    def __init__(self) -> None:
        self._tasks: list[BackgroundTask[Any, Any]] = []  # of any kind of step and outcome

    @property
    def busy(self) -> bool:
        """Whether any work goes on, also such as nobody listens to any more."""
        return any(not task.ended.is_set() for task in self._tasks)

    def call(
        self,
        function: Callable[[], Outcome],
        done: Callable[[Outcome], object],
        failed: Callable[[Failure], object],
    ) -> BackgroundTask[None, Outcome]:
        """Run a function; `done` gets what it returns, `failed` a `Failure`."""

        def steps() -> Generator[None, None, Outcome]:
            return function()
            yield

        return self.walk(steps, done, failed)

    def walk(
        self,
        steps: Callable[[], Generator[Step, None, Outcome]],
        done: Callable[[Outcome], object],
        failed: Callable[[Failure], object],
        step: Callable[[Step], object] | None = None,
    ) -> BackgroundTask[Step, Outcome]:
        """Run a generator; `step` gets what it yields, `done` what it returns."""
        # A task whose outcome is still on its way to the main thread is lost if nobody holds it.
        self._tasks = [task for task in self._tasks if not task.over]
        task = BackgroundTask(steps, done, failed, step)
        self._tasks.append(task)
        return task

    def close(self) -> None:
        """Leave all work and wait, for a moment, until it has ended."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            task.ended.wait(CLOSE_SECONDS)
        self._tasks.clear()
