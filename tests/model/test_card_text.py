"""A card's JSON: the same values as ever, in few lines that can be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_tcgn.model import HeldOut, ModelCard
from napari_tcgn.model.card_text import WIDTH, readable_json
from napari_tcgn.model.registry import BUNDLED

CARDS = sorted(Path(BUNDLED).glob("*/card.json"))


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.parent.name)
def test_bundled_cards_are_written_as_the_writer_writes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == readable_json(json.loads(text)) + ("\n" if text.endswith("\n") else "")


def test_values_come_back_whatever_they_are() -> None:
    awkward = ['a, "b"\nc', "µm", None, True, -0.0, 1e-300, 12345678901234567890, [], {}, [[1, 4], [2, 4]]]
    record = {"empty": {}, "none": [], 'key "q"': awkward, "long": awkward * 30, "deep": {"er": {"list": ["x"] * 200}}}
    assert json.loads(readable_json(record)) == record
    assert json.dumps(json.loads(readable_json(record))) == json.dumps(record), "and in their order"


def test_genes_and_figures_share_lines_and_no_figure_is_torn() -> None:
    n = 2000
    held_out = HeldOut(pcc=[0.125] * n, sections_significant=[(1, 4)] * n)
    text = ModelCard("m", "1", {"family": "ridge"}, [f"G{i}" for i in range(n)], 77.0, metrics=held_out).to_json()
    lines = text.split("\n")
    assert len(lines) < n / 3
    assert max(map(len, lines)) <= WIDTH
    assert ' "architecture": {"family": "ridge"},' in lines
    assert all(line.count("[") == line.count("]") for line in lines if "[1, 4]" in line)
    assert '  "G0", "G1",' in text
