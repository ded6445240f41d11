"""Predict spatial gene expression from H&E slides with TCGN, in napari and on the command line.

Everything named here is imported when it is first used, so that `import napari_tcgn` costs next to
nothing: napari imports every plugin at its start.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> module that holds it. Rooms whose main function has the room's own name (predict, train)
# are reached through their module: `from napari_tcgn.expression import predict`.
_HOMES = {
    "CompareSettings": "napari_tcgn.settings",
    "Comparison": "napari_tcgn.expression",
    "GridSettings": "napari_tcgn.settings",
    "ModelCard": "napari_tcgn.model",
    "PredictSettings": "napari_tcgn.settings",
    "Predictor": "napari_tcgn.model",
    "Slide": "napari_tcgn.slide",
    "Spots": "napari_tcgn.spots",
    "TCGN": "napari_tcgn.model",
    "TcgnError": "napari_tcgn.errors",
    "TrainSettings": "napari_tcgn.settings",
    "compare": "napari_tcgn.expression",
    "list_models": "napari_tcgn.model",
    "load_model": "napari_tcgn.model",
    "make_grid": "napari_tcgn.spots",
    "open_slide": "napari_tcgn.slide",
    "read_measured": "napari_tcgn.expression",
    "read_region": "napari_tcgn.spots",
    "read_spots": "napari_tcgn.spots",
    "read_st_counts": "napari_tcgn.spots",
    "read_st_spots": "napari_tcgn.spots",
    "to_anndata": "napari_tcgn.expression",
    "write_h5ad": "napari_tcgn.expression",
    "write_spots": "napari_tcgn.spots",
}

if TYPE_CHECKING:
    from napari_tcgn.errors import TcgnError
    from napari_tcgn.expression import Comparison, compare, read_measured, to_anndata, write_h5ad
    from napari_tcgn.model import TCGN, ModelCard, Predictor, list_models, load_model
    from napari_tcgn.settings import CompareSettings, GridSettings, PredictSettings, TrainSettings
    from napari_tcgn.slide import Slide, open_slide
    from napari_tcgn.spots import Spots, make_grid, read_region, read_spots, read_st_counts, read_st_spots, write_spots

__all__ = [
    "TCGN",
    "CompareSettings",
    "Comparison",
    "GridSettings",
    "ModelCard",
    "PredictSettings",
    "Predictor",
    "Slide",
    "Spots",
    "TcgnError",
    "TrainSettings",
    "__version__",
    "compare",
    "list_models",
    "load_model",
    "make_grid",
    "open_slide",
    "read_measured",
    "read_region",
    "read_spots",
    "read_st_counts",
    "read_st_spots",
    "to_anndata",
    "write_h5ad",
    "write_spots",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
