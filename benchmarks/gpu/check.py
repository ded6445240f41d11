"""TCGN on a device: the same numbers as on the CPU, images/s by batch and precision, training, where the time goes.

Every case is written to one JSON as it ends, and is not repeated where it stands there already.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_tcgn.model import TCGN
from napari_tcgn.model.inference import for_inference

GENES = 785
AUTOCAST = {"float32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Check:
    """The cases, and the file that they are written to."""

    def __init__(self, device: str, out: Path, quick: bool) -> None:
        self.device, self.out, self.quick = device, out, quick
        self.cuda = device == "cuda"
        self.found: dict[str, Any] = json.loads(out.read_text()) if out.is_file() else {}
        self.found |= {
            "device": torch.cuda.get_device_name() if self.cuda else platform.processor(),
            "torch": torch.__version__,
            "date": time.strftime("%Y-%m-%d"),
        }

    def case(self, name: str, measure: Callable[[], Any]) -> None:
        """Measure a case unless it stands in the file; what fails is written as its error."""
        if name in self.found:
            return
        try:
            self.found[name] = measure()
        except RuntimeError as error:
            self.found[name] = f"{type(error).__name__}: {str(error)[:200]}"
        self.out.write_text(json.dumps(self.found, indent=1))
        print(name, json.dumps(self.found[name]), flush=True)

    def rate(self, call: Callable[[], object]) -> float:
        """Return calls/s after two to warm up."""
        seconds = 0.2 if self.quick else 0.6
        for _ in range(2):
            call()
        self._wait()
        calls, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds or calls < 2:
            call()
            self._wait()
            calls += 1
        return calls / (time.perf_counter() - started)

    def _wait(self) -> None:
        if self.cuda:
            torch.cuda.synchronize()

    def autocast(self, kind: str) -> torch.autocast:
        """Return the context of a precision."""
        dtype = AUTOCAST[kind]
        return torch.autocast(self.device, dtype or torch.bfloat16, enabled=dtype is not None)

    def images(self, batch: int) -> Tensor:
        """Return random images [batch, 3, 224, 224]."""
        return torch.randn(batch, 3, 224, 224, device=self.device)


def parity(check: Check, net: nn.Module, tf32: bool) -> dict[str, float]:
    """Compare float32 outputs with those of the CPU, and a batch with single images."""
    torch.backends.cudnn.allow_tf32 = tf32
    images = torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        here = net.cpu()(images)
        there = net.to(check.device)(images.to(check.device)).cpu()
        single = torch.cat([net(one[None].to(check.device)) for one in images]).cpu()
    largest = float(here.abs().max())
    return {
        "largest difference / largest value": float((there - here).abs().max()) / largest,
        "batch of 4 against singles": float((there - single).abs().max()) / largest,
    }


def inference(check: Check, net: nn.Module, kind: str, batches: list[int]) -> dict[int, float]:
    """Return images/s by batch."""
    rates = {}
    for batch in batches:
        images = check.images(batch)

        def call(images: Tensor = images) -> object:
            with torch.inference_mode(), check.autocast(kind):
                return net(images)

        rates[batch] = round(check.rate(call) * batch, 1)
    return rates


def replayed(check: Check, net: nn.Module, kind: str, batches: list[int]) -> dict[int, float]:
    """Return images/s by batch with the kernels of a batch recorded once and replayed (CUDA graphs)."""
    rates = {}
    for batch in batches:
        images = check.images(batch)
        with torch.inference_mode(), check.autocast(kind):
            stream = torch.cuda.Stream()
            with torch.cuda.stream(stream):
                for _ in range(3):
                    net(images)
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                net(images)
        rates[batch] = round(check.rate(graph.replay) * batch, 1)
    return rates


def training(check: Check, kind: str, batches: list[int]) -> dict[int, float]:
    """Return images/s of training steps by batch."""
    rates = {}
    for batch in batches:
        net = TCGN(GENES).to(check.device).train()
        optimiser = torch.optim.AdamW(net.parameters(), 1e-4, fused=check.cuda)
        images, target = check.images(batch), torch.randn(batch, GENES, device=check.device)

        def step(images: Tensor = images, target: Tensor = target) -> None:
            with check.autocast(kind):
                loss = (net(images).float() - target).square().mean()  # noqa: B023  # called before the next net is made
            optimiser.zero_grad(set_to_none=True)  # noqa: B023
            loss.backward()
            optimiser.step()  # noqa: B023

        rates[batch] = round(check.rate(step) * batch, 1)
    return rates


def end_to_end(check: Check, slide_px: int, spots: int) -> dict[str, float]:
    """Return patches/s of a whole prediction with reading, of a network with random weights, and of the model alone."""
    from napari_tcgn.engine import default_batch_size, run, run_to_end
    from napari_tcgn.model import ModelCard
    from napari_tcgn.model.predictor import make_predictor
    from napari_tcgn.options import PredictSettings
    from napari_tcgn.slide import ArraySlide
    from napari_tcgn.spots import Spots

    rng = np.random.default_rng(0)
    slide = ArraySlide(rng.integers(0, 255, (slide_px, slide_px, 3), dtype=np.uint8), name="noise", mpp=0.5)
    side = int(np.ceil(np.sqrt(spots)))
    row, column = np.divmod(np.arange(spots), side)
    pitch = (slide_px - 400) / side
    genes = [f"G{i}" for i in range(GENES)]
    card = ModelCard("random", "1", {"family": "tcgn", "size": "tiny"}, genes, 112.0)
    predictor = make_predictor(TCGN(GENES), card, check.device, "float32")
    names = np.arange(spots).astype(str)
    laid = Spots(names, 200 + column * pitch, 200 + row * pitch, row, column, pitch * 0.25, pitch * 0.5, "square")
    settings = PredictSettings(device=check.device)  # type: ignore[arg-type]
    run_to_end(run(slide, laid.select(np.arange(min(64, spots))), predictor, settings))
    started = time.perf_counter()
    run_to_end(run(slide, laid, predictor, settings))
    whole = spots / (time.perf_counter() - started)
    batch = min(spots, default_batch_size(check.device))
    patches = rng.integers(0, 255, (batch, 224, 224, 3), dtype=np.uint8)
    return {"whole": round(whole, 1), "model": round(check.rate(lambda: predictor.predict(patches)) * batch, 1)}


def where_time_goes(check: Check, net: nn.Module, kind: str, batch: int) -> list[str]:
    """Return the operations that take most of the device's time in one pass, with their share."""
    from torch.profiler import ProfilerActivity, profile

    images = check.images(batch)
    with torch.inference_mode(), check.autocast(kind):
        net(images)
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
            net(images)
            torch.cuda.synchronize()
    rows = sorted(seen.key_averages(), key=lambda row: -row.self_device_time_total)
    whole = sum(row.self_device_time_total for row in rows) or 1
    times = [(row.self_device_time_total, row.count, row.key[:90]) for row in rows[:40]]
    return [f"{time / whole:.1%} {time / 1e3:.2f} ms {count} x {name}" for time, count, name in times]


def main() -> None:
    """Run all cases."""
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--device", default="cuda")
    args.add_argument("--out", type=Path, default=Path("check.json"))
    args.add_argument("--quick", action="store_true", help="Few batches, a moment each: to try the script.")
    chosen = args.parse_args()
    check = Check(chosen.device, chosen.out, chosen.quick)
    torch.manual_seed(0)
    net = TCGN(GENES).eval()
    check.case("parity float32", lambda: parity(check, net, tf32=False))
    if check.cuda:
        check.case("parity with TF32 convolutions", lambda: parity(check, net, tf32=True))
        torch.backends.cudnn.allow_tf32 = False
    net = net.to(check.device)
    folded = for_inference(net)
    few = [1, 4] if chosen.quick else [16, 32, 128]
    check.case("patches/s end to end", lambda: end_to_end(check, *((2000, 32) if chosen.quick else (8000, 4096))))
    check.case("training images/s bf16", lambda: training(check, "bf16", few[:2] if not check.cuda else few))
    check.case("training images/s float32", lambda: training(check, "float32", few[:2]))
    if check.cuda:
        check.case("time of a pass, bf16, 256", lambda: where_time_goes(check, folded, "bf16", 256))
        check.case("time of a pass, float32, 256", lambda: where_time_goes(check, folded, "float32", 256))
        for kind in ("bf16", "float32"):
            check.case(f"images/s replayed {kind}", lambda kind=kind: replayed(check, folded, kind, [1, 16, 256]))
    batches = [1, 4] if chosen.quick else [1, 32, 256, 1024]
    for kind in ("float32", "bf16") if check.cuda else ("float32",):
        check.case(f"images/s {kind}", lambda kind=kind: inference(check, folded, kind, batches))
    if check.cuda:
        rounded = for_inference(net, torch.bfloat16)
        check.case("images/s bf16 products", lambda: inference(check, rounded, "float32", batches))
    if check.cuda:
        check.case("peak GiB", lambda: torch.cuda.max_memory_allocated() / 2**30)


if __name__ == "__main__":
    main()
