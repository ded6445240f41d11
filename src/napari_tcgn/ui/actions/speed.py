"""How many spots a second a model does on this machine, measured in a moment before the first run."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING

from napari_tcgn.options import PredictSettings
from napari_tcgn.ui.tasks.background import Failure

if TYPE_CHECKING:
    from napari_tcgn.model import LoadedModels
    from napari_tcgn.ui.session import Session
    from napari_tcgn.ui.tasks.background import BackgroundTask

SECONDS = 2.0  # the first batch warms up, the others are timed for so long
MOST_BATCHES = 5
DECIDES_SPEED = ("device", "precision", "batch_size")  # beside the model


def measure(settings: PredictSettings, models: LoadedModels) -> Generator[None, None, float]:
    """Time the model on patches of noise, which cost what tissue costs; reading the slide is not counted.

    Parameters
    ----------
    settings : PredictSettings
    models : LoadedModels
        Keeps the model for the run that comes.

    Yields
    ------
    None
        Between batches, so that it can be left.

    Returns
    -------
    float
        Spots per second.

    Raises
    ------
    TcgnError
        If the model cannot be loaded or the device is absent.
    """
    import numpy as np

    from napari_tcgn.engine import choose_device, choose_precision, default_batch_size

    device = choose_device(settings.device)
    predictor = models.load(settings.model, device, choose_precision(settings.precision, device))
    yield
    size = settings.batch_size or default_batch_size(predictor.device)
    side = predictor.card.input_px
    patches = np.random.default_rng(0).integers(0, 256, (size, side, side, 3), np.uint8)
    predictor.predict(patches)
    yield
    start, batches = time.perf_counter(), 0
    while batches < MOST_BATCHES and time.perf_counter() - start < SECONDS:
        predictor.predict(patches)
        batches += 1
        yield
    return batches * size / (time.perf_counter() - start)


class SpeedMeter:
    """Keeps `state.rate` true: the last run's, or one measured in the background as soon as a run could start.

    Loaded models that were taken out of the list, or are of another device, are forgotten.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._task: BackgroundTask[None, float] | None = None
        events = session.state.events
        events.model.connect(self._on_other_model)
        events.settings.connect(self._on_settings)
        events.models.connect(self._free_removed)
        for event in (events.spots, events.mpp, events.device_missing, events.running):
            event.connect(self._measure_if_unknown)

    def _on_settings(self, settings: PredictSettings, before: PredictSettings) -> None:
        if any(getattr(settings, name) != getattr(before, name) for name in DECIDES_SPEED):
            self._on_other_model()
        if settings.device != before.device:
            self._session.models.keep_only(())  # their memory is that of the device

    def _free_removed(self) -> None:
        self._session.models.keep_only({choice.source for choice in self._session.state.models})

    def _on_other_model(self) -> None:
        self._leave()
        self._session.state.rate = self._session.choices.known_rate()
        self._measure_if_unknown()

    def _leave(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _measure_if_unknown(self) -> None:
        state = self._session.state
        if state.running or state.rate is not None or state.missing_for_run():
            self._leave()  # a run tells its own rate
        elif self._task is None:
            settings, models = state.predict_settings(), self._session.models
            self._task = self._session.background.walk(
                lambda: measure(settings, models), self._on_measured, self._on_failed
            )

    def _on_measured(self, rate: float) -> None:
        self._task = None
        self._session.choices.note_rate(rate)
        self._session.state.rate = rate

    def _on_failed(self, failure: Failure) -> None:
        self._task = None  # the run meets the same trouble and tells it
