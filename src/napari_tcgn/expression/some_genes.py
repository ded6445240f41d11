"""Which of a model's genes are meant by a choice in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_tcgn.errors import DataError
from napari_tcgn.expression.aliases import gene_of_alias, symbol_of_alias
from napari_tcgn.model import ModelCard, read_panel
from napari_tcgn.stats import nearest_names
from napari_tcgn.trust import trusted

ALL, TRUSTED = "all", "trusted"


def genes_of(card: ModelCard, choice: str) -> list[str] | None:
    """Return the genes of a model that a choice stands for; None: all.

    Parameters
    ----------
    card : ModelCard
    choice : str
        "all"; "trusted": those that its held-out figures call predictable, in the card's order; names with commas
        between them; or the path of a text file with one name a line. HER2 is taken for ERBB2.

    Raises
    ------
    DataError
        If a name is not among the model's genes, the file is none, or no gene is known to be predictable.
    """
    if choice == ALL:
        return None
    if choice == TRUSTED:
        good = [gene for gene, good in zip(card.genes, trusted(card), strict=True) if good]
        if not good:
            known = not np.isnan(card.gene_metric("pcc")).all()
            why = "No gene is predictable by its held-out figures" if known else "It was never evaluated"
            raise DataError(f"Model {card.name!r} has no trusted genes. {why}.", "Name genes, or take all.")
        return good
    names = [choice] if choice in card.genes else _names(choice)
    has = set(card.genes)
    found = [_require(card, name, has) for name in names]
    if not found:
        raise DataError("No gene is named.", "Name genes with commas between them, or take all or trusted.")
    return list(dict.fromkeys(found))


def absolute_choice(choice: str) -> str:
    """Return a choice that means the same from any folder."""
    return str(Path(choice).absolute()) if _is_file(choice) else choice


def _names(choice: str) -> list[str]:
    if _is_file(choice):
        return read_panel(choice)
    return [name.strip() for name in choice.split(",") if name.strip()]


def _is_file(choice: str) -> bool:
    try:
        return Path(choice).is_file()
    except OSError:  # too long for a path
        return False


def _require(card: ModelCard, name: str, known: set[str]) -> str:
    if name in known:
        return name
    if gene := gene_of_alias(name, known):
        return gene
    symbol = symbol_of_alias(name)
    close = [] if symbol else nearest_names(name, card.genes)
    raise DataError(
        f"Gene {f'{name!r} ({symbol})' if symbol else repr(name)} is not among the {len(card.genes)} genes of model "
        f"{card.name!r}.",
        f"Did you mean {' or '.join(close)}?" if close else "Choose a model that has it, or leave it out.",
    )
