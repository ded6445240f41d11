"""Occlusion of a model whose every prediction is known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tcgn import explain, explain_steps
from napari_tcgn.errors import DataError, ModelError, PixelSizeUnknownError, SettingsError, SlideError, SpotsError
from napari_tcgn.explanation.windows import FILLS, Windows, choose_windows, fill_of
from napari_tcgn.options import ExplainSettings, PredictSettings
from napari_tcgn.slide import ArraySlide
from support.explaining import PARTS, colour_predictor

QUARTERS = ExplainSettings(window_um=10.0)  # four a side, as the model's parts


def test_only_the_window_that_the_model_looks_at_speaks_and_by_how_much(slide, spots) -> None:
    found = explain(slide, spots, "s5", "RED", colour_predictor((1, 2)), how=QUARTERS)
    patch = slide.read_region(60, 160, 80, 80)
    part = patch[20:40, 40:60, 0].mean()
    assert found.patch.tolist() == patch.tolist()
    assert found.prediction == pytest.approx(0.01 * part, abs=1e-5)
    mean_colour = np.zeros((PARTS, PARTS))
    mean_colour[1, 2] = 0.01 * (part - np.rint(patch[..., 0].mean()))
    assert found.fills["mean colour"] == pytest.approx(mean_colour, abs=1e-5)
    blurred = fill_of(patch, Windows(4, 80), "blur")[20:40, 40:60, 0].mean()
    assert found.fills["blur"][1, 2] == pytest.approx(0.01 * (part - blurred), abs=1e-5)
    (one,) = found.maps
    assert one.method == "occlusion"
    assert one.side_um == 10
    assert one.unit == found.unit == "grey levels"
    assert one.values == pytest.approx((found.fills["mean colour"] + found.fills["blur"]) / 2, abs=1e-6)


def test_what_lowers_a_gene_is_negative(slide, spots) -> None:
    red = explain(slide, spots, "s5", "RED", colour_predictor(), how=QUARTERS).maps[0].values
    green = explain(slide, spots, "s5", "GREEN", colour_predictor(), how=QUARTERS).maps[0].values
    assert np.abs(red).max() > 0
    assert green == pytest.approx(-red, abs=1e-6)


def test_a_gene_is_found_by_the_name_that_people_know_and_a_constant_one_has_an_empty_map(slide, spots) -> None:
    found = explain(slide, spots, "s5", "HER2", colour_predictor(), how=QUARTERS)
    assert found.gene == "ERBB2"
    assert not found.maps[0].values.any()
    assert found.agreement == 0


def test_a_model_that_is_no_tcgn_is_said_to_have_occlusion_only(slide, spots) -> None:
    found = explain(slide, spots, "s5", "RED", colour_predictor(), how=QUARTERS)
    assert found.notes == (
        "RED is unknown: it was not measured on held-out sections.",
        "colours is no TCGN: it is explained by occlusion only.",
    )
    assert found.graphs == ()
    assert found.shares is None


def test_a_patch_over_the_edge_is_explained_and_said(slide, spots) -> None:
    found = explain(slide, spots, "s0", "RED", colour_predictor(), how=QUARTERS)
    assert found.notes[1].startswith("The patch reaches over the edge of the slide")
    assert (found.patch[:, :20] == 255).all()


def test_steps_tell_what_is_done_and_closing_them_ends_the_work(slide, spots) -> None:
    predictor = colour_predictor()
    steps = explain_steps(slide, spots, "s5", "RED", predictor, PredictSettings(batch_size=5), QUARTERS)
    told = []
    for step in steps:
        told.append((step.stage, step.done, step.total))
        if step.stage == "occlusion" and step.done == 10:
            assert step.explanation is not None
            assert step.explanation.prediction > 0
            steps.close()
    assert told[-3:] == [("occlusion", 0, 32), ("occlusion", 5, 32), ("occlusion", 10, 32)]
    assert predictor.batches == [1, 1, 4, 1, 5, 5]


def test_a_model_without_gradients_has_a_coarse_map_first(slide, spots) -> None:
    first = []
    for step in explain_steps(slide, spots, "s5", "RED", colour_predictor((1, 2)), how=QUARTERS):
        if step.stage == "first look" and step.explanation is not None:
            first.append(step.explanation)
    (coarse,) = first[-1].maps
    part = slide.read_region(60, 160, 80, 80)
    expected = np.zeros((2, 2))
    expected[0, 1] = 0.01 * (part[20:40, 40:60, 0].mean() - np.rint(part[..., 0].mean()))
    assert coarse.values == pytest.approx(expected, abs=1e-5)
    assert coarse.side_um == 20
    assert "first look" in coarse.reference
    (last,) = explain(slide, spots, "s5", "RED", colour_predictor((1, 2)), how=QUARTERS).maps
    assert last.values.shape == (4, 4)


def test_the_widest_square_of_a_model_of_several_scales_is_covered(slide, spots) -> None:
    from napari_tcgn.model import load_model

    slide.mpp = 2.0  # 350 px for 700 µm
    found = explain(slide, spots.select(np.array([6])), "s6", "EPCAM", load_model("context-line-her2st"))
    assert found.maps[0].values.shape == (14, 14)
    assert found.maps[0].side_um == 50
    assert "is confined to 2 directions: the map of each of its 8373 genes" in found.notes[2]
    assert "looks at squares of 112, 250 and 700 µm" in found.notes[3]
    inner = np.abs(found.maps[0].values[5:9, 5:9]).mean()
    assert inner > 2 * np.abs(found.maps[0].values[0]).mean(), "the middle counts in all three"


@pytest.mark.parametrize(
    ("spot", "gene", "how", "error", "said"),
    [
        ("s55", "RED", {}, SpotsError, "There is no spot 's55' among the 12 spots. Did you mean s5"),
        ("s5", "REDD", {}, DataError, "Gene 'REDD' is not among the 3 genes of model 'colours'. Did you mean RED?"),
        ("s5", "RED,GREEN", {}, DataError, "'RED,GREEN' stands for 2 genes. Name one gene."),
        ("s5", "all", {}, DataError, "'all' stands for all genes"),
        ("s5", "RED", {"window_um": 39.0}, SettingsError, "Windows of 39 µm do not divide a patch of 40 µm (80 px)"),
    ],
)
def test_what_cannot_be_explained_is_a_sentence(slide, spots, spot, gene, how, error, said) -> None:
    with pytest.raises(error) as raised:
        explain(slide, spots, spot, gene, colour_predictor(), how=ExplainSettings(**how))
    assert said in str(raised.value)


def test_a_value_that_is_not_finite_is_refused(slide, spots) -> None:
    with pytest.raises(ModelError, match="predicts no finite value of RED here"):
        explain(slide, spots, "s5", "RED", colour_predictor(weight=np.nan))


def test_an_unknown_pixel_size_is_refused(slide, spots) -> None:
    slide.mpp = None
    with pytest.raises(PixelSizeUnknownError):
        explain(slide, spots, "s5", "RED", colour_predictor())


def test_a_slide_that_is_gone_is_a_sentence(spots, tmp_path) -> None:
    from napari_tcgn.slide import open_slide

    with pytest.raises(SlideError, match=r"gone\.tif"):
        open_slide(tmp_path / "gone.tif", mpp=0.5)


def test_spots_of_another_slide_are_refused(spots) -> None:
    small = ArraySlide(np.full((150, 150, 3), 120, np.uint8), "small", 0.5)
    with pytest.raises(SpotsError):
        explain(small, spots, "s5", "RED", colour_predictor())


def test_windows_that_do_not_divide_the_patch_cover_it_without_gap_or_overlap() -> None:
    windows = Windows(7, 80)
    patch, fill = np.zeros((80, 80, 3), np.uint8), np.full((80, 80, 3), 1, np.uint8)
    total = sum(windows.replaced(patch, fill, chosen).astype(int) for chosen in windows.one_by_one())
    assert (total == 1).all()


def test_windows_are_chosen_in_um() -> None:
    card = colour_predictor().card
    assert choose_windows(card, 80, None).count == 7
    assert choose_windows(card, 80, 8.0).count == 5
    assert choose_windows(card, 80, 8.4).count == 5, "the nearest side that fits a whole number of times"


def test_the_fills_keep_the_mean_colour_and_the_coarse_structure() -> None:
    patch = np.zeros((70, 70, 3), np.uint8)
    patch[:, 35:] = 200
    windows = Windows(7, 70)
    assert np.unique(fill_of(patch, windows, FILLS[0])).tolist() == [100]
    blurred = fill_of(patch, windows, FILLS[1])
    assert blurred[35, 0, 0] < 10
    assert blurred[35, -1, 0] > 190
