"""Sections with measured counts: in the layout of the HER2+ study (github almaan/her2st), or in one of the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.model import ModelCard
from napari_tcgn.spots import Spots, same_section
from napari_tcgn.training.data import cscc
from napari_tcgn.training.data.folds import patient_of
from napari_tcgn.training.data.own_sections import MANIFEST, counts_and_spots, read_manifest
from napari_tcgn.training.data.section import HER2ST, MeasuredSection, SectionFiles, Study

if TYPE_CHECKING:
    import pandas as pd

    from napari_tcgn.training.data.patch_cache import PatchCache

COUNTS, SPOTS, IMAGES = "ST-cnts", "ST-spotfiles", "ST-imgs"
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff"})

# µm per pixel of the published images, which their files do not say: 200 µm of pitch are about 290 px in
# patients B to H; patient A was scanned at another scale.
HER2ST_MPP = {"A": 0.92, "B": 0.688, "C": 0.688, "D": 0.688, "E": 0.688, "F": 0.688, "G": 0.688, "H": 0.688}


def find_sections(folder: Path) -> list[SectionFiles]:
    """List the sections of a folder, whichever layout it has.

    Parameters
    ----------
    folder : pathlib.Path
        With a sections.csv (`training/data/own_sections.py`), with the files of GSE144240 (`training/data/cscc.py`),
        or in her2st layout: with ST-cnts, ST-spotfiles and ST-imgs, or the one that holds these as "data"; those are
        sorted by name.

    Raises
    ------
    DataError
        If the folder has no sections, or a section with counts lacks its image or its spot table.
    """
    folder = Path(folder)
    if (folder / MANIFEST).is_file():
        return read_manifest(folder)
    if cscc.is_cscc(folder):
        return cscc.read_cscc(folder)
    root = _data_root(folder)
    tables: dict[str, Path] = {}
    for path in sorted((root / COUNTS).iterdir()):
        match = re.fullmatch(r"(.+)\.tsv(\.gz)?", path.name)
        # Sorted: an unpacked S.tsv comes before S.tsv.gz and is taken.
        if match and not path.name.startswith("."):
            tables.setdefault(match[1], path)
    if not tables:
        raise DataError(
            f"{root / COUNTS} holds no count table (.tsv or .tsv.gz).", "Choose the folder of the data set."
        )
    sections, problems = [], []
    for name, counts in sorted(tables.items()):
        patient = patient_of(name)
        spots = root / SPOTS / f"{name}_selection.tsv"
        images = _images(root / IMAGES / patient / name)
        if not spots.is_file():
            problems.append(f"{name} lacks its spot table {SPOTS}/{spots.name}")
        if len(images) != 1:
            found = "no image" if not images else f"{len(images)} images"
            problems.append(f"{name} has {found} in {IMAGES}/{patient}/{name}")
        if spots.is_file() and len(images) == 1:
            known = HER2ST_MPP.get(patient)
            sections.append(SectionFiles(name, patient, images[0], counts, spots, published_mpp=known))
    if problems:
        raise DataError(
            f"{len(problems)} files of the sections in {root} are missing or ambiguous: {'; '.join(problems)}.",
            "Add what is missing, or move the count tables of these sections away to leave them out.",
        )
    return sections


def study_of(folder: Path, sections: Sequence[SectionFiles]) -> Study:
    """Return what a card says of the data in a folder: a published study, or sections of one's own."""
    if not (Path(folder) / MANIFEST).is_file():
        return cscc.study(list(sections)) if cscc.is_cscc(Path(folder)) else HER2ST
    name = Path(folder).resolve().name
    patients = {section.name: section.patient for section in sections}
    return Study(name, f"sections of one's own ({name})", "", "", "", patients)


def load_section(
    section: SectionFiles,
    genes: Sequence[str],
    card: ModelCard | None = None,
    mpp: float | None = None,
    cache: PatchCache | None = None,
) -> MeasuredSection:
    """Read one section's counts, spots and patches.

    Parameters
    ----------
    section : SectionFiles
    genes : sequence of str
        The panel, in output order.
    card : ModelCard, optional
        Of the model to be trained: how many µm a patch covers, and whether its scale goes by a spot's counts over all
        genes. Default: 77 µm, the published 112 px; counts over the panel.
    mpp : float, optional
        µm per pixel of the image. Default: what the image file says, else the known scale of the published
        images (0.688 for patients B to H, 0.92 for A).
    cache : PatchCache, optional
        Where patches are kept on disk.

    Raises
    ------
    DataError
        If the tables belong to different sections, the section has none of the genes, or the distance between
        its spots contradicts the µm per pixel.
    PixelSizeUnknownError
        If nothing says the µm per pixel.
    SlideError, SpotsError
        If the image or a table cannot be read, or a spot lies outside the image.
    """
    from napari_tcgn.expression import TOTAL_SCALE, scale_counts
    from napari_tcgn.training.data.cut import cut_section

    found, spots = counts_and_spots(section)
    table = found.table
    spots, rows, only_counts, only_spots = _join(section, table, spots)
    measured = np.isin(np.asarray(genes, dtype=str), table.columns.to_numpy(dtype=str))
    if not measured.any():
        raise DataError(
            f"Section {section.name} has none of the {len(genes)} genes of the panel.",
            "Check that the columns of the count table are gene symbols, or choose another panel.",
        )
    # float32 [n, genes]; a gene that the table lacks is 0 here and False in `measured`
    counts = table.iloc[rows].reindex(columns=list(genes), fill_value=0).to_numpy(dtype=np.float32)

    card = card or ModelCard(name="patch", version="0", architecture={}, genes=list(genes), patch_um=77.0)
    totals = None
    if card.output_scale == TOTAL_SCALE:
        totals = table.iloc[rows].to_numpy(dtype=np.float64).sum(axis=1)
    cut = cut_section(section, spots, card, mpp, cache)
    return MeasuredSection(
        files=section,
        spots=cut.spots,
        patches=cut.patches,
        counts=counts,
        target=np.asarray(scale_counts(counts, totals), dtype=np.float32),
        measured=measured,
        mpp=cut.mpp,
        mpp_source=cut.mpp_source,
        padded=cut.padded,
        only_counts=only_counts,
        only_spots=only_spots,
        summed=found.summed,
        notes=found.notes,
        totals=totals,
    )


def _data_root(folder: Path) -> Path:
    """Return the folder that holds ST-cnts, ST-spotfiles and ST-imgs."""
    hint = (
        f"Choose a folder in her2st layout ({COUNTS}, {SPOTS} and {IMAGES}), one with the files of GSE144240, or one "
        f"with a {MANIFEST}."
    )
    if not folder.is_dir():
        raise DataError(f"The data folder {folder} does not exist.", hint)
    for root in (folder, folder / "data"):
        if (root / COUNTS).is_dir():
            missing = [name for name in (SPOTS, IMAGES) if not (root / name).is_dir()]
            if missing:
                raise DataError(f"{root} has {COUNTS} but no {' and no '.join(missing)}.", hint)
            return root
    raise DataError(f"{folder} holds no sections: there is no {COUNTS} in it.", hint)


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    return sorted(path for path in found if not path.name.startswith("."))


def _join(
    section: SectionFiles, table: pd.DataFrame, spots: Spots
) -> tuple[Spots, NDArray[np.intp], tuple[str, ...], tuple[str, ...]]:
    """Keep the spots of both tables in the count table's order; say which count rows and which ids are left out."""
    row_of_spot = {str(spot): row for row, spot in enumerate(spots.ids)}
    count_ids = [str(name) for name in table.index]
    rows = [row for row, name in enumerate(count_ids) if name in row_of_spot]
    if not same_section(spots.ids, count_ids):
        place = (section.spots or section.counts).name
        raise DataError(
            f"Section {section.name}: only {len(rows)} of the {len(spots)} spots in {place} "
            f"have counts in {section.counts.name}, which holds {len(count_ids) - len(rows)} other spots.",
            "The two tables must belong to the same section.",
        )
    kept = spots.select(np.array([row_of_spot[count_ids[row]] for row in rows], dtype=np.intp))
    only_counts = tuple(name for name in count_ids if name not in row_of_spot)
    only_spots = tuple(sorted(set(row_of_spot) - set(count_ids)))
    return kept, np.array(rows, dtype=np.intp), only_counts, only_spots
