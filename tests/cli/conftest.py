"""A small slide, its spots and counts on disk, and a quick model that other commands find by name."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_tcgn.cli import main
from napari_tcgn.model import HeldOut, ModelCard, registry

GENES = ["RED", "GREEN", "BLUE"]
SIDE, MPP, PITCH_PX = 400, 1.0, 100


class ColourPredictor:
    """Predicts the mean colour of a patch: a real function of the pixels that needs no weights."""

    def __init__(self, device: str, output_scale: str) -> None:
        self.device = device
        self.card = ModelCard(
            name="colours",
            version="1",
            architecture={"family": "test"},
            genes=GENES,
            patch_um=40.0,
            input_px=40,
            output_scale=output_scale,
            metrics=HeldOut(pcc=[0.1, 0.3, None], median_pcc=0.2),
            training={"sections": ["T1", "T2"]},
        )

    def predict(self, patches: np.ndarray) -> np.ndarray:
        return patches.mean(axis=(1, 2)).astype(np.float32)


class ColourModel:
    """What another package's entry point of the group `napari_tcgn.models` loads as."""

    output_scale = "log10(1 + 1e4 * count / panel total)"

    @property
    def card(self) -> ModelCard:
        return self.load("cpu").card

    def load(self, device: str | None = None) -> object:
        # An entry point's load() gives the model, the model's load(device) the predictor.
        return self if device is None else ColourPredictor(device, self.output_scale)


@pytest.fixture
def colour_model(monkeypatch: pytest.MonkeyPatch) -> type[ColourModel]:
    monkeypatch.setattr(registry, "_from_packages", lambda: {"colours": ColourModel()})
    return ColourModel


@dataclass
class Section:
    image: Path
    spots: Path
    counts: Path
    colours: np.ndarray  # [spots, RGB] of the discs under the spots


@pytest.fixture
def section(tmp_path: Path) -> Section:
    """Nine coloured squares on white, a spot in the middle of each; counts follow the colours."""
    random = np.random.default_rng(0)
    colours = random.integers(20, 220, (9, 3))
    image = np.full((SIDE, SIDE, 3), 255, np.uint8)
    rows, index = [], []
    for i, colour in enumerate(colours):
        x, y = PITCH_PX * (i % 3 + 1), PITCH_PX * (i // 3 + 1)
        image[y - 40 : y + 40, x - 40 : x + 40] = colour
        rows.append((i % 3 + 1, i // 3 + 1, i % 3 + 1, i // 3 + 1, x, y, 1))
        index.append(f"{i % 3 + 1}x{i // 3 + 1}")
    paths = Section(tmp_path / "T1.png", tmp_path / "T1_selection.tsv", tmp_path / "T1.tsv.gz", colours)
    Image.fromarray(image).save(paths.image)
    columns = ["x", "y", "new_x", "new_y", "pixel_x", "pixel_y", "selected"]
    pd.DataFrame(rows, columns=columns).to_csv(paths.spots, sep="\t", index=False)
    pd.DataFrame(colours, index=index, columns=GENES).to_csv(paths.counts, sep="\t")
    return paths


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Run the command line in this process; gives exit code, stdout and stderr."""
    handler = signal.getsignal(signal.SIGTERM)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    yield call
    signal.signal(signal.SIGTERM, handler)


SECTION_SIDE, PITCH = 700, 100


@pytest.fixture
def sections(tmp_path: Path) -> Path:
    """Two sections in her2st layout, 25 spots each, whose counts follow their colours."""
    random = np.random.default_rng(1)
    root = tmp_path / "mini"
    columns = ["x", "y", "new_x", "new_y", "pixel_x", "pixel_y", "selected"]
    genes = ["GNAS", "FASN", "ACTG1", "XBP1"]
    for name in ("C2", "C3"):
        image = np.full((SECTION_SIDE, SECTION_SIDE, 3), 240, np.uint8)
        rows, counts = [], {}
        for i in range(25):
            col, row = i % 5 + 1, i // 5 + 1
            x, y, colour = col * PITCH, row * PITCH, random.integers(30, 220, 3)
            image[y - 50 : y + 50, x - 50 : x + 50] = colour
            rows.append((col, row, col, row, x, y, 1))
            counts[f"{col}x{row}"] = [*colour, 50]
        for part in ("ST-cnts", "ST-spotfiles", f"ST-imgs/C/{name}"):
            (root / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / f"ST-imgs/C/{name}/HE.png")
        pd.DataFrame(rows, columns=columns).to_csv(root / f"ST-spotfiles/{name}_selection.tsv", sep="\t", index=False)
        pd.DataFrame.from_dict(counts, orient="index", columns=genes).to_csv(root / f"ST-cnts/{name}.tsv.gz", sep="\t")
    return root
