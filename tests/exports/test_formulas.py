"""Names in a CSV are text: a spreadsheet computes nothing of them unless that is asked for."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from napari_tcgn.exports import export
from napari_tcgn.expression import read_section
from napari_tcgn.files import without_formulas
from napari_tcgn.options import ExportSettings

SAMPLE = Path(__file__).parents[2] / "sample_data" / "section.h5ad"
NAMES = ["=cmd|' /C calc'!A0", "@SUM(1)", "+1", "-2+3", "\t=1", "HLA-A"]


@pytest.fixture
def named(tmp_path: Path) -> anndata.AnnData:
    adata = anndata.read_h5ad(SAMPLE)[:, : len(NAMES)].copy()
    adata.var_names = NAMES
    adata.obs_names = ['=HYPERLINK("x")', *adata.obs_names[1:]]
    adata.write_h5ad(tmp_path / "named.h5ad")
    return read_section(tmp_path / "named.h5ad")[0]


@pytest.mark.parametrize("tidy", [False, True])
def test_names_that_begin_like_a_formula_are_text(named: anndata.AnnData, tmp_path: Path, tidy: bool) -> None:
    export(named, tmp_path / "safe.csv", ExportSettings(genes="all", tidy=tidy))
    export(named, tmp_path / "plain.csv", ExportSettings(genes="all", tidy=tidy, formulas=True))
    safe, plain = (pd.read_csv(tmp_path / name) for name in ("safe.csv", "plain.csv"))
    assert safe["spot"][0] == """'=HYPERLINK("x")"""
    assert plain["spot"][0] == '=HYPERLINK("x")'
    genes = list(safe["gene"][: len(NAMES)]) if tidy else list(safe.columns[-len(NAMES) :])
    assert genes == [*(f"'{name}" for name in NAMES[:-1]), "HLA-A"]
    values = (lambda table: table["value"]) if tidy else (lambda table: table.iloc[:, -len(NAMES) :])
    np.testing.assert_array_equal(values(safe), values(plain))


def test_numbers_are_left_as_they_are() -> None:
    table = pd.DataFrame({"lead": [-1.5, 2.0], "method": ["=x", "line"]}, index=pd.Index(["-a", "b"], name="gene"))
    found = without_formulas(table)
    assert list(found["lead"]) == [-1.5, 2.0]
    assert list(found["method"]) == ["'=x", "line"]
    assert list(found.index) == ["'-a", "b"]
    assert found.index.name == "gene"
    assert list(table["method"]) == ["=x", "line"]
