"""A comparison as files: tables, figures, the annotated prediction and the report."""

from __future__ import annotations

from pathlib import Path

from napari_tcgn.comparison.report import write_report
from napari_tcgn.comparison.result import FILES, Comparison
from napari_tcgn.expression import write_h5ad
from napari_tcgn.files import check_folder, without_formulas, write_text_whole, write_together


def write_comparison(comparison: Comparison, folder: str | Path, overwrite: bool = False) -> list[Path]:
    """Write tables (CSV), overall figures (JSON), the annotated prediction (.h5ad) and a report (HTML) into a folder.

    Returns
    -------
    list of pathlib.Path
        What was written: all of it, or nothing where something could not be written.

    Raises
    ------
    OutputError
        If the folder cannot be made, or a file exists or cannot be written.
    """
    folder = Path(folder)
    check_folder(folder, FILES, overwrite)
    tables = {
        "baselines.csv": comparison.baselines,
        "gene_sets.csv": comparison.gene_sets,
        "niches.csv": comparison.niches,
    }
    tables = {name: table for name, table in tables.items() if len(table)}
    with write_together(folder) as making:
        comparison.to_csv(making / "genes.csv")
        for name, table in tables.items():
            without_formulas(table).to_csv(making / name, index=False, lineterminator="\n")
        write_text_whole(making / "overall.json", comparison.to_json() + "\n")
        write_h5ad(comparison.adata, making / "compared.h5ad")
        write_report(comparison, making / "report.html")
    return [folder / name for name in ("genes.csv", *tables, "overall.json", "compared.h5ad", "report.html")]
