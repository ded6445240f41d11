"""What a command reads is never written over, with or without leave to overwrite."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_tcgn.cli import main
from napari_tcgn.errors import OutputError
from napari_tcgn.files import check_target, require_no_input

SAMPLE = Path(__file__).parents[1] / "sample_data"


def same(path: Path) -> Path:
    return path


def spelled(path: Path) -> Path:
    return path.parent / ".." / path.parent.name / path.name


def soft_link(path: Path) -> Path:
    link = path.with_name(f"soft{path.suffix}")
    link.symlink_to(path)
    return link


def hard_link(path: Path) -> Path:
    link = path.with_name(f"hard{path.suffix}")
    os.link(path, link)
    return link


@pytest.mark.parametrize("named", [same, spelled, soft_link, hard_link])
def test_under_every_name(tmp_path: Path, named: Callable[[Path], Path]) -> None:
    path = tmp_path / "counts.h5ad"
    path.write_bytes(b"counts")
    with pytest.raises(OutputError, match="which is read: it would be lost"):
        require_no_input([tmp_path / "other.h5ad", named(path)], [None, path])
    assert path.read_bytes() == b"counts"


def test_a_file_in_a_folder_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "slide.zarr").mkdir()
    with pytest.raises(OutputError, match="lies in"):
        require_no_input([tmp_path / "slide.zarr" / "x.h5ad"], [tmp_path / "slide.zarr"])
    require_no_input([tmp_path / "slide.h5ad"], [tmp_path / "slide.zarr"])


def test_predicting_over_the_spots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spots = tmp_path / "spots.h5ad"
    spots.write_bytes((SAMPLE / "section.h5ad").read_bytes())
    before = spots.read_bytes()
    slide = str(SAMPLE / "section.ome.tif")
    with pytest.raises(SystemExit) as stop:
        main(["predict", slide, "--spots", str(spots), "--out", str(spots), "--overwrite"])
    assert stop.value.code not in (0, None)
    assert "it would be lost" in capsys.readouterr().err
    assert spots.read_bytes() == before


def test_exporting_over_the_result_and_comparing_over_the_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "compared.h5ad"  # the name that a comparison writes as well
    result.write_bytes((SAMPLE / "section.h5ad").read_bytes())
    before = result.read_bytes()
    for command in (
        ["export", str(result), "--to", str(result), "--top", "1", "--overwrite"],
        ["compare", str(SAMPLE / "section.h5ad"), str(result), "--out", str(tmp_path), "--overwrite"],
    ):
        with pytest.raises(SystemExit):
            main(command)
        assert "it would be lost" in capsys.readouterr().err
        assert result.read_bytes() == before


def test_an_ome_zarr_slide_is_not_replaced_by_an_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slide = tmp_path / "slide.zarr"
    slide.mkdir()
    (slide / "zarr.json").write_text('{"attributes": {"ome": {"version": "0.5"}}}', encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["export", str(SAMPLE / "section.h5ad"), "--to", str(slide), "--top", "1", "--overwrite"])
    assert "no SpatialData, and is not replaced" in capsys.readouterr().err
    assert (slide / "zarr.json").is_file()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such devices")
def test_targets_that_are_no_files(tmp_path: Path) -> None:
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="device"):
            check_target(Path("/dev/null"), overwrite)
        (tmp_path / "gone.h5ad").unlink(missing_ok=True)
        (tmp_path / "gone.h5ad").symlink_to(tmp_path / "nowhere" / "x.h5ad")
        with pytest.raises(OutputError, match="which does not exist"):
            check_target(tmp_path / "gone.h5ad", overwrite)


@pytest.mark.parametrize("command", ["explain", "explain-gene"])
def test_explaining_over_the_slide(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    slide = tmp_path / ("explanation.png" if command == "explain" else "gallery.png")
    slide.write_bytes(b"slide")
    other = str(SAMPLE / ("section_selection.tsv" if command == "explain" else "section.h5ad"))
    given = [str(slide), "--spots", other, "--spot", "7x7"] if command == "explain" else [other, str(slide)]
    with pytest.raises(SystemExit):
        main([command, *given, "--gene", "EPCAM", "--out", str(tmp_path), "--overwrite"])
    assert "it would be lost" in capsys.readouterr().err
    assert slide.read_bytes() == b"slide"
