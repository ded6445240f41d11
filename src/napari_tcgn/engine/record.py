"""The run record: everything needed to tell what a result is and to make it again."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from napari_tcgn.model import ModelCard
from napari_tcgn.options import PredictSettings, to_record
from napari_tcgn.slide import Slide
from napari_tcgn.spots import Spots

PACKAGES = ("napari-tcgn", "numpy", "torch", "anndata", "tifffile", "pillow")


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that shape a prediction."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def start_record(
    slide: Slide, spots: Spots, card: ModelCard, settings: PredictSettings, device: str, batch_size: int
) -> dict[str, Any]:
    """Return the record of a run that is about to start; the engine keeps its counts up to date.

    Returns
    -------
    dict
        JSON-able. The slide is named by its file name and size, not by its folder, so that a result
        can be handed on without telling where it was made.
    """
    width, height = slide.level_dimensions[0]
    is_file = slide.path is not None and slide.path.is_file()
    return {
        "settings": to_record(settings),
        "model": {"name": card.name, "version": card.version, "sha256": card.sha256},
        "device": device,
        "batch_size": batch_size,
        "slide": {
            "name": slide.name,
            "file": slide.path.name if slide.path is not None else None,
            "bytes": slide.path.stat().st_size if slide.path is not None and is_file else None,
            "width_px": width,
            "height_px": height,
        },
        "mpp": slide.mpp,
        "mpp_source": slide.mpp_source,
        "spots": {
            "count": len(spots),
            "layout": spots.layout,
            "diameter_um": spots.diameter_um,
            "pitch_um": spots.pitch_um,
            "source": spots.source,
        },
        "versions": package_versions(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": 0.0,
        "spots_per_second": None,
        "spots_done": 0,
        "partial": True,
    }
