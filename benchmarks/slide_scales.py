"""What the network gets, and predicts, when the same tissue comes at another µm per px or a little beside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from napari_tcgn.engine import choose_level, cut_patch, patch_side_px
from napari_tcgn.model import TrainingDomain, load_model, prepare_patches
from napari_tcgn.slide import ArraySlide, open_slide

FINE, COARSE = 0.25, 0.6875  # µm per px: 2.75 apart, so that 1100 px become 400
SPOTS = 40


def measure(image: Path) -> dict[str, Any]:
    """Compare windows of a real section, taken as 0.25 µm per px, with the same at 0.6875."""
    predictor = load_model("tcgn-tiny-her2st", "cpu", "float32")
    card = replace(predictor.card, domain=TrainingDomain((COARSE, COARSE)))
    slide = open_slide(image)
    corners = np.random.default_rng(0).integers(2500, 6000, (SPOTS, 2))
    windows = [slide.read_region(int(x), int(y), 1100, 1100) for x, y in corners]
    slide.close()

    def cut(pictures: list[np.ndarray], mpp: float, shift: float = 0.0) -> np.ndarray:
        found = []
        for picture in pictures:
            levels = [picture]
            for _ in range(2):
                levels.append(np.array(Image.fromarray(levels[-1]).reduce(2)))
            pyramid = ArraySlide(levels, "window", mpp)
            side = patch_side_px(card, mpp)
            level = choose_level(pyramid, side, card.detail_px)
            at = len(picture) / 2 + shift
            found.append(cut_patch(pyramid, at, at, side, level))
        return np.stack(found)

    def seen(patches: np.ndarray) -> np.ndarray:
        plain = replace(card, mean=[0.0] * 3, std=[1.0] * 3)
        return 255 * prepare_patches(torch.as_tensor(patches), plain).numpy()

    def compare(patches: np.ndarray, with_patches: np.ndarray) -> str:
        a, b = predictor.predict(patches), predictor.predict(with_patches)
        a, b = a - a.mean(0), b - b.mean(0)
        pcc = (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0))
        difference = np.abs(seen(patches) - seen(with_patches)).mean()
        return f"{difference:.2f} of 255; PCC {np.median(pcc):.4f} (worst gene {pcc.min():.4f})"

    fine = cut(windows, FINE)
    result: dict[str, Any] = {
        "spots": SPOTS,
        "spread of the input (standard deviation, of 255)": float(seen(fine).std()),
    }
    filters = {"binned": "BOX", "shrunk with a Hamming window": "HAMMING", "shrunk bicubically": "BICUBIC"}
    for name, which in filters.items():
        coarse = [np.array(Image.fromarray(w).resize((400, 400), Image.Resampling[which])) for w in windows]
        result[f"0.25 against the same {name} to 0.6875 µm per px"] = compare(fine, cut(coarse, COARSE))
        if which == "HAMMING":
            at_trained = cut(coarse, COARSE)
            result["centre 1 px (0.69 µm) beside, at 0.6875"] = compare(cut(coarse, COARSE, 1.0), at_trained)
    result["centre 2 px (0.5 µm) beside, at 0.25"] = compare(cut(windows, FINE, 2.0), fine)
    return result
