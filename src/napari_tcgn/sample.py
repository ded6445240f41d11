"""The sample section and the mini training set: inside an installed wheel, or in a checkout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_tcgn.errors import DataError

_HINT = "Install napari-tcgn again from its wheel, or work in a full checkout."


@dataclass(frozen=True, slots=True)
class SampleSection:
    """Files of the drawn section; synthetic, so no measure of accuracy.

    Attributes
    ----------
    image : pathlib.Path
        Pyramidal OME-TIFF that says its µm per pixel.
    spots, counts : pathlib.Path
        Legacy ST selection table and count table.
    measured : pathlib.Path
        The same counts as AnnData (.h5ad).
    """

    image: Path
    spots: Path
    counts: Path
    measured: Path


def sample_folder() -> Path:
    """Return the folder `sample_data`.

    Raises
    ------
    DataError
        If this installation came without it.
    """
    package = Path(__file__).resolve().parent
    # A wheel carries the folder inside the package; a checkout keeps it at the repository's top.
    for folder in (package / "sample_data", package.parents[1] / "sample_data"):
        if folder.is_dir():
            return folder
    raise DataError("This installation has no sample data.", _HINT)


def sample_section() -> SampleSection:
    """Return the files of the sample section.

    Raises
    ------
    DataError
        If this installation came without them.
    """
    names = ("section.ome.tif", "section_selection.tsv", "section.tsv.gz", "section.h5ad")
    return SampleSection(*(_existing(sample_folder() / name) for name in names))


def training_sample() -> Path:
    """Return the folder of four small drawn sections (A2, B1, C1, D1) in her2st layout.

    Raises
    ------
    DataError
        If this installation came without it.
    """
    return _existing(sample_folder() / "her2st_mini")


def _existing(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"The sample data lack {path.name}.", _HINT)
    return path
