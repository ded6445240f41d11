import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from napari_tcgn.errors import CheckpointError, DataError, DeviceError, OutputError, TcgnError
from napari_tcgn.expression import median_pcc, pearson_per_gene
from napari_tcgn.model.card import ModelCard
from napari_tcgn.predict import Progress
from napari_tcgn.settings import TrainSettings
from napari_tcgn.train.her2st import find_sections, load_section
from napari_tcgn.train.loop import train
from napari_tcgn.train.loss import masked_mse
from napari_tcgn.train.record import EpochReport, TrainResult

FAST = TrainSettings(epochs=3, batch_size=16, learning_rate=3e-3, val_fraction=0.25, device="cpu")


def small_net(num_genes):
    """A small network with everything that a resumed run must get right: BatchNorm statistics and dropout."""
    return nn.Sequential(
        nn.AvgPool2d(8),
        nn.Conv2d(3, 8, 3, stride=2),
        nn.BatchNorm2d(8),
        nn.GELU(),
        nn.Dropout(0.1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, num_genes),
    )


def start(dataset, out, genes, settings=FAST, fold="B1", **options):
    options.setdefault("build_net", small_net)
    return train(dataset, fold, out, settings, genes=genes, mpp=2.0, **options)


def finish(run) -> tuple[list[Progress | EpochReport], TrainResult]:
    told = []
    while True:
        try:
            told.append(next(run))
        except StopIteration as stop:
            return told, stop.value


def reports(told):
    return [step for step in told if isinstance(step, EpochReport)]


def last_state(out):
    return torch.load(out / "checkpoint.pt", weights_only=True)


def figures(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


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


def test_training_learns(dataset, tmp_path, genes):
    def mean_colour(num_genes):  # all that expression follows in these sections
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, num_genes))

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
    assert card.metrics["n_spots"] == 48
    assert card.orientation == "upright"
    assert card.domain["mpp"] == [2.0, 2.0]
    net = small_net(10)
    net.load_state_dict({k: v.float() for k, v in load_file(out / "model" / card.weights).items()})
    data = load_section(find_sections(dataset)[0], genes, card, mpp=2.0)
    from napari_tcgn.model.prepare import prepare_patches

    with torch.inference_mode():
        predicted = net.eval()(prepare_patches(torch.from_numpy(data.patches), card)).numpy()
    pcc = pearson_per_gene(predicted, data.target)
    np.testing.assert_allclose(card.gene_metric("pcc"), pcc, atol=2e-5)
    assert result.test_median_pcc == pytest.approx(median_pcc(pcc), abs=1e-6)
    assert card.metrics["median_pcc"] == pytest.approx(result.test_median_pcc)


def test_best_epoch_has_the_highest_validation_pcc(finished):
    out, told, result = finished
    values = [r.val_median_pcc for r in reports(told)]
    assert result.best_epoch == 1 + int(np.argmax(values))
    assert [path.name for path in out.glob("best-*")] == [f"best-{result.best_epoch:04d}.safetensors"]


@pytest.mark.parametrize(
    "settings",
    [
        FAST,
        TrainSettings(
            epochs=3,
            batch_size=16,
            optimiser="adamw",
            schedule="cosine",
            weight_decay=0.01,
            warmup_epochs=1,
            device="cpu",
        ),
    ],
)
@pytest.mark.parametrize("stop_after", [0, 1, 2])
def test_killed_and_resumed_equals_uninterrupted(dataset, tmp_path, genes, same, settings, stop_after):
    finish(start(dataset, tmp_path / "whole", genes, settings))
    run = start(dataset, tmp_path / "parts", genes, settings)
    seen = 0
    while seen < stop_after or not (tmp_path / "parts").exists():
        seen += isinstance(next(run), EpochReport)
    next(run)  # into the epoch after
    run.close()
    torch.rand(5)  # whatever the process draws in between must not matter
    _, result = finish(start(dataset, tmp_path / "parts", genes, settings, resume=True))
    assert result.best_epoch >= 1
    whole, parts = last_state(tmp_path / "whole"), last_state(tmp_path / "parts")
    whole["history"], parts["history"] = figures(whole["history"]), figures(parts["history"])
    assert same(whole, parts)
    models = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert models[0] == models[1]


def test_two_runs_are_equal_and_another_seed_is_not(finished, dataset, tmp_path, genes, same):
    out, _, _ = finished
    finish(start(dataset, tmp_path / "again", genes))
    assert same(last_state(out)["net"], last_state(tmp_path / "again")["net"])
    finish(start(dataset, tmp_path / "other", genes, replace(FAST, seed=1)))
    assert not same(last_state(out)["net"], last_state(tmp_path / "other")["net"])


def test_resuming_a_finished_run_gives_its_result(finished, dataset, genes):
    out, _, result = finished
    told, again = finish(start(dataset, out, genes, resume=True))
    assert reports(told) == []
    assert again.best_epoch == result.best_epoch
    np.testing.assert_array_equal(again.test_pcc, result.test_pcc)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            {"settings": TrainSettings(epochs=3, batch_size=16, learning_rate=1e-4, val_fraction=0.25)},
            "learning_rate was 0.003",
        ),
        ({"fold": "C1"}, "held_out was ['B1'], now ['C1']"),
        ({"genes": ["GENE1", "GENE0"]}, "panel.genes was 10, now 2"),
        ({"genes": [f"GENE{9 - i}" for i in range(10)]}, "panel.sha256"),
        ({"settings": replace(FAST, patch_um=100.0)}, "patch_um was 77.0, now 100.0"),
    ],
)
def test_resume_with_other_choices_is_refused(finished, dataset, genes, change, named):
    out, _, _ = finished
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    options = {"genes": genes, **change}
    with pytest.raises(OutputError) as raised:
        finish(start(dataset, out, resume=True, **options))
    assert named in str(raised.value)
    assert before == {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


def test_out_folder_in_use(finished, dataset, tmp_path, genes):
    with pytest.raises(OutputError, match="--resume"):
        finish(start(dataset, finished[0], genes))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="no training run"):
        finish(start(dataset, tmp_path, genes))
    with pytest.raises(OutputError, match="is a file"):
        finish(start(dataset, tmp_path / "notes.txt", genes))
    with pytest.raises(OutputError, match="no training run to resume"):
        finish(start(dataset, tmp_path / "new", genes, resume=True))
    with pytest.raises(OutputError, match="cannot be made"):
        finish(start(dataset, tmp_path / "notes.txt" / "run", genes))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_nothing_is_written_when_the_data_is_refused(dataset, tmp_path, genes):
    out = tmp_path / "run"
    with pytest.raises(DataError, match="5 \\(B1\\), 6 \\(B2\\), 11 \\(C1\\)"):
        finish(start(dataset, out, genes, fold=0))
    with pytest.raises(DataError, match="one batch of 96"):
        finish(start(dataset, out, genes, TrainSettings(batch_size=96)))
    with pytest.raises(DataError):
        finish(start(tmp_path, out, genes))
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError):
            finish(start(dataset, out, genes, TrainSettings(device="cuda")))
    assert not out.exists()


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
    assert "OPTIMISTIC" in card.metrics["protocol"]
    assert any("optimistic" in caveat for caveat in card.caveats)


class BreaksInEpoch(nn.Module):
    """Turns to NaN after some training steps."""

    def __init__(self, num_genes, good_steps):
        super().__init__()
        self.net, self.good_steps = small_net(num_genes), good_steps

    def forward(self, x):
        self.good_steps -= self.training
        return self.net(x) * (float("nan") if self.good_steps < 0 else 1.0)


def test_nan_stops_and_keeps_the_last_good_checkpoint(dataset, tmp_path, genes):
    out = tmp_path / "run"
    steps = 72 // 16
    run = start(dataset, out, genes, build_net=lambda n: BreaksInEpoch(n, good_steps=steps + 1))
    with pytest.raises(TcgnError, match=r"nan in epoch 2.*checkpoint of epoch 1 is kept"):
        finish(run)
    state = last_state(out)
    assert len(state["history"]) == 1
    assert all(torch.isfinite(v).all() for v in state["net"].values())
    assert not (out / "model").exists()


def test_nan_in_the_first_epoch(dataset, tmp_path, genes):
    run = start(dataset, tmp_path / "run", genes, build_net=lambda n: BreaksInEpoch(n, good_steps=0))
    with pytest.raises(TcgnError, match="No epoch was finished"):
        finish(run)
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


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
    assert ModelCard.read(out / "model" / "card.json").metrics["pcc"][-1] is None


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


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_corrupt_checkpoint(dataset, tmp_path, genes, content):
    out = tmp_path / "run"
    run = start(dataset, out, genes)
    while not isinstance(next(run), EpochReport):
        pass
    run.close()
    path = out / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:5000] if content is None else content)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt"):
        finish(start(dataset, out, genes, resume=True))


def test_checkpoint_that_would_run_code_is_refused(dataset, tmp_path, genes):
    out = tmp_path / "run"
    run = start(dataset, out, genes)
    while not isinstance(next(run), EpochReport):
        pass
    run.close()
    mark = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (mark.write_text, ("code ran",))

    torch.save({"format": Evil()}, out / "checkpoint.pt")
    with pytest.raises(CheckpointError):
        finish(start(dataset, out, genes, resume=True))
    assert not mark.exists()


def test_temporary_files_of_a_killed_run_are_removed(dataset, tmp_path, genes):
    out = tmp_path / "run"
    run = start(dataset, out, genes)
    while not isinstance(next(run), EpochReport):
        pass
    run.close()
    (out / ".checkpoint.pt.abc123.pt").write_bytes(b"half")
    (out / ".mine").write_text("stays")
    finish(start(dataset, out, genes, resume=True))
    assert [path.name for path in out.glob(".*")] == [".mine"]


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


def test_bf16_keeps_weights_in_float32_and_resumes_exactly(dataset, tmp_path, genes, same):
    settings = replace(FAST, epochs=2, precision="bf16")
    finish(start(dataset, tmp_path / "whole", genes, settings))
    run = start(dataset, tmp_path / "parts", genes, settings)
    while not isinstance(next(run), EpochReport):
        pass
    run.close()
    finish(start(dataset, tmp_path / "parts", genes, settings, resume=True))
    whole, parts = (last_state(tmp_path / name)["net"] for name in ("whole", "parts"))
    assert same(whole, parts)
    assert all(v.dtype == torch.float32 for k, v in parts.items() if "num_batches" not in k)
    finish(start(dataset, tmp_path / "float32", genes, replace(FAST, epochs=2)))
    assert not same(whole, last_state(tmp_path / "float32")["net"])


def test_full_disk_keeps_the_last_checkpoint(dataset, tmp_path, genes):
    resource = pytest.importorskip("resource", reason="file size limits are a thing of Unix")

    class Large(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.net, self.ballast = small_net(n), nn.Parameter(torch.zeros(60_000))

        def forward(self, x):
            return self.net(x) + self.ballast.sum()

    out = tmp_path / "run"
    run = start(dataset, out, genes, build_net=Large)
    while not isinstance(next(run), EpochReport):
        pass
    before = (out / "checkpoint.pt").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            finish(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (out / "checkpoint.pt").read_bytes() == before
    assert not list(out.glob(".*"))
    finish(start(dataset, out, genes, resume=True, build_net=Large))


def test_out_of_memory_is_told(dataset, tmp_path, genes):
    class Hungry(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.net = small_net(n)

        def forward(self, x):
            return self.net(x) + torch.zeros(2**50)[0]  # a petabyte: what torch itself says of it

    with pytest.raises(DeviceError, match=r"batch of 16.*--batch-size"):
        finish(start(dataset, tmp_path / "run", genes, build_net=Hungry))


def test_other_errors_of_a_step_are_not_called_out_of_memory(dataset, tmp_path, genes):
    with pytest.raises(RuntimeError, match="shape"):
        finish(start(dataset, tmp_path / "run", genes, build_net=lambda n: nn.Sequential(nn.Linear(7, n))))


def test_checkpoint_of_another_network(dataset, tmp_path, genes):
    out = tmp_path / "run"
    run = start(dataset, out, genes)
    while not isinstance(next(run), EpochReport):
        pass
    run.close()
    with pytest.raises(CheckpointError, match="does not fit"):
        finish(start(dataset, out, genes, resume=True, build_net=lambda n: nn.Sequential(small_net(n))))
    state = last_state(out)
    del state["optimiser"]
    torch.save(state, out / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="incomplete"):
        finish(start(dataset, out, genes, resume=True))


def test_sample_dataset_trains_fold_0(tmp_path):
    sample = Path(__file__).parents[2] / "sample_data" / "her2st_mini"
    settings = TrainSettings(epochs=1, batch_size=16, learning_rate=3e-3, device="cpu")
    _, result = finish(train(sample, 0, tmp_path / "run", settings, build_net=small_net))
    assert result.held_out == ["A2"]
    card = ModelCard.read(result.model_folder / "card.json")
    assert len(card.genes) == 785
    assert card.domain["mpp"] == pytest.approx([0.688, 0.688], rel=1e-3)
    assert card.metrics["n_spots"] == len(load_section(find_sections(sample)[0], card.genes))
