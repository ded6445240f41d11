"""Models that stay loaded from one run to the next."""

from __future__ import annotations

import json
import shutil
import threading

import numpy as np
import pytest

from napari_tcgn.errors import ModelError
from napari_tcgn.model import BUNDLED, LoadedModels, load_model

NAME = "haematoxylin-her2st"


@pytest.fixture
def loads(monkeypatch) -> list[tuple[str, str, str]]:
    """What is loaded, in order."""
    found = []

    def counted(source, device, precision):
        found.append((source, device, precision))
        return load_model(source, "cpu", precision)

    monkeypatch.setattr("napari_tcgn.model.load_model", counted)
    return found


def test_a_model_is_loaded_once_and_predicts_the_same_bytes(loads) -> None:
    models = LoadedModels()
    kept = models.load(NAME, "cpu", "float32")
    assert models.load(NAME, "cpu", "float32") is kept
    assert len(loads) == 1
    side = kept.card.input_px
    patches = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), np.uint8)
    kept.predict(patches)
    fresh = load_model(NAME, "cpu", "float32")
    assert kept.predict(patches).tobytes() == fresh.predict(patches).tobytes()


def test_two_are_kept_and_those_of_another_device_or_source_go(loads) -> None:
    models = LoadedModels(most=2)
    for precision in ("float32", "bf16"):
        models.load(NAME, "cpu", precision)
    models.load(NAME, "cpu", "float32")
    assert len(loads) == 2
    models.load(NAME, "cuda", "float32")  # the two of the CPU go
    models.load(NAME, "cpu", "bf16")
    assert len(loads) == 4
    models.keep_only([NAME])
    models.load(NAME, "cpu", "bf16")
    assert len(loads) == 4
    models.keep_only(())
    models.load(NAME, "cpu", "bf16")
    assert len(loads) == 5


def test_other_weights_in_the_same_folder_are_loaded_anew(loads, tmp_path) -> None:
    folder = shutil.copytree(BUNDLED / NAME, tmp_path / "mine")
    models = LoadedModels()
    models.load(str(folder), "cpu", "float32")
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    for sha256 in ("", ""):  # its card no longer says which weights: never kept
        (folder / "card.json").write_text(json.dumps(card | {"sha256": sha256}), encoding="utf-8")
        models.load(str(folder), "cpu", "float32")
    assert len(loads) == 3
    with pytest.raises(ModelError, match="no model"):
        models.load("none", "cpu", "float32")


def test_who_waits_for_a_model_gets_the_one_that_is_being_loaded(loads) -> None:
    models, found = LoadedModels(), []
    threads = [threading.Thread(target=lambda: found.append(models.load(NAME, "cpu", "float32"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(loads) == 1
    assert len({id(one) for one in found}) == 1
