"""The golden network of the fixtures, shared by the tests of the model."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

from napari_tcgn.model.tcgn import TCGN

REFERENCE = Path(__file__).resolve().parents[1] / "reference"

_spec = importlib.util.spec_from_file_location("golden", REFERENCE / "golden.py")
assert _spec is not None
golden = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(golden)


def golden_net(size: str, dtype: torch.dtype) -> TCGN:
    net = TCGN(num_classes=785, size=size)
    weights = golden.golden_state_dict(REFERENCE / f"state_dict_{size}.json")
    net.load_state_dict({k: torch.as_tensor(v) for k, v in weights.items()}, strict=True)
    net = net.to(dtype).eval()
    if dtype == torch.float64:  # the constant is rounded to float32 when registered
        for block in (net.gnn_block0, net.gnn_block1):
            index = torch.arange(196)
            place = torch.stack([index // 14, index % 14], 1).double()
            block.proximity = 1 / (1 + torch.cdist(place, place) / 3)
    return net
