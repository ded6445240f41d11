"""The values of measured expression: which table of an AnnData holds them, and whether they are raw counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.expression.build import UNS_KEY
from napari_tcgn.expression.genomes import dates_among, plain_genes
from napari_tcgn.expression.values import dense
from napari_tcgn.h5ad import open_h5ad
from napari_tcgn.spots import read_count_table

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

RAW = "raw"  # how AnnData's `.raw` is called where layers are, unless one has this name
ENOUGH_SPOTS = 20
TOO_MANY = 0.999e12  # molecules of a gene in a spot (1e12 as float32 is less); a whole cell has 1e6 of all genes
SAME_TOTAL = 0.01  # spread of the totals of raw counts is far larger, share of their mean
_LOOKED_AT = 1_000_000  # values that tell whether a table holds counts


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """All raw counts of a section.

    Attributes
    ----------
    table : pandas.DataFrame [spots, genes]
        Whole numbers; index and columns hold the names of spots and genes.
    summed : tuple of str
        The genes that stood there more than once.
    notes : tuple of str
        What else was done to the names, a sentence each.
    """

    table: pd.DataFrame
    summed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def layer_names(adata: AnnData) -> list[str]:
    """Return the names of an AnnData's layers, with "raw" for its `.raw`.

    Since anndata 0.13 X is among the layers, without a name.
    """
    names = [name for name in adata.layers if name is not None]
    return names + ([RAW] if adata.raw is not None and RAW not in names else [])


def with_layer(measured: AnnData, layer: str | None) -> AnnData:
    """Return measured data whose X and genes are those of a layer.

    Parameters
    ----------
    measured : anndata.AnnData
    layer : str or None
        One of `layer_names`: "raw" is `.raw`, which may have other genes than X. None takes X.

    Raises
    ------
    DataError
        If there is no such layer, or nothing in it.
    """
    if layer is not None and layer not in layer_names(measured):
        found = ", ".join(map(repr, sorted(layer_names(measured)))) or "none"
        raise DataError(
            f"The measured data have no layer {layer!r}; there are {found}.",
            "Name one of them." if layer_names(measured) else "Leave --layer out.",
        )
    if layer is None:
        if measured.X is None:
            raise DataError("The measured data hold no values (X is empty).", _elsewhere(measured, None))
        return measured
    return _layer(measured, layer)


def _layer(measured: AnnData, layer: str) -> AnnData:
    from anndata import AnnData

    of_raw = layer not in measured.layers
    return AnnData(
        X=measured.raw.X if of_raw else measured.layers[layer],
        obs=measured.obs,
        var=measured.raw.var if of_raw else measured.var,
        obsm=dict(measured.obsm),
        uns=dict(measured.uns),
    )


def values_of(measured: AnnData, columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return chosen columns of X as a dense table, float64 [spots, columns]."""
    return dense(measured.X[:, columns]).astype(np.float64)


def totals_of(measured: AnnData, organism: str) -> tuple[NDArray[np.float64], int]:
    """Return the counts of every spot over all genes of a species, float64 [spots], and how many genes these are.

    Parameters
    ----------
    measured : anndata.AnnData
        Raw counts in X.
    organism : str
        "Homo sapiens"; genes of another genome are not counted.
    """
    names = [str(name) for name in measured.var_names]
    own = np.array([bool(name) for name in plain_genes(names, [""] * len(names), organism).names])
    values = measured.X if own.all() else measured.X[:, np.flatnonzero(own)]
    return np.asarray(values.sum(axis=1), dtype=np.float64).ravel(), int(own.sum())


def require_measured(adata: AnnData) -> None:
    """Refuse what holds no measurement: nothing, or a prediction.

    Raises
    ------
    DataError
    """
    if "model_card" in adata.uns.get(UNS_KEY, {}):
        raise DataError("The measured data are themselves a prediction.", "Give measured counts.")
    if adata.n_obs == 0 or adata.n_vars == 0:
        raise DataError(f"The measured data hold {adata.n_obs} spots and {adata.n_vars} genes.", "Give some.")


def counts_table(measured: AnnData, layer: str | None = None) -> Counts:
    """Return all raw counts of a section, a gene that stands there more than once summed.

    Parameters
    ----------
    measured : anndata.AnnData
        From `read_measured`.
    layer : str, optional
        As for `with_layer`.

    Raises
    ------
    DataError
        If it holds no raw counts, or the genes of several genomes.
    """
    require_measured(measured)
    chosen = with_layer(measured, layer)
    values = values_of(chosen, np.arange(chosen.n_vars))
    require_counts(values, measured, layer)
    return _summed(values, chosen.obs_names.astype(str), chosen.var_names, doubtful_counts(chosen.X))


def read_counts(path: Path) -> Counts:
    """Read all raw counts of a plain count table, a gene that stands there more than once summed.

    It is what `counts_table` makes of `read_measured`, without AnnData: training needs no more.

    Parameters
    ----------
    path : pathlib.Path
        See `read_count_table`.

    Raises
    ------
    DataError
        If it cannot be read, holds no raw counts, or the genes of several genomes.
    """
    found = read_count_table(path)
    if not found.size:
        raise DataError(f"{path.name} holds {found.shape[0]} spots and {found.shape[1]} genes.", "Give some.")
    values = found.to_numpy(dtype=np.float32).astype(np.float64)
    require_counts(values)
    return _summed(values, found.index.astype(str), found.columns, doubtful_counts(values))


def _summed(values: NDArray[np.float64], spots: pd.Index, genes: pd.Index, doubts: list[str]) -> Counts:
    """Return counts [spots, genes] under the plain names of their genes, those of one name added up."""
    import pandas as pd

    names = [str(name) for name in genes]
    plain = plain_genes(names, [""] * len(names))
    table = pd.DataFrame(values, index=spots, columns=plain.names)
    repeated = table.columns[table.columns.duplicated()].unique()
    if len(repeated):
        table = table.T.groupby(level=0, sort=False).sum().T
    notes = (*doubts, *plain.notes, *dates_among(plain.names))
    return Counts(table, tuple(str(name) for name in repeated), notes)


def require_counts(counts: NDArray[np.float64], measured: AnnData | None = None, layer: str | None = None) -> None:
    """Refuse a table that does not hold raw counts, naming what it looks like and where there are some.

    Parameters
    ----------
    counts : float64 [spots, genes]
    measured : anndata.AnnData, optional
        The data that they come from: another table of it may hold the counts.
    layer : str or None
        Where they stood in it; None is X.

    Raises
    ------
    DataError
    """
    missing = ~np.isfinite(counts)
    if missing.any():
        problem = f"{int(missing.sum())} measured values are missing or not finite (NaN)."
    elif (counts < 0).any():
        problem = (
            f"{(counts < 0).mean():.0%} of the measured values are negative (smallest {counts.min():.3g}): they look "
            "standardised, not counted."
        )
    elif (counts >= TOO_MANY).any():
        problem = f"The measured values reach {counts.max():.3g}: no spot has so many molecules of a gene."
    elif (broken := counts != np.round(counts)).any():
        largest = counts.max()
        problem = (
            f"{broken.mean():.0%} of the measured values are no whole numbers (largest {largest:.3g}): they look "
            f"{'log-transformed' if largest < 25 else 'normalised'}, not counted."
        )
    else:
        return
    hint = "Give raw counts" if measured is None else _elsewhere(measured, layer).rstrip(".")
    raise DataError(
        problem, f"{hint}; or, if the values are on the model's scale already, say so (--values model-scale)."
    )


def doubtful_counts(values: Any) -> list[str]:
    """Return what speaks against whole numbers [spots, genes] (dense or sparse) being raw counts; nothing forbids them.

    Returns
    -------
    list of str
        A sentence each.
    """
    from scipy import sparse

    held = values.data if sparse.issparse(values) else np.asarray(values)
    if held.size and float(held.max()) <= 1 and values.shape[1] > 1:
        return ["The measured values are 0 and 1 only: they tell whether a gene was seen, not how often."]
    totals = np.asarray(values.sum(axis=1), dtype=np.float64).ravel()
    totals = totals[totals > 0]
    if len(totals) < ENOUGH_SPOTS or totals.std() > SAME_TOTAL * totals.mean():
        return []
    return [
        f"The measured values of every spot add up to nearly the same ({totals.mean():.4g}): they were normalised and "
        "rounded, or drawn to the same depth. What depth explains cannot be told from them."
    ]


def counts_elsewhere(measured: AnnData, layer: str | None = None) -> str | None:
    """Return the name of another layer (or "raw") that holds raw counts, by its values; None if there is none."""
    for name in layer_names(measured):
        if name != layer and looks_counted(_layer(measured, name).X):
            return name
    return None


def looks_counted(values: Any) -> bool:
    """Tell by the first million of its values whether a table (dense or sparse) can hold raw counts."""
    if values is None:
        return False
    rows = max(1, _LOOKED_AT // max(1, values.shape[1]))
    some = dense(values[:rows])
    if some.dtype.kind not in "iufb":
        return False
    some = some.astype(np.float64)
    return bool(np.isfinite(some).all() and (some >= 0).all() and (some == np.round(some)).all() and some.any())


def counted_tables(path: Path) -> list[str | None]:
    """Return which tables of an .h5ad hold raw counts by their first values: None for X, layers, "raw".

    Raises
    ------
    DataError
        If it cannot be read.
    """
    with open_h5ad(path) as file:
        layers = file.get("layers", {})
        tables = {None: file.get("X"), RAW: file.get("raw/X")} | {str(name): layers[name] for name in layers}
        return [name for name, table in tables.items() if table is not None and _starts_counted(table)]


def _starts_counted(table: Any) -> bool:
    """Tell it of a dense or sparse table in a file, of which only the beginning is read."""
    values = table["data"] if hasattr(table, "keys") else table
    rows = _LOOKED_AT if values.ndim == 1 else max(1, _LOOKED_AT // max(1, values.shape[1]))
    return looks_counted(np.asarray(values[:rows]).reshape(1, -1))


def _elsewhere(measured: AnnData, layer: str | None) -> str:
    other = counts_elsewhere(measured, layer)
    if other is None:
        return "Give raw counts." if layer is not None or measured.X is not None else "Put the counts into X."
    what = "AnnData's .raw" if other == RAW and other not in measured.layers else f"The layer {other!r}"
    return (
        f"{what} holds whole numbers: take the counts from there (--layer {other}; in a sections.csv the column layer)."
    )
