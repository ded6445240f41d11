"""The network with the golden weights."""

from __future__ import annotations

import torch

from napari_tcgn.model.tcgn import TCGN
from support.golden import REFERENCE, golden_state_dict


def golden_net(size: str, dtype: torch.dtype) -> TCGN:
    """Return the network in evaluation mode; in float64 also its constants are of that precision."""
    net = TCGN(num_classes=785, size=size)
    weights = golden_state_dict(REFERENCE / f"state_dict_{size}.json")
    net.load_state_dict({k: torch.as_tensor(v) for k, v in weights.items()}, strict=True)
    net = net.to(dtype).eval()
    if dtype == torch.float64:  # the constant is rounded to float32 when registered
        for block in (net.gnn_block0, net.gnn_block1):
            index = torch.arange(196)
            place = torch.stack([index // 14, index % 14], 1).double()
            block.proximity = 1 / (1 + torch.cdist(place, place) / 3)
    return net
