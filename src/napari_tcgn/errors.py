"""One tree of typed errors: each says what is wrong, what was found and how to fix it."""

from __future__ import annotations


class TcgnError(Exception):
    """Base of every error a user can cause and fix.

    Parameters
    ----------
    problem : str
        What is wrong and what was found, as one sentence.
    hint : str
        What to do about it, as one sentence.
    """

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.problem} {self.hint}"


class SettingsError(TcgnError, ValueError):
    """An option has a value outside what it allows."""


class SlideError(TcgnError):
    """The slide cannot be opened or read, or is not an RGB image."""


class PixelSizeUnknownError(SlideError):
    """Nothing says how many µm a pixel of the slide covers."""


class SpotsError(TcgnError):
    """The spots are unreadable, outside the slide, or do not belong to it."""


class ModelError(TcgnError):
    """A model, its card or its weights cannot be used."""


class CheckpointError(ModelError):
    """A checkpoint is corrupt, unsafe or does not fit the model."""


class DeviceError(TcgnError):
    """The asked-for device is absent or cannot hold the model."""


class DataError(TcgnError):
    """A training or measured data set is missing, incomplete or inconsistent."""


class OutputError(TcgnError):
    """A result cannot be written where it was asked for."""


class ClusterError(TcgnError):
    """A dask scheduler cannot be reached, or its workers are gone."""


class CohortError(TcgnError):
    """Some slides of a cohort have failed; the others are done."""


class MissingDependencyError(TcgnError, ImportError):
    """An optional package that this feature needs is not installed."""


class LicenceError(ModelError):
    """A model or encoder comes with conditions that the user has not accepted."""
