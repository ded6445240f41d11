"""Measured bulk RNA-seq beside predicted pseudobulk, over slides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.expression.pseudobulk import shares_to_scale
from napari_tcgn.expression.statistics import q_values
from napari_tcgn.settings import BulkScale

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

MIN_SLIDES = 3  # a correlation over two slides is always 1 or -1

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BulkComparison:
    """How pseudobulk follows measured bulk.

    Attributes
    ----------
    genes : DataFrame, one row per common gene
        pcc and spearman over the slides, p (two-sided, of the PCC), q (Benjamini-Hochberg).
    slides : DataFrame, one row per slide
        spearman over the genes; spearman_of_others: the same with the mean prediction of the other slides, which is
        what knowing nothing of this slide earns; pcc_centred: over the genes, their means over the slides taken out.
    left_out : dict
        Names of slides without bulk, bulk samples without a slide, genes without bulk.
    """

    genes: pd.DataFrame
    slides: pd.DataFrame
    left_out: dict[str, list[str]]


def read_bulk(path: str | Path) -> pd.DataFrame:
    """Read a table of bulk expression: samples and genes, either of them as rows.

    Parameters
    ----------
    path : str or pathlib.Path
        .csv, or tab-separated with any other suffix (also .gz); names in the first row and first column.

    Returns
    -------
    DataFrame
        float64, as it lies in the file.

    Raises
    ------
    DataError
        If the file cannot be read, holds texts or missing numbers, or repeats a name.
    """
    import pandas as pd

    path = Path(path)
    separator = "," if ".csv" in path.suffixes else "\t"
    try:
        table = pd.read_csv(path, sep=separator, index_col=0)
        table = table.astype(np.float64)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} is no table of bulk expression: {error}.",
            "Give numbers with gene names and sample names in the first row and column (.csv or .tsv).",
        ) from error
    table.index, table.columns = table.index.astype(str), table.columns.astype(str)
    for names, what in ((table.index, "rows"), (table.columns, "columns")):
        if names.has_duplicates:
            name = names[names.duplicated()][0]
            raise DataError(f"{path.name} has two {what} named {name!r}.", "Sum or rename them.")
    if not np.isfinite(table.to_numpy()).all():
        raise DataError(f"{path.name} has missing or infinite numbers.", "Fill them in or leave these genes out.")
    return table


def compare_with_bulk(slides: AnnData, bulk: pd.DataFrame, scale: BulkScale | None = None) -> BulkComparison:
    """Correlate slide-level predictions with measured bulk expression of the same slides.

    Parameters
    ----------
    slides : anndata.AnnData
        From `pseudobulk`.
    bulk : DataFrame
        From `read_bulk`; its samples are named like the slides.
    scale : {"linear", "log"}, optional
        "linear" (counts, TPM, FPKM): brought to the scale of the predictions over the common genes. "log": taken as it
        is. None: whole numbers are counts; anything else has to be said.

    Raises
    ------
    DataError
        If fewer than three slides or no genes are common, or the scale is not known or not possible.
    """
    import pandas as pd

    bulk = _samples_as_rows(bulk, slides)
    common = [name for name in slides.obs_names if name in bulk.index]
    if len(common) < MIN_SLIDES:
        raise DataError(
            f"{len(common)} slides have a bulk sample of the same name (slides: {_some(list(slides.obs_names))}; "
            f"samples: {_some(list(bulk.index))}).",
            f"Name the samples like the slides; a correlation over slides needs at least {MIN_SLIDES}.",
        )
    genes = [gene for gene in slides.var_names if gene in bulk.columns]
    measured = _on_scale(bulk.loc[common, genes].to_numpy(), scale)
    predicted = np.asarray(slides[common, genes].X, dtype=np.float64)
    return BulkComparison(
        genes=_over_slides(predicted, measured, genes),
        slides=pd.DataFrame(_over_genes(predicted, measured), index=pd.Index(common, name="slide")),
        left_out={
            "slides": [name for name in slides.obs_names if name not in bulk.index],
            "samples": [name for name in bulk.index if name not in slides.obs_names],
            "genes": [gene for gene in slides.var_names if gene not in bulk.columns],
        },
    )


def _samples_as_rows(bulk: pd.DataFrame, slides: AnnData) -> pd.DataFrame:
    genes = set(slides.var_names)
    in_columns, in_rows = len(genes & set(bulk.columns)), len(genes & set(bulk.index))
    if max(in_columns, in_rows) == 0:
        raise DataError(
            f"The bulk table names none of the model's {len(genes)} genes (rows: {_some(list(bulk.index))}; "
            f"columns: {_some(list(bulk.columns))}).",
            f"Name genes as the model does: {_some(list(slides.var_names))}.",
        )
    return bulk if in_columns >= in_rows else bulk.T


def _on_scale(values: Floats, scale: BulkScale | None) -> Floats:
    whole = bool((values == np.round(values)).all()) and values.min() >= 0
    if scale is None and not whole:
        raise DataError(
            f"The bulk values are no counts (from {values.min():g} to {values.max():g}, not whole numbers).",
            "Say what they are with --bulk-scale: linear (TPM, FPKM …) or log.",
        )
    if scale == "log":
        return values
    if values.min() < 0:
        raise DataError(f"The bulk values go below zero ({values.min():g}).", "They are logarithms: --bulk-scale log.")
    return shares_to_scale(values)


def _over_slides(predicted: Floats, measured: Floats, genes: list[str]) -> pd.DataFrame:
    import pandas as pd
    from scipy import stats

    rows = []
    for x, y in zip(predicted.T, measured.T, strict=True):  # a gene's values over the slides
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            rows.append((np.nan, np.nan, np.nan))
            continue
        pcc = stats.pearsonr(x, y)
        rows.append((pcc.statistic, stats.spearmanr(x, y).statistic, pcc.pvalue))
    table = pd.DataFrame(rows, columns=["pcc", "spearman", "p"], index=pd.Index(genes, name="gene"))
    table["q"] = q_values(table["p"].to_numpy())
    return table


def _over_genes(predicted: Floats, measured: Floats) -> dict[str, Floats]:
    from scipy import stats

    count = len(predicted)
    others = (predicted.sum(axis=0) - predicted) / (count - 1)  # [slides, genes]: mean of the other slides
    centred_x, centred_y = predicted - predicted.mean(axis=0), measured - measured.mean(axis=0)
    pairs = {"spearman": predicted, "spearman_of_others": others}
    found = {
        name: np.array([stats.spearmanr(x, y).statistic for x, y in zip(values, measured, strict=True)])
        for name, values in pairs.items()
    }
    with np.errstate(invalid="ignore", divide="ignore"):  # a slide that is the mean of all has no correlation
        products = (centred_x * centred_y).sum(axis=1)
        found["pcc_centred"] = products / np.sqrt((centred_x**2).sum(axis=1) * (centred_y**2).sum(axis=1))
    return found


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
