"""Names under which pathologists know genes (HER2, Ki-67, CK19), and the approved symbols behind them.

The table is `gene_aliases.tsv`; where it is from and what is left out stands at its top.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("gene_aliases.tsv")
_GREEK = {"α": "alpha", "β": "beta"}


@cache
def gene_aliases() -> dict[str, str]:
    """Return the approved symbol by every other name, as the table writes it.

    Returns
    -------
    dict of str to str
        "Ki-67" -> "MKI67".
    """
    aliases: dict[str, str] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            symbol, names = line.split("\t")
            aliases |= dict.fromkeys(names.split(" | "), symbol)
    return aliases


def symbol_of_alias(name: str) -> str:
    """Return the approved symbol that another name of a gene stands for; "" if it is none that the table has.

    Capitals, spaces, hyphens, dots and slashes do not count.
    """
    return _by_spelling().get(_spelt(name), "")


def gene_of_alias(name: str, genes: Collection[str]) -> str:
    """Return the gene of a panel that another name stands for; "" if there is none, or the panel has the name itself.

    Parameters
    ----------
    name : str
    genes : collection of str
        The panel; a name that it has is never taken for another gene's.
    """
    if name in genes:
        return ""
    symbol = symbol_of_alias(name)
    return symbol if symbol in genes else ""


@cache
def _by_spelling() -> dict[str, str]:
    return {_spelt(name): symbol for name, symbol in gene_aliases().items()}


def _spelt(name: str) -> str:
    for letter, word in _GREEK.items():
        name = name.replace(letter, word)
    return re.sub(r"[\s\-‐–./_]+", "", name).casefold()
