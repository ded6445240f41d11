"""What a recipe can add to the paper's: other losses and targets, a mean of the weights, stain, an early end."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from napari_tcgn.engine import run_to_end as finish
from napari_tcgn.errors import SettingsError
from napari_tcgn.options import TrainSettings
from napari_tcgn.spots import Lattice
from napari_tcgn.training.data.augment import jitter_stain
from napari_tcgn.training.data.dataset import build_dataset
from napari_tcgn.training.data.her2st import find_sections, load_section
from napari_tcgn.training.data.section import HER2ST
from napari_tcgn.training.data.target import centred, smoothed
from napari_tcgn.training.fit.card import draft_card
from napari_tcgn.training.fit.loop import train_steps
from napari_tcgn.training.fit.loss import correlation_loss
from napari_tcgn.training.fit.record import EpochReport
from napari_tcgn.training.fit.trainer import Trainer

EVERYTHING = TrainSettings(
    epochs=4, batch_size=16, learning_rate=3e-3, optimiser="adamw", weight_decay=0.05, schedule="cosine",
    warmup_epochs=1.0, clip_norm=1.0, ema=0.9, loss="correlation", smooth_targets=0.5, components=3,
    centre_sections=True, stain_jitter=0.1, start_from_mean=True, val_fraction=0.25, device="cpu",
)  # fmt: skip


def small_net(num_genes):
    return nn.Sequential(
        nn.AvgPool2d(8), nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.GELU(), nn.Dropout(0.1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, num_genes),
    )  # fmt: skip


def run_to_end(dataset, out, genes, settings, **options):
    steps = train_steps(dataset, "B1", out, settings, genes=genes, mpp=2.0, build_net=small_net, **options)
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as stop:
            return [step for step in told if isinstance(step, EpochReport)], stop.value


def test_correlation_loss_is_one_minus_the_mean_pcc_within_sections():
    rng = np.random.default_rng(0)
    section = np.array([0] * 12 + [1] * 12)
    x, y = rng.normal(size=(2, 24, 5))
    x[12:] += 100  # a difference between the sections must earn nothing
    y[12:] += 7
    measured = np.ones((24, 5), dtype=bool)
    measured[12:, 4] = False
    expected = []
    for g in range(5):
        spots = measured[:, g]
        groups = [spots & (section == s) for s in (0, 1)]
        within = [np.concatenate([t[m, g] - t[m, g].mean() for m in groups if m.any()]) for t in (x, y)]
        expected.append(1 - np.corrcoef(*within)[0, 1])
    found = correlation_loss(*(torch.tensor(t) for t in (x, y, measured, section)))
    assert found.item() == pytest.approx(np.mean(expected), abs=1e-6)


def test_correlation_loss_of_a_constant_network_has_a_finite_gradient():
    x = torch.zeros(6, 3, requires_grad=True)
    y = torch.randn(6, 3)
    y[:, 2] = 1.0  # a gene that does not vary counts for nothing
    loss = correlation_loss(x, y, torch.ones(6, 3, dtype=torch.bool), torch.zeros(6, dtype=torch.long))
    loss.backward()
    assert loss.item() == pytest.approx(1.0)
    assert torch.isfinite(x.grad).all()
    assert x.grad[:, :2].abs().max() > 0


def test_smoothing_mixes_in_the_eight_neighbours():
    row, col = np.divmod(np.arange(9), 3)
    target = np.arange(9, dtype=np.float32)[:, None]
    lattice = Lattice("square", np.column_stack([col, row]).astype(float), row, col)
    found = smoothed(target, lattice, 0.5)
    assert found[4, 0] == pytest.approx(4.0)  # the middle: its neighbours' mean is its own value
    assert found[0, 0] == pytest.approx(0.5 * 0 + 0.5 * (1 + 3 + 4) / 3)
    np.testing.assert_array_equal(smoothed(target, lattice, 0.0), target)
    apart = smoothed(target[:2], lattice.select([0, 8]), 0.5)
    np.testing.assert_array_equal(apart, target[:2])


def test_centring_gives_every_section_the_common_mean():
    target = np.array([[1.0, 5], [3, 5], [10, 0], [20, 0]], dtype=np.float32)
    measured = np.array([[True, True], [True, False]])
    found = centred(target, np.array([0, 0, 1, 1]), measured)
    np.testing.assert_allclose(found[:2].mean(0), [8.5, 5])  # (2 + 15) / 2; gene 1 is known in section 0 only
    np.testing.assert_allclose(found[2:, 0].mean(), 8.5)
    np.testing.assert_allclose(np.diff(found[:2, 0]), 2)


def test_taught_holds_training_spots_only_and_scores_use_the_measured(dataset, genes):
    sections = [load_section(s, genes, mpp=2.0) for s in find_sections(dataset)]
    settings = replace(EVERYTHING, min_counts=int(np.median(sections[0].counts.sum(1))))
    built = build_dataset(sections, settings, "cpu")
    taught = torch.isfinite(built.taught).all(1)
    assert torch.equal(torch.nonzero(taught)[:, 0], built.train)
    left_out = len(built.target) - len(built.train) - len(built.validation) - len(built.test)
    assert left_out > 0
    few = np.concatenate([s.counts.sum(1) < settings.min_counts for s in sections])
    assert not few[built.train.numpy()].any()
    np.testing.assert_array_equal(built.target.numpy(), np.concatenate([s.target for s in sections]))


def test_stain_jitter_changes_colour_and_nothing_else():
    generator = torch.Generator().manual_seed(0)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    rgb = torch.rand(4, 3, 16, 16) * 0.8 + 0.1
    m, s = (torch.tensor(v)[:, None, None] for v in (mean, std))
    images = (rgb - m) / s
    unchanged = jitter_stain(images, mean, std, 0.0, generator)
    torch.testing.assert_close(unchanged, images, rtol=0, atol=1e-4)
    changed = jitter_stain(images, mean, std, 0.3, generator) * s + m
    assert 0 <= changed.min() <= changed.max() <= 1
    shift = (changed - rgb).abs().mean((1, 2, 3))
    assert (shift > 0.001).all()
    assert len(set(shift.tolist())) == 4  # each image its own
    flat = torch.full((1, 3, 4, 4), 0.5)
    assert jitter_stain((flat - m) / s, mean, std, 0.3, generator).flatten(2).std(2).max() < 1e-5


@pytest.mark.slow
def test_whole_recipe_resumed_equals_uninterrupted(dataset, tmp_path, genes):
    whole, result = run_to_end(dataset, tmp_path / "whole", genes, EVERYTHING)
    assert len(whole) == 4
    steps = train_steps(dataset, "B1", tmp_path / "cut", EVERYTHING, genes=genes, mpp=2.0, build_net=small_net)
    for step in steps:
        if isinstance(step, EpochReport) and step.epoch == 2:
            steps.close()
            break
    _, resumed = run_to_end(dataset, tmp_path / "cut", genes, EVERYTHING, resume=True)
    for name in ("net", "average"):
        one, other = (torch.load(tmp_path / run / "checkpoint.pt", weights_only=True)[name] for run in ("whole", "cut"))
        assert all(torch.equal(one[key], other[key]) for key in one)
    np.testing.assert_array_equal(result.test_pcc, resumed.test_pcc)


def test_the_mean_of_the_weights_is_what_is_kept(dataset, tmp_path, genes):
    settings = replace(EVERYTHING, val_fraction=0.0, epochs=2)
    run_to_end(dataset, tmp_path / "run", genes, settings)
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    from safetensors.torch import load_file

    kept = load_file(tmp_path / "run" / "best-0002.safetensors")
    average = {k.removeprefix("module."): v for k, v in state["average"].items() if k != "n_averaged"}
    last = ("7.weight", "7.bias")  # with the subspace in it
    assert all(torch.equal(kept[key], average[key]) for key in kept if key not in last)
    assert any(not torch.equal(kept[key], state["net"][key]) for key in kept if key not in last)


def test_the_kept_network_predicts_in_the_subspace_what_the_trained_one_does(dataset, genes):
    sections = [load_section(s, genes, mpp=2.0) for s in find_sections(dataset)]
    card = draft_card(EVERYTHING, ["B1"], genes, HER2ST)
    trainer = Trainer(build_dataset(sections, EVERYTHING, "cpu"), EVERYTHING, card, "cpu", small_net)
    trainer.history.append(EpochReport(1, 4, 1.0, None, None, None, None, 1e-3, 1.0, True))
    x = torch.randn(40, 3, 224, 224)
    kept = small_net(10)
    kept.load_state_dict(trainer.checkpoint().scored)
    with torch.inference_mode():
        expected, found = trainer.scored.eval()(x), kept.eval()(x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    centred_output = ((found - trainer.subspace.centre) / trainer.subspace.scale).double()
    assert torch.linalg.matrix_rank(centred_output, rtol=1e-4) == 3
    loadings = trainer.subspace.loadings
    torch.testing.assert_close(loadings @ loadings.T, torch.eye(3), rtol=0, atol=1e-5)


def test_without_validation_spots_all_train_and_the_last_epoch_is_taken(dataset, tmp_path, genes):
    reports, result = run_to_end(dataset, tmp_path / "run", genes, replace(EVERYTHING, val_fraction=0.0))
    assert [report.best for report in reports] == [True] * 4
    assert all(report.val_loss is None for report in reports)
    assert result.best_epoch == 4
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["spots"]["validation"] == 0
    assert record["selection"] == "the last of 4 epochs, fixed in advance"


def test_patience_ends_a_run_that_gets_no_better(dataset, tmp_path, genes):
    settings = replace(EVERYTHING, epochs=30, patience=1, learning_rate=1e-12, schedule="constant", warmup_epochs=0.0)
    reports, _ = run_to_end(dataset, tmp_path / "run", genes, settings)
    assert len(reports) < 30
    assert not reports[-1].best
    assert all(report.best for report in reports[:-1])


def test_patience_needs_something_to_choose_by():
    with pytest.raises(SettingsError, match="patience"):
        TrainSettings(val_fraction=0.0, patience=3)


@pytest.mark.slow
def test_correlation_loss_learns_within_sections(dataset, tmp_path, genes):
    def mean_colour(num_genes):
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, num_genes))

    settings = TrainSettings(
        epochs=40, batch_size=8, learning_rate=0.05, loss="correlation", centre_sections=True, val_fraction=0.25,
        device="cpu",
    )  # fmt: skip
    steps = train_steps(dataset, "B1", tmp_path / "run", settings, genes=genes, mpp=2.0, build_net=mean_colour)
    result = finish(steps)
    assert result.test_median_pcc > 0.4


def test_a_patient_held_out_is_scored_on_every_section(dataset, tmp_path, genes):
    settings = replace(EVERYTHING, epochs=1, val_fraction=0.0)
    steps = train_steps(dataset, "B", tmp_path / "run", settings, genes=genes, mpp=2.0, build_net=small_net)
    result = finish(steps)
    assert result.held_out == ["B1", "B2"]
    card = json.loads((result.model_folder / "card.json").read_text())
    assert card["metrics"]["protocol"].startswith("B1, B2 held out (patient held out)")
    assert card["metrics"]["n_spots"] == 96
    assert card["training"]["sections"] == ["C1"]
    assert card["name"].endswith("-without-B")
