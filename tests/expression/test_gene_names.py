"""Which measured gene is which: symbol, Ensembl id, spelling, alias; other species are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_tcgn.errors import DataError
from napari_tcgn.expression import read_aliases
from napari_tcgn.expression.gene_names import match_genes, species_of

HUMAN = "Homo sapiens"


def test_symbols_in_any_order(make_pair) -> None:
    predicted, measured = make_pair()
    order = np.random.default_rng(0).permutation(measured.n_vars)[4:]
    found = match_genes(predicted, measured[:, order], HUMAN)
    assert (predicted.var_names[found.genes] == measured.var_names[order][[c[0] for c in found.columns]]).all()
    assert found.manifest.matched_by == {"symbol": 20, "Ensembl id": 0, "spelling": 0, "alias": 0}
    assert len(found.manifest.not_measured) == 4
    assert found.warnings == []


def test_ensembl_ids_with_version_find_the_models_ids(make_pair) -> None:
    predicted, measured = make_pair()
    measured.var = pd.DataFrame(index=[f"{name}.7" for name in measured.var["gene_ids"]])
    found = match_genes(predicted, measured, HUMAN)
    assert found.manifest.matched_by["Ensembl id"] == 24
    assert found.manifest.under_another_name["GENE3"] == "ENSG00000000003.7"
    assert found.manifest.organism_measured == HUMAN


def test_symbols_beside_ensembl_names(make_pair) -> None:
    predicted, measured = make_pair()
    del predicted.var["gene_ids"]
    measured.var = pd.DataFrame({"feature_name": measured.var_names}, index=measured.var["gene_ids"])
    assert match_genes(predicted, measured, HUMAN).manifest.matched_by["symbol"] == 24


def test_ids_that_the_model_does_not_know(make_pair) -> None:
    predicted, measured = make_pair()
    del predicted.var["gene_ids"]
    measured.var = pd.DataFrame(index=measured.var["gene_ids"])
    with pytest.raises(DataError, match=r"Ensembl ids .* of which the model knows none.*--aliases"):
        match_genes(predicted, measured, HUMAN)


def test_case_points_and_aliases(make_pair, tmp_path: Path) -> None:
    predicted, measured = make_pair()
    del measured.var["gene_ids"], predicted.var["gene_ids"]
    names = list(predicted.var_names)
    names[0] = "HLA-A"
    predicted.var_names = names
    theirs = ["HLA.A", "gene1", "OLD2", *names[3:]]
    measured.var_names = theirs
    (tmp_path / "aliases.tsv").write_text("# measured\tsymbol\nOLD2\tGENE2\n\n")
    found = match_genes(predicted, measured, HUMAN, read_aliases(tmp_path / "aliases.tsv"))
    assert found.manifest.matched_by == {"symbol": 21, "Ensembl id": 0, "spelling": 2, "alias": 1}
    assert found.manifest.under_another_name == {"HLA-A": "HLA.A", "GENE1": "gene1", "GENE2": "OLD2"}


@pytest.mark.parametrize("text", ["A\tB\tC\n", "only\n", "A\t\n"])
def test_aliases_that_are_no_table(tmp_path: Path, text: str) -> None:
    (tmp_path / "aliases.tsv").write_text(text)
    with pytest.raises(DataError, match=r"aliases\.tsv, line 1"):
        read_aliases(tmp_path / "aliases.tsv")
    with pytest.raises(DataError, match="cannot be read"):
        read_aliases(tmp_path / "absent.tsv")


def test_mouse_symbols_do_not_pass_as_human_ones(make_pair) -> None:
    predicted, measured = make_pair()
    measured.var = pd.DataFrame(index=[name.capitalize() for name in measured.var_names])
    with pytest.raises(DataError, match=r"genes are those of Mus musculus or Rattus norvegicus .such as Gene0."):
        match_genes(predicted, measured, HUMAN)
    match_genes(predicted, measured, "Mus musculus")
    match_genes(predicted, measured, "a species without names")


def test_lower_case_is_warned_of(make_pair) -> None:
    predicted, measured = make_pair()
    measured.var = pd.DataFrame(index=[name.lower() for name in measured.var_names])
    found = match_genes(predicted, measured, HUMAN)
    assert "upper and lower case" in found.warnings[0]


@pytest.mark.parametrize(
    ("names", "genome", "species"),
    [
        ([f"ENSMUSG{i:011d}.2" for i in range(20)], None, "Mus musculus"),
        ([f"ENSG{i:011d}" for i in range(20)], None, "Homo sapiens"),
        ([f"ENSRNOG{i:011d}" for i in range(20)], None, "Rattus norvegicus"),
        ([f"ENSXETG{i:011d}" for i in range(20)], None, "the species of ENSXETG"),
        (["Sox2", "Actb", "Gapdh", "Olig1", "mt-Co1"] * 4, None, "Mus musculus or Rattus norvegicus"),
        (["SOX2", "ACTB", "C1orf112", "MT-CO1", "HLA-A"] * 4, None, "Homo sapiens"),
        (["a", "b"], ["mm10", "mm10"], "Mus musculus"),
        (["a", "b"], ["GRCh38", "GRCh38"], "Homo sapiens"),
        (["a", "b"], ["GRCh38", "mm10"], ""),
        (["X1", "X2"], None, ""),
    ],
)
def test_species_by_names(names: list[str], genome: object, species: str) -> None:
    ids = [name.split(".")[0] if name.startswith("ENS") else "" for name in names]
    assert species_of(names, ids, genome) == species


def test_no_common_genes(make_pair) -> None:
    predicted, measured = make_pair()
    measured.var = pd.DataFrame(index=[f"OTHER{i}" for i in range(measured.n_vars)])
    with pytest.raises(DataError, match=r"None of the model's 24 genes .such as GENE0. is among the 24 measured genes"):
        match_genes(predicted, measured, HUMAN)


def test_repeated_symbols_are_summed_and_named(make_pair) -> None:
    predicted, measured = make_pair()
    del measured.var["gene_ids"]
    measured.var_names = ["GENE1", *measured.var_names[1:]]
    found = match_genes(predicted, measured, HUMAN)
    assert found.manifest.summed == {"GENE1": 2}
    assert found.manifest.measured_more_than_once == ["GENE1"]
    assert "were summed: GENE1" in found.warnings[0]
    assert found.columns[0].tolist() == [0, 1]
    predicted.var_names = ["GENE1", *predicted.var_names[1:]]
    with pytest.raises(DataError, match="names a gene twice"):
        match_genes(predicted, measured, HUMAN)


def test_few_genes_are_warned_of(make_pair) -> None:
    predicted, measured = make_pair()
    found = match_genes(predicted, measured[:, :5], HUMAN)
    assert "Only 5 of the model's 24 genes" in found.warnings[0]


def test_ids_that_contradict_symbols(make_pair) -> None:
    predicted, measured = make_pair()
    ids = list(measured.var["gene_ids"])
    measured.var["gene_ids"] = [ids[1], ids[0], *ids[2:]]  # two of them are retired, say
    found = match_genes(predicted, measured, HUMAN)
    assert found.manifest.matched_by["symbol"] == 24
    assert found.warnings == [
        "2 of 24 genes have the model's symbol with another Ensembl id (GENE0: ENSG00000000000 of the model, "
        "ENSG00000000001 measured)."
    ]
    measured.var["gene_ids"] = ids[::-1]
    with pytest.raises(DataError, match=r"ids of the measured genes contradict each other: 24 of 24 genes"):
        match_genes(predicted, measured, HUMAN)


def test_genes_that_a_spreadsheet_has_made_dates(make_pair) -> None:
    from napari_tcgn.expression import counts_table

    predicted, measured = make_pair()
    del measured.var["gene_ids"]
    measured.var_names = ["1-Mar", "Sep-02", "2024-12-01", *measured.var_names[3:]]
    found = match_genes(predicted, measured, HUMAN)
    assert found.warnings[0].startswith("3 measured genes are named like dates (1-Mar, Sep-02, 2024-12-01)")
    assert counts_table(measured).notes == tuple(found.warnings[:1])


def test_numbers_with_symbols_beside_them(make_pair) -> None:
    predicted, measured = make_pair()
    measured.var = pd.DataFrame({"gene_name": measured.var_names}, index=[str(i) for i in range(24)])
    assert match_genes(predicted, measured, HUMAN).manifest.matched_by["symbol"] == 24
