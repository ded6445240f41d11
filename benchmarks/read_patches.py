"""Measure how fast slides are read and shown, and what another µm per px changes; write one JSON file.

    python benchmarks/read_patches.py --data PATH/TO/her2st     # some minutes; --gui needs a display
    python benchmarks/read_patches.py --table                   # only the table of docs/slides.md, from the JSON

The slide is a pyramid of JPEG tiles made for this, its tissue repeated from a real section (from the drawn sample
without --data). Variants take turns on the same patches; ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
import slide_scales
from timing import ROOT, circumstances

from napari_tcgn.sample import sample_section
from napari_tcgn.slide import Slide, open_slide

RESULT = ROOT / "benchmarks" / "results" / "slides" / "read_patches.json"
PAGE = ROOT / "docs" / "slides.md"
BEGIN, END = "<!-- made by benchmarks/read_patches.py -->\n", "<!-- end -->"
PATCH, TILE, BLOCK = 256, 256, 2048
SECTION = "data/ST-imgs/C/C2/5714_HE_BT_C2.jpg"


def load_of_the_machine() -> float:
    """Processes that want a core, the last minute's mean: above the number of cores, seconds are too long."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else float("nan")


def tissue(data: Path | None) -> np.ndarray:
    """A block of tissue, uint8 [BLOCK, BLOCK, 3]."""
    slide = open_slide(data / SECTION if data is not None else sample_section().image)
    width, height = slide.level_dimensions[0]
    block = slide.read_region(width // 2 - BLOCK // 2, height // 2 - BLOCK // 2, BLOCK, BLOCK)
    slide.close()
    return block


def make_slide(path: Path, block: np.ndarray, side: int) -> None:
    """Write a pyramid of JPEG tiles whose levels halve, the block repeated all over; encoded once, so quickly made."""
    import imagecodecs

    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        width, level = side, 0
        while True:
            across, inside = -(-width // TILE), len(block) // TILE
            cuts = [
                np.ascontiguousarray(block[y * TILE :, x * TILE :][:TILE, :TILE]) for y, x in np.ndindex(inside, inside)
            ]
            tiles = [imagecodecs.jpeg8_encode(cut, level=80) for cut in cuts]
            tif.write(
                (tiles[row % inside * inside + column % inside] for row, column in np.ndindex(across, across)),
                shape=(width, width, 3), dtype=np.uint8, tile=(TILE, TILE), photometric="ycbcr", subsampling=(2, 2),
                compression="jpeg", subfiletype=1 if level else 0, metadata=None,
                resolution=(40_000 / 2**level,) * 2, resolutionunit="CENTIMETER",
            )  # fmt: skip
            if width <= 1024:
                return
            width, level = -(-width // 2), level + 1
            if len(block) > TILE:
                block = np.array(Image.fromarray(block).reduce(2))


def taking_turns(variants: dict[str, Callable[[np.random.Generator], float]], rounds: int) -> dict[str, list[float]]:
    """Call every variant once per round, all with the same random numbers; each returns its seconds.

    Rounds are short and many: on a shared machine the variants of one round meet the same load.
    """
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 1):
        for name, call in variants.items():
            seconds = call(np.random.default_rng(turn))
            if turn:  # the first round warms up
                taken[name].append(seconds)
    return taken


def patches(path: Path, rounds: int, count: int) -> dict[str, Any]:
    """Random patches through openslide-python's plain loop and through our reader, one thread and two.

    Slides stay open over the rounds, as in a run. Decoding the same number of tiles and nothing else is the control:
    how much faster two threads can be on this machine at this hour.
    """
    import imagecodecs
    import openslide

    theirs, ours = openslide.OpenSlide(path), open_slide(path)
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        tiles = []
        for offset, size in zip(page.dataoffsets[: 4 * count], page.databytecounts, strict=False):
            tif.filehandle.seek(offset)
            tiles.append(tif.filehandle.read(size))

    def decode(tile: bytes) -> None:
        imagecodecs.jpeg8_decode(tile, colorspace="YCBCR", outcolorspace="RGB")

    def loop(corners: list[tuple[int, int]]) -> None:
        for corner in corners:
            np.asarray(theirs.read_region(corner, 0, (PATCH, PATCH)).convert("RGB"))

    pools = {name: ThreadPoolExecutor(n) for name, n in (("one thread", 1), ("two threads", 2))}
    calls: dict[str, Callable[[list[tuple[int, int]]], object]] = {"openslide-python": loop}
    for name, pool in pools.items():
        calls[name] = lambda corners, pool=pool: list(pool.map(lambda at: ours.read_region(*at, PATCH, PATCH), corners))
        calls[f"decoding, {name}"] = lambda corners, pool=pool: list(pool.map(decode, tiles))
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    side = ours.level_dimensions[0][0] - PATCH

    def timed(number: int, name: str) -> Callable[[np.random.Generator], float]:
        def call(rng: np.random.Generator) -> float:
            # Patches of its own for every variant: one and two threads share a slide and its cache.
            corners = [(int(x), int(y)) for x, y in rng.integers(0, side, (len(calls), count, 2))[number]]
            start, start_cpu = time.perf_counter(), time.process_time()
            calls[name](corners)
            cpu[name].append(time.process_time() - start_cpu)
            return time.perf_counter() - start

        return call

    taken = taking_turns({name: timed(number, name) for number, name in enumerate(calls)}, rounds)
    result: dict[str, Any] = {
        "patches per round": count,
        "rounds": rounds,
        "load of the machine": load_of_the_machine(),
    }
    result["openslide-python, patches/s"] = count / statistics.median(taken["openslide-python"])
    for name, pool in pools.items():
        pool.shutdown()
        ratios = np.divide(taken["openslide-python"], taken[name])
        low, middle, high = np.percentile(ratios, (25, 50, 75))
        result[f"{name}, patches/s"] = count / statistics.median(taken[name])
        result[f"{name}, times openslide"] = round(float(middle), 2)
        result[f"{name}, middle half of the rounds"] = f"{low:.2f} to {high:.2f}"
        of_cpu = np.divide(cpu["openslide-python"], cpu[name])
        result[f"{name}, times openslide in CPU time"] = round(float(np.median(of_cpu)), 2)
    for what, one, two in (
        ("two threads against one", "one thread", "two threads"),
        ("control: the codec alone, two threads against one", "decoding, one thread", "decoding, two threads"),
    ):
        result[what] = round(float(np.median(np.divide(taken[one], taken[two]))), 2)
    return result


def overhead(path: Path, rounds: int, precision: str) -> dict[str, Any]:
    """Reading a batch of patches against predicting it, one after the other, one reading thread."""
    from threading import Event

    from napari_tcgn.engine.patches import choose_level, cut_batch, patch_side_px
    from napari_tcgn.model import load_model

    predictor = load_model("tcgn-tiny-her2st", "cpu", precision)
    count, held = 32, {}

    def read(rng: np.random.Generator) -> float:
        slide = open_slide(path)
        side = patch_side_px(predictor.card, 0.25)
        level = choose_level(slide, side, predictor.card.detail_px)
        x, y = rng.uniform(1000, slide.level_dimensions[0][0] - 1000, (2, count))
        start = time.perf_counter()
        held["patches"] = cut_batch(slide, x, y, side, level, Event())
        seconds = time.perf_counter() - start
        slide.close()
        return seconds

    def predict(rng: np.random.Generator) -> float:
        start = time.perf_counter()
        predictor.predict(held["patches"])
        return time.perf_counter() - start

    taken = taking_turns({"reading": read, "predicting": predict}, rounds)
    shares = np.divide(taken["reading"], taken["predicting"])
    return {
        "patch px read": int(held["patches"].shape[1]),
        "reading, ms per patch": 1000 * statistics.median(taken["reading"]) / count,
        "predicting, ms per patch": 1000 * statistics.median(taken["predicting"]) / count,
        "reading as a share of predicting, %": round(100 * float(np.median(shares)), 1),
    }


def flat_image(folder: Path, block: np.ndarray, rounds: int) -> dict[str, Any]:
    """A JPEG of 9,216 px without levels: opened the first time, and again from the kept pyramid."""
    from napari_tcgn.slide.image import ImageSlide
    from napari_tcgn.slide.pyramid_cache import find_pyramid, keep_pyramid

    path = folder / "flat.jpg"
    Image.fromarray(np.tile(block, (5, 5, 1))[:9216, :9216]).save(path, quality=85)
    os.environ["NAPARI_TCGN_CACHE"] = str(folder / "cache")
    start = time.perf_counter()
    keep_pyramid(open_slide(path))
    making = time.perf_counter() - start

    def first(rng: np.random.Generator) -> float:
        start = time.perf_counter()
        ImageSlide(path).preview(4)
        return time.perf_counter() - start

    def again(rng: np.random.Generator) -> float:
        start = time.perf_counter()
        slide: Slide = open_slide(path)
        levels = find_pyramid(slide)
        assert levels is not None
        levels[2].read_region(0, 0, *levels[2].level_dimensions[0])
        return time.perf_counter() - start

    taken = taking_turns({"first": first, "again": again}, rounds)
    size = sum(file.stat().st_size for file in (folder / "cache").rglob("*.tif"))
    return {
        "first opening until a picture of 2,304 px (reduced decoding), s": statistics.median(taken["first"]),
        "second opening until the same, s": statistics.median(taken["again"]),
        "times faster": round(float(np.median(np.divide(taken["first"], taken["again"]))), 1),
        "writing the pyramid in the background, s": making,
        "pyramid on disk, share of the pixels' bytes": round(size / (9216**2 * 3), 2),
    }


def first_picture(path: Path, rounds: int) -> dict[str, Any]:
    """`viewer.open` in an open napari until the canvas is drawn."""
    import napari

    viewer = napari.Viewer()
    viewer.open(sample_section().image, plugin="napari-tcgn")
    viewer.screenshot(canvas_only=True, flash=False)
    opened, drawn, cpu = [], [], []
    for _ in range(rounds):
        viewer.layers.clear()
        start, start_cpu = time.perf_counter(), time.process_time()
        viewer.open(path, plugin="napari-tcgn")
        opened.append(time.perf_counter() - start)
        viewer.screenshot(canvas_only=True, flash=False)
        drawn.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    viewer.close()
    return {
        "viewer.open returns, s": statistics.median(opened),
        "picture drawn, s": statistics.median(drawn),
        "slowest of the rounds, s": max(drawn),
        "picture drawn, s of CPU": statistics.median(cpu),
        "load of the machine": load_of_the_machine(),
    }


def table(result: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    lines = [", ".join(f"{name} {value}" for name, value in result["circumstances"].items()) + ".", ""]
    for case, figures in result.items():
        if case == "circumstances":
            continue
        lines += [f"| {case} | |", "| --- | --- |"]
        for name, value in figures.items():
            lines.append(f"| {name} | {f'{value:.3g}' if isinstance(value, float) and value < 1000 else value} |")
        lines.append("")
    return "\n".join(lines)


def write_table() -> None:
    """Put the figures into docs/slides.md."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + table(json.loads(RESULT.read_text())) + END + rest.partition(END)[2])


def main() -> None:
    """Run every case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder in her2st layout, for real tissue")
    parser.add_argument("--side", type=int, default=60_000, help="px of the slide")
    parser.add_argument("--rounds", type=int, default=81)
    parser.add_argument("--gui", action="store_true", help="measure napari too")
    parser.add_argument(
        "--only", nargs="*", help="first letters of the cases to measure; the others keep their figures"
    )
    parser.add_argument("--table", action="store_true", help="write only the table, from the figures there are")
    options = parser.parse_args()
    if options.table:
        write_table()
        return
    result = json.loads(RESULT.read_text()) if options.only and RESULT.is_file() else {}
    result["circumstances"] = circumstances("cpu") | {
        name: importlib.metadata.version(name)
        for name in ("openslide-python", "openslide-bin", "tifffile", "imagecodecs")
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slide, block = folder / "slide.tif", tissue(options.data)
        make_slide(slide, block, options.side)
        cases: dict[str, Callable[[], dict[str, Any]]] = {
            f"Random {PATCH} px patches of a slide of {options.side:,} px": lambda: patches(slide, options.rounds, 400),
            "Reading beside predicting, float32": lambda: overhead(slide, 5, "float32"),
            "Reading beside predicting, bf16": lambda: overhead(slide, 5, "bf16"),
            "A flat JPEG of 9,216 px": lambda: flat_image(folder, block, 5),
        }
        if options.data:
            cases["Real tissue at other µm per px"] = lambda: slide_scales.measure(options.data / SECTION)
        if options.gui:
            cases[f"First picture of a slide of {options.side:,} px in napari"] = lambda: first_picture(slide, 5)
        for case, measure in cases.items():
            if options.only and not any(case.startswith(start) for start in options.only):
                continue
            result[case] = measure()
            print(case, json.dumps(result[case], indent=1, ensure_ascii=False), file=sys.stderr, flush=True)
            RESULT.parent.mkdir(parents=True, exist_ok=True)
            RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    write_table()


if __name__ == "__main__":
    main()
