"""Sections with measured counts: the layout of the HER2+ study (github almaan/her2st), or a table of one's own."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import DataError, PixelSizeUnknownError
from napari_tcgn.model.card import ModelCard
from napari_tcgn.slide.base import Slide
from napari_tcgn.spots.table import Spots
from napari_tcgn.train.folds import patient_of
from napari_tcgn.train.own import MANIFEST, read_manifest, read_measured
from napari_tcgn.train.section import HER2ST, Section, SectionData, Study

if TYPE_CHECKING:
    import pandas as pd

COUNTS, SPOTS, IMAGES = "ST-cnts", "ST-spotfiles", "ST-imgs"
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff"})

# Fewer matching spots than this share of a selection table: the counts are those of another section.
MIN_MATCHED = 0.5

# The printed grid is not quite regular and its x and y scale differ by 1 %; a wrong scale is off by far more.
SCALE_TOLERANCE = 0.15

# µm per pixel of the published images, which their files do not say: 200 µm of pitch are about 290 px in
# patients B to H; patient A was scanned at another scale.
HER2ST_MPP = {"A": 0.92, "B": 0.688, "C": 0.688, "D": 0.688, "E": 0.688, "F": 0.688, "G": 0.688, "H": 0.688}


def find_sections(folder: Path) -> list[Section]:
    """List the sections of a folder in her2st layout, sorted by name, or those of its sections.csv (`train/own.py`).

    Parameters
    ----------
    folder : pathlib.Path
        The folder with ST-cnts, ST-spotfiles and ST-imgs, or the one that holds it as "data".

    Raises
    ------
    DataError
        If the folder has no sections, or a section with counts lacks its image or its spot table.
    """
    folder = Path(folder)
    if (folder / MANIFEST).is_file():
        return read_manifest(folder)
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
            sections.append(Section(name, patient, images[0], counts, spots))
    if problems:
        raise DataError(
            f"{len(problems)} files of the sections in {root} are missing or ambiguous: {'; '.join(problems)}.",
            "Add what is missing, or move the count tables of these sections away to leave them out.",
        )
    return sections


def study_of(folder: Path, sections: Sequence[Section]) -> Study:
    """Return what a card says of the data in a folder: the HER2+ study, or sections of one's own."""
    if not (Path(folder) / MANIFEST).is_file():
        return HER2ST
    name = Path(folder).resolve().name
    patients = {section.name: section.patient for section in sections}
    return Study(name, f"sections of one's own ({name})", "", "", "", patients)


def load_section(
    section: Section, genes: Sequence[str], card: ModelCard | None = None, mpp: float | None = None
) -> SectionData:
    """Read one section's counts, spots and patches.

    Parameters
    ----------
    section : Section
    genes : sequence of str
        The panel, in output order.
    card : ModelCard, optional
        Of the model to be trained: how many µm a patch covers. Default: 77 µm, the published 112 px.
    mpp : float, optional
        µm per pixel of the image. Default: what the image file says, else the known scale of the published
        images (0.688 for patients B to H, 0.92 for A).

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
    from napari_tcgn.expression import scale_counts
    from napari_tcgn.predict import choose_level, cut_patch, leaves_image, patch_side_px
    from napari_tcgn.slide import open_slide
    from napari_tcgn.spots import check_on_slide

    table, spots = read_measured(section)
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
    slide = open_slide(section.image, mpp=mpp if mpp is not None else section.mpp)
    try:
        check_on_slide(spots, slide)
        mpp, mpp_source = _pixel_size(section, slide)
        _check_scale(section, spots, mpp)
        side = patch_side_px(card, mpp)
        level = choose_level(slide, side, card.input_px)
        patches = np.stack([cut_patch(slide, x, y, side, level) for x, y in zip(spots.x, spots.y, strict=True)])
        width, height = slide.level_dimensions[0]
        padded = int(leaves_image(spots.x, spots.y, side, width, height).sum())
    finally:
        slide.close()
    return SectionData(
        section=section,
        spots=spots,
        patches=patches,
        counts=counts,
        target=np.asarray(scale_counts(counts), dtype=np.float32),
        measured=measured,
        mpp=mpp,
        mpp_source=mpp_source,
        padded=padded,
        only_counts=only_counts,
        only_spots=only_spots,
    )


def _data_root(folder: Path) -> Path:
    """Return the folder that holds ST-cnts, ST-spotfiles and ST-imgs."""
    mend = f"Choose a folder in her2st layout ({COUNTS}, {SPOTS} and {IMAGES}), or one with a {MANIFEST}."
    if not folder.is_dir():
        raise DataError(f"The data folder {folder} does not exist.", mend)
    for root in (folder, folder / "data"):
        if (root / COUNTS).is_dir():
            missing = [name for name in (SPOTS, IMAGES) if not (root / name).is_dir()]
            if missing:
                raise DataError(f"{root} has {COUNTS} but no {' and no '.join(missing)}.", mend)
            return root
    raise DataError(f"{folder} holds no sections: there is no {COUNTS} in it.", mend)


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    return sorted(path for path in found if not path.name.startswith("."))


def _join(
    section: Section, table: pd.DataFrame, spots: Spots
) -> tuple[Spots, NDArray[np.intp], tuple[str, ...], tuple[str, ...]]:
    """Keep the spots of both tables in the count table's order; say which count rows and which ids are left out."""
    row_of_spot = {str(spot): row for row, spot in enumerate(spots.ids)}
    count_ids = [str(name) for name in table.index]
    rows = [row for row, name in enumerate(count_ids) if name in row_of_spot]
    if len(rows) < MIN_MATCHED * len(spots):
        place = (section.spots or section.counts).name
        raise DataError(
            f"Section {section.name}: only {len(rows)} of the {len(spots)} spots in {place} "
            f"have counts in {section.counts.name}.",
            "The two tables must belong to the same section.",
        )
    kept = spots.select(np.array([row_of_spot[count_ids[row]] for row in rows], dtype=np.intp))
    only_counts = tuple(name for name in count_ids if name not in row_of_spot)
    only_spots = tuple(sorted(set(row_of_spot) - set(count_ids)))
    return kept, np.array(rows, dtype=np.intp), only_counts, only_spots


def _pixel_size(section: Section, slide: Slide) -> tuple[float, str]:
    """Return the µm per pixel of a section's image and where it comes from."""
    if slide.mpp is not None:
        return slide.mpp, slide.mpp_source
    if section.patient not in HER2ST_MPP:
        raise PixelSizeUnknownError(
            f"The µm per pixel of section {section.name} is unknown: its image does not say it.", "Give it with --mpp."
        )
    return HER2ST_MPP[section.patient], "known scale of the published her2st images"


def _check_scale(section: Section, spots: Spots, mpp: float) -> None:
    """Refuse a µm per pixel that the known distance between the spots contradicts."""
    grid = np.stack([spots.array_col, spots.array_row, np.ones(len(spots))], axis=1).astype(float)  # [n, 3]
    affine, _, rank, _ = np.linalg.lstsq(grid, np.stack([spots.x, spots.y], axis=1), rcond=None)  # [3, (x, y)]
    if rank < 3:
        return  # spots in one line: nothing to measure
    step = math.sqrt(abs(np.linalg.det(affine[:2])))  # px from spot to spot, whatever the rotation
    # A hexagonal array numbers half steps along a row, and its rows are nearer than its spots.
    across = math.sqrt(0.5 * math.sqrt(0.75)) if spots.layout == "visium" else 1.0
    step /= across
    found = spots.pitch_um / max(step, 1e-9)
    if abs(found / mpp - 1) > SCALE_TOLERANCE:
        raise DataError(
            f"Section {section.name}: its spots are {step:.1f} px apart; at {spots.pitch_um:g} µm that is {found:.3g} "
            f"µm per pixel, not {mpp:g}.",
            f"Give the scale of the images (--mpp {found:.3g}), or check that image and spot table belong together.",
        )
