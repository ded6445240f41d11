"""Read spots of any kind; the kind is told by what is in the file, not by its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from napari_tcgn.errors import SpotsError
from napari_tcgn.files import cells_of, open_table, reading
from napari_tcgn.options import SpotsSettings
from napari_tcgn.sdata import as_h5ad, element_at
from napari_tcgn.spots.h5ad import read_h5ad_spots
from napari_tcgn.spots.outs import POSITIONS, positions_file, positions_files
from napari_tcgn.spots.saved import MARK, read_saved_spots
from napari_tcgn.spots.source import SavedSource
from napari_tcgn.spots.st import NEEDED, read_st_spots
from napari_tcgn.spots.table import Spots
from napari_tcgn.spots.visium import COLUMNS, read_visium

_HDF5, _PARQUET = b"\x89HDF", b"PAR1"
_LONGEST = 65536  # characters of a first line that are looked at
KINDS = (
    "an ST selection table (.tsv), a Visium folder or its positions table, an .h5ad with obsm['spatial'], "
    "a SpatialData folder, or spots saved here (.csv)"
)


def read_spots(
    path: str | Path,
    mpp: float | None = None,
    pitch_um: float | None = None,
    diameter_um: float | None = None,
    taken: SpotsSettings | None = None,
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
    taken : SpotsSettings, optional
        Which section of an .h5ad, and whether `check_on_slide` is to let contradictions pass.

    Raises
    ------
    SpotsError
        If there is no such file, or it is of no known kind or damaged.
    """
    taken = taken if taken is not None else SpotsSettings()
    path = Path(path)
    with reading(path.name, SpotsError):
        spots = _read(path, mpp, pitch_um, diameter_um, taken.library)
    return replace(spots, source=replace(spots.source, trusted=True)) if taken.trust_spots else spots


def holds_spots(path: Path) -> bool:
    """Tell by a look at its beginning whether a file or folder holds spots of a section: a table or a Visium folder.

    An .h5ad is none of them: what it holds besides spots is more. False, too, where it cannot be read.
    """
    try:
        if path.is_dir():
            return bool(positions_files(path)) or positions_file(path) is not None
        start = _start(path)
        if start.startswith(_PARQUET):
            return any(name in path.name for name in POSITIONS)
        if start.startswith(_HDF5):
            return False
        line = _first_line(path)
        kind = _kind_of_table(line)
        whole = set(NEEDED) <= {cell.lower() for cell in cells_of(line)[0]}  # others have a column x, too
        return kind is not None and (kind != "st" or whole)
    except (OSError, SpotsError):
        return False


def _read(
    path: Path, mpp: float | None, pitch_um: float | None, diameter_um: float | None, library: str | None
) -> Spots:
    if path.is_dir() and element_at(path) is not None:
        with as_h5ad(path, SpotsError) as file:
            return read_h5ad_spots(file, mpp, pitch_um, diameter_um, library)
    start = b"" if path.is_dir() else _start(path)
    if start.startswith(_HDF5):
        return read_h5ad_spots(path, mpp, pitch_um, diameter_um, library)
    if library is not None:
        raise SpotsError(f"{path.name} is no .h5ad, so that it holds no library {library!r}.", "Leave --library out.")
    if path.is_dir() or start.startswith(_PARQUET):
        return read_visium(path)
    kind = _kind_of_table(_first_line(path))
    if kind == "saved":
        spots = read_saved_spots(path)
        before = spots.source
        return replace(
            spots,
            source=SavedSource(
                file=path.name,
                recorded=before,
                image_size=before.image_size,
                image_size_tolerance=before.image_size_tolerance,
                scalefactors=before.scalefactors,
            ),
        )
    if kind == "st":
        return read_st_spots(path)
    if kind == "visium":
        return read_visium(path)
    raise SpotsError(f"{path.name} holds no spots of a known kind.", f"Give {KINDS}.")


def _kind_of_table(line: str) -> Literal["saved", "st", "visium"] | None:
    """Tell by the first line of a text which kind of spots it holds."""
    if line.startswith(MARK):
        return "saved"
    names, separator = cells_of(line)
    cells = [name.lower() for name in names]
    if set(NEEDED) <= set(cells) or (separator == "\t" and set(NEEDED) & set(cells)):
        return "st"
    # Space Ranger 1 writes no header: a barcode and five numbers.
    if set(COLUMNS) <= set(cells) or (len(cells) == len(COLUMNS) and all(_is_number(cell) for cell in cells[1:])):
        return "visium"
    return None


def _start(path: Path) -> bytes:
    """Return the first bytes."""
    if not path.is_file():
        raise SpotsError(f"The spots file {path} does not exist.", "Check its name and folder.")
    with path.open("rb") as file:
        return file.read(8)


def _first_line(path: Path) -> str:
    """Return the first line of a text, of the unpacked one where it is compressed; "" where it is no text."""
    try:
        with open_table(path) as file:
            return file.readline(_LONGEST).rstrip("\r\n")
    except UnicodeError:
        return ""


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True
