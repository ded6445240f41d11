"""Some of a model's genes: which are meant, and that they are predicted as beside all the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_tcgn.errors import DataError
from napari_tcgn.expression import genes_of, predict
from napari_tcgn.expression.some_genes import absolute_choice
from napari_tcgn.model import FeatureExtractor, HeldOut, Line, ModelCard, feature_card, for_genes
from napari_tcgn.model.ridge import RidgePredictor
from napari_tcgn.options import PredictSettings
from napari_tcgn.slide import ArraySlide
from napari_tcgn.spots import Spots, SpotsSource
from support.colours import ColourPredictor

GENES = ["ERBB2", "CD74", "ACTB", "NKX2-1"]


@pytest.fixture
def card() -> ModelCard:
    metrics = HeldOut(pcc=[0.4, 0.3, 0.0, None], better_simple=[None, "haematoxylin", None, None])
    return ModelCard("m", "1", {"family": "test"}, GENES, 40.0, input_px=20, gene_ids=list("abcd"), metrics=metrics)


def test_all_trusted_names_other_names_and_a_file(card, tmp_path: Path) -> None:
    assert genes_of(card, "all") is None
    assert genes_of(card, "trusted") == ["ERBB2", "CD74"]
    assert genes_of(card, "ACTB, HER2,ACTB") == ["ACTB", "ERBB2"]
    (tmp_path / "list.txt").write_text("CD74\nACTB\n")
    assert genes_of(card, str(tmp_path / "list.txt")) == ["CD74", "ACTB"]


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("ERBB", "Did you mean ERBB2"),
        ("CD20", r"'CD20' \(MS4A1\) is not among the 4 genes"),
        (" , ", "No gene is named"),
    ],
)
def test_what_the_model_has_not_is_said(card, choice, said) -> None:
    with pytest.raises(DataError, match=said):
        genes_of(card, choice)


def test_a_model_without_trusted_genes_says_why(card) -> None:
    with pytest.raises(DataError, match="never evaluated"):
        genes_of(replace(card, metrics=HeldOut()), "trusted")
    with pytest.raises(DataError, match="No gene is predictable by its held-out figures"):
        genes_of(replace(card, metrics=HeldOut(pcc=[-0.1, 0.0, 0.0, None])), "trusted")


def test_a_file_is_the_same_from_every_folder(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "list.txt").write_text("CD74\n")
    monkeypatch.chdir(tmp_path)
    assert absolute_choice("list.txt") == str(tmp_path / "list.txt")
    assert absolute_choice("trusted") == "trusted"
    assert absolute_choice("A," * 5000) == "A," * 5000


def section() -> tuple[ArraySlide, Spots]:
    pixels = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    x, y = np.meshgrid(np.arange(30.0, 180, 30), np.arange(30.0, 180, 30))
    n = x.size
    return ArraySlide(pixels, "s", 2.0), Spots(
        np.array([f"s{i}" for i in range(n)]), x.ravel(), y.ravel(), np.arange(n) // 5, np.arange(n) % 5, 20.0, 60.0,
        "square", source=SpotsSource(kind="test"),
    )  # fmt: skip


@pytest.fixture(params=["any model", "line", "line through directions"])
def predictor(card, request):
    rng = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=rng)  # noqa: E731
    if request.param == "any model":
        return ColourPredictor(card, draw(12, 4).numpy())
    own = feature_card(card, "colour-texture")
    slopes = (draw(30, 4), None) if request.param == "line" else (draw(30, 2), draw(2, 4))
    line = Line(torch.zeros(30), torch.ones(30), slopes[0], draw(4), slopes[1])
    return RidgePredictor(FeatureExtractor(own, "cpu"), line)


def test_what_is_predicted_is_what_would_be_with_all_genes(predictor) -> None:
    whole = predict(*section(), predictor)
    some = predict(*section(), predictor, PredictSettings(genes="NKX2-1,ERBB2"))
    assert list(some.var_names) == ["NKX2-1", "ERBB2"]
    np.testing.assert_allclose(some.X, whole.X[:, [3, 0]], rtol=1e-5)
    told = ModelCard.from_json(some.uns["napari_tcgn"]["model_card"])
    assert (told.panel_genes, told.gene_ids, told.metrics.pcc) == (4, ["d", "a"], [None, 0.4])
    assert not told.holds_panel
    assert "panel_genes" not in whole.uns["napari_tcgn"]["model_card"]


def test_a_model_that_starts_batches_still_does(card) -> None:
    class Starting(ColourPredictor):
        def start(self, patches):
            values = self.predict(patches)
            return lambda: values

    patches = np.random.default_rng(0).integers(0, 255, (3, 20, 20, 3), np.uint8)
    model = Starting(card, np.random.default_rng(1).normal(size=(12, 4)))
    some = for_genes(model, ["ACTB", "CD74"])
    np.testing.assert_array_equal(some.start(patches)(), model.predict(patches)[:, [2, 1]])
    assert not hasattr(for_genes(ColourPredictor(card, model.weights), ["ACTB"]), "start")
