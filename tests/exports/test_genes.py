"""Which genes a choice stands for: all, those that can be trusted, or names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from napari_tcgn.errors import DataError
from napari_tcgn.exports import export
from napari_tcgn.exports.genes import choose_genes
from napari_tcgn.expression import library_of, to_anndata
from napari_tcgn.model import HeldOut
from napari_tcgn.options import ExportSettings


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


def test_aliases_are_taken_and_told(prediction, tmp_path) -> None:
    adata = to_anndata(prediction)
    assert choose_genes(library_of(adata), "HER2, GNAS, ERBB2") == ["ERBB2", "GNAS"]
    with pytest.raises(
        DataError, match=r"Gene 'Ki-67' \(MKI67\) is not among the 6 genes of the result. .napari-tcgn models"
    ):
        choose_genes(library_of(adata), ["Ki-67"])
    done = export(adata, tmp_path / "t.csv", ExportSettings(genes="her-2,GNAS"))
    assert list(done.adata.var_names) == ["ERBB2", "GNAS"]
    assert "her-2 is ERBB2." in done.notes
    assert "ERBB2" in (tmp_path / "t.csv").read_text(encoding="utf-8")
