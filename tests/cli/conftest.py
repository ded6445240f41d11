"""A small slide, its spots and counts on disk, and a quick model that other commands find by name."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_tcgn.cli import main
from support.colours import colour_model  # noqa: F401
from support.her2st import write_counts, write_section, write_selection

GENES = ["RED", "GREEN", "BLUE"]
SIDE, PITCH_PX = 400, 100


@dataclass
class Section:
    image: Path
    spots: Path
    counts: Path
    colours: np.ndarray  # [spots, RGB] of the discs under the spots


def coloured_squares(
    columns: int, colours: np.ndarray, *, side: int, square: int, glass: int
) -> tuple[Image.Image, list[tuple[int, int, float, float]]]:
    """Draw squares `PITCH_PX` apart; return the picture and (column, row, x, y) of each square."""
    image = np.full((side, side, 3), glass, np.uint8)
    places = []
    for i, colour in enumerate(colours):
        col, row = i % columns + 1, i // columns + 1
        x, y = col * PITCH_PX, row * PITCH_PX
        image[y - square // 2 : y + square // 2, x - square // 2 : x + square // 2] = colour
        places.append((col, row, float(x), float(y)))
    return Image.fromarray(image), places


@pytest.fixture
def section(tmp_path: Path) -> Section:
    """Nine coloured squares on white, a spot in the middle of each; counts follow the colours."""
    colours = np.random.default_rng(0).integers(20, 220, (9, 3))
    picture, places = coloured_squares(3, colours, side=SIDE, square=80, glass=255)
    paths = Section(tmp_path / "T1.png", tmp_path / "T1_selection.tsv", tmp_path / "T1.tsv.gz", colours)
    picture.save(paths.image)
    write_selection(paths.spots, places)
    write_counts(paths.counts, {place[:2]: colour for place, colour in zip(places, colours, strict=True)}, GENES)
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


@pytest.fixture
def sections(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Two sections in her2st layout, each of 5 x 5 spots (the parameter: another 5); counts follow colours."""
    side = getattr(request, "param", 5)
    random = np.random.default_rng(1)
    root = tmp_path / "mini"
    for name in ("C2", "C3"):
        colours = random.integers(30, 220, (side**2, 3))
        picture, places = coloured_squares(side, colours, side=(side + 2) * PITCH_PX, square=PITCH_PX, glass=240)
        counts = {place[:2]: [*colour, 50] for place, colour in zip(places, colours, strict=True)}
        write_section(root, name, picture, places, counts, ["GNAS", "FASN", "ACTG1", "XBP1"])
    return root
