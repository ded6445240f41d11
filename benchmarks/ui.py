"""Measure the dock in a real window.

`xvfb-run -a -s "-screen 0 1400x900x24" .venv/bin/python benchmarks/ui.py --data PATH` writes
benchmarks/results/ui/cpu.json and the table of docs/napari.md. Reported, never asserted. On a machine that is busy with
other things the processor time of the main thread ("worked") says more than the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from heartbeat import Heartbeat
from qtpy.QtWidgets import QApplication

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "napari.md"
OPEN, CLOSE = "<!-- made by benchmarks/ui.py -->", "<!-- end -->"
MPP_C2 = 0.688
SPOTS, GENES, PANEL = 100_000, 12, 20_000


def wait_until(condition: Callable[[], object], seconds: float = 900) -> None:
    end = time.monotonic() + seconds
    while not condition():
        QApplication.processEvents()
        time.sleep(0.001)
        if time.monotonic() > end:
            raise SystemExit("gave up waiting")


def settle(seconds: float = 1.0) -> None:
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end)


def costs(call: Callable[[], object]) -> tuple[float, float]:
    """Return the milliseconds that a call works in this thread, and that it takes by the clock."""
    worked, start = time.thread_time(), time.perf_counter()
    call()
    return (time.thread_time() - worked) * 1000, (time.perf_counter() - start) * 1000


def table_of(samples: list[tuple[float, float]]) -> dict[str, float]:
    """Return the figures of a table of what `costs` measured."""
    worked, clock = (list(values) for values in zip(*samples, strict=True))
    return {
        "worked, median ms": round(statistics.median(worked), 1),
        "worked, longest ms": round(max(worked), 1),
        "by the clock, median ms": round(statistics.median(clock), 1),
    }


def open_dock(viewer: Any) -> tuple[Any, dict[str, float]]:
    """Open the dock as the menu does; a second time in the same viewer, with everything imported."""
    taken: dict[str, float] = {}
    docks: list[Any] = []

    def show() -> None:
        from napari_tcgn.ui import make_dock

        docks.append(make_dock(viewer))
        viewer.window.add_dock_widget(docks[-1], name="Spatial gene prediction", area="right")
        QApplication.processEvents()

    taken["first time, with imports: worked, ms"], taken["first time, with imports: by the clock, ms"] = costs(show)
    with Heartbeat() as beat:
        wait_until(lambda: "Looking" not in docks[0].model.device.text())
    taken["then, while torch is imported in the background: late, longest ms"] = max(beat.late_ms)
    viewer.window.remove_dock_widget(docks[0])
    taken["again: worked, ms"], taken["again: by the clock, ms"] = costs(show)
    return docks[-1], taken


def run_c2(viewer: Any, dock: Any, data: Path) -> dict[str, Any]:
    """Run the bundled model on section C2, with a heartbeat, and cancel a second run."""
    from napari_tcgn.ui.actions import laying

    state = dock.session.state
    section = data / "her2st" / "data"
    fail = lambda failure: (_ for _ in ()).throw(SystemExit(failure.details))  # noqa: E731
    dock.session.open_file(section / "ST-imgs" / "C" / "C2" / "5714_HE_BT_C2.jpg", fail)
    wait_until(lambda: state.slide is not None and not state.busy)
    dock.slide.mpp_box.setValue(MPP_C2)
    laying.read_table(dock.session, section / "ST-spotfiles" / "C2_selection.tsv", fail)
    wait_until(lambda: state.spots is not None)
    wait_until(lambda: state.rate is not None)  # the speed is measured by then
    settle(3)
    with Heartbeat() as idle:
        settle(5)
    updates: list[float] = []
    state.events.progress.connect(lambda step: updates.append(time.monotonic()) if step is not None else None)
    with Heartbeat() as loading:
        dock.run.start()
        wait_until(lambda: state.progress is not None and state.progress.stage == "predict")
    with Heartbeat() as running:
        wait_until(lambda: not state.running)
    spots = len(state.spots)
    seconds = updates[-1] - updates[0]
    dock.run.start()
    wait_until(lambda: state.progress is not None and state.progress.done >= 24 and state.progress.stage == "predict")
    cancel_worked, cancelled = costs(dock.run.cancel)
    settle(2)
    return {
        "main thread, nothing to do": idle.report(),
        "main thread, model and slide being loaded": loading.report(),
        "main thread, predicting": running.report(),
        "run": {
            "spots": spots,
            "updates per second": round(len(updates) / seconds, 2),
            "shortest time between updates, ms": round(1000 * float(np.diff(updates[:-1]).min())),
            "cancel: worked, ms": round(cancel_worked, 1),
            "cancel: by the clock, ms": round(cancelled, 1),
        },
    }


def many(viewer: Any, dock: Any) -> dict[str, Any]:
    """Switch genes at 100,000 spots, and scroll a table of 20,000 genes."""
    from napari_tcgn.model.card import HeldOut, ModelCard
    from napari_tcgn.spots import Spots
    from napari_tcgn.ui.layers import result_layers, store

    rng = np.random.default_rng(0)
    side = int(np.ceil(np.sqrt(SPOTS)))
    row, column = np.divmod(np.arange(SPOTS), side)
    spots = Spots(
        ids=np.char.add("s", np.arange(SPOTS).astype(str)), x=8.0 * column, y=8.0 * row, array_row=row,
        array_col=column, diameter_um=4.0, pitch_um=5.5, layout="square", source={"kind": "benchmark"},
    )  # fmt: skip
    genes = tuple(f"GENE{i}" for i in range(GENES))
    values = rng.gamma(1.0, 1.0, (SPOTS, GENES)).astype(np.float32)
    result = store.Result(values, np.ones(SPOTS, bool), genes, spots, MPP_C2, "benchmark", "random")
    layer = result_layers.add_result(viewer, dock.session.state.image, result, genes[0], "viridis")
    dock.session.state.result_layer = layer
    settle(3)
    switched = [costs(lambda gene=gene: setattr(dock.session.state, "gene", gene)) for gene in genes[1:]]
    viewer.layers.remove(layer)
    names = [f"GENE{i:05}" for i in range(PANEL)]
    pcc = [float(v) for v in rng.uniform(-0.1, 0.5, PANEL)]
    card = ModelCard("many", "1", {}, names, 55.0, metrics=HeldOut(pcc=pcc))
    table = dock.genes.table
    filled = costs(lambda: (table.set_card(card), QApplication.processEvents()))
    bar = table.verticalScrollBar()
    scrolled = [
        costs(lambda at=at: (bar.setValue(int(at)), QApplication.processEvents()))
        for at in np.linspace(0, bar.maximum(), 60)
    ]
    searched = [costs(lambda text=text: dock.genes.search.setText(text)) for text in ("GENE1", "GENE12", "77", "")]
    return {
        f"another gene at {SPOTS} spots": table_of(switched),
        f"filling the table with {PANEL} genes": table_of([filled]),
        "a step of scrolling through them": table_of(scrolled),
        "a letter in the search box": table_of(searched),
    }


def write_table(found: dict[str, Any]) -> None:
    """Put the figures into docs/napari.md, between the two marks."""
    where = found["circumstances"]
    text = f"{where['device']}, {where['threads']} threads, {where['date']}; drawn by software on a screen in memory"
    text += f"; load per processor {where['load per processor']}.\n" if "load per processor" in where else ".\n"
    for name, figures in found.items():
        if name == "circumstances":
            continue
        text += f"\n| {name} | |\n| --- | --- |\n"
        text += "".join(f"| {key} | {value:.4g} |\n" for key, value in figures.items())
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(OPEN)
    _, _, after = rest.partition(CLOSE)
    PAGE.write_text(f"{before}{OPEN}\n{text}\n{CLOSE}{after}", encoding="utf-8")


def main() -> None:
    """Measure everything once."""
    parser = argparse.ArgumentParser(description=__doc__)
    data = os.environ.get("NAPARI_TCGN_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=data, help="folder that holds her2st/")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "ui" / "cpu.json")
    parser.add_argument("--table-only", action="store_true", help="write the table from what was measured before")
    options = parser.parse_args()
    if options.table_only:
        write_table(json.loads(options.out.read_text()))
        return
    with tempfile.TemporaryDirectory() as folder:  # nothing of the user's settings is read or changed
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "settings.yaml")
        os.environ["NAPARI_TCGN_DOCK_FILE"] = str(Path(folder) / "dock.json")
        import napari

        viewer = napari.Viewer(show_welcome_screen=False)
        viewer.window.resize(1280, 800)
        settle(2)
        dock, opening = open_dock(viewer)
        found: dict[str, Any] = {"opening the dock": {name: round(taken, 1) for name, taken in opening.items()}}
        wait_until(lambda: dock.session.state.models)
        found |= run_c2(viewer, dock, options.data)
        found |= many(viewer, dock)
        viewer.close()
    from timing import circumstances  # brings torch

    load = f"{os.getloadavg()[2] / (os.cpu_count() or 1):.1f}"  # of 15 minutes: above 1 the clock tells of others too
    found = {"circumstances": circumstances("cpu") | {"load per processor": load}, **found}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    write_table(found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
