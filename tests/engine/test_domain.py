"""What is said of a slide that does not look like the training sections, and a run that makes it look so."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from napari_tcgn.engine import domain_warnings, run, run_to_end
from napari_tcgn.engine.command import Files, predict_command
from napari_tcgn.engine.record import RunRecord
from napari_tcgn.errors import ModelError
from napari_tcgn.model import TrainingDomain
from napari_tcgn.model.registry import BUNDLED, read_card
from napari_tcgn.options import GridSettings, PredictSettings
from napari_tcgn.slide import ArraySlide, open_slide, overview_of, thumbnail
from napari_tcgn.slide.stain import StainStatistics
from napari_tcgn.slide.stain_fit import fit_stain
from napari_tcgn.spots import make_grid

SMALL = PredictSettings(batch_size=4)
NAMES = sorted(path.name for path in BUNDLED.iterdir() if (path / "card.json").exists())


@pytest.fixture
def tissue(new_predictor):
    """A slide of haematoxylin and eosin in ever other amounts on glass, and a predictor whose card knows its stain."""
    from scipy.ndimage import gaussian_filter
    from skimage.color import rgb_from_hed

    rng = np.random.default_rng(0)
    picture = np.full((1600, 2000, 3), 250, np.uint8)
    amounts = gaussian_filter(rng.uniform(0, 1, (300, 400, 2)), (15, 15, 0))  # smooth: the same at 8 µm per px
    amounts = (amounts - amounts.min((0, 1))) / np.ptp(amounts, axis=(0, 1))
    amounts = amounts.repeat(4, axis=0).repeat(4, axis=1)
    picture[200:1400, 200:1800] = 255 * np.exp(-(amounts * [1.0, 0.8] + [0.15, 0.15]) @ rgb_from_hed[:2])
    slide = ArraySlide(picture, "section", 0.5)
    predictor = new_predictor()
    stain = {
        "sections": {"A": overview_of(slide).stain.to_record()},
        **{method: fit_stain(overview_of(slide).tissue_pixels, method) for method in ("reinhard", "macenko")},
    }
    predictor.card = replace(predictor.card, domain=TrainingDomain.from_record({"mpp": [0.5, 0.5], "stain": stain}))
    return slide, predictor


def spots_on(new_spots):
    rng = np.random.default_rng(1)
    return new_spots(rng.uniform(300, 1700, 20), rng.uniform(300, 1300, 20))


def darker(slide: ArraySlide, power: float) -> ArraySlide:
    picture = slide.read_region(0, 0, *slide.level_dimensions[0])
    return ArraySlide((255 * (picture / 255) ** power).astype(np.uint8), "other", slide.mpp)


def test_nothing_is_said_of_a_slide_like_the_training_sections(tissue) -> None:
    slide, predictor = tissue
    assert domain_warnings(predictor.card, slide) == []


def test_another_stain_is_told(tissue) -> None:
    slide, predictor = tissue
    (strong,) = (w for w in domain_warnings(predictor.card, darker(slide, 2.5)) if "haematoxylin" in w)
    assert "stronger than in the training sections" in strong
    (weak,) = (w for w in domain_warnings(predictor.card, darker(slide, 0.4)) if "haematoxylin" in w)
    assert "weaker" in weak


def test_a_coarser_slide_is_told_and_a_finer_one_is_not(tissue) -> None:
    slide, predictor = tissue
    stain = overview_of(slide).stain
    slide.mpp = 1.0
    (found,) = domain_warnings(predictor.card, slide, stain)
    assert found.startswith("The slide has 1 µm per px, the training sections 0.5: it shows less detail")
    slide.mpp = 0.25
    assert domain_warnings(predictor.card, slide, stain) == []


def test_glass_and_cards_that_say_nothing(tissue, predictor) -> None:
    slide, knowing = tissue
    glass = ArraySlide(np.full((400, 500, 3), 250, np.uint8), "glass", 0.5)
    assert domain_warnings(knowing.card, glass)[0].startswith("No tissue was found on glass")
    assert domain_warnings(predictor.card, slide) == []


def test_a_known_stain_is_not_measured_again(tissue) -> None:
    slide, predictor = tissue
    stain = overview_of(slide).stain
    slide.read_region = None  # any read would fail
    assert domain_warnings(predictor.card, slide, stain) == []


def test_the_run_record_has_stain_and_warnings(tissue, new_spots) -> None:
    slide, predictor = tissue
    record = run_to_end(run(darker(slide, 2.5), spots_on(new_spots), predictor, SMALL)).record
    assert record.stain["haematoxylin_mean"] > 0.3
    assert any("haematoxylin is stronger" in sentence for sentence in record.warnings)
    assert RunRecord.from_json(record.to_json()) == record


@pytest.mark.parametrize("method", ["reinhard", "macenko"])
def test_normalised_predictions_come_nearer(tissue, new_spots, method) -> None:
    slide, predictor = tissue
    spots, other = spots_on(new_spots), darker(slide, 1.5)
    wanted = run_to_end(run(slide, spots, predictor, SMALL)).values
    plain = run_to_end(run(other, spots, predictor, SMALL)).values
    settings = replace(SMALL, stain=method)
    mended = run_to_end(run(other, spots, predictor, settings))
    assert np.abs(mended.values - wanted).mean() < 0.35 * np.abs(plain - wanted).mean()
    assert mended.record.settings.stain == method
    command = predict_command(mended.record, "out.h5ad", Files(slide=Path("a.tif"), spots=Path("spots.tsv")))
    assert command[-4:] == ["--stain", method, "--out", "out.h5ad"]
    same = run_to_end(run(slide, spots, predictor, settings)).values
    assert np.abs(same - wanted).max() < 0.02


def test_a_card_without_a_stain_cannot_be_matched(slide, spots, predictor) -> None:
    with pytest.raises(ModelError, match=r"does not say.*\(reinhard\).*--stain none"):
        run_to_end(run(slide, spots, predictor, replace(SMALL, stain="reinhard")))
    assert predictor.batches == []


@pytest.mark.parametrize("name", NAMES)
def test_bundled_cards_know_their_training_sections(name: str, real_data: Path) -> None:
    card = read_card(name)
    stain = card.domain.stain
    assert sorted(stain.sections) == ["B4", "C2", "C3", "C5"]
    assert (stain.um_per_px, set(stain.targets)) == (8.0, {"reinhard", "macenko"})
    (image,) = (real_data / "her2st/data/ST-imgs/C/C2").glob("*.jpg")
    slide = open_slide(image, mpp=0.688)
    found = overview_of(slide).stain
    slide.close()
    assert found.to_record() == pytest.approx(asdict(stain.sections["C2"]), abs=0.05)
    assert domain_warnings(card, slide, found) == []
    assert domain_warnings(card, slide, StainStatistics(2.5, 0.3, 0.0, 0.1)) != []


@pytest.mark.parametrize("stain", ["none", "reinhard", "macenko"])
def test_a_prediction_on_a_grid_looks_at_its_slide_once(tissue, stain, monkeypatch: pytest.MonkeyPatch) -> None:
    """One set of small pictures and one segmentation for grid, check, stain, domain, normalisation and result."""
    from napari_tcgn.engine.identity import slide_digest
    from napari_tcgn.slide import overview as module

    slide, predictor = tissue
    fresh = ArraySlide(slide.read_region(0, 0, *slide.level_dimensions[0]), "section", slide.mpp)
    made: list[str] = []
    for name in ("thumbnails", "measure_density"):
        old = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, name=name, old=old: made.append(name) or old(*args))
    spots = make_grid(fresh, GridSettings("st", pitch_um=100.0))
    prediction = run_to_end(run(fresh, spots, predictor, replace(SMALL, stain=stain)))
    assert prediction.done.all()
    assert prediction.record.stain is not None
    assert len(slide_digest(fresh)) == 64
    assert made == ["thumbnails", "measure_density"]
    np.testing.assert_array_equal(prediction.thumbnail, thumbnail(fresh, 2000)[0])
