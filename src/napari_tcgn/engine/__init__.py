"""Run a model over the spots of a slide: patches, device, and the engine that yields progress."""

from napari_tcgn.predict.device import choose_device, choose_precision, default_batch_size
from napari_tcgn.predict.domain import domain_warnings
from napari_tcgn.predict.engine import run, run_to_end
from napari_tcgn.predict.patches import choose_level, cut_patch, leaves_image, patch_side_px
from napari_tcgn.predict.progress import Prediction, Progress
from napari_tcgn.predict.work import WorkFolder, work_folder_of

__all__ = [
    "Prediction",
    "Progress",
    "WorkFolder",
    "choose_device",
    "choose_level",
    "choose_precision",
    "cut_patch",
    "default_batch_size",
    "domain_warnings",
    "leaves_image",
    "patch_side_px",
    "run",
    "run_to_end",
    "work_folder_of",
]
