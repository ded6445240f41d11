"""One door to every file format that a result can be exported to; the suffix of the name tells which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tcgn.errors import OutputError
from napari_tcgn.exports import geojson, section_figure as figure, table as table_export
from napari_tcgn.exports.genes import ALL, TRUSTED, aliases_of, choose_genes
from napari_tcgn.expression import Library, library_ids, library_of, with_intervals, write_h5ad
from napari_tcgn.files import check_target
from napari_tcgn.options import ExportSettings

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_tcgn.slide import Slide

FORMATS = {
    ".h5ad": "AnnData",
    ".zarr": "SpatialData",
    ".csv": "CSV table",
    ".parquet": "Parquet table",
    ".geojson": "GeoJSON for QuPath",
    ".png": "picture",
    ".svg": "drawing",
    ".pdf": "drawing",
}


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """What `export` has written.

    Attributes
    ----------
    adata : anndata.AnnData
        The section's spots and the chosen genes.
    path : pathlib.Path
    notes : tuple of str
        What was changed to fit the format, and which genes were named by an alias; a sentence each.
    """

    adata: AnnData
    path: Path
    notes: tuple[str, ...] = ()


FIGURE_GENES = 11  # with the H&E twelve panels, which can still be looked at


def check_export_target(path: Path, overwrite: bool = False) -> None:
    """Refuse a path that `export` would refuse, before any work is done for it.

    Raises
    ------
    OutputError
        If nothing is written under this suffix, or the path exists or cannot be written.
    """
    if path.suffix not in FORMATS:
        raise OutputError(
            f"{path.name} ends in none of the formats that can be written.", f"End it in {', '.join(FORMATS)}."
        )
    if path.suffix == ".zarr" and path.is_dir():
        if not overwrite:
            raise OutputError(f"{path} exists already.", "Choose another name or allow overwriting (--overwrite).")
        return
    check_target(path, overwrite)


def export(
    adata: AnnData,
    path: str | Path,
    settings: ExportSettings | None = None,
    slide: Slide | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a section of an AnnData in the format that the path's suffix names.

    Parameters
    ----------
    adata : anndata.AnnData
        From `to_anndata` or `read_section`.
    path : str or pathlib.Path
        .h5ad, .zarr (SpatialData), .csv, .parquet, .geojson (QuPath), .png, .svg or .pdf.
    settings : ExportSettings, optional
        Which genes, section and kind of table, and how figures are drawn.
    slide : Slide, optional
        Its pixels go into a SpatialData at full resolution; the other formats do not need it.
    overwrite : bool
        Whether what exists may be replaced.

    Returns
    -------
    Exported
        What was written (the section's spots and the chosen genes), and what had to be changed for it.

    Raises
    ------
    OutputError
        As `check_export_target`.
    DataError
        As `library_of` and `choose_genes` do; for a figure of too many genes; for intervals that are not known.
    """
    path, settings = Path(path), settings if settings is not None else ExportSettings()
    check_export_target(path, overwrite)
    library = library_of(adata, settings.library, settings.mpp)
    is_figure = path.suffix in figure.SUFFIXES
    top = min(settings.top, FIGURE_GENES) if is_figure else settings.top
    asked = _genes(settings.genes, path.suffix)
    genes = choose_genes(library, asked, top)
    part = _only(library, genes, settings.mpp is not None)
    notes = [*library.doubts, *aliases_of(library, asked), *_interval_notes(library, settings.interval, is_figure)]
    level = settings.interval / 100
    if level and path.suffix in (".h5ad", ".zarr"):
        part = with_intervals(part, level)
    if path.suffix == ".h5ad":
        write_h5ad(part, path, overwrite)
    elif path.suffix == ".zarr":
        from napari_tcgn.exports.spatialdata import write_spatialdata

        notes += write_spatialdata(part, path, slide, overwrite=overwrite)
    elif path.suffix in table_export.SUFFIXES:
        table_export.write_table(
            part, path, ALL, settings.tidy, overwrite=overwrite, formulas=settings.formulas, level=level
        )
    elif path.suffix in geojson.SUFFIXES:
        geojson.write_geojson(part, path, ALL, overwrite=overwrite, level=level)
    elif len(genes) > FIGURE_GENES:
        raise OutputError(
            f"A figure of {len(genes)} genes cannot be read.", f"Name up to {FIGURE_GENES} genes (--genes, --top)."
        )
    else:
        figure.gene_figure(part, genes, path, overwrite=overwrite, settings=settings)
    return Exported(part, path, tuple(notes))


def _interval_notes(library: Library, level: int, is_figure: bool) -> list[str]:
    """Say that a figure has no bounds, or that the held-out sections do not promise bounds of this level."""
    if not level:
        return []
    if is_figure:
        return ["A figure shows no intervals (--interval); --fade makes uncertain spots faint."]
    told = library.card.metrics.intervals if library.card is not None else None
    if told is None or level <= round(100 * told.guaranteed):
        return []
    return [
        f"{len(told.coverage)} held-out sections promise no interval above {told.guaranteed:.0%}: of {level} % nothing "
        "is guaranteed, nor was its coverage measured."
    ]


def _only(library: Library, genes: list[str], mpp_given: bool) -> AnnData:
    """Return the AnnData of one section and of some genes; without a copy where nothing is left out."""
    adata = library.adata
    if len(genes) < adata.n_vars:
        adata = adata[:, genes]
    if len(library_ids(adata)) > 1 or mpp_given or adata.is_view:
        adata = adata.copy()
        spatial = adata.uns.get("spatial")
        entry = spatial.get(library.library_id) if isinstance(spatial, dict) else None
        entry = dict(entry) if isinstance(entry, Mapping) else {}
        if mpp_given:
            entry["metadata"] = {**entry.get("metadata", {}), "mpp": library.mpp}
        adata.uns["spatial"] = {library.library_id: entry}
    return adata


def _genes(given: str | Sequence[str], suffix: str) -> str | Sequence[str]:
    """Return the choice of genes; by default all of them, where that does not make a file that nobody can use."""
    if given != "":
        return given
    return ALL if suffix in (".h5ad", ".zarr", *table_export.SUFFIXES) else TRUSTED
