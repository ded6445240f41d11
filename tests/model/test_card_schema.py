"""A wrong card is one sentence that names the entry, before anything is computed; the bundled ones are right."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_tcgn.errors import CheckpointError, ModelError, TcgnError
from napari_tcgn.model import ModelCard, load_model, read_checkpoint
from napari_tcgn.model.card_schema import CARD, parse_card

BUNDLED = Path(__file__).parents[2] / "src" / "napari_tcgn" / "model" / "bundled"
DEEP = [[[[[[[[[[[[1]]]]]]]]]]]]
WRONG: list[tuple[str, Any]] = [
    *[("patch_um", value) for value in ("154", None, [154], -1, 0, True, {}, math.inf, math.nan, 1e300)],
    *[("input_px", value) for value in (0, -5, 1e9, 2.5, "224", None, [224], True)],
    *[("genes", value) for value in (None, [], "GNAS", [["GNAS"]], [None], [1], {"GNAS": 1}, [""], ["A\u0000B"])],
    *[("gene_ids", value) for value in (["ENSG1"], "ENSG1", [None], {})],
    *[("mean", value) for value in (None, [1, 2], ["a", "b", "c"], [1, 2, math.nan], 0.5, [[0.1], 1, 1])],
    *[("std", value) for value in ([0, 1, 1], [1, 1], None, [-1, 1, 1], [1, 1, "1"])],
    *[("architecture", value) for value in (None, [], "ridge", {"family": 1}, {"family": "ridge", "features": None})],
    *[("architecture", {"family": "ridge", "features": "haematoxylin", "scales_um": v}) for v in (7, [], ["a"], [0])],
    *[("architecture", {"family": "tcgn", "directions": value}) for value in (-1, "3", 2.5, [3])],
    *[
        ("architecture", {"family": "x", "own": DEEP}),
        ("training", DEEP),
        ("training", {"a": DEEP}),
        ("training", None),
    ],
    *[("metrics", value) for value in ([], "good", {"pcc": 0.5}, {"pcc": ["a"]}, {"pcc": [2.0]}, {"median_pcc": "x"})],
    *[("metrics", {"median_pcc_interval": value}) for value in ([1], 3, [0.1, "b"])],
    *[("metrics", {"folds": value}) for value in (3, [3], [{"n_spots": "x"}])],
    *[("metrics", {"sections_significant": value}) for value in ([3], ["3 or 4"], [[1]], [[1, 2, 3]], [["a", "b"]])],
    *[("domain", value) for value in ([], {"mpp": 3}, {"mpp": [0]}, {"mpp": ["a"]}, {"stain": {"sections": {"A": 1}}})],
    *[("domain", {"stain": {"sections": {"A": {"eosin_mean": "x"}}}}), ("domain", {"stain": []})],
    *[("weights", value) for value in (None, 3, ["model.safetensors"], "a" * 300)],
    *[("orientation", value) for value in ("sideways", None, 1)],
    *[("name", value) for value in (None, "", 5, "a\u0007")],
    *[("version", 1), ("caveats", "careful"), ("caveats", [1]), ("panel_genes", "all"), ("panel_genes", 0)],
    *[("sha256", 5), ("licence", None), ("output_scale", 3), ("organism", []), ("unheard_of", 1)],
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(BUNDLED / "haematoxylin-her2st", tmp_path / "model")


@pytest.mark.parametrize("card", sorted(BUNDLED.glob("*/card.json")), ids=lambda path: path.parent.name)
def test_the_bundled_cards_are_right(card: Path) -> None:
    found = ModelCard.read(card)
    assert set(json.loads(card.read_text(encoding="utf-8"))) <= set(CARD)
    assert ModelCard.from_json(found.to_json()) == found


@pytest.mark.parametrize(("entry", "value"), WRONG, ids=lambda value: repr(value)[:40])
def test_a_wrong_entry_is_named(folder: Path, entry: str, value: Any) -> None:
    path = folder / "card.json"
    card = json.loads(path.read_text(encoding="utf-8")) | {entry: value}
    path.write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(ModelError) as found:
        load_model(folder, "cpu", "float32")
    said = str(found.value)
    assert len(said) < 1500
    if any(word in json.dumps(value) for word in ("NaN", "Infinity")):
        assert "is no number" in said
    elif entry != "unheard_of":
        assert entry in said
        assert "wanted: " in said or "entries for" in said


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "3", "{", '{"a": 1}', "[" * 100_000, '{"name": ' * 5000, '{"name": NaN}', "\ufeff\ufeff{}"],
    ids=range(10),
)
def test_what_is_no_card(folder: Path, text: str) -> None:
    (folder / "card.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError):
        load_model(folder, "cpu", "float32")


def test_a_byte_order_mark_is_no_fault(folder: Path) -> None:
    path = folder / "card.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_model(folder, "cpu", "float32").card.name == "haematoxylin-her2st"


def test_a_card_that_is_a_flood(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    with pytest.raises(ModelError, match="at most 10000 values"):
        parse_card(json.dumps(card | {"training": {"a": list(range(20_000))}}), "x")


def test_features_of_another_count(folder: Path) -> None:
    path = folder / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    card["architecture"] = {"family": "ridge", "features": "colour-texture"}
    path.write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(CheckpointError, match="1 features; its card says colour-texture of 1 squares, which are 30"):
        load_model(folder, "cpu", "float32")


@pytest.mark.parametrize(
    "tensor",
    [torch.zeros(3, 2, dtype=torch.complex64), torch.zeros(1, 2).expand(1000, 2), torch.eye(3).to_sparse()],
    ids=["complex", "one number repeated", "sparse"],
)
def test_tensors_that_are_no_plain_tables(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"slope": tensor}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="slope is no plain tensor"):
        read_checkpoint(tmp_path / "x.pt")


def test_every_wrong_card_is_a_typed_error() -> None:
    assert len(WRONG) >= 80
    assert issubclass(ModelError, TcgnError)
