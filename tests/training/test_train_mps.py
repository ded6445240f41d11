"""A training on an Apple GPU, as far as a CPU can tell: it has no float64, and takes none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from support.runs import FAST, finish, start


@pytest.fixture
def device_without_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the move of a float64 tensor to a device by name fail, as to "mps"; these runs have it on the CPU."""
    to = torch.Tensor.to

    def checked(self: torch.Tensor, *args: object, **kwargs: object) -> torch.Tensor:
        named = [one for one in (*args, *kwargs.values()) if isinstance(one, str | torch.device)]
        if named and self.dtype == torch.float64 and not kwargs.get("dtype"):
            raise TypeError(
                "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64."
            )
        return to(self, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "to", checked)


@pytest.mark.parametrize(
    "changes",
    [{}, {"loss": "negative-binomial"}, {"ema": 0.9, "smooth_targets": 1.0, "centre_sections": True}],
    ids=str,
)
def test_training_moves_no_float64(device_without_float64, dataset, tmp_path, genes, changes) -> None:
    finish(start(dataset, tmp_path / "run", genes, replace(FAST, epochs=1, **changes)))


def test_the_simulated_device_refuses_float64(device_without_float64) -> None:
    with pytest.raises(TypeError, match="float64"):
        torch.zeros(1, dtype=torch.float64).to("cpu")
