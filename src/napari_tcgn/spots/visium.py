"""Spots of a Space Ranger folder: Visium of both layouts of the positions table, and bins of Visium HD."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SpotsError
from napari_tcgn.files import open_text
from napari_tcgn.options import LAYOUTS
from napari_tcgn.spots.distance import implied_mpp
from napari_tcgn.spots.outs import POSITIONS, file_beside, positions_files, section_folder
from napari_tcgn.spots.source import VisiumSource
from napari_tcgn.spots.table import Spots, is_whole
from napari_tcgn.spots.text import as_flags, as_numbers, read_text_table

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")
SCALEFACTORS = "scalefactors_json.json"
SCALEFACTORS_TOLD = ("spot_diameter_fullres", "tissue_hires_scalef", "tissue_lowres_scalef")  # that spots keep
_IMAGES = (("tissue_hires_image.png", "tissue_hires_scalef"), ("tissue_lowres_image.png", "tissue_lowres_scalef"))


def read_visium(path: str | Path) -> Spots:
    """Read the spots on tissue of a Space Ranger folder.

    Parameters
    ----------
    path : str or pathlib.Path
        The folder that holds spatial/ (outs; of Visium HD binned_outputs/square_008um, or outs with one size of bins),
        spatial/ itself, or the positions table in it.

    Returns
    -------
    Spots
        ids are the barcodes; only spots with in_tissue = 1. `source` tells the size of the full-resolution image that
        the positions refer to, where one of the small images is there, and the µm per px that the array implies.

    Raises
    ------
    SpotsError
        If positions or scale factors are missing or damaged, or no spot lies on tissue.
    """
    positions = _require_positions(Path(path))
    folder = positions.parent
    factors = _read_factors(_beside(positions, SCALEFACTORS))
    table = read_positions(positions)
    on_tissue = table["in_tissue"].to_numpy() == 1
    if not on_tissue.any():
        raise SpotsError(
            f"None of the {len(table)} spots in {positions.name} lies on tissue (in_tissue = 1).",
            "Give the folder of a section with tissue.",
        )
    size, tolerance = _image_size(positions, factors)
    source = VisiumSource(
        file=_shown_name(folder),
        positions=positions.name,
        not_in_tissue=int((~on_tissue).sum()),
        image_size=size,
        image_size_tolerance=tolerance,
        scalefactors={name: factors[name] for name in SCALEFACTORS_TOLD if name in factors} or None,
    )
    table = table[on_tissue]
    layout, (pitch, diameter) = "visium", LAYOUTS["visium"]
    if "bin_size_um" in factors:
        layout, pitch, diameter = "visium-hd", factors["bin_size_um"], factors["bin_size_um"]
    spots = Spots(
        ids=table["barcode"].to_numpy(dtype=np.str_),
        x=table["pxl_col_in_fullres"].to_numpy(np.float64),
        y=table["pxl_row_in_fullres"].to_numpy(np.float64),
        array_row=table["array_row"].to_numpy(),
        array_col=table["array_col"].to_numpy(),
        diameter_um=diameter,
        pitch_um=pitch,
        layout=layout,
        source=source,
    )
    mpp = factors.get("microns_per_pixel") or implied_mpp(spots)
    if mpp is not None:
        spots = replace(spots, source=replace(source, implied_mpp=round(float(mpp), 5)))
    return spots


def _shown_name(folder: Path) -> str:
    folder = folder.resolve()
    return folder.parent.name if folder.name == "spatial" else folder.name


def _beside(positions: Path, name: str) -> Path:
    """Return the file of a name that belongs to a positions table: of the same sample, packed or not."""
    return file_beside(positions, POSITIONS, name) or positions.parent / name


def _require_positions(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise SpotsError(f"The folder {path} does not exist.", "Check its name.")
    path = section_folder(path)
    found = positions_files(path)
    if len(found) > 1:
        names = ", ".join(file.name for file in found[:5])
        raise SpotsError(f"{path} holds the positions of {len(found)} sections: {names}.", "Give one of these files.")
    if found:
        return found[0]
    raise SpotsError(
        f"{path} is no Visium folder: it has no table of positions ({', '.join(POSITIONS)}), nor has spatial/ in it.",
        "Give the folder that Space Ranger wrote (outs), with spatial/ inside.",
    )


def _read_factors(path: Path) -> dict[str, float]:
    """Return the scale factors that are positive numbers."""
    if not path.is_file():
        raise SpotsError(
            f"{path.parent} has no {SCALEFACTORS}: the scale of the positions is unknown.",
            "Copy it from Space Ranger's spatial folder.",
        )
    try:
        with open_text(path) as file:
            found = json.load(file)
        factors = {name: float(value) for name, value in found.items() if isinstance(value, int | float)}
    except (OSError, EOFError, zlib.error, ValueError, AttributeError) as error:
        raise SpotsError(f"{path} cannot be read: {error}.", "Copy it again.") from error
    if not factors.get("spot_diameter_fullres", 0) > 0:
        raise SpotsError(f"{path} does not tell spot_diameter_fullres.", "Copy it again from Space Ranger's output.")
    return {name: value for name, value in factors.items() if value > 0}


def read_positions(path: Path) -> pd.DataFrame:
    """Return a positions table as it stands, with or without a header: barcode and the five numbers of `COLUMNS`.

    Raises
    ------
    SpotsError
        If it cannot be read, lacks a column or has gaps.
    """
    import pandas as pd

    try:
        if path.suffix.lower() == ".parquet":
            table = pd.read_parquet(path)
        else:
            table = read_text_table(path, COLUMNS, text=COLUMNS[:1], headless=COLUMNS)
        missing = [name for name in COLUMNS if name not in table.columns]
        if missing:
            raise ValueError(f"it has no column {', '.join(missing)}")
        numbers = pd.DataFrame({name: _column(table, name) for name in COLUMNS[1:]})
    except (
        OSError,
        EOFError,
        zlib.error,
        ValueError,
        TypeError,
        ImportError,
    ) as error:  # ValueError: parsers, decoding, pyarrow
        raise SpotsError(
            f"The positions {path} cannot be read: {error}.", f"They must have the columns {', '.join(COLUMNS)}."
        ) from error
    gaps = numbers.isna().to_numpy().any(axis=1)
    if gaps.any():
        raise SpotsError(
            f"{path} has gaps in its positions (first: spot {table['barcode'].to_numpy()[gaps][0]!r}).",
            "Copy it again from Space Ranger's output.",
        )
    numbers.insert(0, "barcode", table["barcode"])
    checked: pd.DataFrame = numbers
    return checked


def _column(table: pd.DataFrame, name: str) -> NDArray[Any]:
    """Return a column of numbers; array positions and in_tissue as whole ones where there is no gap."""
    if name == "in_tissue" and table[name].notna().all():
        return as_flags(table[name]).astype(np.int64)
    values = as_numbers(table[name])
    text = ~np.isfinite(values) & table[name].notna().to_numpy()
    if text.any():
        raise ValueError(f"{table[name].to_numpy()[text][0]!r} in column {name} is no number")
    if not name.startswith("array_") or not np.isfinite(values).all():  # a gap is told by the reader
        return values
    whole = is_whole(values)
    if not whole.all():
        raise ValueError(f"{values[~whole][0]:g} in column {name} is no position on an array")
    return values.astype(np.int64)


def _image_size(positions: Path, factors: dict[str, float]) -> tuple[tuple[float, float] | None, float | None]:
    """Return the size of the full-resolution image and its tolerance, as far as a shrunken copy of it tells."""
    from PIL import Image, UnidentifiedImageError

    for name, factor in _IMAGES:
        picture = _beside(positions, name)
        if factor not in factors or not picture.is_file():
            continue
        try:
            data = picture.read_bytes()
            with Image.open(io.BytesIO(gzip.decompress(data) if picture.suffix == ".gz" else data)) as image:
                size = image.size
        except (OSError, EOFError, zlib.error, UnidentifiedImageError):
            continue
        # A side of the copy is rounded to a whole px.
        scale = factors[factor]
        return (round(size[0] / scale, 1), round(size[1] / scale, 1)), round(1 / scale, 1)
    return None, None
