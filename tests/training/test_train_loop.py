"""What a run tells, writes and learns."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from napari_tcgn.engine import Progress
from napari_tcgn.model.card import ModelCard
from napari_tcgn.options import TrainSettings
from napari_tcgn.stats.correlation import median_pcc, pearson_per_gene
from napari_tcgn.training.data.her2st import find_sections, load_section
from napari_tcgn.training.fit.loop import train_steps
from napari_tcgn.training.fit.loss import masked_mse
from napari_tcgn.training.fit.record import EpochReport
from support.runs import FAST, finish, last_state, mean_colour, reports, small_net, start


@pytest.fixture(scope="module")
def finished(tmp_path_factory, dataset):
    out = tmp_path_factory.mktemp("runs") / "b1"
    told, result = finish(start(dataset, out, [f"GENE{i}" for i in range(10)]))
    return out, told, result


def test_run_tells_sections_epochs_and_progress(finished):
    _, told, result = finished
    assert [r.epoch for r in reports(told)] == [1, 2, 3]
    progress = [step for step in told if isinstance(step, Progress)]
    assert [(p.done, p.total) for p in progress if p.stage == "read sections"] == [(0, 3), (1, 3), (2, 3)]
    done = [p.done for p in progress if "epoch" in p.stage]
    assert done == sorted(done)
    assert done[-1] == progress[-2].total
    assert result.history == reports(told)
    assert result.held_out == ["B1"]


@pytest.mark.slow
def test_training_learns(dataset, tmp_path, genes):
    settings = TrainSettings(epochs=40, batch_size=8, learning_rate=0.1, val_fraction=0.25, device="cpu")
    told, result = finish(start(dataset, tmp_path / "run", genes, settings, build_net=mean_colour))
    assert reports(told)[-1].train_loss < 0.25 * reports(told)[0].train_loss
    assert result.test_median_pcc > 0.4


def test_metrics_files_hold_the_reports(finished):
    out, told, _ = finished
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [EpochReport(**row) for row in rows] == reports(told)
    with (out / "metrics.csv").open() as handle:
        table = list(csv.DictReader(handle))
    assert [float(row["train_loss"]) for row in table] == [r.train_loss for r in reports(told)]
    assert [row["test_loss"] for row in table] == ["", "", ""]


def test_record(finished):
    out, _, result = finished
    record = json.loads((out / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["identity"]["settings"]["learning_rate"] == 3e-3
    assert record["identity"]["training"] == ["B2", "C1"]
    assert record["data"]["B2"]["genes_missing"] == ["GENE9"]
    assert record["data"]["B1"]["spots_without_counts"] == ["2x2"]
    assert record["data"]["B2"]["empty_spots"] == 1
    assert record["spots"]["train"] + record["spots"]["validation"] == 96
    assert record["spots"]["test"] == record["result"]["n_spots"] == 48
    assert record["result"]["best_epoch"] == result.best_epoch
    assert "never on the held-out section" in record["selection"]
    assert not list(out.glob(".*"))


def test_model_has_the_figures_of_its_own_weights_on_every_test_spot(finished, dataset, genes):
    out, _, result = finished
    card = ModelCard.read(out / "model" / "card.json")
    assert card.genes == genes
    assert card.metrics.n_spots == 48
    assert card.orientation == "upright"
    assert card.domain.mpp == (2.0, 2.0)
    net = small_net(10)
    net.load_state_dict({k: v.float() for k, v in load_file(out / "model" / card.weights).items()})
    data = load_section(find_sections(dataset)[0], genes, card, mpp=2.0)
    from napari_tcgn.model.prepare import prepare_patches

    with torch.inference_mode():
        predicted = net.eval()(prepare_patches(torch.from_numpy(data.patches), card)).numpy()
    pcc = pearson_per_gene(predicted, data.target)
    np.testing.assert_allclose(card.gene_metric("pcc"), pcc, atol=2e-5)
    assert result.test_median_pcc == pytest.approx(median_pcc(pcc), abs=1e-6)
    assert card.metrics.median_pcc == pytest.approx(result.test_median_pcc)


def test_best_epoch_has_the_highest_validation_pcc(finished):
    out, told, result = finished
    values = [r.val_median_pcc for r in reports(told)]
    assert result.best_epoch == 1 + int(np.argmax(values))
    assert [path.name for path in out.glob("best-*")] == [f"best-{result.best_epoch:04d}.safetensors"]


def test_select_on_test_is_labelled_optimistic(dataset, tmp_path, genes):
    settings = TrainSettings(epochs=2, batch_size=16, learning_rate=3e-3, select_on_test=True, device="cpu")
    told, result = finish(start(dataset, tmp_path / "run", genes, settings))
    first, second = reports(told)
    assert first.val_loss is None
    assert result.best_epoch == (1 if first.test_median_pcc >= second.test_median_pcc else 2)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert "OPTIMISTIC" in record["selection"]
    assert record["spots"] == {"train": 96, "validation": 0, "test": 48, "left out for few counts": 0}
    card = ModelCard.read(tmp_path / "run" / "model" / "card.json")
    assert "OPTIMISTIC" in card.metrics.protocol
    assert any("optimistic" in caveat for caveat in card.caveats)


def test_last_incomplete_batch_is_dropped_and_genes_that_are_not_measured_do_not_count(dataset, tmp_path, genes):
    seen = []

    class Spy(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.out = nn.Parameter(torch.zeros(n))

        def forward(self, x):
            seen.append((self.training, len(x)))
            return self.out + torch.zeros(len(x), 1)

    settings = TrainSettings(epochs=2, batch_size=10, learning_rate=0.05, val_fraction=0.25, device="cpu")
    # GENE9 and NOWHERE: B2 has no GENE9, no section has NOWHERE
    out = tmp_path / "run"
    finish(start(dataset, out, [*genes, "NOWHERE"], settings, fold="C1", build_net=Spy))
    record = json.loads((out / "run.json").read_text())
    batches = [n for training, n in seen if training]
    assert batches == [10] * (2 * (record["spots"]["train"] // 10))
    scored = sum(n for training, n in seen if not training)
    assert scored == 2 * record["spots"]["validation"] + record["spots"]["test"]
    learnt = last_state(out)["net"]["out"]
    assert learnt[-1] == 0
    assert (learnt[:-1] > 0).all()
    assert ModelCard.read(out / "model" / "card.json").metrics.pcc[-1] is None


def test_masked_mse_is_the_mean_over_measured_entries():
    predicted, target = torch.tensor([[1.0, 5.0], [2.0, 3.0]]), torch.tensor([[0.0, float("nan")], [4.0, 3.0]])
    measured = torch.tensor([[True, False], [True, True]])
    predicted.requires_grad_()
    loss = masked_mse(predicted, target, measured)
    loss.backward()
    assert loss.item() == pytest.approx((1 + 4 + 0) / 3)
    assert predicted.grad.tolist() == [[pytest.approx(2 / 3), 0], [pytest.approx(-4 / 3), 0]]
    everything = torch.ones_like(measured)
    expected = nn.functional.mse_loss(predicted, torch.zeros(2, 2))
    assert masked_mse(predicted, torch.zeros(2, 2), everything).item() == pytest.approx(expected.item())


def test_cosine_warms_up_and_falls_to_zero(dataset, tmp_path, genes):
    settings = TrainSettings(epochs=4, batch_size=16, learning_rate=1e-2, schedule="cosine", warmup_epochs=1)
    told, _ = finish(start(dataset, tmp_path / "run", genes, settings))
    rates = [r.learning_rate for r in reports(told)]
    assert 0.007 < rates[0] <= 1e-2  # end of the warm-up
    assert rates[1] > rates[2] > rates[3] > 0
    assert rates[3] < 5e-4


def test_start_from_mean(dataset, tmp_path, genes):
    plain, _ = finish(start(dataset, tmp_path / "plain", genes, replace(FAST, epochs=1)))
    mean, _ = finish(start(dataset, tmp_path / "mean", genes, replace(FAST, epochs=1, start_from_mean=True)))
    assert reports(mean)[0].train_loss < 0.3 * reports(plain)[0].train_loss
    learnt = last_state(tmp_path / "mean")["net"]["7.bias"].numpy()
    training = [load_section(section, genes, mpp=2.0) for section in find_sections(dataset)[1:]]
    for gene in range(10):
        target = np.concatenate([s.target[:, gene] for s in training if s.measured[gene]])
        assert learnt[gene] == pytest.approx(target.mean(), abs=0.15)


@pytest.mark.slow
def test_sample_dataset_trains_fold_0(tmp_path):
    sample = Path(__file__).parents[2] / "sample_data" / "her2st_mini"
    settings = TrainSettings(epochs=1, batch_size=16, learning_rate=3e-3, device="cpu")
    _, result = finish(train_steps(sample, 0, tmp_path / "run", settings, build_net=small_net))
    assert result.held_out == ["A2"]
    card = ModelCard.read(result.model_folder / "card.json")
    assert len(card.genes) == 785
    assert card.domain.mpp == pytest.approx([0.688, 0.688], rel=1e-3)
    assert card.metrics.n_spots == len(load_section(find_sections(sample)[0], card.genes))
