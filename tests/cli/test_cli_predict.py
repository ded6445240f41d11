"""`napari-tcgn predict` from files to file, and everything it refuses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import anndata
import numpy as np
import pytest

from support.processes import environment

pytestmark = pytest.mark.usefixtures("colour_model")


def predict(run, section, out: Path, *more: object, mpp: float | None = 2.0, spots: bool = True):
    where = ["--spots", section.spots] if spots else []
    size = ["--mpp", mpp] if mpp is not None else []  # the array of `section` is one of 2 µm per px
    return run("predict", section.image, *size, *where, "--model", "colours", "--device", "cpu", "--out", out, *more)


def test_measured_spots_become_an_h5ad(run, section, tmp_path: Path) -> None:
    code, out, err = predict(run, section, tmp_path / "result.h5ad")
    assert code == 0, err
    assert "result.h5ad: 3 genes at 9 spots of T1" in out
    assert "predict: 9 of 9 spots" in err
    adata = anndata.read_h5ad(tmp_path / "result.h5ad")
    np.testing.assert_allclose(adata.X, section.colours, atol=0.01)
    assert list(adata.var_names) == ["RED", "GREEN", "BLUE"]


def test_the_same_call_twice_writes_equal_values(run, section, tmp_path: Path) -> None:
    first, second = tmp_path / "a.h5ad", tmp_path / "b.h5ad"
    assert predict(run, section, first)[0] == predict(run, section, second, "--batch-size", 2)[0] == 0
    np.testing.assert_array_equal(anndata.read_h5ad(first).X, anndata.read_h5ad(second).X)


def test_some_genes_are_predicted_and_recorded(run, section, tmp_path: Path) -> None:
    code, out, err = predict(run, section, tmp_path / "result.h5ad", "--genes", "BLUE,RED")
    assert code == 0, err
    assert "2 genes at 9 spots" in out
    adata = anndata.read_h5ad(tmp_path / "result.h5ad")
    assert list(adata.var_names) == ["BLUE", "RED"]
    np.testing.assert_allclose(adata.X, section.colours[:, [2, 0]], atol=0.01)
    assert json.loads(adata.uns["napari_tcgn"]["run_record"])["settings"]["genes"] == "BLUE,RED"
    code, _, err = predict(run, section, tmp_path / "other.h5ad", "--genes", "GREN")
    assert code != 0
    assert "Gene 'GREN' is not among the 3 genes of model 'colours'. Did you mean GREEN?" in err
    assert not (tmp_path / "other.h5ad").exists()


def test_json_is_all_that_stdout_holds(run, section, tmp_path: Path) -> None:
    code, out, _ = predict(run, section, tmp_path / "result.h5ad", "--json", "--counts", section.counts)
    result = json.loads(out)
    assert code == 0
    assert (result["spots"], result["genes"], result["model"], result["mpp"]) == (9, 3, "colours", 2.0)
    assert result["measured_genes"] == 3
    assert result["median_pcc"] > 0.5  # the counts are the colours, up to the depth of the spot
    assert result["comparison"]["overall"]["medians"]["pcc"]["median"] == result["median_pcc"]
    assert result["comparison"]["manifest"]["spots"]["matched"] == 9
    assert Path(result["out"]).is_file()


def test_counts_leave_out_spots_without_any_and_tell_of_training_sections(run, section, tmp_path: Path) -> None:
    import pandas as pd

    table = pd.read_csv(section.counts, sep="\t", index_col=0).drop(index="2x2")
    table.to_csv(section.counts, sep="\t")
    code, out, err = predict(run, section, tmp_path / "result.h5ad", "--counts", section.counts)
    assert code == 0, err
    assert "3 genes at 8 spots" in out
    assert "8 spots matched by name, 3 of 3 genes measured" in out
    assert "Lead over measured depth" in out
    assert "this is section T1, on which the model was trained" in out
    assert "2x2" not in anndata.read_h5ad(tmp_path / "result.h5ad").obs_names


def test_a_model_on_another_scale_is_written_but_not_compared(
    run, section, tmp_path: Path, colour_model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(colour_model, "output_scale", "mean colour")
    code, _, err = predict(run, section, tmp_path / "result.h5ad", "--counts", section.counts)
    assert code == 1
    assert "written, but not compared. The model predicts on the scale 'mean colour'" in err
    assert (tmp_path / "result.h5ad").is_file()


def test_a_grid_over_the_whole_slide(run, section, tmp_path: Path) -> None:
    code, _, err = predict(
        run, section, tmp_path / "result.h5ad", "--grid", "square", "--pitch-um", 100, "--diameter-um", 50,
        "--whole-slide", mpp=1.0, spots=False,
    )  # fmt: skip
    assert code == 0, err
    adata = anndata.read_h5ad(tmp_path / "result.h5ad")
    assert adata.n_obs == 16
    assert json.loads(adata.uns["napari_tcgn"]["run_record"])["spots"]["pitch_um"] == 100


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--grid", "st"], "both --spots and --grid"),
        (["--pitch-um", "100", "--whole-slide"], "--pitch-um, --whole-slide shapes a --grid"),
        (["--batch-size", "0"], "batch_size must be at least 1"),
        (["--model", "no-such-model"], "There is no model 'no-such-model'"),
        (["--counts", "absent.tsv"], "absent.tsv"),
    ],
)
def test_contradictions_are_refused(run, section, tmp_path: Path, more: list[str], sentence: str) -> None:
    assert_refused(predict(run, section, tmp_path / "result.h5ad", *more), tmp_path, sentence)


def test_neither_spots_nor_grid(run, section, tmp_path: Path) -> None:
    assert_refused(predict(run, section, tmp_path / "result.h5ad", spots=False), tmp_path, "--spots FILE or --grid")


def test_unknown_pixel_size(run, section, tmp_path: Path) -> None:
    assert_refused(predict(run, section, tmp_path / "result.h5ad", mpp=None), tmp_path, "--mpp")


def test_missing_image(run, section, tmp_path: Path) -> None:
    section.image.unlink()
    assert_refused(predict(run, section, tmp_path / "result.h5ad"), tmp_path, "T1.png")


def test_image_that_is_none(run, section, tmp_path: Path) -> None:
    section.image.write_bytes(b"not a picture")
    assert_refused(predict(run, section, tmp_path / "result.h5ad"), tmp_path, "T1.png")


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_image_of_one_channel_or_16_bit(run, section, tmp_path: Path, mode: str) -> None:
    from PIL import Image

    depth = np.uint16 if mode == "I;16" else np.uint8
    Image.fromarray(np.zeros((400, 400), depth)).save(section.image)
    assert_refused(predict(run, section, tmp_path / "result.h5ad"), tmp_path, "RGB")


def test_spots_outside_the_image(run, section, tmp_path: Path) -> None:
    section.spots.write_text(section.spots.read_text().replace("\t300.00\t", "\t9000\t"))
    assert_refused(predict(run, section, tmp_path / "result.h5ad"), tmp_path, "outside")


def test_spots_without_a_position(run, section, tmp_path: Path) -> None:
    section.spots.write_text(section.spots.read_text().replace("\t300.00\t", "\tnan\t"))
    assert_refused(predict(run, section, tmp_path / "result.h5ad"), tmp_path, "3 of 9 spots")


def test_spots_of_another_section(run, section, tmp_path: Path) -> None:
    import pandas as pd

    table = pd.read_csv(section.counts, sep="\t", index_col=0)
    table.index = [f"{10 + i}x20" for i in range(len(table))]
    table.to_csv(section.counts, sep="\t")
    assert_refused(predict(run, section, tmp_path / "r.h5ad", "--counts", section.counts), tmp_path, "section")


def test_an_existing_result_is_kept_unless_told(run, section, tmp_path: Path) -> None:
    out = tmp_path / "result.h5ad"
    out.write_text("precious")
    code, _, err = predict(run, section, out)
    assert code == 1
    assert "exists already" in err
    assert "predict:" not in err  # refused before the work
    assert out.read_text() == "precious"
    assert predict(run, section, out, "--overwrite")[0] == 0
    assert anndata.read_h5ad(out).n_obs == 9


@pytest.mark.parametrize("name", ["result.csv", "absent/result.h5ad"])
def test_a_result_that_cannot_be_written(run, section, tmp_path: Path, name: str) -> None:
    code, _, err = predict(run, section, tmp_path / name)
    assert code == 1
    assert err.startswith("Error: ")
    assert "predict:" not in err


def test_a_traceback_only_with_debug(run, section, tmp_path: Path) -> None:
    from napari_tcgn.cli import main
    from napari_tcgn.errors import PixelSizeUnknownError

    line = ["predict", str(section.image), "--grid", "st", "--out", str(tmp_path / "r.h5ad")]
    code, _, err = run(*line)
    assert code == 1
    assert "Traceback" not in err
    with pytest.raises(PixelSizeUnknownError):
        main([*line, "--debug"])


def test_an_unexpected_error_is_a_sentence_too(run, section, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import napari_tcgn.slide

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(napari_tcgn.slide, "open_slide", fail)
    assert_refused(predict(run, section, tmp_path / "r.h5ad"), tmp_path, "RuntimeError: disk on fire", "Unexpected")


def test_a_wrong_command_line_exits_with_2(run) -> None:
    code, _, err = run("predict", "--no-such-option")
    assert code == 2
    assert "--no-such-option" in err


def assert_refused(result: tuple[int, str, str], folder: Path, sentence: str, begin: str = "Error: ") -> None:
    code, out, err = result
    assert code == 1
    assert out == ""
    assert sentence in err
    last = err.strip().splitlines()[-2:]
    assert any(line.startswith(begin) for line in last), err
    assert "Traceback" not in err
    assert not [path for path in folder.rglob("*") if ".h5ad" in path.name]


@pytest.mark.skipif(sys.platform == "win32", reason="a process of Windows is sent neither")
@pytest.mark.parametrize(
    ("number", "code", "taken_by"),
    [(signal.SIGINT, 130, "any"), (signal.SIGTERM, 143, "any"), (signal.SIGTERM, 143, "reader")],
)
def test_stopping_leaves_no_half_file(
    section, tmp_path: Path, number: signal.Signals, code: int, taken_by: str
) -> None:
    script = """
    import signal, sys, threading
    from napari_tcgn.cli import main
    from napari_tcgn.model import registry
    from support.colours import ColourModel
    from support.waiting import wait_for_a_signal
    model, batches = ColourModel(), []
    def hold(patches):
        if batches:
            if sys.argv[1] == "reader":  # a signal that another thread takes does not wake the main one
                reader = next(thread for thread in threading.enumerate() if "napari-tcgn-read" in thread.name)
                threading.Timer(0.5, signal.pthread_kill, (reader.ident, int(sys.argv[2]))).start()
            wait_for_a_signal()
        batches.append(patches)
    model.before = hold
    registry._from_packages = lambda: {"colours": model}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs in the background
    main(sys.argv[3:])
    """
    command = ["predict", str(section.image), "--mpp", "2", "--spots", str(section.spots), "--model", "colours"]
    command += ["--batch-size", "1", "--out", "result.h5ad"]
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), taken_by, str(int(number)), *command],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("predict:"):
            break
    if taken_by == "any":
        process.send_signal(number)
    try:
        rest = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == code
    assert "Traceback" not in rest
    if number == signal.SIGINT:
        assert "Stopped; what is predicted so far is kept in result.h5ad.partial.zarr: the same command with" in rest
    assert [path.name for path in tmp_path.iterdir() if ".h5ad" in path.name] == ["result.h5ad.partial.zarr"]


def test_real_section_with_its_spots(run, real_data: Path, tmp_path: Path) -> None:
    data = real_data / "her2st" / "data"
    (image,) = (data / "ST-imgs" / "C" / "C2").glob("*.jpg")
    code, out, err = run(
        "predict", image, "--mpp", 0.688, "--spots", data / "ST-spotfiles" / "C2_selection.tsv",
        "--counts", data / "ST-cnts" / "C2.tsv.gz", "--model", "colours", "--out", tmp_path / "C2.h5ad",
    )  # fmt: skip
    assert code == 1
    assert out == ""
    assert "written, but not compared. None of the model's 3 genes (such as RED)" in err
    adata = anndata.read_h5ad(tmp_path / "C2.h5ad")
    assert adata.n_obs == sum(1 for _ in (data / "ST-spotfiles" / "C2_selection.tsv").open()) - 1
    assert 60 < adata.X.mean() < 250  # stained tissue
