"""The simple models: fitted within sections, chosen on training sections, saved and loaded as models like any other."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_tcgn.engine import run_to_end
from napari_tcgn.errors import CheckpointError, DataError, ModelError
from napari_tcgn.model import ModelCard, load_model
from napari_tcgn.model.features import FEATURES, image_features
from napari_tcgn.model.ridge import build_encoder
from napari_tcgn.model.weights import read_checkpoint, save_model
from napari_tcgn.options import TrainSettings
from napari_tcgn.stats.correlation import pearson_per_gene
from napari_tcgn.training.data.her2st import find_sections, load_section
from napari_tcgn.training.data.section import HER2ST
from napari_tcgn.training.evaluate.baselines import Baseline, default_baselines, load_encoder
from napari_tcgn.training.fit import line as line_module
from napari_tcgn.training.fit.card import draft_card
from napari_tcgn.training.fit.line import fit_line
from napari_tcgn.training.fit.loop import train_steps


@pytest.fixture(scope="module")
def sections(dataset):
    genes = [f"GENE{i}" for i in range(10)]
    return [load_section(section, genes, mpp=2.0) for section in find_sections(dataset)]


@pytest.fixture
def card(genes):
    return draft_card(TrainSettings(), ["B1"], genes, HER2ST)


def test_features_are_named_finite_and_see_the_stain():
    rgb = torch.rand(5, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    for which, names in FEATURES.items():
        found = image_features(rgb, which)
        assert found.shape == (5, len(names))
        assert torch.isfinite(found).all()
    assert torch.isfinite(image_features(torch.zeros(1, 3, 40, 40), "colour-texture")).all()
    from skimage.color import hed2rgb

    hed = np.zeros((2, 40, 40, 3))
    hed[0, ..., 0], hed[1, ..., 0] = 0.05, 0.2  # haematoxylin alone, weak and strong
    weak, strong = image_features(torch.from_numpy(hed2rgb(hed)).float().permute(0, 3, 1, 2), "colour-texture")
    at = FEATURES["colour-texture"].index
    assert strong[at("haematoxylin mean")] > 3 * weak[at("haematoxylin mean")]
    assert abs(strong[at("eosin mean")]) < 0.1 * strong[at("haematoxylin mean")]
    assert strong[at("haematoxylin edges, scale 1")] < 1e-3


def test_line_is_the_ridge_of_scikit_learn_within_sections(sections, monkeypatch):
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    features = [rng.normal(size=(len(s), 4)) * 3 + k for k, s in enumerate(sections)]
    sections = [replace(s, measured=np.ones(10, dtype=bool)) for s in sections]
    x = np.concatenate([f - f.mean(0) for f in features])
    x = x / x.std(0)
    y = np.concatenate([s.target - s.target.mean(0) for s in sections]).astype(float)
    spread = y.std(0)
    monkeypatch.setattr(line_module, "ALPHAS", (10.0,))
    full = Ridge(alpha=10.0, fit_intercept=False).fit(x, y / spread).coef_.T
    for rank in (None, 1, 2):
        monkeypatch.setattr(line_module, "RANKS", (rank,))
        line = fit_line(features, sections)
        directions = np.linalg.svd(x @ full, full_matrices=False)[2][:rank]
        expected = full @ directions.T @ directions * spread
        slope = line.slope if line.directions is None else line.slope @ line.directions
        assert line.slope.shape == (4, rank or 10)
        np.testing.assert_allclose(slope.numpy(), expected, atol=1e-5)
        np.testing.assert_allclose(line.level.numpy(), np.mean([s.target.mean(0) for s in sections], axis=0), atol=1e-5)


def test_what_differs_between_sections_is_not_learnt(sections):
    rng = np.random.default_rng(0)
    one, two = (
        replace(s, target=rng.normal(size=s.target.shape).astype(np.float32) + 5 * k, measured=np.ones(10, dtype=bool))
        for k, s in enumerate(sections[:2])
    )
    features = [rng.normal(size=(len(s), 1)) + 5 * k for k, s in enumerate((one, two))]
    assert np.abs(fit_line(features, [one, two]).slope.numpy()).max() < 0.3


def test_colour_is_found_on_a_section_held_out(sections, card):
    baseline = Baseline("colour-texture-line", "colour-texture")
    features = baseline.extract(sections, card)
    line = baseline.fit(features[1:], sections[1:])
    predicted = line(torch.from_numpy(features[0]).float()).numpy()
    pcc = pearson_per_gene(predicted, sections[0].target)
    assert np.nanmedian(pcc) > 0.3


def test_one_feature_is_not_shrunk_for_nothing(sections, card):
    """Its correlation is the same for every strength, so that only the size of the prediction is at stake."""
    baseline = Baseline("haematoxylin", "haematoxylin")
    features = baseline.extract(sections, card)
    line = baseline.fit(features, sections)
    x = np.concatenate([f[:, 0] - f[:, 0].mean() for f in features])
    y = np.concatenate([s.target[:, 0] - s.target[:, 0].mean() for s in sections])
    expected = (x @ y) / (x @ x)
    assert line.slope[0, 0].item() / line.scale[0].item() == pytest.approx(expected, rel=0.02)


def test_one_training_section_is_enough_and_three_spots_are_needed(sections):
    features = [np.random.default_rng(0).normal(size=(len(sections[0]), 2))]
    assert torch.isfinite(fit_line(features, sections[:1]).slope).all()
    with pytest.raises(DataError, match="three spots"):
        fit_line([features[0][:2]], [replace(sections[0], target=sections[0].target[:2])])


@pytest.mark.parametrize("baseline", [Baseline("colour", "colour-texture"), Baseline("one", "haematoxylin")])
def test_saved_baseline_is_a_model_like_any_other(tmp_path, sections, card, baseline):
    features = baseline.extract(sections[:2], card)
    line = baseline.fit(features, sections[:2])
    baseline.save(tmp_path / "model", line, baseline.card(card))
    predictor = load_model(tmp_path / "model")
    assert predictor.card.architecture["family"] == "ridge"
    expected = line(torch.from_numpy(features[1]).float()).numpy()
    np.testing.assert_allclose(predictor.predict(sections[1].patches), expected, atol=2e-3)  # half precision
    alone = predictor.predict(sections[1].patches[3:4])
    np.testing.assert_allclose(alone[0], predictor.predict(sections[1].patches)[3], atol=1e-5)


def test_encoder_baseline_is_labelled_and_saved_with_its_weights(tmp_path, sections, card):
    found = default_baselines("resnet18")
    assert [b.name for b in found][-1] == "resnet18-pca-ridge (random weights)"
    few = [
        replace(s, patches=s.patches[:12], target=s.target[:12], spots=s.spots.select(np.arange(12))) for s in sections
    ]
    features = found[-1].extract(few[:2], card)
    assert features[0].shape == (12, 512)
    line = found[-1].fit(features, few[:2])
    found[-1].save(tmp_path / "model", line, found[-1].card(card))
    predicted = load_model(tmp_path / "model").predict(few[0].patches)
    expected = line(torch.from_numpy(features[0]).float()).numpy()
    assert np.corrcoef(predicted.ravel(), expected.ravel())[0, 1] > 0.999
    torch.save({"layer": torch.zeros(2)}, tmp_path / "wrong.pt")
    with pytest.raises(CheckpointError, match="do not fit the encoder"):
        load_encoder("resnet18", tmp_path / "wrong.pt")
    with pytest.raises(ModelError, match="timm has no model"):
        build_encoder("resnet-of-dreams", None)


def test_ridge_models_that_are_broken(tmp_path, sections, card):
    baseline = Baseline("one", "haematoxylin")
    line = baseline.fit(baseline.extract(sections[:2], card), sections[:2])
    state = line.state()
    save_model(tmp_path / "lacking", {k: v for k, v in state.items() if k != "level"}, baseline.card(card))
    with pytest.raises(CheckpointError, match="level"):
        load_model(tmp_path / "lacking")
    save_model(tmp_path / "short", {**state, "slope": state["slope"][:, :3]}, baseline.card(card))
    with pytest.raises(CheckpointError, match="for 3 genes"):
        load_model(tmp_path / "short")
    odd = replace(baseline.card(card), architecture={"family": "ridge", "features": "smell"})
    save_model(tmp_path / "odd", state, odd)
    with pytest.raises(ModelError, match="smell"):
        load_model(tmp_path / "odd")


@pytest.mark.slow
def test_network_on_top_of_a_line_starts_as_the_line_and_is_saved_with_it(tmp_path, tiny_dataset, genes):
    settings = TrainSettings(
        epochs=1, batch_size=4, learning_rate=1e-12, val_fraction=0.0, residual="colour-texture", device="cpu"
    )
    steps = train_steps(tiny_dataset, "B1", tmp_path / "run", settings, genes=genes, mpp=2.0)
    result = run_to_end(steps)
    found = [load_section(s, genes, mpp=2.0) for s in find_sections(tiny_dataset)]
    held_out, training = found[0], found[1:]
    baseline = Baseline("colour-texture", "colour-texture")
    card = ModelCard.read(result.model_folder / "card.json")
    assert card.architecture == {"family": "tcgn", "size": "tiny", "residual": "colour-texture"}
    line = baseline.fit(baseline.extract(training, card), training)
    expected = line(torch.from_numpy(baseline.extract([held_out], card)[0]).float()).numpy()
    predicted = load_model(result.model_folder).predict(held_out.patches)
    np.testing.assert_allclose(predicted, expected, atol=5e-3)
    pcc = pearson_per_gene(predicted, np.where(held_out.measured, held_out.target, np.nan))
    np.testing.assert_allclose(result.test_pcc, pcc, atol=2e-2)
    assert any(name.startswith("line.") for name in read_checkpoint(result.model_folder / "model.safetensors"))
