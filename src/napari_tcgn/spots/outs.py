"""What lies in a folder of Space Ranger, also as GEO keeps it: packed, the name of a sample before those of files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from napari_tcgn.errors import SpotsError, TcgnError
from napari_tcgn.paths import is_of_system

# Newest first: bins of Visium HD, Space Ranger 2 and later (with a header), Space Ranger 1 (without one).
POSITIONS = ("tissue_positions.parquet", "tissue_positions.csv", "tissue_positions_list.csv")
_PACKED = ".gz"
_BINARY = (".parquet", ".h5")  # are not packed again
_ACCESSION = re.compile(r"GS[EM]\d+")


def section_folder(path: Path, error: type[TcgnError] = SpotsError) -> Path:
    """Return the folder of one section: that of the bins where a folder of Visium HD holds one size of them.

    Parameters
    ----------
    path : pathlib.Path
        Any folder; one that is no outs of Visium HD comes back as it is.
    error : type of TcgnError
        What is raised: spots and counts have errors of their own.

    Raises
    ------
    TcgnError
        Of the given type, if there are several sizes of bins: which of them is meant changes everything.
    """
    bins = _bins(path)
    if len(bins) > 1:
        names = ", ".join(folder.name for folder in bins)
        raise error(
            f"{path} holds Visium HD of several bin sizes: {names}.", f"Choose one of them, for instance {bins[-1]}."
        )
    return bins[0] if bins else path


def _bins(path: Path) -> list[Path]:
    """Return the folders of the bin sizes of Visium HD; none for a folder that is a section itself."""
    if positions_files(path):
        return []
    found = [folder for place in (path / "binned_outputs", path) for folder in place.glob("square_*um")]
    return sorted(folder for folder in found if folder.is_dir())


def positions_file(path: Path) -> Path | None:
    """Return the positions table of a folder or of spatial/ in it, None where there is none, or are those of several.

    In GEO its name begins with that of the sample (GSM…_), and it may be packed (.gz).
    """
    bins = _bins(path)
    found = positions_files(bins[0] if len(bins) == 1 else path)
    return found[0] if len(found) == 1 else None


def positions_files(path: Path) -> list[Path]:
    """Return the positions tables of a folder or of spatial/ in it: several only where samples have names."""
    for folder in (path / "spatial", path):
        for name in POSITIONS:
            if (folder / name).is_file():
                return [folder / name]
    for folder in (path / "spatial", path):
        for name in POSITIONS:
            if found := files_called(folder, name):
                return found
    return []


def files_called(folder: Path, name: str) -> list[Path]:
    """Return the files of a folder that are called so, with the name of a sample before it or packed.

    What a system puts beside files by itself is none of them.
    """
    ends = (name,) if name.endswith(_BINARY) else (name, name + _PACKED)
    found = [file for end in ends for pattern in (end, f"*[_.-]{end}") for file in folder.glob(pattern)]
    return sorted(file for file in found if file.is_file() and not is_of_system(file.name))


def sample_of(file: Path, names: Sequence[str]) -> str:
    """Return what stands before one of the names in a file's name: "GSM1_A1_" of GSM1_A1_matrix.mtx.gz.

    Of a file that is called otherwise the whole name, if it is that of a sample of GEO.
    """
    found = next((file.name.partition(name)[0] for name in names if name in file.name), None)
    if found is not None:
        return found
    return file.name if _ACCESSION.search(file.name) else ""


def same_sample(one: str, other: str) -> bool:
    """Tell whether what stands before two files' names can be of one sample; nothing goes with everything."""
    first, second = _ACCESSION.search(one), _ACCESSION.search(other)
    if first and second:
        return first[0] == second[0]
    return one.startswith(other) or other.startswith(one)


def file_beside(file: Path, names: Sequence[str], wanted: str) -> Path | None:
    """Return the file of a name that belongs to another one in the same folder, None where there is none.

    Parameters
    ----------
    file : pathlib.Path
    names : sequence of str
        What `file` can be called without a sample before it.
    wanted : str
        What the other one is called without a sample before it: that of the same sample is taken, or one of none.
    """
    sample = sample_of(file, names)
    found = {other: sample_of(other, (wanted,)) for other in files_called(file.parent, wanted)}
    for fits in (lambda one: one == sample, lambda one: not one, lambda one: same_sample(one, sample)):
        mine = [other for other, one in found.items() if fits(one)]
        if len({found[other] for other in mine}) == 1:
            return mine[0]
    return None
