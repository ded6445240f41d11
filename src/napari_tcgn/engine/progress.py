"""What the engine tells whoever runs it: a stage, a count, and the result so far."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.engine.disk_rows import DiskRows
from napari_tcgn.engine.record import RunRecord
from napari_tcgn.model import GeneIntervals, ModelCard
from napari_tcgn.spots import Spots


@dataclass(slots=True)
class Prediction:
    """Predicted expression of a slide's spots, complete or partial.

    Attributes
    ----------
    values : float32 [spots, genes]
        On the card's output scale; NaN where not yet predicted. An array in memory, or `DiskRows` that are read from
        a work folder.
    done : bool [spots]
        Which spots are predicted.
    spots : Spots
    card : ModelCard
    library_id : str
        Name of the section (the slide's name).
    mpp : float
        µm per full-resolution px.
    thumbnail : uint8 [h, w, 3]
        Small picture of the slide for `uns["spatial"]`.
    thumbnail_scale : float
        Thumbnail px per full-resolution px.
    record : RunRecord
    domain_p : float32 [spots] or None
        How usual the patch of a spot is among those of the training (small: unlike them); NaN where not yet predicted.
        None: unknown, because the model has nothing to compare with.
    intervals : GeneIntervals or None
        What makes intervals of the values; None: unknown.
    """

    values: NDArray[np.float32] | DiskRows
    done: NDArray[np.bool_]
    spots: Spots
    card: ModelCard
    library_id: str
    mpp: float
    thumbnail: NDArray[np.uint8]
    thumbnail_scale: float
    record: RunRecord = field(default_factory=RunRecord)
    domain_p: NDArray[np.float32] | None = None
    intervals: GeneIntervals | None = None

    @property
    def partial(self) -> bool:
        """Whether some spots are not predicted."""
        return not bool(self.done.all())


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a run.

    Attributes
    ----------
    stage : str
        "load model", "read slide", "predict" …, for people.
    done, total : int
        Spots (or other units of the stage) finished and in all.
    rate : float or None
        Units per second so far.
    eta_seconds : float or None
        Estimated time left.
    prediction : Prediction or None
        The live result: the same object in every step, filled in place between two yields.
    new : int array or None
        Indices of the spots that became done since the last step.
    """

    stage: str
    done: int
    total: int
    rate: float | None = None
    eta_seconds: float | None = None
    prediction: Prediction | None = None
    new: NDArray[np.intp] | None = None
