"""Which genes are called predictable."""

from __future__ import annotations

import pytest

from napari_tcgn.errors import ModelError
from napari_tcgn.model import HeldOut, ModelCard, load_model
from napari_tcgn.trust.genes import VERDICTS, trusted, verdicts

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


def test_a_gene_that_nobody_can_predict_is_not_judged():
    one = card(pcc=[0.3] * 6, ceiling_pcc=[0.5, 0.1, 0.099, 0.0, None, 0.09], patient_pcc=[0.1] * 5 + [-0.1])
    assert verdicts(one) == ["yes", "yes", "?", "?", "yes", "?"]
    assert trusted(one).tolist() == [True, True, False, False, True, False]


def test_counts_of_sections_must_be_one_per_gene():
    with pytest.raises(ModelError, match="sections_significant"):
        card(sections_significant=["1 of 2"])


def test_a_gene_that_a_new_patient_turns_round_is_called_so_and_not_trusted():
    one = card(
        pcc=[0.3, 0.3, 0.3, -0.1, None, 0.3],
        patient_pcc=[0.2, -0.2, None, -0.3, -0.1, 0.0],
        better_simple=[None, "haematoxylin", None, None, None, None],
    )
    assert verdicts(one) == ["yes", "caution", "yes", "no", "?", "caution"]
    assert trusted(one).tolist() == [True, False, True, False, False, False]


def test_the_bundled_line_knows_which_genes_a_new_patient_turns_round():
    one = load_model("context-line-her2st", "cpu", "float32").card
    found = dict(zip(one.genes, verdicts(one), strict=True))
    assert [found[gene] for gene in ("EPCAM", "MKI67", "ERBB2", "CD74", "IGKC")] == [
        "yes", "yes", "no", "caution", "caution",
    ]  # fmt: skip
    assert 2500 < trusted(one).sum() < 3500
