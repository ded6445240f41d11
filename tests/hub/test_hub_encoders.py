"""Encoders of others: from the hub and from a file the same numbers; nothing that moves or has no licence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.support.hub import hub_server

from napari_tcgn.errors import CheckpointError, DataError, LicenceError, ModelError
from napari_tcgn.hub import encoder_presets, fetch_encoder
from napari_tcgn.model import FeatureExtractor, ModelCard, build_encoder, encoder_card, load_model
from napari_tcgn.training.evaluate.baselines import Baseline, load_encoder

REPO, COMMIT = "lab/tiny-vit", "89abcdef0123456789abcdef0123456789abcdef"
ARGS = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 3, "reg_tokens": 2,
        "init_values": 0.1, "mlp_layer": "SwiGLUPacked", "act_layer": "silu", "mlp_ratio": 2.0}  # fmt: skip
CONFIG = {
    "architecture": "vit_tiny_patch16_224", "num_classes": 0, "model_args": ARGS,
    "pretrained_cfg": {"input_size": [3, 32, 32], "mean": [0.7, 0.5, 0.6], "std": [0.2, 0.25, 0.3]},
}  # fmt: skip


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    net = build_encoder("vit_tiny_patch16_224", None, ARGS)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        for parameter in net.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    save_file(net.state_dict(), tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


@pytest.fixture
def hub(weights, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    with hub_server() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        put(server, "config.json", json.dumps(CONFIG).encode())
        put(server, "model.safetensors", weights.read_bytes())
        put(server, "README.md", b"---\nlicense: apache-2.0\n---\n# Tiny\n")
        yield server


def put(server, name: str, content: bytes) -> None:
    server.files[f"/{REPO}/resolve/{COMMIT}/{name}"] = content


def patches() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (3, 40, 40, 3), dtype=np.uint8)


def features(encoder) -> np.ndarray:
    like = ModelCard(name="x", version="1", architecture={}, genes=["A"], patch_um=112.0)
    card = encoder_card(like, encoder.architecture, encoder.net, encoder.args)
    assert (card.input_px, card.mean, card.std) == (32, [0.7, 0.5, 0.6], [0.2, 0.25, 0.3])
    return FeatureExtractor(card, "cpu", encoder.net)(patches()).numpy()


def test_the_hub_and_a_file_give_equal_numbers(hub, weights, monkeypatch):
    name = f"hf-hub:{REPO}@{COMMIT}"
    fetched = load_encoder(name)
    direct = build_encoder("vit_tiny_patch16_224", torch_state(weights), ARGS, CONFIG["pretrained_cfg"])
    like = ModelCard(name="x", version="1", architecture={}, genes=["A"], patch_um=112.0)
    card = encoder_card(like, "vit_tiny_patch16_224", direct, ARGS)
    np.testing.assert_array_equal(features(fetched), FeatureExtractor(card, "cpu", direct)(patches()).numpy())
    assert fetched.origin["licence"] == "apache-2.0"
    assert fetched.origin["name"] == f"{REPO}@{COMMIT[:12]}"
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # what was fetched needs no connection
    np.testing.assert_array_equal(features(load_encoder(name)), features(fetched))


def torch_state(path: Path) -> dict[str, torch.Tensor]:
    from napari_tcgn.model import read_checkpoint

    return read_checkpoint(path)


def test_its_model_is_saved_and_loaded_as_any_other(hub, tmp_path):
    from napari_tcgn.model import Line

    encoder = load_encoder(f"hf-hub:{REPO}@{COMMIT}")
    baseline = Baseline("tiny", "encoder", encoder)
    like = ModelCard(name="x", version="1", architecture={}, genes=["A", "B"], patch_um=112.0)
    rng = np.random.default_rng(0)
    line = Line(*(torch.from_numpy(rng.random(s)).float() for s in [(48,), (48,), (48, 2), (2,)]))
    baseline.save(tmp_path / "model", line, baseline.card(like))
    loaded = load_model(tmp_path / "model")
    assert loaded.card.architecture["encoder_args"] == ARGS
    expected = line(torch.from_numpy(features(encoder))).numpy()
    np.testing.assert_allclose(loaded.predict(patches()), expected, rtol=2e-2, atol=2e-2)  # kept in half precision


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (f"hf-hub:{REPO}@main", "may move"), (f"hf-hub:{REPO}", "no commit"),
        (f"hf-hub:{REPO}@{COMMIT[:-1]}", "may move"),
        (f"hf-hub:../etc@{COMMIT}", "names no repository"), ("UNI2-h@v1", "may move"),
        (f"CONCH@{COMMIT}", "cannot be used here"), ("UNI2-h", "nothing without its weights"),
        (f"hf-hub:lab/other@{COMMIT}", "has no lab/other at this commit"),
    ],
)  # fmt: skip
def test_what_is_refused(hub, name, words):
    with pytest.raises(ModelError, match=words):
        load_encoder(name)


def test_an_encoder_with_conditions(hub):
    put(hub, "README.md", b"---\nlicense: cc-by-nc-nd-4.0\n---\n")
    name = f"hf-hub:{REPO}@{COMMIT}"
    with pytest.raises(LicenceError, match=r"cc-by-nc-nd-4\.0"):
        load_encoder(name)
    load_encoder(name, accept_licence=True)
    load_encoder(name)  # once is enough


def test_a_gated_encoder_is_explained(hub):
    hub.gated = True
    with pytest.raises(DataError, match=rf"{REPO} is not open to everybody\. Ask for access"):
        fetch_encoder(f"hf-hub:{REPO}@{COMMIT}")


def test_no_connection(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"cannot be fetched from http://127\.0\.0\.1:9"):
        fetch_encoder(f"hf-hub:{REPO}@{COMMIT}")


@pytest.mark.parametrize(
    "config",
    [
        b"{}", b"[]", b"nonsense", json.dumps(CONFIG | {"model_args": {"img_size": 10**9}}).encode(),
        json.dumps(CONFIG | {"model_args": {"mlp_layer": "os.system"}}).encode(),
        json.dumps(CONFIG | {"model_args": {"checkpoint_path": "/etc/passwd"}}).encode(),
        json.dumps(CONFIG | {"architecture": "local-dir:/etc"}).encode(),
        json.dumps(CONFIG | {"architecture": "vit_huge"}).encode(),
    ],
)  # fmt: skip
def test_a_config_is_not_believed(hub, config):
    put(hub, "config.json", config)
    with pytest.raises(ModelError):
        load_encoder(f"hf-hub:{REPO}@{COMMIT}")


def test_weights_of_another_encoder(hub, tmp_path):
    other = build_encoder("vit_tiny_patch16_224", None, ARGS | {"depth": 1})
    save_file(other.state_dict(), tmp_path / "other.safetensors")
    put(hub, "model.safetensors", (tmp_path / "other.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="do not fit the encoder"):
        load_encoder(f"hf-hub:{REPO}@{COMMIT}")


def test_what_is_known_can_be_built():
    """Without memory for the weights: names, sizes and layers are those of timm."""
    from napari_tcgn.model import import_timm
    from napari_tcgn.model.ridge import _encoder_args

    for one in encoder_presets().values():
        if one.architecture is None:
            assert one.why_not
            continue
        with torch.device("meta"):
            net = import_timm().create_model(
                one.architecture, pretrained=False, num_classes=0, **_encoder_args(one.args)
            )
        assert sum(parameter.numel() for parameter in net.parameters()) == one.parameters, one.name


def test_features_are_made_once_for_an_encoder_and_its_preparation(hub, tmp_path, monkeypatch):
    from dataclasses import replace

    from napari_tcgn.sample import training_sample
    from napari_tcgn.training import PatchCache, find_sections, load_section
    from napari_tcgn.training.fit import feature_cache

    encoder, cache = load_encoder(f"hf-hub:{REPO}@{COMMIT}"), PatchCache(tmp_path / "kept")
    section = load_section(find_sections(training_sample())[0], ["GNAS"])
    like = ModelCard(name="x", version="1", architecture={}, genes=["GNAS"], patch_um=77.0)
    baseline = Baseline("tiny", "encoder", encoder)
    first = baseline.extract([section], like, cache=cache)[0]
    assert (cache.read, cache.written) == (0, 1)
    with monkeypatch.context() as patched:
        patched.setattr(feature_cache, "features_of", lambda *_: pytest.fail("they are there"))
        np.testing.assert_array_equal(baseline.extract([section], like, cache=cache)[0], first)
    other = torch_state(tmp_path / "tiny.safetensors")
    other["norm.weight"] = other["norm.weight"] * 2
    net = build_encoder("vit_tiny_patch16_224", other, ARGS, CONFIG["pretrained_cfg"])
    doubled = Baseline("tiny", "encoder", replace(encoder, net=net)).extract([section], like, cache=cache)[0]
    assert cache.written == 2, "features of another encoder are not taken for its own"
    assert np.abs(doubled - first).max() > 0.1
    next((tmp_path / "kept").glob("*.npy")).write_bytes(b"damaged")
    again = baseline.extract([section], like, cache=cache)[0]
    np.testing.assert_allclose(again, first, atol=1e-5)
