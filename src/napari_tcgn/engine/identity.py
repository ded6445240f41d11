"""What makes two runs the same run: the slide's pixels, the spots, the model and the settings that change numbers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from napari_tcgn.errors import OutputError
from napari_tcgn.files import sha256_of
from napari_tcgn.model import ModelCard
from napari_tcgn.options import PredictSettings
from napari_tcgn.paths import is_of_system
from napari_tcgn.slide import Slide, overview_of, require_mpp
from napari_tcgn.spots import Spots


def slide_digest(slide: Slide) -> str:
    """Return the SHA-256 of a slide's file or folder; of an array that of a small picture and the size."""
    if slide.path is not None:
        return path_digest(slide.path)
    picture = overview_of(slide).picture
    return hashlib.sha256(repr(slide.level_dimensions).encode() + picture.tobytes()).hexdigest()


def path_digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files of a folder with their names (OME-Zarr; what belongs to .mrxs)."""
    beside = path.with_suffix("")
    if path.is_file() and not (path.suffix.lower() == ".mrxs" and beside.is_dir()):
        return sha256_of(path)
    total = hashlib.sha256(b"" if path.is_dir() else sha256_of(path).encode())
    folder = path if path.is_dir() else beside
    for file in sorted(file for file in folder.rglob("*") if file.is_file() and not is_of_system(file.name)):
        total.update(f"{file.relative_to(folder).as_posix()}\0{sha256_of(file)}\n".encode())
    return total.hexdigest()


def spots_digest(spots: Spots) -> str:
    """Return the SHA-256 of the ids and positions of spots, in their order."""
    total = hashlib.sha256("\0".join(spots.ids.tolist()).encode())
    total.update(spots.x.tobytes())
    total.update(spots.y.tobytes())
    return total.hexdigest()


def model_identity(card: ModelCard) -> dict[str, Any]:
    """Return what tells one model from another."""
    return {"name": card.name, "version": card.version, "sha256": card.sha256}


def run_identity(
    slide: Slide, spots: Spots, card: ModelCard, settings: PredictSettings, device: str, patch: dict[str, Any]
) -> dict[str, Any]:
    """Return the identity of a run (JSON-able): two runs with the same one give the same values.

    Parameters
    ----------
    slide, spots, card, settings
        Of the run.
    device : str
        Of the predictor; which of several equal devices it is does not matter.
    patch : dict
        Size and level of the patches.
    """
    return {
        "slide": slide_digest(slide),
        "spots": spots_digest(spots),
        "model": model_identity(card),
        # Of a part of the model's genes.
        "domain": card.domain.patches.sha256 if card.domain.patches is not None and settings.domain else None,
        "genes": None if card.holds_panel else hashlib.sha256("\0".join(card.genes).encode()).hexdigest(),
        "mpp": require_mpp(slide),
        "patch": patch,
        "stain": settings.stain,
        # The card, not the weights, carries what a stain is brought to.
        "stain target": _stain_target(card) if settings.stain != "none" else None,
        "precision": settings.precision,
        "device": device.partition(":")[0],
    }


def digest(identity: dict[str, Any]) -> str:
    """Return the SHA-256 of an identity."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def require_same(found: dict[str, Any], wanted: dict[str, Any], folder: Path) -> None:
    """Refuse the work folder of another run.

    Raises
    ------
    OutputError
        Naming what differs.
    """
    wanted = json.loads(json.dumps(wanted))  # as it was read: tuples are lists
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    if differing:
        raise OutputError(
            f"{folder} belongs to another run, with a difference in: {', '.join(differing)}.",
            "Give the slide, spots, model and settings of that run, choose another --out, or delete the folder.",
        )


def _stain_target(card: ModelCard) -> dict[str, Any] | None:
    return None if card.domain.stain is None else card.domain.stain.to_record()
