"""Names of genes as pathologists say them."""

from __future__ import annotations

import pytest

from napari_tcgn.expression import gene_aliases, gene_of_alias, symbol_of_alias
from napari_tcgn.expression.aliases import TABLE
from napari_tcgn.model import read_panel


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("HER2", "ERBB2"), ("her-2", "ERBB2"), ("HER2/neu", "ERBB2"), ("Ki-67", "MKI67"), ("KI67", "MKI67"),
        ("ki 67", "MKI67"), ("CK19", "KRT19"), ("ER", "ESR1"), ("ERα", "ESR1"), ("ER-β", "ESR2"), ("PD-L1", "CD274"),
        ("pd1", "PDCD1"), ("E‐cadherin", "CDH1"), ("αSMA", "ACTA2"), ("CD20", "MS4A1"),
    ],
)  # fmt: skip
def test_known_names(name: str, symbol: str) -> None:
    assert symbol_of_alias(name) == symbol


@pytest.mark.parametrize("name", ["TTF1", "TTF-1", "PSAP", "CD3", "CD8", "S100", "GNAS", "", "-"])
def test_symbols_and_names_of_several_genes_stand_for_no_other(name: str) -> None:
    assert symbol_of_alias(name) == ""


def test_no_name_is_a_symbol_and_each_is_there_once() -> None:
    names, symbols = list(gene_aliases()), set(gene_aliases().values())
    assert len(symbols) >= 60
    spelt = [name.casefold().replace("-", "").replace(" ", "") for name in names]
    assert not {name.upper() for name in spelt} & (symbols | set(read_panel("her2st_785")))
    assert len(set(spelt)) == len(spelt)
    assert TABLE.read_text(encoding="utf-8").count("genenames.org") == 1, "its source"


def test_a_panel_that_has_the_name_itself_keeps_it() -> None:
    assert gene_of_alias("HER2", ["ERBB2", "GNAS"]) == "ERBB2"
    assert gene_of_alias("HER2", ["HER2", "ERBB2"]) == ""
    assert gene_of_alias("HER2", ["GNAS"]) == ""
