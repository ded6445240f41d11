"""Which device a model runs on, how many patches it takes at once, and when its memory is full."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import Any

from napari_tcgn.errors import DeviceError
from napari_tcgn.options import PrecisionChoice, PrecisionName

# On a CPU batches of 8 are the fastest (larger ones leave the cache) and keep cancelling quick. On CUDA this is the
# most that is taken, where its memory allows.
BATCH_SIZES = {"cuda": 256, "mps": 32, "cpu": 8}
# A patch's maps take 12 MiB in the tiny size (measured on the CPU at batch 32) and more in the larger ones; the rest
# is room for the weights, the allocator's gaps and whoever else uses the device.
PATCH_BYTES = 64 * 2**20


def choose_device(name: str = "auto") -> str:
    """Return the torch device to run on.

    Parameters
    ----------
    name : {"auto", "cuda", "mps", "cpu"}
        "auto" takes CUDA, else MPS where it has memory to give, else the CPU. A CUDA device may be numbered ("cuda:1").

    Raises
    ------
    DeviceError
        If the asked-for device is absent or the name is unknown.
    """
    import torch

    kind = name.partition(":")[0]
    if kind not in ("auto", *BATCH_SIZES):
        raise DeviceError(f"There is no device called {name!r}.", "Choose auto, cuda, mps or cpu.")
    if kind in ("auto", "cuda") and torch.cuda.is_available():
        return name if kind == "cuda" else "cuda"
    if kind in ("auto", "mps") and torch.backends.mps.is_available() and (kind == "mps" or _mps_computes()):
        return "mps"
    if kind in ("auto", "cpu"):
        return "cpu"
    if kind == "cuda":
        built = (
            "this PyTorch has no CUDA support" if torch.version.cuda is None else "PyTorch finds no usable NVIDIA GPU"
        )
        raise DeviceError(
            f"Device {name!r} is absent: {built}.",
            "Install the CUDA build of PyTorch and a driver that fits it, or choose --device cpu.",
        )
    raise DeviceError(
        "Device 'mps' is absent: it needs a Mac with Apple silicon and macOS 12.3 or newer.",
        "Choose --device auto or cpu.",
    )


def _mps_computes() -> bool:
    """Tell whether the Apple GPU that is announced can be used: that of a virtual Mac has no memory to give."""
    import torch

    try:
        return float(torch.ones(1, device="mps").sum()) == 1.0
    except (RuntimeError, AssertionError, NotImplementedError):
        return False


def choose_precision(name: PrecisionChoice, device: str) -> PrecisionName:
    """Return the precision of the model's large products.

    Parameters
    ----------
    name : {"auto", "float32", "bf16"}
        "auto" takes bf16 on a CPU that has products for it: it changes a gene's correlation with measured counts by
        less than 0.001 in the median (docs/speed.md). Other devices get float32 until that is measured on them.
    device : str
    """
    if name != "auto":
        return name
    return "bf16" if _bf16_products(device) else "float32"


def precision_reason(device: str) -> str:
    """Say why "auto" takes the precision that it takes on a device, for the run record and `doctor`."""
    if device != "cpu":
        return f"float32, for bf16 was never measured on {device.partition(':')[0]}"
    products = _bf16_products(device)
    return (
        f"bf16, for the CPU has products for it ({products})"
        if products
        else "float32, for the CPU has no bf16 products"
    )


def _bf16_products(device: str) -> str:
    """Return the CPU's instructions for products of bfloat16, "" where it has none or another device computes.

    Without them such products are taken apart and run at half the speed of float32.
    """
    import torch

    # Newer releases of torch tell what the CPU has; an older one gets float32.
    tell: Callable[[], Mapping[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    has = tell() if device == "cpu" else {}
    return ", ".join(name for name in ("avx512_bf16", "amx_bf16") if has.get(name))


def default_batch_size(device: str) -> int:
    """Return how many patches one model call takes on a device ("cuda:0", "mps", "cpu" …).

    On CUDA the largest power of two that fits into the memory that is free now.
    """
    kind = device.partition(":")[0]
    most = BATCH_SIZES.get(kind, BATCH_SIZES["cpu"])
    if kind != "cuda":
        return most
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    fitting = max(1, free // PATCH_BYTES)
    return int(min(most, 2 ** (int(fitting).bit_length() - 1)))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device or the host has no memory left."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # The CPU and MPS allocators raise a plain RuntimeError that only its words tell apart.
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def free_memory(device: str) -> None:
    """Give unused memory back to the device, after it has run out."""
    import torch

    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device.startswith("mps"):
        torch.mps.empty_cache()
