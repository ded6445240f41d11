"""Several processes that train one network together, each on its share of every batch (started by torchrun).

Plain torch.distributed instead of a trainer framework: the loss looks at the whole batch (correlations) and BatchNorm
has to as well, on the CPU too, so that several processes compute what one process computes with the same batch. What a
wrapper such as DDP would do beside that, adding up the gradients, is one call here.
"""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from napari_tcgn.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Group:
    """The processes of a run; one process alone by default.

    Attributes
    ----------
    rank, size : int
    """

    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process writes files and talks; the others compute the same and keep quiet."""
        return self.rank == 0

    def share(self, batch: int) -> slice:
        """Return this process's part of a batch."""
        part = batch // self.size
        return slice(self.rank * part, (self.rank + 1) * part)

    def whole(self, mine: Tensor) -> Tensor:
        """Put the shares [B / size, …] of all processes together, [B, …]; gradients flow into one's own only."""
        if self.size == 1:
            return mine
        parts = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(parts, mine.detach().contiguous())
        parts[self.rank] = mine
        return torch.cat(parts)

    def add_gradients(self, net: nn.Module) -> None:
        """Add up the gradients that the shares of a batch gave."""
        if self.size == 1:
            return
        gradients = [p.grad for p in net.parameters() if p.grad is not None]
        together = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(together)
        for gradient, summed in zip(gradients, together.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(summed.view_as(gradient))

    def share_statistics(self, net: nn.Module) -> None:
        """Let every BatchNorm of a network see the whole batch."""
        if self.size == 1:
            return
        for module in net.modules():
            if type(module) is nn.BatchNorm2d:
                # TRICK: a living object changes its class, in place. `WholeBatchNorm` differs from its parent only in
                # `forward`: it has no `__init__`, no further attribute, parameter or buffer. So what the object holds
                # is all that the new class needs, and optimizer, checkpoint and state_dict keep meaning the same
                # tensors. Give it any state of its own, and a new module must be built here instead.
                module.__class__ = WholeBatchNorm

    def from_first(self, value: Any) -> Any:
        """Return the first process's value in every process."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]


class Sum(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is summed over them as well."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:
        """Add up."""
        total = mine.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Every process's result depends on this one's tensor."""
        total = gradient.clone()
        dist.all_reduce(total)
        return total


class WholeBatchNorm(nn.BatchNorm2d):
    """BatchNorm over the shares of all processes (`nn.SyncBatchNorm` does so on GPUs only)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [B, C, H, W]."""
        if not self.training:
            return super().forward(x)
        values = x.float()
        count = values.numel() // values.shape[1] * dist.get_world_size()
        sums = torch.stack([values.sum((0, 2, 3), dtype=torch.float64), values.double().square().sum((0, 2, 3))])
        total: Tensor = Sum.apply(sums) / count  # [2, C]
        mean, variance = total[0], (total[1] - total[0].square()).clamp(min=0)
        if self.track_running_stats:
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                rate = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), rate)
                unbiased = variance * count / max(count - 1, 1)
                self.running_var.lerp_(unbiased.to(self.running_var.dtype), rate)
        scale = (variance + self.eps).rsqrt().float() * self.weight
        shift = self.bias - mean.float() * scale
        return (values * scale[:, None, None] + shift[:, None, None]).to(x.dtype)


def started_processes() -> int:
    """Return how many processes torchrun has started, this one included; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def join_group(device: str, batch_size: int) -> tuple[Group, str]:
    """Join the processes that torchrun has started, if it has; returns the group and this process's device.

    Raises
    ------
    SettingsError
        If the batch cannot be shared out evenly, or the device is one that processes cannot share.
    """
    size = started_processes()
    if size == 1:
        return Group(), device
    if batch_size % size:
        raise SettingsError(
            f"A batch of {batch_size} spots cannot be shared evenly by {size} processes.",
            "Choose a --batch-size that is a multiple of the number of processes.",
        )
    if device.startswith("mps"):
        raise SettingsError(
            f"{size} processes cannot train together on an Apple GPU.", "Train with one process, or give --device cpu."
        )
    if device.startswith("cuda") and not dist.is_nccl_available():  # Windows
        raise SettingsError(
            "Several processes cannot train together on NVIDIA GPUs here: this PyTorch has no NCCL.",
            "Train with one process, or on Linux.",
        )
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        atexit.register(dist.destroy_process_group)
    return Group(dist.get_rank(), dist.get_world_size()), device
