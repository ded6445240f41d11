"""The figure of an explanation says what has to be known of it, and shows tissue only where it may."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_tcgn import explain
from napari_tcgn.errors import OutputError
from napari_tcgn.explanation import Check, Explanation, explanation_figure, write_explanation
from napari_tcgn.options import ExplainSettings


@pytest.fixture(scope="module")
def found(tcgn) -> Explanation:
    from napari_tcgn.slide import ArraySlide
    from napari_tcgn.spots import Spots

    pixels = np.random.default_rng(0).integers(60, 200, (200, 200, 3)).astype(np.uint8)
    spots = Spots(np.array(["s"]), [100.0], [100.0], [0], [0], 20.0, 50.0, "square")
    how = ExplainSettings(window_um=20.0, check=True, random_orders=2, random_nets=1)
    return explain(ArraySlide(pixels, "section", 0.5), spots, "s", "RED", tcgn, how=how)


def text_of(path) -> str:
    """Return the words of a figure, which matplotlib keeps as comments beside their outlines."""
    return " ".join(line for line in path.read_text(encoding="utf-8").splitlines() if "<!--" in line)


def test_units_reference_scale_and_warnings_stand_in_the_figure(found, tmp_path) -> None:
    explanation_figure(found, tmp_path / "why.svg")
    text = text_of(tmp_path / "why.svg")
    for words in ("RED at spot s of section", "grey levels", "10 µm", "Against an empty last map", "ReLU blanks"):
        assert words in text
    assert "importance" in text
    assert "Graph of block 1" in text
    assert "Graph of block 2" in text


def test_a_failed_check_stands_below_its_map(found, tmp_path) -> None:
    passed = replace(found, checks=())
    failed = replace(found, checks=(Check("insertion", "occlusion", False, 0, 2, "It does not."),))
    explanation_figure(passed, tmp_path / "passed.svg")
    explanation_figure(failed, tmp_path / "failed.svg")
    assert "FAILED" not in text_of(tmp_path / "passed.svg")
    assert "FAILED insertion" in text_of(tmp_path / "failed.svg")


def test_without_tissue_the_figure_holds_no_pixel_of_the_slide(found, tmp_path) -> None:
    other = replace(found, patch=255 - found.patch)
    for name, one in (("one", found), ("other", other)):
        explanation_figure(one, tmp_path / f"{name}.png", tissue=False, dpi=40)
        explanation_figure(one, tmp_path / f"{name}_tissue.png", dpi=40)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()
    assert (tmp_path / "one_tissue.png").read_bytes() != (tmp_path / "other_tissue.png").read_bytes()


def test_arrays_and_record_hold_everything(found, tmp_path) -> None:
    write_explanation(found, tmp_path / "why", command=["napari-tcgn", "explain", "a slide.tif"])
    arrays = np.load(tmp_path / "why/explanation.npz", allow_pickle=False)
    assert set(arrays) == {
        "patch", "map_occlusion", "map_integrated_gradients", "map_grad_cam", "fill_mean_colour", "fill_blur",
        *(f"graph{block}_{name}" for block in (0, 1) for name in ("xy", "edges", "attention")),
        *(f"curve_{method}_{name}" for method in ("occlusion", "integrated_gradients") for name in
          ("share", "deletion", "insertion", "random_deletion", "random_insertion")),
    }  # fmt: skip
    assert (arrays["map_integrated_gradients"] == found.map_of("integrated gradients").values).all()
    record = json.loads((tmp_path / "why/explanation.json").read_text(encoding="utf-8"))
    assert record["device"] == "cpu"
    assert record["command"].endswith(("'a slide.tif'", '"a slide.tif"'))
    assert len(record["checks"]) == len(found.checks) == 9
    with pytest.raises(OutputError, match="exists already"):
        write_explanation(found, tmp_path / "why")
    with pytest.raises(OutputError, match="is no figure"):
        explanation_figure(found, tmp_path / "why.gif")
