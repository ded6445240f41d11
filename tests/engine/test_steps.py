"""Generators of steps, run to their end."""

import inspect

import pytest

from napari_tcgn.engine import run_to_end, to_the_end


def halve_steps(number: int, *, times: int = 1):
    """Halve a number."""
    for done in range(times):
        yield done
        number //= 2
    return number


def test_the_function_made_of_steps_has_their_parameters_and_result():
    halve = to_the_end(halve_steps, "halve")
    assert halve(12, times=2) == 3
    assert halve.__name__ == "halve"
    assert list(inspect.signature(halve).parameters) == ["number", "times"]
    assert "Halve a number." in halve.__doc__
    with pytest.raises(TypeError, match="thrice"):
        halve(12, thrice=True)


def test_steps_are_told_and_closed_when_the_listener_fails():
    told = []
    assert run_to_end(halve_steps(12, times=2), told.append) == 3
    assert told == [0, 1]

    def fail(step):
        raise RuntimeError(f"step {step}")

    steps = halve_steps(12, times=2)
    with pytest.raises(RuntimeError, match="step 0"):
        run_to_end(steps, fail)
    assert steps.gi_frame is None, "not closed"
