"""Two processes compute what one computes with the same batches."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from napari_tcgn.errors import SettingsError
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.evaluate.crossval import cross_validate_steps
from napari_tcgn.training.fit.group import Group, WholeBatchNorm, join_group

SCRIPT = """
import sys
from pathlib import Path
from torch import nn
from napari_tcgn.engine import run_to_end
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.fit.loop import train_steps

# No dropout: each process would drop its own. No bias before BatchNorm: its gradient is rounding alone, which Adam
# turns into steps of full size.
def net(genes):
    return nn.Sequential(nn.AvgPool2d(8), nn.Conv2d(3, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8), nn.GELU(),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, genes))

settings = TrainSettings(epochs=3, batch_size=16, learning_rate=3e-3, loss="correlation", centre_sections=True,
                         ema=0.9, clip_norm=1.0, stain_jitter=0.1, val_fraction=0.25, device="cpu")
genes = [f"GENE{i}" for i in range(10)]
run_to_end(train_steps(Path(sys.argv[1]), "B1", Path(sys.argv[2]), settings, genes=genes, mpp=2.0, build_net=net,
                       resume="--resume" in sys.argv))
"""


def torchrun(processes: int, *line: object) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *line]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [str(part) for part in command], env=environment, capture_output=True, text=True, timeout=300
    )
    assert found.returncode == 0, found.stderr[-3000:]


def rows(run: Path) -> list[dict[str, float]]:
    with (run / "metrics.csv").open() as handle:
        return [{k: float(v) for k, v in row.items() if k in ("train_loss", "val_loss", "val_median_pcc")}
                for row in csv.DictReader(handle)]  # fmt: skip


def test_two_processes_compute_what_one_does_and_resume(dataset, tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    subprocess.run([sys.executable, script, dataset, tmp_path / "one"], check=True, timeout=300)
    torchrun(2, script, dataset, tmp_path / "two")
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert len(one) == len(two) == 3
    for a, b in zip(one, two, strict=True):
        assert b == pytest.approx(a, rel=1e-5, abs=1e-5)
    record = json.loads((tmp_path / "two" / "run.json").read_text())
    assert record["processes"] == 2
    assert record["status"] == "finished"
    figures = [json.loads((tmp_path / run / "run.json").read_text())["result"] for run in ("one", "two")]
    assert figures[1]["test_median_pcc"] == pytest.approx(figures[0]["test_median_pcc"], abs=1e-4)
    torchrun(2, script, dataset, tmp_path / "two", "--resume")  # a finished run: nothing is trained again
    assert rows(tmp_path / "two") == two


@pytest.mark.slow
def test_torchrun_starts_the_command_itself(tiny_dataset, tmp_path) -> None:
    genes = tmp_path / "genes.txt"
    genes.write_text("\n".join(f"GENE{i}" for i in range(10)))
    torchrun(2, "-m", "napari_tcgn", "train", "--fold", "B1", "--data", tiny_dataset, "--mpp", 2, "--epochs", 1,
             "--batch-size", 8, "--genes", genes, "--device", "cpu", "--out", tmp_path / "run")  # fmt: skip
    assert len(rows(tmp_path / "run")) == 1
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()


def test_batches_that_cannot_be_shared(monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(SettingsError, match="shared evenly by 3"):
        join_group("cpu", 32)
    with pytest.raises(SettingsError, match="one process"):
        next(cross_validate_steps(Path("nowhere"), Path("x"), TrainSettings()))


def test_alone_nothing_changes() -> None:
    net, group = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), Group()
    group.share_statistics(net)
    assert type(net[1]) is nn.BatchNorm2d
    x = torch.randn(6, 3)
    assert group.whole(x) is x
    assert x[group.share(6)].shape == (6, 3)
    assert Group(1, 3).share(6) == slice(2, 4)


def test_batchnorm_of_one_process_equals_the_plain_one(monkeypatch) -> None:
    from napari_tcgn.training.fit import group

    monkeypatch.setattr(group.dist, "all_reduce", lambda tensor: None)
    monkeypatch.setattr(group.dist, "get_world_size", lambda: 1)
    torch.manual_seed(0)
    plain, whole = nn.BatchNorm2d(5), nn.BatchNorm2d(5)
    whole.__class__ = WholeBatchNorm
    for _ in range(3):
        x = (torch.randn(4, 5, 6, 6) * 2 + 30).requires_grad_()
        y = x.detach().clone().requires_grad_()
        torch.testing.assert_close(whole(y), plain(x), rtol=1e-4, atol=1e-4)
        weight = torch.randn(4, 5, 6, 6)
        (plain(x) * weight).sum().backward()
        (whole(y) * weight).sum().backward()
        torch.testing.assert_close(y.grad, x.grad, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(dict(whole.named_buffers()), dict(plain.named_buffers()), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(whole.eval()(x), plain.eval()(x))
