"""The result of a comparison: tables, figures, what was matched with what, and the files it is written to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.comparison.records import Manifest, Overall
from napari_tcgn.expression import dense
from napari_tcgn.files import without_formulas, write_whole
from napari_tcgn.options import CompareSettings

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

# The tables of gene sets and niches only where there are any.
FILES = (
    "genes.csv", "baselines.csv", "overall.json", "compared.h5ad", "report.html", "gene_sets.csv", "niches.csv",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Predicted against measured expression of one section.

    Attributes
    ----------
    genes : pandas.DataFrame
        A row per gene that was measured, indexed by the model's symbol, in the panel's order. Columns: see
        docs/compare.md.
    overall : Overall
        Counts, medians with 95 % intervals, null, domains.
    baselines : pandas.DataFrame
        A row per method, the model first: medians with intervals, and the model's lead over each.
    gene_sets : pandas.DataFrame
        A row per gene set; empty without sets.
    niches : pandas.DataFrame
        A row per measured domain; empty without domains.
    manifest : Manifest
        Files, spots, genes, scale, settings, versions; what was matched and how.
    warnings : list of str
        Sentences that belong beside every figure.
    adata : anndata.AnnData
        Copy of the prediction, all its spots and genes: var columns `compare_…`, obs `compare_matched` (and domains),
        layers["measured"] float32 on the model's scale, NaN where not measured, uns["napari_tcgn_compare"].
    measured : anndata.AnnData
        Measured expression of the matched spots and genes, on the model's scale, named and ordered as in `adata`;
        obs "measured_id" (and "depth", "domain"), layers["counts"] where counts were given.
    settings : CompareSettings
    """

    genes: pd.DataFrame
    overall: Overall
    baselines: pd.DataFrame
    gene_sets: pd.DataFrame
    niches: pd.DataFrame
    manifest: Manifest
    warnings: list[str]
    adata: AnnData
    measured: AnnData
    settings: CompareSettings

    @property
    def predicted(self) -> NDArray[np.float32]:
        """Predicted values of the matched spots and genes, float32 [spots, genes], as `measured.X`."""
        values: NDArray[np.float32] = dense(self.adata[self.measured.obs_names, self.measured.var_names].X)
        return values

    def to_csv(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the table of genes.

        Raises
        ------
        OutputError
            If the file exists or cannot be written.
        """
        with write_whole(Path(path), overwrite) as temporary:
            without_formulas(self.genes).to_csv(temporary, lineterminator="\n")

    def to_json(self) -> str:
        """Return overall figures, warnings and manifest as JSON."""
        found = {
            "overall": self.overall.to_record(),
            "warnings": self.warnings,
            "manifest": self.manifest.to_record(),
        }
        return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False)
