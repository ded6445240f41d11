"""Which genes of a result are meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_tcgn.errors import DataError
from napari_tcgn.expression import Library, gene_of_alias, symbol_of_alias
from napari_tcgn.stats import nearest_names
from napari_tcgn.trust import trusted

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_tcgn.model import ModelCard

ALL, TRUSTED = "all", "trusted"


def choose_genes(library: Library, genes: str | Sequence[str] = ALL, top: int = 50) -> list[str]:
    """Return the names of the genes that a choice stands for.

    Parameters
    ----------
    library : Library
    genes : str or sequence of str
        "all"; "trusted": the genes that the model's held-out figures call predictable (`model.trust`), by their
        held-out PCC; or names, in one string with commas between them. HER2 is taken for ERBB2, of which
        `aliases_of` tells.
    top : int
        Largest number of "trusted" genes.

    Raises
    ------
    DataError
        If a name is not there, or no gene is known to be predictable.
    """
    adata = library.adata
    if isinstance(genes, str):
        if genes in adata.var_names:
            return [genes]  # whatever characters it has
        if genes == ALL:
            return [str(gene) for gene in adata.var_names]
        if genes == TRUSTED:
            return _trusted(library.card, top)
        genes = _split(genes)
    genes = [gene_of_alias(gene, adata.var_names) or gene for gene in genes]
    require_genes(adata, genes)
    return list(dict.fromkeys(genes))


def aliases_of(library: Library, genes: str | Sequence[str]) -> list[str]:
    """Say, in a sentence each, which of the named genes `choose_genes` takes under their approved symbol."""
    known = library.adata.var_names
    names = [] if isinstance(genes, str) and genes in known else _split(genes) if isinstance(genes, str) else genes
    return [f"{name} is {gene}." for name in dict.fromkeys(names) if (gene := gene_of_alias(name, known))]


def _split(genes: str) -> list[str]:
    return [name.strip() for name in genes.split(",") if name.strip()]


def _trusted(card: ModelCard | None, top: int) -> list[str]:
    if card is None or np.isnan(card.gene_metric("pcc")).all():
        raise DataError("Nothing is known of how far these genes can be trusted.", "Name genes, or take all.")
    good = np.flatnonzero(trusted(card))
    if len(good) == 0:
        raise DataError("No gene is predictable by the model's held-out figures.", "Name genes, or take all.")
    order = good[np.argsort(-card.gene_metric("pcc")[good], kind="stable")][:top]
    return [card.genes[i] for i in order]


def require_genes(adata: AnnData, genes: Sequence[str]) -> None:
    """Refuse names that are not among the genes.

    Raises
    ------
    DataError
        Naming those that look like it.
    """
    if len(genes) == 0:
        raise DataError("No gene is named.", "Name at least one gene of the panel.")
    known = set(adata.var_names)
    for gene in genes:
        if gene not in known:
            symbol = symbol_of_alias(gene)
            named = f"{gene!r} ({symbol})" if symbol else repr(gene)
            close = [] if symbol else nearest_names(gene, adata.var_names)
            panel = "`napari-tcgn models info NAME --json` lists a model's panel."
            hint = f"Did you mean {' or '.join(close)}?" if close else panel
            raise DataError(f"Gene {named} is not among the {adata.n_vars} genes of the result.", hint)
