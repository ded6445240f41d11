import json

import numpy as np
import pytest
import torch

from napari_tcgn.model.registry import load_model
from napari_tcgn.model.tcgn import TCGN
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.data.her2st import find_sections, load_section
from napari_tcgn.training.fit.loop import train_steps
from napari_tcgn.training.fit.record import EpochReport

SETTINGS = TrainSettings(epochs=2, batch_size=8, val_fraction=0.2, device="cpu")


def _finish(run):
    while True:
        try:
            next(run)
        except StopIteration as stop:
            return stop.value


@pytest.mark.slow
def test_tcgn_killed_in_the_middle_and_resumed_equals_uninterrupted(tiny_dataset, tmp_path, genes, same):
    whole = _finish(train_steps(tiny_dataset, "C1", tmp_path / "whole", SETTINGS, genes=genes, mpp=2.0))
    run = train_steps(tiny_dataset, "C1", tmp_path / "parts", SETTINGS, genes=genes, mpp=2.0)
    while not isinstance(next(run), EpochReport):
        pass
    assert next(run).stage == "epoch 2 of 2"
    run.close()
    parts = _finish(train_steps(tiny_dataset, "C1", tmp_path / "parts", SETTINGS, genes=genes, mpp=2.0, resume=True))

    states = [torch.load(result.out / "checkpoint.pt", weights_only=True) for result in (whole, parts)]
    assert all(same(states[0][part], states[1][part]) for part in ("net", "optimiser"))
    assert set(states[0]["net"]) == set(TCGN(10).state_dict())
    np.testing.assert_array_equal(whole.test_pcc, parts.test_pcc)
    assert (whole.model_folder / "model.safetensors").read_bytes() == (
        parts.model_folder / "model.safetensors"
    ).read_bytes()

    # The model folder is one that the engine loads, and it predicts what was scored.
    predictor = load_model(whole.model_folder)
    assert predictor.card.architecture == {"family": "tcgn", "size": "tiny"}
    assert json.loads((whole.out / "run.json").read_text())["status"] == "finished"
    held_out = load_section(find_sections(tiny_dataset)[-1], genes, predictor.card, mpp=2.0)
    predicted = predictor.predict(held_out.patches)
    assert float(np.square(predicted - held_out.target).mean()) == pytest.approx(whole.test_loss, rel=1e-4)
