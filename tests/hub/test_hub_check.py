"""A model is tried before it is believed: every fault that a stranger's model can have is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_tcgn.errors import ModelError
from napari_tcgn.hub import check_model, require_usable
from napari_tcgn.model import BUNDLED, load_model


@pytest.mark.parametrize("name", ["haematoxylin-her2st", "colour-texture-line-her2st"])
def test_bundled_models_pass(name):
    found = check_model(name)
    assert found.passed, found
    assert {one.name for one in found.findings} == {"card", "licence", "output", "batches", "orientation", "domain"}
    assert found.patches_per_second > 0
    require_usable(found)


class Wrong:
    """A model that does one thing wrong."""

    device = "cpu"

    def __init__(self, fault: str) -> None:
        self.inner, self.fault = load_model(BUNDLED / "colour-texture-line-her2st"), fault
        self.card = self.inner.card

    def predict(self, patches: Any) -> Any:
        found = self.inner.predict(patches)
        match self.fault:
            case "batches":
                return found - found.mean(axis=0, keepdims=True)
            case "not finite":
                return np.where(np.arange(found.shape[1]) == 3, np.float32("nan"), found)
            case "dtype":
                return found.astype(np.float64)
            case "shape":
                return found[:, :-1]
            case "constant":
                return np.zeros_like(found)
            case _:
                return found + patches[:, 0, :, 0].mean(axis=1, dtype=np.float32)[:, None]  # looks at the first row


@pytest.mark.parametrize(
    ("fault", "outcome", "name"),
    [
        ("batches", "failed", "batches"), ("not finite", "failed", "output"), ("dtype", "failed", "output"),
        ("shape", "failed", "output"), ("constant", "failed", "output"), ("first row", "note", "orientation"),
    ],
)  # fmt: skip
def test_a_fault_is_found(monkeypatch, fault, outcome, name):
    monkeypatch.setattr("napari_tcgn.hub.check.load_model", lambda *_: Wrong(fault))
    found = check_model("some")
    assert [one.outcome for one in found.findings if one.name == name] == [outcome]
    if outcome == "failed":
        with pytest.raises(ModelError, match=rf"failed: {name}"):
            require_usable(found)
