"""What is measured: each case returns plain figures, with rates in images (or patches) per second."""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timing import ROOT, alternate, synchronise

from napari_tcgn.model import TCGN, ModelCard
from napari_tcgn.model.graph import CensNet, build_graph, edge_features, edges_to_nodes
from napari_tcgn.model.inference import for_inference
from napari_tcgn.model.prepare import prepare_patches
from napari_tcgn.model.timm_import import import_timm

GENES = 785
FLOP_PER_IMAGE = 4.03e9  # of the tiny size: two per multiply-add, counted on the architecture
NODES, GRAPH_CHANNELS = 196, 48


def without_graph(net: TCGN) -> TCGN:
    """Return a copy whose two GNN blocks are zeros: the backbone that the graph decorates."""
    net = copy.deepcopy(net)
    for block in (net.gnn_block0, net.gnn_block1):
        block.forward = lambda x: x.new_zeros(len(x), NODES, GRAPH_CHANNELS)
    return net


def images(batch: int, device: str) -> torch.Tensor:
    """Random normalised patches [B, 3, 224, 224], channels-last."""
    x = torch.randn(batch, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    return x.to(device, memory_format=torch.channels_last)


def forward(net: Any, x: torch.Tensor, micro: int = 0) -> Callable[[], object]:
    """Return a call that predicts x, in pieces of `micro` images if that is not 0."""

    def call() -> object:
        with torch.inference_mode():
            return [net(part) for part in (x.split(micro) if micro else [x])]

    return call


def model(device: str, batches: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """TCGN tiny against its own backbone, eager against the form for prediction, and the precisions."""
    torch.manual_seed(0)
    net = TCGN(GENES).to(device).eval()
    fast, half = for_inference(net), for_inference(net, torch.bfloat16)
    eager_backbone = without_graph(net)
    fast_backbone = for_inference(eager_backbone)
    result = {}
    for batch in batches:
        x = images(batch, device)
        micro = 8 if device == "cpu" and batch > 8 else 0
        seconds = alternate(
            {
                "eager": forward(net, x, micro),
                "eager, backbone only": forward(eager_backbone, x, micro),
                "float32": forward(fast, x, micro),
                "float32, backbone only": forward(fast_backbone, x, micro),
                "bf16": forward(half, x, micro),
            },
            device,
            rounds,
        )
        rate = {name: batch / s for name, s in seconds.items()}
        result[f"batch {batch}"] = {
            "images/s": rate,
            "eager of its backbone": rate["eager"] / rate["eager, backbone only"],
            "float32 of its backbone": rate["float32"] / rate["float32, backbone only"],
            "float32 of eager": rate["float32"] / rate["eager"],
            "bf16 of eager": rate["bf16"] / rate["eager"],
        }
    return result


def products() -> dict[str, Any]:
    """How the multiply-adds of convolutions and matrix products are shared out, by PyTorch's own count."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        TCGN(GENES).eval().requires_grad_(False)(images(1, "cpu"))
    counts = {name: sum(by_operator.values()) for name, by_operator in counter.get_flop_counts().items()}
    graph_share = (counts["TCGN.gnn_block0"] + counts["TCGN.gnn_block1"]) / counts["Global"]
    return {
        "GFLOP per image": counts["Global"] / 1e9,
        "of these in the GNN blocks": graph_share,
        "so at equal efficiency, of its backbone": 1 - graph_share,
    }


def peers(device: str, batch: int, rounds: int) -> dict[str, Any]:
    """TCGN tiny against timm models at the same input, all float32."""
    timm = import_timm()
    micro = 8 if device == "cpu" and batch > 8 else 0
    x = images(batch, device)
    nets: dict[str, Any] = {"TCGN tiny": for_inference(TCGN(GENES).to(device))}
    for name in ("resnet50", "vit_small_patch16_224"):
        nets[name] = timm.create_model(name, num_classes=GENES).to(device).eval()
    seconds = alternate({name: forward(net, x, micro) for name, net in nets.items()}, device, rounds)
    return {"batch": batch, "images/s": {name: batch / s for name, s in seconds.items()}}


def graph(device: str, batch: int, rounds: int) -> dict[str, Any]:
    """The graph part of the first block against dense edges x edges matrices, image by image in numpy (float64)."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.dense_graph import DenseGraph, dense_edges, dense_features

    torch.manual_seed(0)
    width = 92
    x = torch.randn(batch, NODES, width)
    attention = (torch.randn(batch, 2, NODES, NODES) * 0.4 + torch.eye(NODES)).softmax(3)
    net, near = CensNet(width).to(device).eval(), torch.rand(NODES, NODES, device=device)
    dx, da = x.to(device), attention.to(device)

    def fast() -> object:
        with torch.inference_mode():
            drawn = build_graph(da)
            nodes, edges = net(drawn, dx, edge_features(drawn, dx, da, near))
            return nodes, edges_to_nodes(drawn, edges)

    weights = {name: [getattr(layer, k).detach().cpu().double().numpy() for k in ("weight", "p", "bias")]
               for name, layer in net.named_children() if name != "drop"}  # fmt: skip

    def dense_image(nodes: np.ndarray, weight: np.ndarray) -> object:
        drawn = DenseGraph(dense_edges(weight), NODES)
        edges = dense_features(nodes, weight, drawn.edges)
        first = np.maximum(drawn.node_conv(nodes, edges, *weights["gc1"]), 0)
        second = np.maximum(drawn.edge_conv(first, np.maximum(edges, 0), *weights["gc2"]), 0)
        return drawn.node_conv(first, second, *weights["gc3"]), drawn.incidence @ second

    start = time.perf_counter()
    for b in range(min(batch, 4)):
        dense_image(x[b].double().numpy(), attention[b].double().numpy())
    dense = (time.perf_counter() - start) / min(batch, 4) * batch
    seconds = alternate({"fast": fast}, device, rounds)["fast"]
    return {"batch": batch, "ms": seconds * 1e3, "dense ms": dense * 1e3, "times faster": dense / seconds}


def train_step(device: str, batch: int, rounds: int) -> dict[str, Any]:
    """Forward and backward of TCGN tiny against its own backbone."""
    torch.manual_seed(0)
    x, target = images(batch, device), torch.rand(batch, GENES, device=device)

    def step(net: TCGN, half: bool) -> Callable[[], object]:
        def call() -> None:
            net.zero_grad(set_to_none=True)
            with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
                out = net(x)
            (out.float() - target).square().mean().backward()

        return call

    net = TCGN(GENES).to(device).train()
    backbone = without_graph(net)
    seconds = alternate(
        {
            "float32": step(net, False),
            "float32, backbone only": step(backbone, False),
            "bf16 autocast": step(net, True),
        },
        device,
        rounds,
        warm_up=1,
    )
    rate = {name: batch / s for name, s in seconds.items()}
    return {"batch": batch, "images/s": rate, "of its backbone": rate["float32"] / rate["float32, backbone only"]}


def floor(device: str, rounds: int) -> dict[str, Any]:
    """The rate of large matrix products, and what it would allow if nothing else cost time."""
    found = {}
    for name, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16)):
        side = 2048 if device == "cpu" else 8192
        a = torch.randn(side, side, device=device).to(dtype)
        seconds = alternate({"product": lambda a=a: a @ a}, device, rounds)["product"]
        rate = 2 * side**3 / seconds
        found[name] = {"GFLOP/s": rate / 1e9, "images/s at that rate": rate / FLOP_PER_IMAGE}
    return found


def engine(device: str, spots: int, precision: str) -> dict[str, Any]:
    """End to end from a decoded slide, against the model alone on patches that are ready."""
    from napari_tcgn.engine import run
    from napari_tcgn.engine.device import default_batch_size
    from napari_tcgn.model.predictor import TCGNPredictor
    from napari_tcgn.options import PredictSettings
    from napari_tcgn.slide import ArraySlide
    from napari_tcgn.spots import Spots

    rng = np.random.default_rng(0)
    slide = ArraySlide(rng.integers(0, 256, (6000, 6000, 3), dtype=np.uint8), "noise", mpp=0.688)
    x, y = rng.uniform(100, 5900, (2, spots))
    count = np.arange(spots)
    table = Spots(count.astype(str), x, y, count, count, 55.0, 100.0, "custom")
    card = ModelCard("bench", "1", {"family": "tcgn", "size": "tiny"}, [f"G{i}" for i in range(GENES)], patch_um=77.0)
    predictor = TCGNPredictor(TCGN(GENES), card, device, precision)
    batch = default_batch_size(device)
    patches = rng.integers(0, 256, (batch, 112, 112, 3), dtype=np.uint8)
    predictor.predict(patches)
    synchronise(device)
    start = time.perf_counter()
    for _ in range(-(-spots // batch)):
        predictor.predict(patches)
    alone = -(-spots // batch) * batch / (time.perf_counter() - start)
    steps = run(slide, table, predictor, PredictSettings(batch_size=batch))
    start = None
    for step in steps:
        if step.stage == "predict" and start is None:
            start, first = time.perf_counter(), step.done
    whole = (spots - first) / (time.perf_counter() - start)
    return {
        "spots": spots, "batch": batch, "precision": precision,
        "patches/s": whole, "model alone, patches/s": alone, "busy": whole / alone,
    }  # fmt: skip


def prepare(device: str, batch: int, rounds: int) -> dict[str, Any]:
    """Resizing and normalising a batch, as a share of the model's time."""
    card = ModelCard("bench", "1", {}, ["A"], patch_um=77.0)
    patches = torch.randint(0, 256, (batch, 112, 112, 3), dtype=torch.uint8, device=device)
    fast, x = for_inference(TCGN(GENES).to(device)), images(batch, device)
    seconds = alternate({"prepare": lambda: prepare_patches(patches, card), "model": forward(fast, x)}, device, rounds)
    return {"batch": batch, "share of the model's time": seconds["prepare"] / seconds["model"]}


def accuracy(device: str, name_or_path: str, data: Path, section: str = "C2") -> dict[str, Any]:
    """How far bf16 moves predictions and every gene's PCC on a real section."""
    from napari_tcgn.model import load_model
    from napari_tcgn.stats.correlation import median_pcc, pearson_per_gene
    from napari_tcgn.training.data.her2st import find_sections, load_section

    predictors = {precision: load_model(name_or_path, device, precision) for precision in ("float32", "bf16")}
    card = predictors["float32"].card
    place = next(s for s in find_sections(data) if s.name == section)
    loaded = load_section(place, card.genes, card)
    found = {
        precision: np.concatenate([p.predict(part) for part in np.array_split(loaded.patches, len(loaded) // 16)])
        for precision, p in predictors.items()
    }
    pcc = {precision: pearson_per_gene(values, loaded.target) for precision, values in found.items()}
    change = np.abs(pcc["bf16"] - pcc["float32"])
    deviation = found["bf16"] - found["float32"]
    return {
        "model": card.name, "section": section, "spots": len(loaded),
        "deviation, root mean square": float(np.sqrt((deviation**2).mean())),
        "deviation, largest": float(np.abs(deviation).max()),
        "spread of a gene (mean standard deviation)": float(found["float32"].std(0).mean()),
        "median PCC, float32": median_pcc(pcc["float32"]), "median PCC, bf16": median_pcc(pcc["bf16"]),
        "change of a gene's PCC, median": float(np.nanmedian(change)),
        "change of a gene's PCC, largest": float(np.nanmax(change)),
    }  # fmt: skip
