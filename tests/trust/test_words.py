"""How far a gene may be trusted, in sentences that name the figure that decides."""

from __future__ import annotations

import pytest

from napari_tcgn.model import HeldOut, ModelCard, load_model
from napari_tcgn.trust import trust_sentence, trust_words

GENES = ["YES", "NEW", "SIMPLER", "LOW", "DEPTH", "FEW", "TURNS", "NOISY", "UNKNOWN"]
N = len(GENES)


@pytest.fixture
def card() -> ModelCard:
    figures = {
        "pcc": [0.3] * 8 + [None],
        "pcc_low": [0.1, 0.1, 0.1, -0.1, 0.1, 0.1, 0.1, 0.1, None],
        "pcc_high": [0.5] * 8 + [None],
        "depth_pcc": [0.2, 0.2, 0.2, 0.2, -0.03, 0.2, 0.2, 0.2, None],
        "patient_pcc": [None, 0.21, 0.2, 0.2, 0.2, 0.2, -0.12, 0.2, None],
        "ceiling_pcc": [0.5] * 7 + [0.06, None],
        "sections_significant": ["4 of 4"] * 5 + ["2 of 4"] + ["4 of 4"] * 2 + ["0 of 0"],
        "better_simple": [None, None, "haematoxylin", *[None] * (N - 3)],
    }
    return ModelCard("m", "1", {}, GENES, 77.0, metrics=HeldOut.from_record(figures))


@pytest.mark.parametrize(
    ("gene", "sentence"),
    [
        ("YES", "YES is trusted: held-out PCC 0.30 (0.10 to 0.50), not tested on a new patient."),
        ("NEW", "NEW is trusted: held-out PCC 0.30 (0.10 to 0.50), 0.21 with a patient held out."),
        (
            "SIMPLER",
            "SIMPLER is trusted: held-out PCC 0.30 (0.10 to 0.50), 0.20 with a patient held out; the simple model "
            "haematoxylin does better.",
        ),
        ("LOW", "LOW is not trusted: held-out PCC 0.30 (-0.10 to 0.50) is not surely above 0."),
        (
            "DEPTH",
            "DEPTH is not trusted: held-out PCC 0.30 (0.10 to 0.50), but -0.03 with sequencing depth taken out.",
        ),
        (
            "FEW",
            "FEW is not trusted: held-out PCC 0.30 (0.10 to 0.50) is significant in 2 of 4 held-out sections only.",
        ),
        (
            "TURNS",
            "TURNS with caution: held-out PCC 0.30 (0.10 to 0.50), but -0.12 with a patient held out: on your tissue "
            "it may be the wrong way round.",
        ),
        ("NOISY", "NOISY is unknown: too noisy, no predictor could reach a PCC of 0.1 (0.06 at best)."),
        ("UNKNOWN", "UNKNOWN is unknown: it was not measured on held-out sections."),
    ],
)
def test_a_gene_is_called_what_it_is_and_why(card, gene, sentence) -> None:
    assert trust_sentence(card, gene) == sentence
    (word,) = trust_words(card.select([GENES.index(gene)]))
    assert word in sentence


def test_genes_of_the_bundled_line() -> None:
    card = load_model("context-line-her2st", "cpu", "float32").card
    assert trust_sentence(card, "EPCAM").startswith("EPCAM is trusted: held-out PCC 0.5")
    assert trust_sentence(card, "CD74").startswith("CD74 with caution: held-out PCC 0.37")
    assert trust_sentence(card, "ERBB2").startswith("ERBB2 is not trusted: held-out PCC 0.34")
    words = trust_words(card)
    assert [words.count(word) for word in ("trusted", "with caution", "unknown")] == [2970, 92, 244]
