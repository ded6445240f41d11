"""Weights, cards and the registry: round trip and every way they can be wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_tcgn.errors import CheckpointError, DataError, ModelError, OutputError
from napari_tcgn.model import ModelCard, list_models, load_model, registry, save_model
from napari_tcgn.model.panels import read_panel
from napari_tcgn.model.tcgn import TCGN
from napari_tcgn.model.weights import load_into, read_checkpoint

GENES = ["GNAS", "FASN", "SCD"]


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return ModelCard("test", "1", {"family": "tcgn", "size": "tiny"}, GENES, patch_um=77.056)


@pytest.fixture(scope="module")
def net() -> TCGN:
    torch.manual_seed(0)
    return TCGN(len(GENES)).eval()


@pytest.fixture
def folder(tmp_path, net, card):
    save_model(tmp_path / "m", net.state_dict(), card)
    return tmp_path / "m"


def test_a_saved_model_predicts_like_the_net_it_came_from(folder, net, card):
    patches = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    predictor = load_model(folder)
    assert predictor.card.genes == GENES
    values = predictor.predict(patches)
    assert values.shape == (3, 3)
    assert values.dtype == np.float32
    from napari_tcgn.model import prepare_patches

    with torch.inference_mode():
        full = net(prepare_patches(torch.from_numpy(patches), card)).numpy()
    # half-precision weights: about 3 digits
    np.testing.assert_allclose(values, full, atol=5e-3 * full.std() + 2e-3)


def test_saved_weights_are_half_the_size_and_carry_their_hash(folder):
    card = ModelCard.read(folder / "card.json")
    assert len(card.sha256) == 64
    assert (folder / card.weights).stat().st_size < 40e6


def test_changed_weights_are_refused(folder):
    weights = folder / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    with pytest.raises(CheckpointError, match="SHA-256"):
        load_model(folder)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 broken zip"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_corrupt_checkpoints_are_named(tmp_path, content, suffix):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="bad"):
        read_checkpoint(path)


class _Evil:
    ran = False

    def __reduce__(self):
        return (setattr, (_Evil, "ran", True))


def test_pickled_code_never_runs(tmp_path):
    path = tmp_path / "evil.pth"
    torch.save({"weight": _Evil()}, path)
    with pytest.raises(CheckpointError, match="could run code"):
        read_checkpoint(path)
    assert _Evil.ran is False


def test_a_plain_torch_state_dict_is_read_also_nested_under_model(tmp_path, net):
    torch.save({"model": net.state_dict()}, tmp_path / "nested.pth")
    state = read_checkpoint(tmp_path / "nested.pth")
    fresh = TCGN(len(GENES))
    load_into(fresh, state, "nested.pth")
    for key, value in fresh.state_dict().items():
        assert torch.equal(value, net.state_dict()[key])


def test_another_gene_number_is_named(net):
    with pytest.raises(CheckpointError, match="another number of genes"):
        load_into(TCGN(4), net.state_dict(), "x.pth")


def test_missing_entries_and_nan_are_named(net):
    state = dict(net.state_dict())
    del state["_fc.weight"]
    with pytest.raises(CheckpointError, match="1 entries are missing"):
        load_into(TCGN(3), state, "x.pth")
    state = dict(net.state_dict()) | {"head.2.bias": torch.full((3,), torch.nan)}
    with pytest.raises(CheckpointError, match="not finite"):
        load_into(TCGN(3), state, "x.pth")


def test_a_checkpoint_without_a_card_says_what_is_missing(tmp_path, net):
    torch.save(net.state_dict(), tmp_path / "lone.pth")
    with pytest.raises(ModelError, match=r"no card\.json"):
        load_model(tmp_path / "lone.pth")


def test_a_model_in_the_users_folder_is_found_by_the_name_on_its_card(tmp_path, net, card, monkeypatch):
    monkeypatch.setattr(registry, "user_models_folder", lambda: tmp_path)
    save_model(tmp_path / "any folder", net.state_dict(), replace(card, name="mine"))
    assert "mine" in [found.name for found in list_models()]
    assert load_model("mine").card.name == "mine"


def test_an_unknown_model_lists_the_known_ones():
    with pytest.raises(ModelError, match="There is no model 'nope'"):
        load_model("nope")


def test_a_card_with_unknown_or_missing_entries_is_refused(card):
    raw = json.loads(card.to_json())
    assert ModelCard.from_json(json.dumps(raw)) == card
    with pytest.raises(ModelError, match="unknown entries"):
        ModelCard.from_json(json.dumps(raw | {"surprise": 1}))
    del raw["patch_um"]
    with pytest.raises(ModelError, match="missing entries"):
        ModelCard.from_json(json.dumps(raw))
    with pytest.raises(ModelError, match="not JSON"):
        ModelCard.from_json("{")
    with pytest.raises(ModelError, match="twice"):
        replace(card, genes=["A", "A"])
    with pytest.raises(ModelError, match="orientation"):
        replace(card, orientation="sideways")


def test_the_her2_panel_is_the_published_one_and_bad_panels_are_refused(tmp_path):
    panel = read_panel("her2st_785")
    assert len(panel) == 785
    assert panel[:3] == ["HPS6", "TNC", "NR1H2"]
    (tmp_path / "own.txt").write_text("A\nB\n\n")
    assert read_panel(tmp_path / "own.txt") == ["A", "B"]
    (tmp_path / "twice.txt").write_text("A\nB\nA\n")
    with pytest.raises(DataError, match="'A' more than once"):
        read_panel(tmp_path / "twice.txt")
    with pytest.raises(DataError, match="no gene panel"):
        read_panel("unknown")


def test_a_folder_that_cannot_be_made(tmp_path, net, card):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be made"):
        save_model(tmp_path / "file" / "m", net.state_dict(), card)
