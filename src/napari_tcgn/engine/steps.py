"""Generators of steps, run to their end."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextlib import closing
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Step = TypeVar("Step")
Result = TypeVar("Result")


def run_to_end(steps: Generator[Step, None, Result], on_progress: Callable[[Step], object] | None = None) -> Result:
    """Run a generator of steps to its end and return its result.

    Parameters
    ----------
    steps : generator
        For example of `run` or of `napari_tcgn.predict_steps`.
    on_progress : callable, optional
        Called with every step; if it raises, the generator is closed and the error goes on.
    """
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                result: Result = end.value
                return result
            if on_progress is not None:
                on_progress(step)


def to_the_end(steps: Callable[Parameters, Generator[Step, None, Result]], name: str) -> Callable[Parameters, Result]:
    """Return the function that does all steps of a generator function and returns its result.

    Parameters
    ----------
    steps : callable
        The generator function; its parameters are those of the new one, and are documented there.
    name : str
        Of the new function.
    """

    def whole(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return run_to_end(steps(*args, **kwargs))

    whole.__name__ = whole.__qualname__ = name
    whole.__module__ = steps.__module__
    whole.__doc__ = f"Do all steps of `{steps.__name__}` and return the result.\n\n    {steps.__doc__}"
    whole.__signature__ = inspect.signature(steps).replace(  # type: ignore[attr-defined]  # read by inspect and help
        return_annotation=inspect.Signature.empty
    )
    return whole
