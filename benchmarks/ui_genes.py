"""Measure what the section Genes asks of the main thread: 5,000 and 100,000 spots, 8,373 and 20,000 genes.

    xvfb-run -a -s "-screen 0 1400x900x24" .venv/bin/python benchmarks/ui_genes.py

Writes benchmarks/results/ui_genes.json and the table in docs/genes.md. Times are those that the main thread spends on
the processor, which other work on the machine disturbs least. "Drawing" is what the canvas takes afterwards: without a
GPU, in software.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from heartbeat import Heartbeat
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from timing import circumstances

from napari_tcgn.model import list_models
from napari_tcgn.spots import Spots, neighbour_weights
from napari_tcgn.stats.moran import morans_i
from napari_tcgn.stats.spread import variability
from napari_tcgn.stats.surface import smooth_surface
from napari_tcgn.ui import make_dock
from napari_tcgn.ui.layers import result_layers, store
from napari_tcgn.ui.widgets.gene_model import MORAN, PCC

ROOT = Path(__file__).resolve().parents[1]
WIDE = "context-line-her2st"
MARK = "<!-- made by benchmarks/ui_genes.py -->"


def draw() -> None:
    """Let everything that is due happen."""
    for _ in range(5):
        QApplication.processEvents()


def timed(call: Callable[[int], object], turns: int = 9) -> dict[str, float]:
    """Return the median and the largest milliseconds of a call, and of the drawing that it causes."""
    calls, draws = [], []
    for turn in range(turns + 2):
        start = time.thread_time()
        call(turn)
        middle = time.thread_time()
        draw()
        if turn >= 2:
            calls.append(1e3 * (middle - start))
            draws.append(1e3 * (time.thread_time() - middle))
        time.sleep(0.3)  # what is asked for sooner after a long call is put off (ui/tasks/throttle.py)
    return {
        "median_ms": round(statistics.median(calls), 2),
        "largest_ms": round(max(calls), 2),
        "drawing_ms": round(statistics.median(draws), 1),
    }


def array_of(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return columns and rows of n spots on a square array."""
    side = int(np.ceil(np.sqrt(n)))
    return np.arange(n) % side, np.arange(n) // side


def result_of(n: int, genes: tuple[str, ...]) -> store.Result:
    """Return a result of random values."""
    col, row = array_of(n)
    ids = np.array([f"{c}x{r}" for c, r in zip(col, row, strict=True)])
    spots = Spots(ids, 100.0 * col, 100.0 * row, row, col, 55.0, 100.0, "square")
    values = np.random.default_rng(0).gamma(2, 1, (n, len(genes))).astype(np.float32)
    return store.Result(values, np.ones(n, dtype=bool), genes, spots, 1.0, "benchmark", "log10(1 + …)")


def recolour(viewer: napari.Viewer, dock: object, image: object, n: int) -> dict[str, dict[str, float]]:
    """Switch the gene, its limits and its colour map at n spots."""
    genes = tuple(f"G{i}" for i in range(40))
    layer = result_layers.add_result(viewer, image, result_of(n, genes), "G0", "viridis")
    dock.session.state.result_layer = layer
    draw()
    table = dock.genes.table
    plain = viewer.add_points(layer.data, size=layer.size, border_width=0, face_color="white", visible=False)
    value = np.random.default_rng(1).random((3, n))

    def by_features(turn: int) -> None:
        plain.features = {"value": value[turn % 3]}

    found = {
        "switch gene": timed(lambda turn: setattr(dock.session.state, "gene", f"G{1 + turn}")),
        "arrow key in the table": timed(lambda turn: QTest.keyClick(table, Qt.Key.Key_Down)),
        "limits": timed(lambda turn: dock.session.colours.change(layer, high=3.0 + turn, automatic=False)),
        "colour map": timed(lambda turn: dock.session.colours.change(layer, colormap=("magma", "viridis")[turn % 2])),
    }
    viewer.layers.remove(layer)
    plain.visible = True
    plain.features = {"value": value[0]}
    plain.face_color = "value"
    found["napari's own way (features mapped by a colour map)"] = timed(by_features)
    viewer.layers.remove(plain)
    return found


def low_rank(n: int, genes: int) -> np.ndarray:
    """Return values that are quickly drawn, float32 [n, genes]."""
    rng, values = np.random.default_rng(0), np.empty((n, genes), np.float32)
    loadings = rng.normal(size=(3, genes)).astype(np.float32)
    for start in range(0, n, 2000):
        scores = rng.normal(size=(min(2000, n - start), 3)).astype(np.float32)
        np.dot(scores, loadings, out=values[start : start + 2000])
    return values


def wide(viewer: napari.Viewer, dock: object, image: object, n: int) -> tuple[dict, dict]:
    """Live with all genes of the wide bundled model at n spots: the main thread, and meanwhile the background."""
    card = next(card for card in list_models() if card.name == WIDE)
    one = result_of(n, ("G0",))
    scale = card.output_scale
    genes = tuple(card.genes)
    result = store.Result(low_rank(n, len(genes)), one.done, genes, one.spots, 1.0, "benchmark", scale, card=card)
    section, state = dock.genes, dock.session.state
    table, other = section.table, card.select(range(len(genes) - 1))
    opened = timed(lambda turn: table.set_genes(*((genes, card), (other.genes, other))[turn % 2]))
    start = time.perf_counter()
    layer = result_layers.add_result(viewer, image, result, genes[0], "viridis")
    state.result_layer = layer
    draw()  # the new layer, which takes longer than anything that follows
    with Heartbeat() as heart:
        while section._statistics.known(result) is None:
            QApplication.processEvents()
            time.sleep(0.001)
    waited = time.perf_counter() - start
    order = (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder)

    def letter(turn: int) -> None:
        section.search.clear()
        QTest.keyClick(section.search, "ABCDEFGHIKL"[turn % 11])
        QApplication.processEvents()

    found = {
        "table opens": opened,
        "switch gene": timed(lambda turn: setattr(state, "gene", genes[100 + 53 * turn])),
        "arrow key in the table": timed(lambda turn: QTest.keyClick(table, Qt.Key.Key_Down)),
        "trusted only, on and off": timed(lambda turn: section.trusted.box.click()),
        "one letter in the search": timed(letter),
    }
    section.search.clear()
    found["sort"] = timed(lambda turn: table.sortByColumn((MORAN, PCC)[turn % 2], order[turn % 2]))
    viewer.layers.remove(layer)
    return found, {"seconds until sd and Moran's I are there": round(waited, 1)} | heart.report()


def big_table(dock: object) -> dict[str, dict[str, float]]:
    """Filter, sort and scroll 20,000 genes."""
    rng = np.random.default_rng(2)
    letters = np.array(list("ABCDEFGHIKLMNPRSTVWY"))
    genes = tuple(dict.fromkeys("".join(rng.choice(letters, 4)) + str(rng.integers(1, 99)) for _ in range(20_500)))[
        :20_000
    ]
    section = dock.genes
    section.table.set_genes(genes, None)
    section.names.set_genes(genes)
    section.table.set_statistics(rng.random(len(genes)), rng.random(len(genes)))
    section.table.setEnabled(True)
    section.search.setEnabled(True)
    draw()
    keys = "ABCDEFGHIKL"
    order = (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder)
    bar = section.table.verticalScrollBar()

    def key(turn: int) -> None:
        QTest.keyClick(section.search, keys[turn % len(keys)])
        QApplication.processEvents()

    def letter(turn: int) -> None:
        section.search.clear()
        section.search.clear()
        key(turn)

    found = {
        "20,000 genes: one letter in the search": timed(letter),
        "20,000 genes: filter alone": timed(lambda turn: section.table.set_filter(keys[turn % len(keys)])),
    }
    section.search.clear()
    section.table.set_filter("")
    found |= {
        "20,000 genes: sort": timed(lambda turn: section.table.sortByColumn((MORAN, PCC)[turn % 2], order[turn % 2])),
        "20,000 genes: scroll a page": timed(
            lambda turn: (bar.setValue(bar.value() + 7), QApplication.processEvents())
        ),
    }
    return found


def seconds(call: Callable[[], object]) -> float:
    """Return the least seconds of three calls."""
    taken = []
    for _ in range(3):
        start = time.thread_time()
        call()
        taken.append(time.thread_time() - start)
    return round(min(taken), 3)


def statistics_of(n: int, genes: int) -> dict[str, float]:
    """Time what is computed in the background, in seconds."""
    col, row = array_of(n)
    x, y = 100.0 * col, 100.0 * row
    values = low_rank(n, genes)
    weights = neighbour_weights(x, y)
    return {
        "neighbours": seconds(lambda: neighbour_weights(x, y)),
        "Moran's I": seconds(lambda: morans_i(values, weights)),
        "standard deviation": seconds(lambda: variability(values)),
        "smooth surface of one gene": seconds(lambda: smooth_surface(x, y, values[:, 0])),
    }


def table_of(result: dict) -> str:
    """Return the figures as Markdown."""
    lines = [
        MARK,
        "",
        "| time of the main thread | median | largest | drawing afterwards |",
        "| --- | --- | --- | --- |",
    ]
    for name, row in result["main thread"].items():
        lines.append(
            f"| {name} | {row['median_ms']:.1f} ms | {row['largest_ms']:.1f} ms | {row['drawing_ms']:.0f} ms |"
        )
    lines += [
        "",
        "| in the background | " + " | ".join(result["background"]) + " |",
        "| --- |" + " --- |" * len(result["background"]),
    ]
    for name in next(iter(result["background"].values())):
        cells = [f"{column[name]:.2f} s" for column in result["background"].values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for name, beats in result["main thread while statistics run"].items():
        longest = beats["worked at once, longest ms"]
        lines.append(
            f"\nWhile they are computed of {name}, the main thread works {longest:.0f} ms at once at the most."
        )
    where = result["circumstances"]
    lines += [
        "",
        f"{where['device']}, one thread, no GPU (Mesa draws in software), napari {where['napari']}, {where['date']}.",
        "",
        MARK,
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spots", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "ui_genes.json")
    options = parser.parse_args()
    viewer = napari.Viewer(show=True)
    dock = make_dock(viewer)
    viewer.window.add_dock_widget(dock, name="Spatial gene prediction", area="right")
    image = viewer.add_image(np.full((64, 64, 3), 240, np.uint8), rgb=True, name="slide", units=("um", "um"))
    draw()
    wider = {n: wide(viewer, dock, image, n) for n in (5_000, options.spots)}
    result = {
        "circumstances": circumstances("cpu") | {"napari": napari.__version__},
        "main thread": {
            f"{options.spots:,} spots: {k}": v for k, v in recolour(viewer, dock, image, options.spots).items()
        }
        | big_table(dock)
        | {f"{n:,} spots x 8,373 genes: {name}": row for n, (rows, _) in wider.items() for name, row in rows.items()},
        "main thread while statistics run": {f"{n:,} spots x 8,373 genes": beats for n, (_, beats) in wider.items()},
        "background": {
            f"{n:,} spots x {genes:,} genes": statistics_of(n, genes)
            for genes in (785, 8_373)
            for n in (5_000, options.spots)
        },
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    docs = ROOT / "docs" / "genes.md"
    if docs.is_file() and docs.read_text().count(MARK) == 2:
        before, _, after = docs.read_text().split(MARK)
        docs.write_text(before + table_of(result) + after)
    print(table_of(result))
    viewer.close()


if __name__ == "__main__":
    main()
