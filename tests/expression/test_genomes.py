"""Genes with their genome before them, of references of one and of several genomes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, concat

from napari_tcgn.errors import DataError
from napari_tcgn.expression import counts_table
from napari_tcgn.expression.gene_names import match_genes
from napari_tcgn.expression.genomes import genome_of, plain_genes

HUMAN, MOUSE = "Homo sapiens", "Mus musculus"


@pytest.mark.parametrize(
    ("name", "genome", "gene"),
    [
        ("GRCh38_TP53", "GRCh38", "TP53"),
        ("GRCh38______TP53", "GRCh38", "TP53"),
        ("hg19_HLA-A", "hg19", "HLA-A"),
        ("mm10___Trp53", "mm10", "Trp53"),
        ("GRCh38-TP53", "GRCh38", "TP53"),
        ("GRCh38_premrna_TP53", "GRCh38", "TP53"),
        ("GRCm39_ENSMUSG00000059552.14", "GRCm39", "ENSMUSG00000059552.14"),
        ("mRatBN7.2_Tp53", "mRatBN7.2", "Tp53"),
        ("Rnor_6.0_Tp53", "Rnor_6.0", "Tp53"),
        ("TP53", "", "TP53"),
        ("HG19P1", "", "HG19P1"),
        ("RN7SL1_x", "", "RN7SL1_x"),
        ("GRCh38_", "", "GRCh38_"),
    ],
)
def test_genomes_before_names(name: str, genome: str, gene: str) -> None:
    assert genome_of(name) == (genome, gene)


def prefixed(measured: AnnData, genome: str, change=str) -> AnnData:
    made = measured.copy()
    made.var = pd.DataFrame(
        {"gene_ids": [f"{genome}{one}" for one in measured.var["gene_ids"]]},
        index=[f"{genome}{change(name)}" for name in measured.var_names],
    )
    return made


@pytest.mark.parametrize("genome", ["GRCh38_", "GRCh38______", "hg19_", "GRCh38-"])
def test_one_genome_is_taken_away_and_told(make_pair, genome: str) -> None:
    predicted, measured = make_pair()
    found = match_genes(predicted, prefixed(measured, genome), HUMAN)
    assert found.manifest.matched_by["symbol"] == 24
    assert found.manifest.under_another_name == {}
    assert found.warnings == [
        f"24 genes are named with their genome ({genome}GENE0) and were taken without it.",
    ]
    counts = counts_table(prefixed(measured, genome))
    assert counts.table.columns.tolist() == measured.var_names.tolist()
    assert counts.notes == tuple(found.warnings)


def test_ids_with_a_genome_before_them(make_pair) -> None:
    predicted, measured = make_pair()
    made = prefixed(measured, "GRCh38_")
    made.var_names = [f"GRCh38_OLD{i}" for i in range(24)]
    assert match_genes(predicted, made, HUMAN).manifest.matched_by["Ensembl id"] == 24
    made.var = pd.DataFrame(index=made.var["gene_ids"].to_numpy())
    assert match_genes(predicted, made, HUMAN).manifest.matched_by["Ensembl id"] == 24


def mixed(measured: AnnData) -> AnnData:
    """Human genes, and as many of mouse whose names differ by case only, with other counts."""
    other = measured.copy()
    other.X = other.X + 1000
    mouse = prefixed(other, "mm10___", str.capitalize)
    mouse.var["gene_ids"] = [f"mm10___ENSMUSG{i:011d}" for i in range(measured.n_vars)]
    return concat([mouse, prefixed(measured, "GRCh38_")], axis="var", merge="first")


def test_of_human_and_mouse_only_the_models_genes_are_taken(make_pair) -> None:
    predicted, measured = make_pair()
    both = mixed(measured)
    found = match_genes(predicted, both, HUMAN)
    assert [places.tolist() for places in found.columns] == [[24 + i] for i in range(24)]
    assert found.manifest.organism_measured == HUMAN
    assert found.manifest.measured_more_than_once == []
    assert (
        "genes of 2 genomes (mm10: 24, GRCh38: 24): only those of GRCh38 were taken, 24 were left out"
        in (found.warnings[1])
    )
    predicted.var_names = [name.capitalize() for name in predicted.var_names]
    del predicted.var["gene_ids"]
    assert [places.tolist() for places in match_genes(predicted, both, MOUSE).columns] == [[i] for i in range(24)]


def test_genomes_that_leave_it_open_or_are_of_another_species(make_pair) -> None:
    predicted, measured = make_pair()
    with pytest.raises(DataError, match=r"genes of 2 genomes \(mm10: 24, GRCh38: 24\), and it is open"):
        counts_table(mixed(measured))
    with pytest.raises(DataError, match=r"those of the genome mm10: 24, the model predicts Homo sapiens"):
        match_genes(predicted, prefixed(measured, "mm10_"), HUMAN)  # ACTB of a mouse is no human gene
    with pytest.raises(DataError, match="it is open which of them"):
        plain_genes(["GRCh38_A", "hg19_A"], ["", ""], HUMAN)


def test_genes_that_become_one_are_summed_and_named(make_pair) -> None:
    predicted, measured = make_pair()
    names = measured.var_names.tolist()
    measured.var_names = ["GRCh38_GENE1", *names[1:]]
    del measured.var["gene_ids"]
    found = match_genes(predicted, measured, HUMAN)
    assert found.manifest.summed == {"GENE1": 2}
    counts = counts_table(measured)
    assert counts.summed == ("GENE1",)
    np.testing.assert_array_equal(counts.table["GENE1"], measured.X[:, 0] + measured.X[:, 1])
