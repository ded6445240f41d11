"""Measured bulk RNA-seq beside predicted pseudobulk, over slides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.comparison.slide_level import shares_to_scale
from napari_tcgn.errors import DataError
from napari_tcgn.expression import TOTAL_SCALE, UNS_KEY, GeneMatch, match_genes
from napari_tcgn.files import cells_of, open_table, reading
from napari_tcgn.model import ModelCard
from napari_tcgn.options import BulkScale
from napari_tcgn.stats import pearson_per_gene, q_values, spearman_per_gene

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
        bulk_name (in the bulk table), pcc and spearman over the slides, p (two-sided, of the PCC), q
        (Benjamini-Hochberg).
    slides : DataFrame, one row per slide
        spearman over the genes; spearman_of_others: the same with the mean prediction of the other slides, which is
        what knowing nothing of this slide earns; pcc_centred: over the genes, their means over the slides taken out.
    left_out : dict
        Names of slides without bulk, bulk samples without a slide, genes without bulk.
    matched_by : dict
        How many genes were matched in which way (`match_genes`).
    warnings : list of str
    """

    genes: pd.DataFrame
    slides: pd.DataFrame
    left_out: dict[str, list[str]]
    matched_by: dict[str, int]
    warnings: list[str]


def read_bulk(path: str | Path) -> pd.DataFrame:
    """Read a table of bulk expression: samples and genes, either of them as rows.

    Parameters
    ----------
    path : str or pathlib.Path
        Separated by tabs, commas or semicolons (also .gz); names in the first row and first column.

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
    hint = "Give numbers with gene names and sample names in the first row and column (.csv or .tsv)."
    with reading(str(path), DataError, hint, "a table of bulk expression"):
        with open_table(path) as file:
            _, separator = cells_of(file.readline())
        with open_table(path) as file:
            table = pd.read_csv(file, sep=separator, decimal="," if separator == ";" else ".", index_col=0)
        table = table.astype(np.float64)
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
        From `read_bulk`; its samples are named like the slides, its genes as `match_genes` finds them: by symbol,
        Ensembl id or spelling.
    scale : {"linear", "log"}, optional
        "linear" (counts, TPM, FPKM): brought to the scale of the predictions, over the common genes or, where that
        scale goes by them, over all genes of the table. "log": taken as it
        is. None: whole numbers are counts; anything else has to be said.

    Raises
    ------
    DataError
        If fewer than three slides or no genes are common, the species differ, or the scale is not known or not
        possible.
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
    match = _match(slides, bulk)
    genes = [str(gene) for gene in slides.var_names[match.genes]]
    samples = bulk.loc[common].to_numpy()
    of_all = slides.uns[UNS_KEY]["output_scale"] == TOTAL_SCALE
    total = samples.sum(axis=1) if of_all else None
    measured = _on_scale(samples[:, np.concatenate(match.columns)], match, scale, total)
    predicted = np.asarray(slides[common, genes].X, dtype=np.float64)
    table = _over_slides(predicted, measured, genes)
    table.insert(0, "bulk_name", [match.manifest.under_another_name.get(gene, gene) for gene in genes])
    return BulkComparison(
        genes=table,
        slides=pd.DataFrame(_over_genes(predicted, measured), index=pd.Index(common, name="slide")),
        left_out={
            "slides": [name for name in slides.obs_names if name not in bulk.index],
            "samples": [name for name in bulk.index if name not in slides.obs_names],
            "genes": match.manifest.not_measured,
        },
        matched_by=match.manifest.matched_by,
        warnings=match.warnings,
    )


def _samples_as_rows(bulk: pd.DataFrame, slides: AnnData) -> pd.DataFrame:
    in_rows, in_columns = (len(slides.obs_names.intersection(names)) for names in (bulk.index, bulk.columns))
    return bulk if in_rows >= in_columns else bulk.T


def _match(slides: AnnData, bulk: pd.DataFrame) -> GeneMatch:
    import pandas as pd
    from anndata import AnnData

    card = ModelCard.from_json(str(slides.uns[UNS_KEY]["model_card"]), "of the prediction")
    return match_genes(slides, AnnData(var=pd.DataFrame(index=bulk.columns)), card.organism)


def _on_scale(values: Floats, match: GeneMatch, scale: BulkScale | None, total: Floats | None) -> Floats:
    """Return bulk values of the matched columns as [slides, genes], on the scale of the predictions.

    `total` [slides] is that over all genes of a sample, where the scale goes by it and not by the common genes.
    """
    whole = bool((values == np.round(values)).all()) and values.min() >= 0
    if scale is None and not whole:
        raise DataError(
            f"The bulk values are no counts (from {values.min():g} to {values.max():g}, not whole numbers).",
            "Say what they are with --bulk-scale: linear (TPM, FPKM …) or log.",
        )
    if scale == "log":
        match.require_single()
        return values
    if values.min() < 0:
        raise DataError(f"The bulk values go below zero ({values.min():g}).", "They are logarithms: --bulk-scale log.")
    return shares_to_scale(match.summed(values), total)


def _over_slides(predicted: Floats, measured: Floats, genes: list[str]) -> pd.DataFrame:
    import pandas as pd
    from scipy import stats

    pcc = pearson_per_gene(predicted, measured)
    p = np.full(len(genes), np.nan)
    for gene in np.flatnonzero(~np.isnan(pcc)):
        p[gene] = stats.pearsonr(predicted[:, gene], measured[:, gene]).pvalue
    columns = {"pcc": pcc, "spearman": spearman_per_gene(predicted, measured), "p": p, "q": q_values(p)}
    return pd.DataFrame(columns, index=pd.Index(genes, name="gene"))


def _over_genes(predicted: Floats, measured: Floats) -> dict[str, Floats]:
    count = len(predicted)
    others = (predicted.sum(axis=0) - predicted) / (count - 1)  # [slides, genes]: mean of the other slides
    centred_x, centred_y = predicted - predicted.mean(axis=0), measured - measured.mean(axis=0)
    found = {
        "spearman": spearman_per_gene(predicted.T, measured.T),
        "spearman_of_others": spearman_per_gene(others.T, measured.T),
    }
    with np.errstate(invalid="ignore", divide="ignore"):  # a slide that is the mean of all has no correlation
        products = (centred_x * centred_y).sum(axis=1)
        found["pcc_centred"] = products / np.sqrt((centred_x**2).sum(axis=1) * (centred_y**2).sum(axis=1))
    return found


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
