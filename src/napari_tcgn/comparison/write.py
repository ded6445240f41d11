"""A comparison as files: tables, figures, the annotated prediction and the report."""

from __future__ import annotations

from pathlib import Path

from napari_tcgn.comparison.report import write_report
from napari_tcgn.comparison.result import FILES, Comparison
from napari_tcgn.expression import write_h5ad
from napari_tcgn.files import check_folder, make_folder, without_formulas, write_text_whole, write_whole


def write_comparison(comparison: Comparison, folder: str | Path, overwrite: bool = False) -> list[Path]:
    """Write tables (CSV), overall figures (JSON), the annotated prediction (.h5ad) and a report (HTML) into a folder.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    OutputError
        If the folder cannot be made, or a file exists or cannot be written.
    """
    folder = Path(folder)
    check_folder(folder, FILES, overwrite)
    make_folder(folder)
    comparison.to_csv(folder / "genes.csv", overwrite)
    written = [folder / "genes.csv"]
    tables = {
        "baselines.csv": comparison.baselines,
        "gene_sets.csv": comparison.gene_sets,
        "niches.csv": comparison.niches,
    }
    for name, table in tables.items():
        if len(table):
            with write_whole(folder / name, overwrite) as temporary:
                without_formulas(table).to_csv(temporary, index=False, lineterminator="\n")
            written.append(folder / name)
    write_text_whole(folder / "overall.json", comparison.to_json() + "\n", overwrite)
    write_h5ad(comparison.adata, folder / "compared.h5ad", overwrite)
    write_report(comparison, folder / "report.html", overwrite)
    return [*written, folder / "overall.json", folder / "compared.h5ad", folder / "report.html"]
