"""A section with measured counts: where its files are, what is in them, and the study that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.spots import Spots


@dataclass(frozen=True, slots=True)
class Study:
    """What a model card says of the data.

    Attributes
    ----------
    name : str
        Part of the model's name.
    data, licence, citation, tissue : str
        "" where it is not known.
    organism : str
        "" where it is not known; the names of the genes may tell.
    patients : mapping of str to str, or None
        Patient of every section; None: the published folds of the HER2+ study.
    """

    name: str
    data: str
    licence: str
    citation: str
    tissue: str
    patients: Mapping[str, str] | None = None
    organism: str = ""


HER2ST = Study(
    name="her2st",
    data="HER2+ breast cancer spatial transcriptomics (github almaan/her2st, Zenodo 10.5281/zenodo.4751624)",
    licence="CC BY 4.0",
    citation=(
        "Andersson A. et al. Spatial deconvolution of HER2-positive breast cancer delineates tumor-associated cell "
        "type interactions. Nature Communications 12, 6012 (2021). doi:10.1038/s41467-021-26271-2"
    ),
    tissue="HER2-positive breast cancer",
    organism="Homo sapiens",
)


@dataclass(frozen=True, slots=True)
class SectionFiles:
    """Where the files of one section are.

    Attributes
    ----------
    name, patient : str
        "C2" and "C".
    image, counts : pathlib.Path
        Full-resolution H&E image; count table (.tsv or .tsv.gz), .h5ad or Visium folder.
    spots : pathlib.Path or None
        Spot selection table of legacy ST.
    mpp, diameter_um, pitch_um : float or None
        Where the section's own table says them.
    published_mpp : float or None
        µm per pixel of the images of a published study whose files do not say it.
    pitches_um : tuple of float
        Distances between spots that are possible, where the study's arrays are not all alike or not known; the one
        that agrees with the µm per pixel is taken. Empty: the layout's own.
    layer : str or None
        Of an .h5ad, that holds the raw counts; None: X.
    """

    name: str
    patient: str
    image: Path
    counts: Path
    spots: Path | None
    mpp: float | None = None
    diameter_um: float | None = None
    pitch_um: float | None = None
    published_mpp: float | None = None
    pitches_um: tuple[float, ...] = ()
    layer: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredSection:
    """One section in memory: only spots that have both counts and a position, in the order of the count table.

    Attributes
    ----------
    files : SectionFiles
    spots : Spots
        n spots.
    patches : uint8 [n, side, side, 3]
        Upright RGB around every spot.
    counts : float32 [n, genes]
        Raw counts in the order of the panel; 0 where the section does not have the gene.
    target : float32 [n, genes]
        log10(1 + 1e4 * count / total of the spot); an empty spot is all zero.
    measured : bool [genes]
        Whether the section's count table has the gene; the others must not be learnt or scored.
    mpp : float
        µm per pixel that the patches were cut with.
    mpp_source : str
    padded : int
        Spots whose patch reaches over the edge of the image (filled up with white).
    only_counts, only_spots : tuple of str
        Ids left out because they stand in one of the two tables only.
    summed : tuple of str
        Genes that the count table names more than once; their counts are added up.
    notes : tuple of str
        What else was done to the names of genes and spots, a sentence each.
    totals : float64 [n] or None
        Counts of every spot over all genes of its table, by which `target` is scaled; None: by those over the panel.
    """

    files: SectionFiles
    spots: Spots
    patches: NDArray[np.uint8]
    counts: NDArray[np.float32]
    target: NDArray[np.float32]
    measured: NDArray[np.bool_]
    mpp: float
    mpp_source: str
    padded: int
    only_counts: tuple[str, ...]
    only_spots: tuple[str, ...]
    summed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    totals: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.spots)

    @property
    def total(self) -> NDArray[np.float64]:
        """Counts of every spot (float64 [n]) by which `target` is scaled: over the panel, or over all genes."""
        return self.counts.sum(axis=1, dtype=np.float64) if self.totals is None else self.totals

    @property
    def name(self) -> str:
        """Name of the section."""
        return self.files.name

    @property
    def patient(self) -> str:
        """Whose it is."""
        return self.files.patient
