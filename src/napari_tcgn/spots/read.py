"""Read spots of any kind; the kind is told by what is in the file, not by its name."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from pathlib import Path

from napari_tcgn.errors import SpotsError
from napari_tcgn.spots.h5ad import read_h5ad_spots
from napari_tcgn.spots.saved import MARK, read_saved_spots
from napari_tcgn.spots.source import SavedSource
from napari_tcgn.spots.st import NEEDED, read_st_spots
from napari_tcgn.spots.table import Spots
from napari_tcgn.spots.visium import COLUMNS, read_visium

_HDF5, _PARQUET, _GZIP = b"\x89HDF", b"PAR1", b"\x1f\x8b"
_LONGEST = 4096  # bytes of a first line that are looked at
KINDS = (
    "an ST selection table (.tsv), a Visium folder or its positions table, an .h5ad with obsm['spatial'], "
    "or spots saved here (.csv)"
)


def read_spots(
    path: str | Path, mpp: float | None = None, pitch_um: float | None = None, diameter_um: float | None = None
) -> Spots:
    """Read the spots of a measured section, or saved ones.

    Parameters
    ----------
    path : str or pathlib.Path
        An ST selection table, a Visium folder (Space Ranger 1, 2 and later, a bin size of Visium HD) or its positions
        table, an .h5ad with obsm["spatial"], or a file of `write_spots`.
    mpp : float or None
        µm per px of the slide: needed only for an .h5ad that does not tell how large its spots are.
    pitch_um, diameter_um : float or None
        Of the array of such an .h5ad, where it is a square one.

    Raises
    ------
    SpotsError
        If there is no such file, or it is of no known kind or damaged.
    """
    path = Path(path)
    if path.is_dir():
        return read_visium(path)
    line = _first_line(path)
    if line.startswith(_HDF5):
        return read_h5ad_spots(path, mpp, pitch_um, diameter_um)
    if line.startswith(_PARQUET):
        return read_visium(path)
    text = line.decode("utf-8", errors="replace")
    if text.startswith(MARK):
        spots = read_saved_spots(path)
        before = spots.source
        return replace(
            spots,
            source=SavedSource(
                file=path.name,
                recorded=before,
                image_size=before.image_size,
                image_size_tolerance=before.image_size_tolerance,
            ),
        )
    if set(NEEDED) & set(text.split("\t")):
        return read_st_spots(path)
    # Space Ranger 1 writes no header: a barcode and five numbers.
    cells = text.split(",")
    if cells == list(COLUMNS) or (len(cells) == len(COLUMNS) and all(_is_number(cell) for cell in cells[1:])):
        return read_visium(path)
    raise SpotsError(f"{path.name} holds no spots of a known kind.", f"Give {KINDS}.")


def _first_line(path: Path) -> bytes:
    """Return the first line, of the unpacked text where the file is compressed."""
    if not path.is_file():
        raise SpotsError(f"The spots file {path} does not exist.", "Check its name and folder.")
    try:
        with path.open("rb") as file:
            line = file.read(_LONGEST).partition(b"\n")[0]
        if line.startswith(_GZIP):
            with gzip.open(path) as unpacked:
                line = unpacked.read(_LONGEST).partition(b"\n")[0]
    except (OSError, EOFError, zlib.error) as error:
        raise SpotsError(f"{path.name} cannot be read: {error}.", "Copy or download it again.") from error
    return line.rstrip(b"\r")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
