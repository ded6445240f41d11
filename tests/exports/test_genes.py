"""Which genes a choice stands for: all, those that can be trusted, or names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from napari_tcgn.errors import DataError
from napari_tcgn.exports.genes import choose_genes
from napari_tcgn.expression import library_of, to_anndata
from napari_tcgn.model import HeldOut


def test_which_genes_a_choice_means(prediction) -> None:
    library = library_of(to_anndata(prediction))
    assert choose_genes(library) == list(library.adata.var_names)
    # ERBB2's interval touches 0, FASN's lies below, ACTB's is unknown
    assert choose_genes(library, "trusted") == ["IGKC", "GNAS", "B2M"]
    assert choose_genes(library, "trusted", top=1) == ["IGKC"]
    assert choose_genes(library, "GNAS, FASN,GNAS") == ["GNAS", "FASN"]
    with pytest.raises(DataError, match="Did you mean GNAS"):
        choose_genes(library, "GNAZ")
    with pytest.raises(DataError, match="No gene is named"):
        choose_genes(library, ",")
    names = ["HLA-A,B", "all", "G2", "G3"]
    odd = AnnData(np.ones((6, 4), np.float32), var=pd.DataFrame(index=names))
    odd.obsm["spatial"] = np.column_stack([100 + 40 * np.arange(6), np.full(6, 90)])
    assert choose_genes(library_of(odd), "HLA-A,B") == ["HLA-A,B"]
    with pytest.raises(DataError, match="Nothing is known"):
        choose_genes(library_of(odd), "trusted")
    bad = replace(prediction.card, metrics=HeldOut(pcc=[-0.1] * 6))
    with pytest.raises(DataError, match="No gene is predictable"):
        choose_genes(library_of(to_anndata(replace(prediction, card=bad))), "trusted")
