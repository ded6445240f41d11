"""A run that was stopped goes on and ends as if it had not been; with other choices it is refused."""

import json
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from napari_tcgn.errors import CheckpointError, OutputError
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.fit.record import EpochReport
from support.processes import environment
from support.runs import FAST, finish, last_state, reports, small_net, start, stop_after_an_epoch


def figures(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, dataset):
    out = tmp_path_factory.mktemp("runs") / "b1"
    told, result = finish(start(dataset, out, [f"GENE{i}" for i in range(10)]))
    return out, told, result


@pytest.mark.slow
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


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_corrupt_checkpoint(dataset, tmp_path, genes, content):
    out = tmp_path / "run"
    run = start(dataset, out, genes)
    stop_after_an_epoch(run)
    path = out / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:5000] if content is None else content)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt"):
        finish(start(dataset, out, genes, resume=True))


def test_checkpoint_that_would_run_code_is_refused(dataset, tmp_path, genes):
    out = tmp_path / "run"
    run = start(dataset, out, genes)
    stop_after_an_epoch(run)
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
    stop_after_an_epoch(run)
    (out / ".checkpoint.pt.abc123.pt").write_bytes(b"half")
    (out / ".mine").write_text("stays")
    finish(start(dataset, out, genes, resume=True))
    assert [path.name for path in out.glob(".*")] == [".mine"]


def test_bf16_keeps_weights_in_float32_and_resumes_exactly(dataset, tmp_path, genes, same):
    settings = replace(FAST, epochs=2, precision="bf16")
    finish(start(dataset, tmp_path / "whole", genes, settings))
    run = start(dataset, tmp_path / "parts", genes, settings)
    stop_after_an_epoch(run)
    finish(start(dataset, tmp_path / "parts", genes, settings, resume=True))
    whole, parts = (last_state(tmp_path / name)["net"] for name in ("whole", "parts"))
    assert same(whole, parts)
    assert all(v.dtype == torch.float32 for k, v in parts.items() if "num_batches" not in k)
    finish(start(dataset, tmp_path / "float32", genes, replace(FAST, epochs=2)))
    assert not same(whole, last_state(tmp_path / "float32")["net"])


def test_checkpoint_of_another_network(dataset, tmp_path, genes):
    out = tmp_path / "run"
    run = start(dataset, out, genes)
    stop_after_an_epoch(run)
    with pytest.raises(CheckpointError, match="does not fit"):
        finish(start(dataset, out, genes, resume=True, build_net=lambda n: nn.Sequential(small_net(n))))
    state = last_state(out)
    del state["optimiser"]
    torch.save(state, out / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="incomplete"):
        finish(start(dataset, out, genes, resume=True))


def test_a_run_of_before_a_setting_came_goes_on(dataset, tmp_path, genes):
    out = tmp_path / "run"
    stop_after_an_epoch(start(dataset, out, genes))
    record = json.loads((out / "run.json").read_text())
    for name in ("top_genes", "residual", "smooth_targets"):
        del record["identity"]["settings"][name]
    (out / "run.json").write_text(json.dumps(record))
    state = last_state(out)
    del state["likelihood"]
    torch.save(state, out / "checkpoint.pt")
    _, result = finish(start(dataset, out, genes, resume=True))
    assert len(result.history) == FAST.epochs
    with pytest.raises(OutputError, match=r"top_genes was 0, now 3"):
        finish(start(dataset, out, genes, replace(FAST, top_genes=3), resume=True))


def test_a_run_goes_on_whose_record_has_an_option_s_former_name(dataset, tmp_path, genes):
    out = tmp_path / "run"
    settings = replace(FAST, residual="colour-texture")
    stop_after_an_epoch(start(dataset, out, genes, settings))
    record = json.loads((out / "run.json").read_text())
    record["identity"]["settings"]["beside"] = record["identity"]["settings"].pop("residual")
    (out / "run.json").write_text(json.dumps(record))
    _, result = finish(start(dataset, out, genes, settings, resume=True))
    assert len(result.history) == FAST.epochs


def test_held_out_runs_of_before_a_setting_came_are_of_the_same_recipe(dataset, tmp_path, genes):
    fold = tmp_path / "B1"
    finish(start(dataset, fold, genes))
    path = fold / "model" / "card.json"
    card = json.loads(path.read_text())
    del card["training"]["recipe"]["top_genes"]
    path.write_text(json.dumps(card))
    finish(start(dataset, tmp_path / "none", genes, fold="none", held_out_runs=[fold]))
    assert json.loads((tmp_path / "none/model/card.json").read_text())["metrics"]["n_spots"] == 48


SCRIPT = """
import signal
import sys
from pathlib import Path
from napari_tcgn.training.fit.record import EpochReport
from support.runs import FAST, start
from dataclasses import replace

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs in the background
out = Path(sys.argv[2])
settings = replace(FAST, epochs=6, ema=0.9)
run = start(Path(sys.argv[1]), out, [f"GENE{i}" for i in range(10)], settings, resume=out.exists())
for step in run:
    print("epoch" if isinstance(step, EpochReport) else "step", flush=True)
print("end", flush=True)
"""


@pytest.fixture(scope="module")
def begin(tmp_path_factory, dataset):
    """Start the script in a process of its own, with the folder of its run."""
    script = tmp_path_factory.mktemp("script") / "script.py"
    script.write_text(SCRIPT)
    return lambda run: subprocess.Popen(
        [sys.executable, script, dataset, run],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(),
    )


@pytest.fixture(scope="module")
def left_alone(begin, tmp_path_factory):
    """The folder of a run that nobody killed."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert "end" in begin(run).communicate(timeout=300)[0]
    return run


# The lines after which it is killed, at once: while the data are read, in and between epochs and their checkpoints.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("signal_name", "kills"),
    [("SIGKILL", [("step", 3), ("epoch", 1), ("step", 6), ("epoch", 2)]), ("SIGINT", [("epoch", 1), ("step", 6)])],
)
def test_a_process_killed_again_and_again_ends_as_one_left_alone(begin, left_alone, tmp_path, same, signal_name, kills):
    if sys.platform == "win32":
        pytest.skip(f"a process of Windows is not sent {signal_name}")
    for line, times in kills:
        process = begin(tmp_path / "parts")
        for told in process.stdout:
            times -= told.strip() == line
            if times == 0:
                break
        process.send_signal(getattr(signal, signal_name))
        process.communicate(timeout=300)
        if (tmp_path / "parts").exists() and not (tmp_path / "parts" / "run.json").exists():
            (tmp_path / "parts").rmdir()  # killed before anything was written
    assert "end" in begin(tmp_path / "parts").communicate(timeout=300)[0]
    runs = (left_alone, tmp_path / "parts")
    states = [last_state(run) for run in runs]
    assert all(same(states[0][part], states[1][part]) for part in ("net", "average", "optimiser"))
    assert figures(states[0]["history"]) == figures(states[1]["history"])
    models = [(run / "model" / "model.safetensors").read_bytes() for run in runs]
    assert models[0] == models[1]
    assert not list((tmp_path / "parts").glob(".*"))
