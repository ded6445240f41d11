"""What a card says of accuracy and training slides: typed in memory, the same JSON on disk, older cards read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_tcgn.errors import ModelError
from napari_tcgn.model import FoldFigures, HeldOut, ModelCard, SectionStain, describe
from napari_tcgn.model.registry import BUNDLED

CARDS = sorted(Path(BUNDLED).glob("*/card.json"))


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.parent.name)
def test_bundled_cards_say_the_same_after_reading_and_writing(path: Path) -> None:
    card, raw = ModelCard.read(path), json.loads(path.read_text())
    written = json.loads(card.to_json())
    # "3 of 4" of older cards has become two numbers.
    counted = raw["metrics"].pop("sections_significant")
    assert [f"{a} of {b}" for a, b in written["metrics"].pop("sections_significant")] == [
        value if isinstance(value, str) else "{} of {}".format(*value) for value in counted
    ]
    assert written == raw
    assert ModelCard.from_json(card.to_json()) == card
    assert card.metrics.folds[0] == FoldFigures("B4 held out", 283, raw["metrics"]["folds"][0]["median_pcc"])
    assert card.domain.mpp == (0.688, 0.688)
    assert card.domain.stain.sections["C2"] == SectionStain(0.93, 0.6186, -0.0378, 0.1368)


def test_entries_of_other_programs_are_kept() -> None:
    raw = {"name": "m", "version": "1", "architecture": {}, "genes": ["A"], "patch_um": 55.0,
           "metrics": {"pcc": [0.5], "of another program": [1, 2]}, "domain": {"rgb_mean": [1, 2, 3]}}  # fmt: skip
    card = ModelCard.from_json(json.dumps(raw))
    assert json.loads(card.to_json())["metrics"] == raw["metrics"]
    assert json.loads(card.to_json())["domain"] == raw["domain"]


@pytest.mark.parametrize(
    ("part", "found"),
    [({"metrics": {"sections_significant": ["many"]}}, r"significant\[0\] is 'many'"),
     ({"metrics": [1]}, "metrics: is"),
     ({"domain": {"stain": {"sections": {"C2": {"haematoxylin_mean": 1}}}}}, "Domain or metrics"),
     ({"metrics": {"folds": [{"n": 1}]}}, "Domain or metrics")],
)  # fmt: skip
def test_wrong_parts_are_named(part: dict, found: str) -> None:
    raw = {"name": "m", "version": "1", "architecture": {}, "genes": ["A"], "patch_um": 55.0}
    with pytest.raises(ModelError, match=found):
        ModelCard.from_json(json.dumps(raw | part))


def test_what_an_older_card_does_not_say_is_unknown() -> None:
    card = ModelCard("m", "1", {}, ["A"], 55.0, metrics=HeldOut("p", 3, median_pcc=0.2, pcc=[0.2]))
    assert np.isnan(card.gene_metric("ceiling_pcc")).all()
    assert describe(card)["Reachable"] == "unknown"
    assert "ceiling_pcc" not in card.to_json()


def test_figures_of_some_genes() -> None:
    held_out = HeldOut("p", 3, pcc=[0.1, None, 0.3], better_simple=[None, "x", None])
    some = held_out.select([2, 0])
    assert (some.pcc, some.better_simple, some.protocol) == ([0.3, 0.1], [None, None], "p")
