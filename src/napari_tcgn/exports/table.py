"""A result as a plain table, CSV or Parquet, written in blocks of spots so that it never lies in memory whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_tcgn.errors import OutputError
from napari_tcgn.exports.genes import ALL, choose_genes
from napari_tcgn.expression import DOMAIN_P, Library, block, bounds_by_gene, domain_p_of, library_of
from napari_tcgn.files import check_target, without_formulas, write_whole

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

SUFFIXES = (".csv", ".parquet")
# At a time. pandas writes a block of text without letting other threads run, among them a window's.
BLOCK_VALUES = {".csv": 20_000, ".parquet": 2_000_000}
COLUMNS = ("spot", "x_px", "y_px", "x_um", "y_um", "array_row", "array_col", "partial_result")


def write_table(
    adata: AnnData,
    path: str | Path,
    genes: str | Sequence[str] = ALL,
    tidy: bool = False,
    library_id: str | None = None,
    mpp: float | None = None,
    overwrite: bool = False,
    formulas: bool = False,
    level: float = 0.0,
) -> None:
    """Write the values of genes at every spot as .csv or .parquet.

    Wide: one row per spot; columns spot, x_px and y_px (px of the full-resolution image), x_um and y_um (empty where µm
    per px is unknown), array_row and array_col (empty where the AnnData has none), partial_result (true if the run was
    stopped before every spot was predicted), domain_p (how usual the spot's patch is among those of the training) where
    that is known, then one column per gene. Tidy: one row per spot and gene, with the
    columns gene and value instead. A missing value is empty. A Parquet file also carries library_id, output_scale,
    mpp, run_record and model_card as its metadata.

    Parameters
    ----------
    adata : anndata.AnnData
    path : str or pathlib.Path
    genes : str or sequence of str
        As in `choose_genes`.
    tidy : bool
    library_id, mpp
        As in `library_of`.
    overwrite : bool
        Whether an existing file may be replaced.
    formulas : bool
        Write names into a .csv as they are, also those that a spreadsheet would compute (`without_formulas`).
    level : float
        Of intervals, whose bounds are written as further columns ("GENE low", "GENE high"; tidy: low, high); 0: none.

    Raises
    ------
    OutputError
        If the path has another suffix, exists, or cannot be written; if a gene has the name of another column.
    DataError
        As `library_of` and `choose_genes` do.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise OutputError(f"{path.name} is no table.", f"End its name in {' or '.join(SUFFIXES)}.")
    check_target(path, overwrite)
    library = library_of(adata, library_id, mpp)
    chosen = choose_genes(library, genes)
    clash = sorted(set(chosen) & {*COLUMNS, DOMAIN_P})
    if clash and not tidy:
        raise OutputError(f"A gene has the name of the column {clash[0]}.", "Write a tidy table, or leave it out.")
    with write_whole(path, overwrite) as temporary:
        blocks = _blocks(library, chosen, tidy, BLOCK_VALUES[path.suffix], level)
        if path.suffix == ".csv":
            _write_csv(blocks if formulas else map(without_formulas, blocks), temporary)
        else:
            _write_parquet(library, blocks, temporary)


def _blocks(
    library: Library, genes: list[str], tidy: bool, values_at_once: int, level: float
) -> Iterator[pd.DataFrame]:
    import pandas as pd

    bounds_of = bounds_by_gene(library.adata, genes, level)

    about = _about_spots(library)
    n, rows = len(about), max(1, values_at_once // len(genes))
    for start in range(0, n, rows):
        part = slice(start, min(start + rows, n))
        values = block(library.adata, part, genes)  # [rows, genes]
        if not tidy:
            tables = [pd.DataFrame(values, columns=genes, index=about.index[part])]
            for name, bounds in bounds_of(values).items():
                columns = [f"{gene} {name}" for gene in genes]
                tables.append(pd.DataFrame(bounds, columns=columns, index=about.index[part]))
            yield pd.concat([about.iloc[part], *tables], axis=1)
            continue
        long = about.iloc[np.repeat(np.arange(part.start, part.stop), len(genes))].reset_index(drop=True)
        long["gene"] = np.tile(np.array(genes, dtype=object), part.stop - part.start)
        long["value"] = values.ravel()
        for name, bounds in bounds_of(values).items():
            long[name] = bounds.ravel()
        yield long


def _about_spots(library: Library) -> pd.DataFrame:
    import pandas as pd

    obs, n = library.adata.obs, library.adata.n_obs
    usual = domain_p_of(library.adata)
    um = library.centres * (library.mpp if library.mpp is not None else np.nan)
    # Whole numbers that may be missing.
    places = {
        name: pd.array(obs[name].to_numpy(np.float64) if name in obs else [None] * n, dtype="Int64")
        for name in ("array_row", "array_col")
    }
    return pd.DataFrame(
        {
            "spot": library.adata.obs_names.to_numpy(dtype=object),
            "x_px": library.centres[:, 0],
            "y_px": library.centres[:, 1],
            "x_um": um[:, 0],
            "y_um": um[:, 1],
            **places,
            "partial_result": np.full(n, library.partial),
            **({DOMAIN_P: usual} if np.isfinite(usual).any() else {}),
        }
    )


def _write_csv(blocks: Iterator[pd.DataFrame], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, table in enumerate(blocks):
            table.to_csv(file, index=False, header=number == 0, lineterminator="\n")


def _write_parquet(library: Library, blocks: Iterator[pd.DataFrame], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = {
        "library_id": library.library_id,
        "output_scale": library.unit,
        "mpp": "" if library.mpp is None else repr(library.mpp),
        "run_record": library.record.to_json() if library.record is not None else "{}",
        "model_card": library.card.to_json() if library.card is not None else "",
    }
    writer = None
    try:
        for table in blocks:
            rows = pa.Table.from_pandas(table, preserve_index=False)
            rows = rows.replace_schema_metadata({**(rows.schema.metadata or {}), **about})
            if writer is None:
                writer = pq.ParquetWriter(path, rows.schema)
            writer.write_table(rows)
    finally:
        if writer is not None:
            writer.close()
