"""kill -9 in the middle of `napari-tcgn predict`, then the same command with --resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pytest

from support.processes import environment
from support.waiting import wait_until

MODEL = "haematoxylin-her2st"  # bundled, and quick

# The command line itself, with a model that writes down what it is asked for and waits for ever after some patches.
HELD = """
import sys, time
from napari_tcgn.cli import main
from napari_tcgn.engine import work
from napari_tcgn.model.ridge import RidgePredictor
predict = RidgePredictor.predict_with_domain
asked = 0
def held(self, patches):
    global asked
    asked += len(patches)
    if asked > int(sys.argv[1]):
        time.sleep(600)
    with open("asked.txt", "a") as file:
        file.write(f"{len(patches)}\\n")
    return predict(self, patches)
RidgePredictor.predict_with_domain = held
work.FLUSH_SECONDS = 0
main(sys.argv[2:])
"""


def start(folder: Path, *arguments: object, patches: int = 25) -> subprocess.Popen[str]:
    """Start the command line, which goes on for so many patches and then waits to be killed."""
    (folder / "asked.txt").unlink(missing_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", HELD, str(patches), *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def kill_in_the_middle(process: subprocess.Popen[str], work: Path) -> int:
    """Kill it without warning once some spots are on disk; returns how many."""
    import zarr

    def done() -> int:
        assert process.poll() is None, process.communicate()
        if not (work / "done" / "zarr.json").exists():
            return 0
        return int(zarr.open_group(work, mode="r")["done"][:].sum())

    wait_until(done)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return int(zarr.open_group(work, mode="r")["done"][:].sum())


def asked(folder: Path) -> int:
    return sum(map(int, (folder / "asked.txt").read_text().split()))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_kill_minus_nine_then_resume(sections: Path, tmp_path: Path) -> None:
    image, table = sections / "ST-imgs/C/C2/HE.png", sections / "ST-spotfiles/C2_selection.tsv"
    command = [
        "predict", image, "--mpp", 2, "--spots", table, "--model", MODEL, "--device", "cpu", "--batch-size", 2
    ]  # fmt: skip
    whole = start(tmp_path, *command, "--out", "whole.h5ad")
    assert whole.wait(timeout=200) == 0, whole.communicate()

    killed = start(tmp_path, *command, "--out", "result.h5ad", patches=12)
    finished = kill_in_the_middle(killed, tmp_path / "result.h5ad.partial.zarr")
    assert 0 < finished < 25
    assert not (tmp_path / "result.h5ad").exists()

    refused = start(tmp_path, *command, "--out", "result.h5ad")
    assert refused.wait(timeout=200) == 1
    assert f"result.h5ad.partial.zarr holds {finished} of 25 spots of an interrupted run" in refused.communicate()[1]

    other = start(tmp_path, *command, "--out", "result.h5ad", "--resume", "--stain", "reinhard")
    assert other.wait(timeout=200) == 1
    assert "belongs to another run, with a difference in: stain" in other.communicate()[1]

    resumed = start(tmp_path, *command, "--out", "result.h5ad", "--resume", "--json")
    assert resumed.wait(timeout=200) == 0, resumed.communicate()
    assert asked(tmp_path) == 25 - finished, "finished spots are not predicted again"
    assert json.loads(resumed.communicate()[0])["spots_resumed"] == finished
    first, second = (anndata.read_h5ad(tmp_path / name) for name in ("whole.h5ad", "result.h5ad"))
    assert first.X.tobytes() == second.X.tobytes()
    assert list(first.obs_names) == list(second.obs_names)
    np.testing.assert_array_equal(first.obsm["spatial"], second.obsm["spatial"])
    assert not (tmp_path / "result.h5ad.partial.zarr").exists()


def test_resume_without_anything_to_resume_just_begins(run, section, colour_model, tmp_path: Path) -> None:
    out = tmp_path / "result.h5ad"
    command = ["predict", section.image, "--mpp", 2, "--spots", section.spots, "--model", "colours", "--out", out]
    code, _, err = run(*command, "--resume")
    assert code == 0, err
    assert anndata.read_h5ad(out).n_obs == 9
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(run, section, colour_model, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    command = ["predict", section.image, "--mpp", 2, "--spots", section.spots, "--model", "colours"]
    code, _, err = run(*command, "--out", folder / "result.h5ad")
    assert code == 1
    assert "cannot be written" in err


def test_a_slide_without_tissue(run, colour_model, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.full((600, 600, 3), 245, np.uint8)).save(tmp_path / "glass.png")
    command = ["predict", tmp_path / "glass.png", "--mpp", 1, "--grid", "st", "--model", "colours"]
    code, _, err = run(*command, "--out", tmp_path / "glass.h5ad")
    assert code == 1
    assert "No tissue was found on slide glass" in err
    assert [path.name for path in tmp_path.iterdir()] == ["glass.png"]


def test_what_sets_a_slide_apart_is_said_and_kept(run, sections: Path, tmp_path: Path) -> None:
    image, table = sections / "ST-imgs/C/C2/HE.png", sections / "ST-spotfiles/C2_selection.tsv"
    out = tmp_path / "result.h5ad"
    code, said, err = run("predict", image, "--mpp", 2, "--spots", table, "--model", MODEL, "--out", out)
    assert code == 0, err
    assert "Note: The slide has 2 µm per px, the training sections 0.688" in said
    record = json.loads(anndata.read_h5ad(out).uns["napari_tcgn"]["run_record"])
    assert any("shows less detail" in sentence for sentence in record["warnings"])
    assert record["settings"]["stain"] == "none"
    assert len(record["slide"]["sha256"]) == 64
