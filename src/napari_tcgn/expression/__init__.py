"""Predicted expression as AnnData: built, written, read back, scored and drawn."""

from napari_tcgn.expression.build import read_prediction, to_anndata, write_h5ad
from napari_tcgn.expression.export import export
from napari_tcgn.expression.figure import gene_figure
from napari_tcgn.expression.library import Library, library_ids, library_of
from napari_tcgn.expression.metrics import median_pcc, pearson_per_gene
from napari_tcgn.expression.reopen import read_section
from napari_tcgn.expression.run import predict
from napari_tcgn.expression.scale import OUTPUT_SCALE, scale_counts
from napari_tcgn.predict import run_to_end

__all__ = [
    "OUTPUT_SCALE",
    "Library",
    "export",
    "gene_figure",
    "library_ids",
    "library_of",
    "median_pcc",
    "pearson_per_gene",
    "predict",
    "read_prediction",
    "read_section",
    "run_to_end",
    "scale_counts",
    "to_anndata",
    "write_h5ad",
]
