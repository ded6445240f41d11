"""Spots of an .h5ad file: one that this package wrote, or one in the layout of squidpy and scanpy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SpotsError
from napari_tcgn.h5ad import open_h5ad
from napari_tcgn.options import LAYOUTS
from napari_tcgn.slide import SlideRecord
from napari_tcgn.spots.distance import implied_mpp
from napari_tcgn.spots.h5ad_parts import HINT, choose_section, read_obs, read_positions
from napari_tcgn.spots.lattice import pitch_of
from napari_tcgn.spots.source import H5adSource, SpotsRecord
from napari_tcgn.spots.table import Spots
from napari_tcgn.spots.text import as_flags, as_numbers
from napari_tcgn.spots.visium import SCALEFACTORS_TOLD

if TYPE_CHECKING:
    import h5py
    import pandas as pd

_WRITTEN_HERE = "napari_tcgn"
_Size = tuple[tuple[float, float] | None, float | None]


def read_h5ad_spots(
    path: str | Path,
    mpp: float | None = None,
    pitch_um: float | None = None,
    diameter_um: float | None = None,
    library: str | None = None,
) -> Spots:
    """Read the spots of an .h5ad; expression and images stay on the disk.

    Parameters
    ----------
    path : str or pathlib.Path
    mpp : float or None
        µm per px of the slide: needed only where the file does not tell how large a spot is in µm.
    pitch_um, diameter_um : float or None
        Of a square array with array_row and array_col whose file does not tell how large its spots are.
    library : str or None
        Library id of the section to take, where the file holds the spots of several.

    Returns
    -------
    Spots
        Positions are those of obsm["spatial"], which by the custom of squidpy and scanpy are px of the
        full-resolution image. Layout, pitch and diameter come from the run record of a file written here; from the
        Visium array where array_row and array_col are those of one; else ("custom") the diameter is
        spot_diameter_fullres and the pitch the median distance to the nearest spot; without that, from what is given
        ("st").

    Raises
    ------
    SpotsError
        If the file is missing or unreadable, has no positions, holds several sections and none is chosen, or its
        positions reach beyond the image that its scale factors describe.
    """
    with open_h5ad(path, SpotsError) as file:
        return _read(file, Path(path).name, mpp, (pitch_um, diameter_um), library)


def _read(
    file: h5py.File, name: str, mpp: float | None, given: tuple[float | None, float | None], wanted: str | None
) -> Spots:
    obs = read_obs(file)
    positions = read_positions(file, name)
    if len(positions) != len(obs):
        raise SpotsError(f"{name} has {len(positions)} positions for {len(obs)} spots.", HINT)
    library, here = choose_section(file, obs, positions, name, wanted)
    obs, positions = obs[here], positions[here]
    size, tolerance = _image_size(library, positions, name)
    source = H5adSource(
        file=name,
        library=wanted,
        image_size=size,
        image_size_tolerance=tolerance,
        scalefactors=_scalefactors(library),
    )
    record = _recorded(file)
    on_tissue = as_flags(obs["in_tissue"]) if "in_tissue" in obs else np.ones(len(obs), bool)
    if not on_tissue.any():
        raise SpotsError(f"No spot of {name} lies on tissue (obs['in_tissue'] = 1).", "Give a section with tissue.")
    rows, cols, has_array = _array_positions(obs, on_tissue, name)
    fraction = obs["tissue_fraction"].to_numpy(np.float64) if "tissue_fraction" in obs else None
    spots = Spots(
        ids=obs.index.to_numpy(dtype=np.str_),
        x=positions[:, 0],
        y=positions[:, 1],
        array_row=rows,
        array_col=cols,
        diameter_um=LAYOUTS["visium"][1],
        pitch_um=LAYOUTS["visium"][0],
        layout="visium",
        in_tissue=on_tissue,
        tissue_fraction=fraction,
        source=source,
    )
    if record is not None:  # predicted here: every spot, whatever it lies on
        slide, before = record
        size = (float(slide.width_px), float(slide.height_px))
        source = replace(source, image_size=size, image_size_tolerance=0.0, recorded=before.source)
        return _of_size(replace(spots, source=source), before.layout, before.pitch_um, before.diameter_um)
    source = replace(source, not_in_tissue=int((~on_tissue).sum()))
    spots = replace(spots.select(on_tissue), source=source)
    if (
        has_array
        and ((spots.array_row + spots.array_col) % 2 == 0).all()
        and (implied := implied_mpp(spots)) is not None
    ):
        return replace(spots, source=replace(source, implied_mpp=round(implied, 5)))
    pitch_um, diameter_um = given
    if has_array and pitch_um is not None and diameter_um is not None and not _tells_size(library, mpp):
        return _of_size(spots, "st", pitch_um, diameter_um)
    return _custom(spots, library, name, mpp)


def _tells_size(library: Any, mpp: float | None) -> bool:
    known = _number(library, "metadata", "mpp") or mpp
    return known is not None and _number(library, "scalefactors", "spot_diameter_fullres") is not None


def _of_size(spots: Spots, layout: str, pitch_um: float, diameter_um: float) -> Spots:
    if not (pitch_um > 0 and diameter_um > 0):
        raise ValueError("its run record does not tell layout and size of the spots")
    return replace(spots, layout=layout, pitch_um=float(pitch_um), diameter_um=float(diameter_um))


def _custom(spots: Spots, library: Any, name: str, mpp: float | None) -> Spots:
    """Take the spots' size from the scale factors, and their pitch from themselves."""
    diameter_px = _number(library, "scalefactors", "spot_diameter_fullres")
    stated = _number(library, "metadata", "mpp")
    mpp = stated or mpp
    if diameter_px is None or mpp is None:
        missing = "spot_diameter_fullres" if diameter_px is None else "the µm per pixel"
        raise SpotsError(
            f"{name} does not tell how large its spots are: {missing} is missing.",
            "Give the µm per pixel of the slide first (--mpp)."
            if diameter_px is not None
            else "Write uns['spatial'][library]['scalefactors']['spot_diameter_fullres'].",
        )
    pitch = diameter_px
    if len(spots) > 1:
        pitch = pitch_of(spots.x, spots.y)
        if pitch == 0:
            raise SpotsError(f"Most spots of {name} lie in the same place as another one.", HINT)
    if stated is not None:
        spots = replace(spots, source=replace(spots.source, implied_mpp=stated))
    return _of_size(spots, "custom", pitch * mpp, diameter_px * mpp)


def _scalefactors(library: Any) -> dict[str, float] | None:
    found = {name: _number(library, "scalefactors", name) for name in SCALEFACTORS_TOLD}
    return {name: value for name, value in found.items() if value is not None} or None


def _number(library: Any, *path: str) -> float | None:
    entry = None if library is None else library.get("/".join(path))
    if entry is None or getattr(entry, "shape", None) not in ((), (1,)):
        return None
    value = float(np.asarray(entry[()]).reshape(()))
    return value if np.isfinite(value) and value > 0 else None


def _image_size(library: Any, positions: NDArray[np.float64], name: str) -> _Size:
    """Return the size of the full-resolution image and its tolerance; refuse positions that lie far beyond it."""
    for image in ("hires", "lowres"):
        scale = _number(library, "scalefactors", f"tissue_{image}_scalef")
        picture = None if library is None else library.get(f"images/{image}")
        if scale is None or picture is None or len(getattr(picture, "shape", ())) < 2:
            continue
        size = np.array([picture.shape[1], picture.shape[0]]) / scale
        if (positions[:, :2].max(axis=0) > 1.05 * size).any():
            raise SpotsError(
                f"The positions of {name} reach to ({positions[:, 0].max():.0f}, {positions[:, 1].max():.0f}), but its "
                f"scale factors describe an image of {size[0]:.0f} x {size[1]:.0f} px: they are px of another image.",
                "Write positions in px of the full-resolution image, or correct the scale factors.",
            )
        return (round(float(size[0]), 1), round(float(size[1]), 1)), round(1 / scale, 1)
    return None, None


def _array_positions(
    obs: pd.DataFrame, on_tissue: NDArray[np.bool_], name: str
) -> tuple[NDArray[Any], NDArray[Any], bool]:
    """Return array rows and columns and whether the file has them; otherwise spots are numbered in one column.

    Raises
    ------
    SpotsError
        If a spot on tissue lacks one that others have.
    """
    numbered = np.arange(len(obs), dtype=np.float64), np.zeros(len(obs)), False
    if not {"array_row", "array_col"} <= set(obs):
        return numbered
    found = [as_numbers(obs[column]) for column in ("array_row", "array_col")]
    if any(not np.isfinite(numbers[on_tissue]).any() for numbers in found):
        return numbered
    for column, numbers in zip(("array_row", "array_col"), found, strict=True):
        missing = on_tissue & ~np.isfinite(numbers)
        if missing.any():
            raise SpotsError(
                f"{missing.sum()} of {on_tissue.sum()} spots of {name} have no number in obs[{column!r}] "
                f"(first: {str(obs.index[missing][0])!r}, found {obs[column].to_numpy()[missing][0]}).",
                "Fill it in, remove these spots, or drop array_row and array_col.",
            )
    # What is missing off the tissue is dropped with these spots.
    rows, cols = (np.where(np.isfinite(numbers), numbers, 0.0) for numbers in found)
    return rows, cols, True


def _recorded(file: h5py.File) -> tuple[SlideRecord, SpotsRecord] | None:
    """Return slide and spots of the run record of a file written here; None for another file."""
    text = file.get(f"uns/{_WRITTEN_HERE}/run_record")
    if text is None:
        return None
    record = json.loads(text.asstr()[()])
    slide = SlideRecord.read(record["slide"])
    if not (slide.width_px > 0 and slide.height_px > 0):
        raise ValueError("its run record does not tell the size of the slide")
    return slide, SpotsRecord.read(record["spots"])
