"""Predicted expression as AnnData: built, written, read back, scored, compared and drawn."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_tcgn.expression.build import read_prediction, to_anndata, write_h5ad
from napari_tcgn.expression.export import export
from napari_tcgn.expression.figure import gene_figure
from napari_tcgn.expression.library import Library, library_ids, library_of
from napari_tcgn.expression.metrics import median_pcc, pearson_per_gene
from napari_tcgn.expression.reopen import read_section
from napari_tcgn.expression.run import predict
from napari_tcgn.expression.scale import OUTPUT_SCALE, scale_counts
from napari_tcgn.predict import run_to_end

if TYPE_CHECKING:
    from napari_tcgn.expression.comparing import compare, compare_steps
    from napari_tcgn.expression.comparison import Comparison, write_comparison
    from napari_tcgn.expression.genes_match import read_aliases
    from napari_tcgn.expression.measured import read_measured

# Imported when first used: a comparison brings in pandas and scipy, a prediction needs neither.
_HOMES = {
    "Comparison": "comparison",
    "compare": "comparing",
    "compare_steps": "comparing",
    "read_aliases": "genes_match",
    "read_measured": "measured",
    "write_comparison": "comparison",
}

__all__ = [
    "OUTPUT_SCALE",
    "Comparison",
    "Library",
    "compare",
    "compare_steps",
    "export",
    "gene_figure",
    "library_ids",
    "library_of",
    "median_pcc",
    "pearson_per_gene",
    "predict",
    "read_aliases",
    "read_measured",
    "read_prediction",
    "read_section",
    "run_to_end",
    "scale_counts",
    "to_anndata",
    "write_comparison",
    "write_h5ad",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
