from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from napari_tcgn.engine import (
    choose_device,
    choose_precision,
    default_batch_size,
    device as device_module,
    precision_reason,
)
from napari_tcgn.engine.device import free_memory, is_out_of_memory
from napari_tcgn.errors import DeviceError


def machine(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(device_module, "_mps_computes", lambda: True)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_takes_the_fastest(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str) -> None:
    machine(monkeypatch, cuda, mps)
    assert choose_device("auto") == expected


def test_an_apple_gpu_without_memory_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """As virtual Macs announce it; here a tensor for it fails in the same way."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)

    def ones(*_: object, **__: object) -> torch.Tensor:
        raise RuntimeError("MPS backend out of memory (MPS allocated: 0 bytes, other allocations: 0 bytes)")

    monkeypatch.setattr(torch, "ones", ones)
    assert choose_device("auto") == "cpu"
    assert choose_device("mps") == "mps", "what is asked for is tried, and says why it fails"


def test_asked_for_device_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, True, True)
    assert [choose_device(name) for name in ("cpu", "mps", "cuda", "cuda:1")] == ["cpu", "mps", "cuda", "cuda:1"]


@pytest.mark.parametrize(("name", "words"), [("cuda", "CUDA|GPU"), ("mps", "Apple"), ("tpu", "no device")])
def test_absent_device_says_how_to_mend(monkeypatch: pytest.MonkeyPatch, name: str, words: str) -> None:
    machine(monkeypatch, False, False)
    with pytest.raises(DeviceError, match=words) as caught:
        choose_device(name)
    assert "cpu" in caught.value.hint


@pytest.mark.parametrize(
    ("asked", "device", "has", "expected"),
    [
        ("auto", "cpu", {"avx512_bf16": True}, "bf16"),
        ("auto", "cpu", {"amx_bf16": True}, "bf16"),
        ("auto", "cpu", {"avx512_f": True, "avx512_bf16": False}, "float32"),
        ("auto", "cuda", {"avx512_bf16": True}, "float32"),
        ("bf16", "cuda", {}, "bf16"),
        ("float32", "cpu", {"avx512_bf16": True}, "float32"),
    ],
)
def test_precision_follows_the_processor(monkeypatch, asked, device, has, expected) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: has, raising=False)
    assert choose_precision(asked, device) == expected


@pytest.mark.parametrize(
    ("device", "has", "reason"),
    [
        ("cpu", {"avx512_bf16": True}, r"bf16, for the CPU has products for it \(avx512_bf16\)"),
        ("cpu", {"avx512_f": True}, "float32, for the CPU has no bf16 products"),
        ("cuda:0", {"avx512_bf16": True}, "float32, for bf16 was never measured on cuda"),
    ],
)
def test_the_precision_has_a_reason(monkeypatch, device, has, reason) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: has, raising=False)
    assert re.fullmatch(reason, precision_reason(device))
    assert precision_reason(device).startswith(choose_precision("auto", device))


def test_a_torch_that_cannot_tell_gets_float32(monkeypatch) -> None:
    monkeypatch.delattr("torch.cpu.get_capabilities", raising=False)
    assert choose_precision("auto", "cpu") == "float32"


def test_batch_size_grows_with_the_device(monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (80 * 2**30, 80 * 2**30))
    assert default_batch_size("cuda:0") > default_batch_size("mps") > default_batch_size("cpu") >= 1


@pytest.mark.parametrize(("free_gib", "expected"), [(78, 256), (8, 128), (7.9, 64), (0.01, 1), (0, 1)])
def test_batch_size_on_cuda_follows_its_free_memory(monkeypatch, free_gib: float, expected: int) -> None:
    asked = []
    monkeypatch.setattr(
        "torch.cuda.mem_get_info", lambda device: asked.append(device) or (int(free_gib * 2**30), 2**37)
    )
    assert default_batch_size("cuda:1") == expected
    assert asked == ["cuda:1"]


def test_out_of_memory_is_recognised_on_every_device() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_real_allocation_failure_is_recognised() -> None:
    with pytest.raises(RuntimeError) as torch_error:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(torch_error.value)
    with pytest.raises(MemoryError) as numpy_error:
        np.empty(2**60, dtype=np.uint8)
    assert is_out_of_memory(numpy_error.value)
    free_memory("cpu")
