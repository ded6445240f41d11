"""Every fold trained and scored beside the simple models; the figures are those of the predictions."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from napari_tcgn.engine import run_to_end
from napari_tcgn.errors import DataError, OutputError, SettingsError
from napari_tcgn.files import sha256_of
from napari_tcgn.model import ModelCard, load_model, prepare_patches
from napari_tcgn.model.timm_import import import_timm
from napari_tcgn.options import TrainSettings
from napari_tcgn.stats.correlation import pearson_per_gene
from napari_tcgn.training.data.her2st import find_sections, load_section
from napari_tcgn.training.data.section import HER2ST
from napari_tcgn.training.evaluate.baselines import default_baselines
from napari_tcgn.training.evaluate.crossval import cross_validate_steps
from napari_tcgn.training.evaluate.scored import pool, score_section
from napari_tcgn.training.evaluate.tables import difference_table
from napari_tcgn.training.fit.card import draft_card
from napari_tcgn.training.fit.record import EpochReport

# A third of the spots train, which is quicker; all are scored.
SETTINGS = TrainSettings(epochs=1, batch_size=4, learning_rate=1e-3, val_fraction=0.0, min_counts=1400, device="cpu")
GENES = [f"GENE{i}" for i in range(10)]


def evaluate(data, out, settings=SETTINGS, **options):
    told = []
    steps = cross_validate_steps(data, out, settings, genes=GENES, mpp=2.0, **options)
    return run_to_end(steps, told.append), told


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, tiny_dataset):
    out = tmp_path_factory.mktemp("evaluation") / "out"
    result, told = evaluate(tiny_dataset, out, by=("section", "patient"), final=True)
    return out, result, told


def test_every_method_is_scored_on_every_section(evaluated):
    _, result, told = evaluated
    by_fold = result.genes.groupby(["by", "section"])["method"].unique()
    assert set(by_fold.index) == {(by, s) for by in ("section", "patient") for s in ("B1", "B2", "C1")}
    for methods in by_fold:
        assert set(methods) == {
            "TCGN", "TCGN and line (mean)", "haematoxylin", "colour-texture-line", "training mean",
            "measured depth (no predictor)",
        }  # fmt: skip
    # C1 is held out once: the fold by section and by patient are the same run; and one run on everything
    assert len([step for step in told if isinstance(step, EpochReport)]) == 3 + 1 + 1


def test_a_fold_under_two_names_is_scored_once(evaluated):
    _, result, _ = evaluated
    # C1 is the only section of its patient: the same predictions, the same figures, kept under both kinds of fold.
    both = [[s for s in result.scored if s.by == by and s.section == "C1"] for by in ("section", "patient")]
    assert [s.method for s in both[0]] == [s.method for s in both[1]]
    assert all(one.genes is other.genes for one, other in zip(*both, strict=True))


def test_figures_are_those_of_the_predictions(evaluated, tiny_dataset):
    out, result, _ = evaluated
    section = load_section(next(s for s in find_sections(tiny_dataset) if s.name == "C1"), GENES, mpp=2.0)
    predicted = load_model(out / "runs" / "fold-C1" / "model").predict(section.patches)
    expected = pearson_per_gene(predicted, section.target)
    mine = result.genes.query("by == 'section' and section == 'C1' and method == 'TCGN'").set_index("gene")
    for number, gene in enumerate(GENES):
        if gene in mine.index:
            assert mine.loc[gene, "pcc"] == pytest.approx(np.nan_to_num(expected[number]), abs=1e-4)
    mean = result.genes.query("method == 'training mean'")
    assert (mean["pcc"] == 0).all(), "a constant prediction scores 0 and is counted"


def test_files(evaluated):
    out, result, _ = evaluated
    summary = pd.read_csv(out / "summary.csv")
    assert len(summary) == len(result.summary)
    assert {"all", "B1", "B2", "C1"} == set(summary["section"])
    assert (summary["pcc_low"] <= summary["median_pcc"] + 0.2).all()
    record = json.loads((out / "evaluation.json").read_text())
    assert record["settings"]["epochs"] == 1
    kinds = {(f["by"], f["held_out"]): f["kind"] for f in record["folds"]}
    assert kinds["section", "B1"] == "section held out; its patient is also in training"
    assert kinds["section", "C1"] == kinds["patient", "B"] == "patient held out"
    assert list(pd.read_csv(out / "differences.csv")["method"].unique()) == ["TCGN"]
    assert pd.read_csv(out / "genes.csv").shape == result.genes.shape


def test_cards_of_the_final_models_carry_the_held_out_figures(evaluated):
    _, result, _ = evaluated
    for method, folder in result.models.items():
        card = ModelCard.read(folder / "card.json")
        pooled = pool([s for s in result.scored if s.by == "section" and s.method == method])
        for gene, pcc in zip(card.genes, card.metrics.pcc, strict=True):
            if gene in pooled.genes.index:
                assert pcc == pytest.approx(pooled.genes.loc[gene, "pcc"], abs=1e-3)
            else:
                assert pcc is None
        assert card.metrics.median_pcc == pytest.approx(pooled.genes["pcc"].median(), abs=1e-3)
        assert len(card.metrics.better_simple) == len(card.metrics.pcc_low) == 10
        assert load_model(folder).card.metrics == card.metrics
    assert set(result.models) == {"TCGN", "TCGN and line (mean)", "haematoxylin", "colour-texture-line"}


def test_the_mean_model_predicts_the_mean(evaluated, tiny_dataset):
    _, result, _ = evaluated
    patches = load_section(find_sections(tiny_dataset)[0], GENES, mpp=2.0).patches
    net, line, both = (
        load_model(result.models[name]).predict(patches)
        for name in ("TCGN", "colour-texture-line", "TCGN and line (mean)")
    )
    np.testing.assert_allclose(both, (net + line) / 2, atol=5e-3)


@pytest.mark.slow
def test_called_again_it_trains_nothing_and_finds_the_same(evaluated, tiny_dataset):
    out, _, _ = evaluated
    before = (out / "genes.csv").read_bytes()
    _, told = evaluate(tiny_dataset, out, by=("section", "patient"))
    assert not [step for step in told if isinstance(step, EpochReport)]
    assert (out / "genes.csv").read_bytes() == before


def test_other_recipe_in_the_same_folder_is_refused(evaluated, tiny_dataset):
    out, _, _ = evaluated
    with pytest.raises(OutputError, match="learning_rate"):
        evaluate(tiny_dataset, out, TrainSettings(epochs=1, batch_size=4, val_fraction=0.0, device="cpu"))


def test_paired_difference_of_a_method_with_itself_is_nothing(evaluated, tiny_dataset):
    section = load_section(find_sections(tiny_dataset)[0], GENES, mpp=2.0)
    rng = np.random.default_rng(0)
    good = (section.target + 0.3 * rng.normal(size=section.target.shape)).astype(np.float32)
    bad = rng.normal(size=section.target.shape).astype(np.float32)
    scored = [
        score_section(values, section, GENES, "section", "B1", name)
        for name, values in (("good", good), ("same", good), ("bad", bad))
    ]
    table = difference_table(scored, "good").set_index("minus")
    assert (table.loc["same", ["difference", "low", "high"]] == 0).all()
    assert table.loc["bad", "low"] > 0


def test_what_cannot_be_cross_validated(tmp_path, own_dataset):
    with pytest.raises(SettingsError, match="held-out section"):
        evaluate(own_dataset, tmp_path / "x", TrainSettings(select_on_test=True))
    for path in own_dataset.rglob("*C1*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(DataError, match="no patient can be held out"):
        evaluate(own_dataset, tmp_path / "x", by=("patient",))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_encoder_from_a_local_file_is_named_by_its_hash_and_fitted_on_components(tmp_path, tiny_dataset, suffix):
    """A timm checkpoint as published, classifier included."""
    timm = import_timm()
    torch.manual_seed(7)
    state = timm.create_model("test_resnet", pretrained=False).state_dict()
    file = tmp_path / f"weights{suffix}"
    save_file(state, file) if suffix == ".safetensors" else torch.save({"state_dict": state}, file)
    found = default_baselines("test_resnet", file)[-1]
    digest = sha256_of(file)
    assert found.name == f"test_resnet-pca-ridge ({file.name}, sha256 {digest[:12]})"
    assert found.origin == {"name": "test_resnet", "weights": f"{file.name}, sha256 {digest[:12]}", "sha256": digest}
    assert found.caveats == []
    section = load_section(find_sections(tiny_dataset)[0], GENES, mpp=2.0)
    card = found.card(draft_card(SETTINGS, [], GENES, HER2ST))
    net = timm.create_model("test_resnet", pretrained=False, num_classes=0)
    net.load_state_dict({k: state[k] for k in net.state_dict()})
    with torch.inference_mode():
        expected = net.eval()(prepare_patches(torch.from_numpy(section.patches), card)).numpy()
    np.testing.assert_allclose(found.extract([section], card)[0], expected, rtol=1e-4, atol=1e-5)


def test_hub_out_of_reach_means_random_weights_that_say_so(monkeypatch):
    timm = import_timm()
    create, asked = timm.create_model, []

    def without_network(name, pretrained=False, **options):
        asked.append(pretrained)
        if pretrained:
            raise OSError("no route to host")
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", without_network)
    found = default_baselines("test_resnet", "hub")[-1]
    assert found.name == "test_resnet-pca-ridge (random weights, for the hub is out of reach)"
    assert "random" in found.caveats[0]
    assert True in asked
    asked.clear()
    assert default_baselines("test_resnet")[-1].name == "test_resnet-pca-ridge (random weights)"
    assert asked == [False], "nothing is fetched unless it was asked for"
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained=False, **options: create(name, **options))
    assert default_baselines("test_resnet", "hub")[-1].name.startswith("test_resnet-pca-ridge (hub weights test_resnet")
