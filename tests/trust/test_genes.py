"""Which genes are called predictable."""

from __future__ import annotations

import pytest

from napari_tcgn.errors import ModelError
from napari_tcgn.model import HeldOut, ModelCard
from napari_tcgn.trust.genes import VERDICTS, verdicts

GENES = ["A", "B", "C", "D", "E", "F"]


def card(**metrics) -> ModelCard:
    return ModelCard("m", "1", {}, GENES, 77.0, metrics=HeldOut.from_record(metrics))


def test_verdicts_follow_interval_depth_sections_and_simple_models():
    found = verdicts(
        card(
            pcc=[0.3, 0.3, 0.3, 0.3, 0.3, None],
            pcc_low=[0.1, -0.1, 0.1, 0.1, 0.1, None],
            depth_pcc=[0.1, 0.1, -0.1, 0.1, 0.1, None],
            sections_significant=["3 of 4", "4 of 4", "4 of 4", "2 of 4", "4 of 4", "0 of 0"],
            better_simple=[None, None, None, None, "haematoxylin", None],
        )
    )
    assert found == ["yes", "no", "no", "no", "simpler", "?"]
    assert set(found) <= set(VERDICTS)


def test_a_card_is_judged_by_what_it_has():
    assert verdicts(card(pcc=[0.1, -0.1, None, 0.2, 0.0, 0.3])) == ["yes", "no", "?", "yes", "no", "yes"]
    assert verdicts(card()) == ["?"] * 6


def test_counts_of_sections_must_be_one_per_gene():
    with pytest.raises(ModelError, match="sections_significant"):
        card(sections_significant=["1 of 2"])
