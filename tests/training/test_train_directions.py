"""A network confined to a few directions is kept as factors: few bytes and products, however many genes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from napari_tcgn.engine import run_to_end
from napari_tcgn.model import TCGN, Line, ModelCard, load_model, read_checkpoint, whole_head
from napari_tcgn.model.predictor import TCGNPredictor
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.fit.loop import train_steps
from napari_tcgn.training.fit.residual import mean_of
from napari_tcgn.training.fit.warm_start import warm_start

RECIPE = TrainSettings(
    epochs=1, batch_size=16, learning_rate=3e-3, optimiser="adamw", loss="correlation", components=2,
    centre_sections=True, start_from_mean=True, val_fraction=0.0, device="cpu",
)  # fmt: skip


def test_a_network_confined_to_directions_is_kept_as_factors(dataset: Path, tmp_path: Path, genes: list[str]) -> None:
    steps = train_steps(dataset, "B1", tmp_path / "run", RECIPE, genes=genes, mpp=2.0)
    result = run_to_end(steps)
    weights = read_checkpoint(result.model_folder / "model.safetensors")
    assert weights["head.2.weight"].shape == (2, 5120)
    assert weights["from_directions.weight"].shape == (len(genes), 2)
    card = ModelCard.read(result.model_folder / "card.json")
    assert card.architecture["directions"] == 2
    patches = np.random.default_rng(0).integers(0, 256, (2, 90, 90, 3), dtype=np.uint8)
    whole = TCGN(len(genes))
    whole.load_state_dict({name: value.float() for name, value in whole_head(weights).items()})
    expected = TCGNPredictor(whole, card).predict(patches)
    np.testing.assert_allclose(load_model(result.model_folder, "cpu", "float32").predict(patches), expected, atol=2e-5)
    line = Line(torch.zeros(3), torch.ones(3), torch.zeros(3, len(genes)), torch.zeros(len(genes)))
    halved = whole_head({k: v for k, v in mean_of(weights, line).items() if not k.startswith("line.")})
    torch.testing.assert_close(halved["head.2.weight"], whole_head(weights)["head.2.weight"] / 2)
    torch.testing.assert_close(halved["head.2.bias"], whole_head(weights)["head.2.bias"] / 2)
    again = TCGN(len(genes))
    start = warm_start(again, result.model_folder, genes)  # a network of one output per gene takes them as well
    assert start.genes == len(genes)
    torch.testing.assert_close(again.head[2].weight, whole.head[2].weight)


def test_many_genes_through_directions_have_fewer_weights_than_the_published_panel() -> None:
    count = [sum(p.numel() for p in net.parameters()) for net in (TCGN(785), TCGN(8373, directions=16))]
    assert count[1] < count[0]
