"""The file of a model's domain: written, read, refused when it is another; every kind of model has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_tcgn.errors import CheckpointError
from napari_tcgn.model import (
    BUNDLED,
    CARD_NAME,
    DOMAIN_NAME,
    ModelCard,
    domain_of,
    for_genes,
    load_model,
    read_domain,
    ridge,
    save_domain,
)
from napari_tcgn.model.features import image_features
from napari_tcgn.trust import fit_domain

NAMES = sorted(path.parent.name for path in BUNDLED.glob("*/card.json"))


@pytest.fixture
def saved(tmp_path: Path):
    rng = np.random.default_rng(0)
    domain = fit_domain({name: np.exp(rng.normal(size=(60, 30))) for name in ("A", "B", "C")})
    card = save_domain(tmp_path, domain, ModelCard("m", "1", {}, ["G"], 55.0))
    return tmp_path, domain, card


def test_what_is_read_says_the_same_as_what_was_written(saved):
    folder, domain, card = saved
    again = read_domain(folder, ModelCard.from_json(card.to_json()))
    features = np.exp(np.random.default_rng(1).normal(size=(20, 30)))
    np.testing.assert_array_equal(again.p_values(features), domain.p_values(features))
    assert again.sections == ("A", "B", "C")
    assert (card.domain.patches.patches, card.domain.patches.file) == (180, DOMAIN_NAME)


def test_a_card_without_or_a_file_left_behind_is_unknown(saved):
    folder, _, card = saved
    assert read_domain(folder, replace(card, domain=replace(card.domain, patches=None))) is None
    assert save_domain(folder, None, card).domain.patches is None
    (folder / DOMAIN_NAME).unlink()
    assert read_domain(folder, card) is None


def test_another_file_is_refused(saved):
    folder, _, card = saved
    path = folder / DOMAIN_NAME
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match="its card says"):
        read_domain(folder, card)
    from napari_tcgn.files import sha256_of

    named = replace(card.domain.patches, sha256=sha256_of(path))
    with pytest.raises(CheckpointError, match="holds no domain"):
        read_domain(folder, replace(card, domain=replace(card.domain, patches=named)))


@pytest.mark.parametrize("name", NAMES)
def test_bundled_models_have_one(name: str):
    card = ModelCard.read(BUNDLED / name / CARD_NAME)
    assert (BUNDLED / name / card.domain.patches.file).stat().st_size < 1_000_000
    assert card.domain.patches.sections == ["B4", "C2", "C3", "C5"]
    assert card.metrics.median_ceiling_pcc > card.metrics.median_pcc


def test_noise_is_unlike_tissue_also_for_a_choice_of_genes():
    predictor = load_model("haematoxylin-her2st")
    some = for_genes(predictor, predictor.card.genes[:2])
    patches = np.random.default_rng(0).integers(0, 255, (3, 224, 224, 3), dtype=np.uint8)
    p = domain_of(predictor)(patches)
    assert (p < 0.01).all()
    np.testing.assert_array_equal(domain_of(some)(patches), p)


@pytest.mark.parametrize("name", ["colour-texture-line-her2st", "context-line-her2st", "haematoxylin-her2st"])
def test_a_line_says_both_from_features_that_are_made_once(name: str, monkeypatch):
    predictor = load_model(name)
    patches = np.random.default_rng(0).integers(0, 255, (2, 448, 448, 3), dtype=np.uint8)
    values, p = predictor.predict(patches), domain_of(predictor)(patches)
    made = []
    monkeypatch.setattr(ridge, "image_features", lambda *given: made.append(0) or image_features(*given))
    for one in (predictor, for_genes(predictor, predictor.card.genes)):
        made.clear()
        both = one.predict_with_domain(patches)
        assert len(made) == {"haematoxylin-her2st": 2, "context-line-her2st": 3}.get(name, 1)
        np.testing.assert_array_equal(both[0], values)
        np.testing.assert_array_equal(both[1], p)
