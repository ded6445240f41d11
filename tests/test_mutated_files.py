"""Files that are damaged or hostile: whatever is changed in a small real one, the answer is a result or a sentence.

Each reader gets copies of a real file in which bytes are flipped, cut out, doubled or put elsewhere, lines and cells
are exchanged, and values of JSON replaced by others of all kinds. NAPARI_TCGN_MUTATIONS says how many copies of each
(`make fuzz` takes 1,000); what failed once stays as a case of its own in the tests of its reader.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_tcgn.engine import RunRecord
from napari_tcgn.errors import TcgnError
from napari_tcgn.expression import read_measured
from napari_tcgn.hub import read_index
from napari_tcgn.model import BUNDLED, ModelCard, load_model
from napari_tcgn.sample import sample_folder
from napari_tcgn.slide import open_slide
from napari_tcgn.spots import read_region, read_spots, write_spots
from napari_tcgn.stats import read_gmt
from napari_tcgn.training import RECIPES, read_train_settings

COPIES = int(os.environ.get("NAPARI_TCGN_MUTATIONS", "40"))
MOST_BYTES = 60_000  # of a file that is mutated: the beginning decides
ODD: list[Any] = [
    None, True, -1, 0, 1e308, -1e-308, 10**30, float("nan"), float("inf"), "", "x" * 5_000, "\0", "=1+1", "<b>", "$$",
    "../../etc/passwd", "\u202e", [], {}, [[[[[[[[[[[[1]]]]]]]]]]]], {"a": {"b": 3}}, [None] * 3, "NaN", 2**63, -0.0,
]  # fmt: skip


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Return a copy with some bytes or lines that are not what they were."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5])):
        if not data:
            break
        at, length = rng.randrange(len(data)), rng.choice([1, 1, 4, 40, 400])
        match rng.randrange(7):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length]
            case 3:
                data[at : at + length] = rng.randbytes(min(length, 40))
            case 4:
                del data[at:]
            case 5:
                lines = data.split(b"\n")
                rng.shuffle(lines)
                data = bytearray(b"\n".join(lines))
            case 6:
                odd = str(rng.choice(ODD)).encode(errors="replace")
                cells = data.replace(b",", b"\t").split(b"\t")
                cells[rng.randrange(len(cells))] = odd
                data = bytearray((b"," if b"," in content else b"\t").join(cells))
    return bytes(data)


def mutated_json(value: Any, rng: random.Random) -> Any:
    """Return a copy of which one entry, however deep, is another, missing or new."""
    if rng.random() < 0.25 or not isinstance(value, dict | list) or not value:
        return rng.choice(ODD)
    if isinstance(value, dict):
        key = rng.choice(list(value))
        found = dict(value)
        match rng.randrange(5):
            case 0:
                del found[key]
            case 1:
                found[rng.choice(["", "x", key + "s", "__class__"])] = found.pop(key)
            case _:
                found[key] = mutated_json(value[key], rng)
        return found
    number = rng.randrange(len(value))
    return [*value[:number], mutated_json(value[number], rng), *value[number + 1 :]]


def answer(read: Callable[[], object]) -> None:
    """Read: a result is right, and so is a sentence of ours; everything else is a fault."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(TcgnError):
            read()


def texts(folder: Path) -> dict[str, tuple[bytes, Callable[[Path], object]]]:
    """Return what is read from files of text or pixels: the content of a good one, and its reader."""
    sample = sample_folder()
    spots = read_spots(sample / "section_selection.tsv")
    write_spots(spots, folder / "saved.csv", slide=open_slide(sample / "section.ome.tif"))
    square = {"type": "Polygon", "coordinates": [[[0, 0], [900, 0], [900, 900], [0, 900], [0, 0]]]}
    region = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": square, "properties": {"name": "a"}}],
    }
    gmt = "one\thttp://x\tGNAS\tCD74\ntwo\t\tKRT8\n"
    return {
        "selection.tsv": ((sample / "section_selection.tsv").read_bytes(), read_spots),
        "saved.csv": ((folder / "saved.csv").read_bytes(), read_spots),
        "counts.tsv.gz": ((sample / "section.tsv.gz").read_bytes(), read_measured),
        "region.geojson": (json.dumps(region).encode(), read_region),
        "sets.gmt": (gmt.encode(), read_gmt),
        "recipe.toml": (RECIPES["few-sections"].read_bytes(), read_train_settings),
        "card.json": ((BUNDLED / "haematoxylin-her2st" / "card.json").read_bytes(), ModelCard.read),
    }


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    return texts(tmp_path_factory.mktemp("good"))


@pytest.mark.parametrize(
    "name", ["selection.tsv", "saved.csv", "counts.tsv.gz", "region.geojson", "sets.gmt", "recipe.toml", "card.json"]
)
def test_texts(known, tmp_path, name):
    content, read = known[name]
    (tmp_path / name).write_bytes(content)
    read(tmp_path / name)  # the good one
    for number in range(COPIES):
        rng = random.Random(f"{name} {number}")
        (tmp_path / name).write_bytes(mutated(content, rng) if len(content) < 2**20 else content)
        answer(lambda: read(tmp_path / name))


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
def test_pictures(tmp_path, suffix):
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    path = tmp_path / f"slide{suffix}"
    Image.fromarray(pixels).save(path)
    content = path.read_bytes()

    def read() -> None:
        slide = open_slide(path)
        try:
            slide.read_region(0, 0, 20, 20)
        finally:
            slide.close()

    read()
    for number in range(COPIES):
        path.write_bytes(mutated(content, random.Random(f"{suffix} {number}")))
        answer(read)


def test_h5ad(tmp_path):
    content = (sample_folder() / "section.h5ad").read_bytes()
    path = tmp_path / "section.h5ad"
    for number in range(COPIES // 2):
        rng = random.Random(f"h5ad {number}")
        data = bytearray(content)
        for _ in range(rng.choice([1, 3, 10])):
            at = rng.randrange(min(len(data), MOST_BYTES))
            data[at : at + 4] = rng.randbytes(4)
        path.write_bytes(bytes(data))
        answer(lambda: read_spots(path))
        answer(lambda: read_measured(path))


@pytest.mark.parametrize("kind", ["card", "run record", "index", "region"])
def test_json(tmp_path, kind):
    """Syntactically right, and wrong in what it says."""
    folder = shutil.copytree(BUNDLED / "haematoxylin-her2st", tmp_path / "model")
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    small = {**card, "genes": card["genes"][:3], "gene_ids": [], "metrics": {}}
    record = json.loads(RunRecord().to_json())
    entry = {
        "name": "m", "version": "1", "repo": "a/b", "commit": "0" * 40, "organism": "", "tissue": "", "genes": 3,
        "licence": "MIT", "median_pcc": None, "protocol": "",
        "files": [{"name": "card.json", "bytes": 3, "sha256": "0" * 64}, {"name": "w", "bytes": 3, "sha256": "0" * 64}],
    }  # fmt: skip
    square = {"type": "Polygon", "coordinates": [[[0, 0], [900, 0], [900, 900], [0, 900], [0, 0]]]}
    good: dict[str, tuple[Any, Callable[[Path], object]]] = {
        "card": (small, lambda path: load_model(path.parent)),
        "run record": (record, lambda path: RunRecord.from_json(path.read_text(encoding="utf-8"))),
        "index": ({"version": 1, "models": [entry]}, read_index),
        "region": ({"type": "Feature", "geometry": square, "properties": {}}, read_region),
    }
    value, read = good[kind]
    path = folder / ("card.json" if kind == "card" else "other.geojson")
    for number in range(COPIES if kind == "card" else 4 * COPIES):  # a model is loaded each time
        rng = random.Random(f"{kind} {number}")
        changed = mutated_json(value, rng)
        for _ in range(rng.choice([0, 0, 1, 3])):
            changed = mutated_json(changed, rng)
        path.write_text(json.dumps(changed), encoding="utf-8")
        answer(lambda: read(path))
