"""What drives a gene over a section: where it is predicted highest and lowest, and which morphology goes along."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from napari_tcgn.engine import Progress, choose_level, cut_patch, is_outside, leaves_image, to_the_end
from napari_tcgn.errors import DataError
from napari_tcgn.explanation.morphology import Morphology, measure_morphology
from napari_tcgn.explanation.same_slide import require_same_slide
from napari_tcgn.exports import choose_genes
from napari_tcgn.expression import column, domain_p_of, library_of
from napari_tcgn.slide import Slide, require_mpp
from napari_tcgn.spots import Lattice, check_on_slide
from napari_tcgn.stats import pearson_per_gene, q_values, shift_p
from napari_tcgn.trust import trust_sentence

if TYPE_CHECKING:
    from anndata import AnnData

GALLERY = 24  # patches of each end
IN_A_BLOCK = 3  # of these, in one neighbourhood of four by four pitches
FEWEST = 20  # spots, for correlations
SHOWN_PX = 128  # least side of a patch in the gallery, where the slide has it


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Patches of one end of a gene's values.

    Attributes
    ----------
    spots : tuple of str
        The most extreme one first.
    values : float64 [n]
    xy : float64 [n, 2]
        In full-resolution px.
    patches : uint8 [n, px, px, 3]
    """

    spots: tuple[str, ...]
    values: NDArray[np.float64]
    xy: NDArray[np.float64]
    patches: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Driver:
    """A feature of the tissue beside a gene.

    Attributes
    ----------
    feature, unit : str
    rho : float
        Spearman's correlation with the gene over the spots; NaN where one of them is constant.
    p, q : float
        Two-sided, against shifts of the section against itself; q after Benjamini and Hochberg over the features.
    """

    feature: str
    unit: str
    rho: float
    p: float
    q: float


@dataclass(frozen=True, slots=True, eq=False)
class GeneDrivers:
    """What goes along with a gene over a section.

    Attributes
    ----------
    gene, library_id, unit : str
        Unit of the values.
    highest, lowest : Gallery
    drivers : tuple of Driver
        The strongest correlation first.
    morphology : Morphology
        Of the spots that were used, in the result's order.
    spots : tuple of str
        Their names.
    side_um : float
        Of the squares that were looked at.
    notes : tuple of str
    """

    gene: str
    library_id: str
    unit: str
    highest: Gallery
    lowest: Gallery
    drivers: tuple[Driver, ...]
    morphology: Morphology
    spots: tuple[str, ...]
    side_um: float
    notes: tuple[str, ...] = ()


def gene_drivers_steps(
    adata: AnnData, slide: Slide, gene: str, library_id: str | None = None
) -> Generator[Progress, None, GeneDrivers]:
    """Look for what drives a gene over a section, as a generator: closing it stops the work.

    Parameters
    ----------
    adata : anndata.AnnData
        A result of `predict`, or other values at spots.
    slide : Slide
        The one that the spots lie on.
    gene : str
        A name under which people know it will do.
    library_id : str, optional
        Needed where the AnnData holds several sections.

    Yields
    ------
    Progress

    Returns
    -------
    GeneDrivers

    Raises
    ------
    DataError
        If there is no such gene or section, more than one gene is named, or fewer than 20 spots can be used.
    SlideError
        If the slide is not that of the result, or cannot be read.
    """
    library = library_of(adata, library_id)
    chosen = choose_genes(library, gene)
    if len(chosen) != 1:
        raise DataError(f"{gene!r} stands for {len(chosen)} genes.", "Name one gene.")
    mpp = library.mpp if library.mpp is not None else require_mpp(slide)
    another = require_same_slide(library, slide)
    yield Progress("read slide", 0, 1)
    values, spots = column(library.adata, chosen[0]), check_on_slide(library.spots(), slide)
    # Of a model of several scales, the smallest one: what the eye can judge.
    side_um = library.card.scales_um[0] if library.card is not None else library.drawn_diameter_px() * mpp
    usual = domain_p_of(library.adata)
    keep, notes = _usable(values, spots.x, spots.y, round(side_um / mpp), slide, usual)
    if keep.sum() < FEWEST:
        raise DataError(
            f"{int(keep.sum())} spots have a value of {chosen[0]} and a whole patch: too few.",
            f"Give a result with at least {FEWEST} of them.",
        )
    if library.card is not None and chosen[0] in library.card.genes:
        notes = (trust_sentence(library.card, chosen[0]), *notes)
    notes = (*another, *notes)
    spots, values = spots.select(keep), values[keep]
    morphology: Morphology = yield from _counted(measure_morphology(slide, spots.x, spots.y, side_um, mpp), len(spots))
    yield Progress("correlate", 0, 1)
    drivers = correlate(values, morphology, spots.lattice)
    blocks = spots.lattice.blocks()
    galleries = []
    for sign in (-1, 1):
        picked = pick(sign * values, blocks, min(GALLERY, len(values) // 2))
        xy = np.column_stack([spots.x, spots.y])[picked]
        patches = _patches(slide, xy, round(side_um / mpp))
        galleries.append(Gallery(tuple(map(str, spots.ids[picked])), values[picked], xy, patches))
    yield Progress("correlate", 1, 1)
    highest, lowest = galleries
    names = tuple(map(str, spots.ids))
    return GeneDrivers(
        chosen[0], library.library_id, library.unit, highest, lowest, drivers, morphology, names, side_um, notes
    )


gene_drivers = to_the_end(gene_drivers_steps, "gene_drivers")


def pick(values: NDArray[np.float64], blocks: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return the numbers of the lowest values, at most three of a block."""
    chosen: list[int] = []
    taken: dict[int, int] = {}
    for number in np.argsort(values, kind="stable"):
        block = int(blocks[number])
        if taken.get(block, 0) < IN_A_BLOCK:
            taken[block] = taken.get(block, 0) + 1
            chosen.append(int(number))
            if len(chosen) == count:
                break
    return np.array(chosen, dtype=np.intp)


def correlate(values: NDArray[np.float64], morphology: Morphology, lattice: Lattice) -> tuple[Driver, ...]:
    """Correlate a gene [spots] with every feature, and test against shifts of the section against itself.

    Shifts keep the spatial structure of both maps: two smooth maps correlate by chance far more than shuffled ones. A
    spot without a figure of a feature gets the median of the others.
    """
    table = np.where(np.isnan(morphology.values), _medians(morphology.values), morphology.values)
    features = rankdata(table, axis=0)
    gene = np.repeat(rankdata(values)[:, None], features.shape[1], axis=1)
    rho = pearson_per_gene(gene, features)
    p = np.minimum(1.0, 2 * np.minimum(shift_p(gene, features, lattice), shift_p(-gene, features, lattice)))
    q = q_values(p)
    rows = zip(morphology.names, morphology.units, rho, p, q, strict=True)
    found = [Driver(name, unit, float(r), float(a), float(b)) for name, unit, r, a, b in rows]
    return tuple(sorted(found, key=lambda one: -abs(np.nan_to_num(one.rho))))


def _medians(table: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(table).any(axis=0)
    medians = np.zeros(table.shape[1])
    medians[known] = np.nanmedian(table[:, known], axis=0)
    return medians


def _usable(
    values: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    side: int,
    slide: Slide,
    usual: NDArray[np.float64],
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Mark the spots that have a value and a whole patch like those of the training, and say how many have not.

    Where all are unlike the training, none is left out for that.
    """
    known = np.isfinite(values)
    over = leaves_image(x, y, side, *slide.level_dimensions[0])
    notes = []
    if not known.all():
        notes.append(f"{int((~known).sum())} of {len(known)} spots have no value and are left out.")
    if (known & over).any():
        notes.append(f"{int((known & over).sum())} patches reach over the edge of the slide and are left out.")
    found, unlike = known & ~over, is_outside(usual)
    if (found & unlike).any() and (found & ~unlike).sum() >= FEWEST:
        notes.append(f"{int((found & unlike).sum())} patches are unlike the training and are left out.")
        found &= ~unlike
    elif (found & unlike).any():
        notes.append(f"{int((found & unlike).sum())} of {int(found.sum())} patches are unlike the training.")
    return found, tuple(notes)


def _patches(slide: Slide, xy: NDArray[np.float64], side: int) -> NDArray[np.uint8]:
    level = choose_level(slide, side, SHOWN_PX)
    return np.stack([cut_patch(slide, x, y, side, level) for x, y in xy])


def _counted(steps: Generator[int, None, Any], total: int) -> Generator[Progress, None, Any]:
    yield Progress("morphology", 0, total)
    while True:
        try:
            done = next(steps)
        except StopIteration as end:
            return end.value
        yield Progress("morphology", done, total)
