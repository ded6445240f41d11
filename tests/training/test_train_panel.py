"""Genes chosen on the training sections of a fold: the held-out section has no say, and it is written down."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_tcgn.engine import run_to_end
from napari_tcgn.errors import DataError
from napari_tcgn.model import ModelCard, load_model
from napari_tcgn.spots import read_st_counts
from napari_tcgn.training.data.her2st import find_sections, load_section
from napari_tcgn.training.data.panel import choose_panel, given_panel, of_panel, variability
from napari_tcgn.training.evaluate import crossval, fold_scorer
from napari_tcgn.training.evaluate.crossval import cross_validate_steps
from napari_tcgn.training.fit.loop import train_steps
from support.runs import FAST, finish, small_net, start, stop_after_an_epoch

CHOOSING = replace(FAST, epochs=1, top_genes=3)
# Gene of every section that is loud there and quiet elsewhere; QUIET_… is the other way round.
LOUD = {"B1": "LOUD_B1", "B2": "LOUD_B2", "C1": "LOUD_C1"}


@pytest.fixture
def loud(own_dataset):
    """The drawn sections with two genes for each, loud in it alone or in all others, and one that is rare."""
    for section in find_sections(own_dataset):
        table = read_st_counts(section.counts)
        odd = np.arange(len(table)) % 2 == 1
        for name, gene in LOUD.items():
            table[gene] = np.where(odd, 2000, 1) if name == section.name else 300
            table[f"QUIET_{name}"] = np.where(odd, 2000, 1) if name != section.name else 300
        rng = np.random.default_rng(0)
        filling = {f"FILL{i}": rng.poisson(20 + 20 * i, len(table)) for i in range(60)}
        table = pd.concat([table, pd.DataFrame(filling, index=table.index)], axis=1)
        table["RARE"] = 0
        table.loc[table.index[0], "RARE"] = 5000
        table.to_csv(section.counts, sep="\t")
    return own_dataset


def test_dispersion_is_that_of_scanpy_and_the_mean_over_sections_counts(loud):
    import anndata
    import scanpy

    tables = {s.name: variability(s) for s in find_sections(loud)}
    section = find_sections(loud)[2]
    counts = read_st_counts(section.counts)
    counts = counts[counts.sum(axis=1) > 0]
    adata = anndata.AnnData(counts.to_numpy(np.float32), var=pd.DataFrame(index=counts.columns))
    scanpy.pp.normalize_total(adata, target_sum=1e4)
    scanpy.pp.log1p(adata)
    scanpy.pp.highly_variable_genes(adata, flavor="seurat")
    expected = adata.var["dispersions_norm"].fillna(0.0)
    np.testing.assert_allclose(tables["C1"]["dispersion"], expected, rtol=1e-5)
    assert choose_panel({"C1": tables["C1"]}, 5).genes == list(
        expected.drop("RARE").sort_index().sort_values(ascending=False, kind="stable").index[:5]
    )
    both = choose_panel({name: tables[name] for name in ("B2", "C1")}, 4).genes
    mean = (tables["B2"]["dispersion"] + tables["C1"]["dispersion"]).drop(["RARE", "GENE9"], errors="ignore")
    assert both == list(mean.sort_index().sort_values(ascending=False, kind="stable").index[:4])


def test_the_held_out_section_has_no_say(loud, tmp_path):
    out = tmp_path / "run"
    finish(start(loud, out, None, CHOOSING))
    record = json.loads((out / "run.json").read_text())
    chosen = record["panel"]["genes"]
    assert len(chosen) == record["identity"]["panel"]["genes"] == 3
    assert "QUIET_B1" in chosen
    assert "LOUD_B1" not in chosen
    assert record["panel"]["source"] == "the 3 most variable genes of the training sections B2, C1"
    card = ModelCard.read(out / "model" / "card.json")
    assert card.genes == chosen
    assert card.training["panel"] == record["panel"]["source"]
    # What B1 looks like does not matter.
    section = find_sections(loud)[0]
    table = read_st_counts(section.counts)
    table.sample(frac=1, random_state=0).set_index(table.index).to_csv(section.counts, sep="\t")
    finish(start(loud, tmp_path / "other", None, CHOOSING))
    assert json.loads((tmp_path / "other" / "run.json").read_text())["panel"]["genes"] == chosen


def test_chosen_among_given_genes_and_resumed(loud, tmp_path, genes):
    out = tmp_path / "run"
    settings = replace(CHOOSING, epochs=2)
    stop_after_an_epoch(start(loud, out, [*genes, "QUIET_B1"], settings))
    _, result = finish(start(loud, out, [*genes, "QUIET_B1"], settings, resume=True))
    panel = json.loads((out / "run.json").read_text())["panel"]
    assert panel["genes"][0] == "QUIET_B1"
    assert set(panel["genes"]) <= {*genes, "QUIET_B1"}
    assert panel["source"].startswith("the 3 most variable genes among 11 given")
    assert len(result.test_pcc) == 3


def test_rare_and_partly_missing_genes_are_no_candidates(loud):
    tables = {s.name: variability(s) for s in find_sections(loud)}
    with pytest.raises(DataError, match="only 75 genes are in all 3") as raised:
        choose_panel(tables, 76)  # GENE9 is not in B2, RARE in one spot of each
    assert "--top-genes" in str(raised.value)
    assert {"RARE", "GENE9"}.isdisjoint(choose_panel(tables, 75).genes)


def test_a_section_of_one_spot_chooses_nothing(loud):
    section = find_sections(loud)[0]
    read_st_counts(section.counts).iloc[:1].to_csv(section.counts, sep="\t")
    path = section.spots
    lines = path.read_text().splitlines()
    spot = read_st_counts(section.counts).index[0].split("x")
    path.write_text("\n".join([lines[0], *(line for line in lines if line.split("\t")[2:4] == spot)]) + "\n")
    tables = {s.name: variability(s) for s in find_sections(loud)}
    assert tables["B1"].isna().all(axis=None)
    rest = choose_panel({name: tables[name] for name in ("B2", "C1")}, 4)
    assert choose_panel(tables, 4).genes == rest.genes


def test_section_of_a_panel_is_what_loading_it_would_give(loud):
    section = find_sections(loud)[1]
    whole = ["GENE9", *(f"GENE{i}" for i in range(9)), *LOUD.values()]
    few = ["LOUD_C1", "GENE3", "GENE9"]
    found, expected = of_panel(load_section(section, whole, mpp=2.0), whole, few), load_section(section, few, mpp=2.0)
    for name in ("counts", "target", "measured"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert of_panel(expected, few, few) is expected
    assert given_panel(None).source == "her2st_785"


def test_every_fold_of_a_cross_validation_has_its_own_genes(loud, tmp_path, monkeypatch):
    def quick(data, fold, out, settings, **options):
        return train_steps(data, fold, out, settings, build_net=small_net, **options)

    class Predictor:
        """Stands in for `load_model`, which knows no such small network; the figures are not looked at here."""

        def __init__(self, folder, device):
            self.genes = ModelCard.read(folder / "card.json").genes

        def predict(self, patches):
            return np.repeat(patches.mean(axis=(1, 2, 3))[:, None], len(self.genes), axis=1).astype(np.float32)

    monkeypatch.setattr(crossval, "train_steps", quick)
    monkeypatch.setattr(fold_scorer, "load_model", Predictor)
    steps = cross_validate_steps(loud, tmp_path / "cv", CHOOSING, by=("section", "patient"), mpp=2.0, final=True)
    result = run_to_end(steps)
    record = json.loads((tmp_path / "cv" / "evaluation.json").read_text())
    for name, gene in LOUD.items():
        panel = record["panels"][name]["genes"]
        assert gene not in panel, "the fold's own held-out section had a say"
        run = json.loads((tmp_path / "cv" / "runs" / f"fold-{name}" / "run.json").read_text())
        assert run["panel"]["genes"] == panel
        scored = result.genes.query("by == 'section' and section == @name and method == 'haematoxylin'")
        assert set(scored["gene"]) <= set(panel)
    pooled = result.summary.query("by == 'section' and section == 'all' and method == 'haematoxylin'")
    union = {gene for name in LOUD for gene in record["panels"][name]["genes"]}
    assert pooled["genes"].item() == len(union)
    final = ModelCard.read(result.models["haematoxylin"] / "card.json")
    assert final.genes == record["panels"]["none"]["genes"]
    assert load_model(result.models["haematoxylin"]).predict(np.zeros((1, 38, 38, 3), np.uint8)).shape == (1, 3)


def test_held_out_figures_of_folds_with_other_genes_go_onto_a_card_by_name(loud, tmp_path):
    folds = []
    for name in LOUD:
        finish(start(loud, tmp_path / name, None, CHOOSING, fold=name))
        folds.append(tmp_path / name)
    finish(start(loud, tmp_path / "none", None, CHOOSING, fold="none", held_out_runs=folds))
    card = ModelCard.read(tmp_path / "none" / "model" / "card.json")
    others = [ModelCard.read(fold / "model" / "card.json") for fold in folds]
    for gene, pcc in zip(card.genes, card.metrics.pcc, strict=True):
        known = [o.metrics.pcc[o.genes.index(gene)] for o in others if gene in o.genes]
        known = [value for value in known if value is not None]
        assert pcc == (pytest.approx(np.mean(known), abs=1e-4) if known else None)
