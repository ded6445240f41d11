"""`napari-tcgn pseudobulk`: slide-level expression of many predicted slides, beside measured bulk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_tcgn.cli import options
from napari_tcgn.cli.console import say_json
from napari_tcgn.errors import SettingsError
from napari_tcgn.options import BulkScale

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

SLIDES, BULK_GENES, BULK_SLIDES = "slides.csv", "bulk_genes.csv", "bulk_slides.csv"


def pseudobulk(
    results: Annotated[
        list[Path], typer.Argument(help="Predictions (.h5ad), one per slide; the slide's name is the file's.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables.")],
    bulk: Annotated[
        Path | None, typer.Option(help="Measured bulk expression of the same slides, named like them (.csv, .tsv).")
    ] = None,
    bulk_scale: Annotated[
        BulkScale | None, typer.Option(help="linear (counts, TPM …) or log; whole numbers are known to be counts.")
    ] = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Average the spots of predicted slides, and compare with measured bulk RNA-seq.

    \b
    Example:
      napari-tcgn pseudobulk A.h5ad B.h5ad C.h5ad --bulk bulk.tsv --out pseudobulk
    """
    from napari_tcgn.comparison import compare_with_bulk, number, pseudobulk as average, read_bulk
    from napari_tcgn.files import check_folder, require_no_input
    from napari_tcgn.stats import median_pcc

    if bulk_scale is not None and bulk is None:
        raise SettingsError("--bulk-scale says how a bulk table is scaled, and there is none.", "Give --bulk too.")
    names = [SLIDES] + ([BULK_GENES, BULK_SLIDES] if bulk is not None else [])
    require_no_input([out / name for name in names], [*results, bulk])
    check_folder(out, names, overwrite)  # before any work
    measured = read_bulk(bulk) if bulk is not None else None
    slides = average(_read(results))
    tables: dict[str, pd.DataFrame] = {SLIDES: slides.to_df().rename_axis("slide")}
    said: dict[str, Any] = {"slides": slides.n_obs, "genes": slides.n_vars}
    if measured is not None:
        comparison = compare_with_bulk(slides, measured, bulk_scale)
        tables |= {BULK_GENES: comparison.genes, BULK_SLIDES: comparison.slides}
        said |= {
            "compared_slides": len(comparison.slides),
            "compared_genes": len(comparison.genes),
            "genes_matched_by": comparison.matched_by,
            "median_pcc_over_slides": number(median_pcc(comparison.genes["pcc"])),
            "median_spearman_over_genes": number(median_pcc(comparison.slides["spearman"])),
            "median_spearman_of_others": number(median_pcc(comparison.slides["spearman_of_others"])),
            "left_out": comparison.left_out,
            "warnings": comparison.warnings,
        }
    _write(tables, out)
    if json:
        say_json(said)
    else:
        typer.echo(_pseudobulk_text(said, out))


def _read(results: list[Path]) -> dict[str, AnnData]:
    from napari_tcgn.expression import read_prediction

    found: dict[str, AnnData] = {}
    for path in results:
        if path.stem in found:
            raise SettingsError(f"Two of the files are named {path.stem!r}.", "Rename one: the name is the slide's.")
        found[path.stem] = read_prediction(path)
    return found


def _write(tables: dict[str, pd.DataFrame], out: Path) -> None:
    from napari_tcgn.files import without_formulas, write_together

    with write_together(out) as making:
        for name, table in tables.items():
            without_formulas(table).to_csv(making / name, lineterminator="\n")


def _pseudobulk_text(said: dict[str, Any], out: Path) -> str:
    text = f"Wrote {out}: {said['slides']} slides, {said['genes']} genes."
    if "compared_slides" not in said:
        return text
    ways = ", ".join(f"{count} by {way}" for way, count in said["genes_matched_by"].items() if count)
    left_out = ", ".join(f"{len(names)} {what}" for what, names in said["left_out"].items() if names)
    return "\n".join(
        [
            text,
            f"With bulk over {said['compared_slides']} slides and {said['compared_genes']} genes (matched {ways}"
            + (f"; left out: {left_out}):" if left_out else "):"),
            f"  a gene over the slides: median PCC {_in_figures(said['median_pcc_over_slides'])}",
            f"  a slide over the genes: median Spearman {_in_figures(said['median_spearman_over_genes'])}; "
            f"the mean of the other slides has {_in_figures(said['median_spearman_of_others'])}",
            *(f"Note: {warning}" for warning in said["warnings"]),
        ]
    )


def _in_figures(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
