"""Make the pictures of the docs from a real napari window.

Run it as `xvfb-run -a -s "-screen 0 1400x900x24" .venv/bin/python scripts/make_pictures.py`.

Needs the real section C2 of the her2st data (docs/pictures/README.md cites it); without it the bundled sample is shown.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtWidgets import QApplication

from napari_tcgn.ui import make_dock

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 1280, 800
MPP_C2 = 0.688


def wait_until(condition: Callable[[], object], seconds: float = 600) -> None:
    """Run the event loop until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        QApplication.processEvents()
        time.sleep(0.01)
        if time.monotonic() > end:
            raise SystemExit("gave up waiting")


def settle(seconds: float = 1.5) -> None:
    """Let the window draw what has changed."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end)


class Photographer:
    """A window with the dock, and where its pictures go."""

    def __init__(self, out: Path, theme: str) -> None:
        self.out = out
        self.viewer = napari.Viewer(show=True, show_welcome_screen=False)
        self.viewer.theme = theme
        self.dock = make_dock(self.viewer)
        self.viewer.window.add_dock_widget(self.dock, name="Spatial gene prediction", area="right")
        self.viewer.window.resize(WIDTH, HEIGHT)
        self.state = self.dock.session.state
        wait_until(lambda: self.state.models or self.dock.model.message.text())
        wait_until(lambda: "Looking" not in self.dock.model.device.text())

    def failed(self, failure: object) -> None:
        """Stop at the first thing that goes wrong."""
        raise SystemExit(str(failure))

    def take(self, name: str) -> None:
        """Take a picture of the whole window."""
        settle()
        self.viewer.screenshot(str(self.out / f"{name}.png"), canvas_only=False, flash=False)
        print(self.out / f"{name}.png")

    def open_slide(self, image: Path, mpp: float | None) -> None:
        """Open an image and say its µm per px where the file does not."""
        self.dock.session.open_file(image, self.failed)
        wait_until(lambda: self.state.slide is not None and not self.state.busy)
        if mpp is not None:
            self.dock.slide.mpp_box.setValue(mpp)
        self.viewer.reset_view()

    def read_spots(self, table: Path) -> None:
        """Read an ST table, as the section Spots does."""
        self.dock.spots.source_box.setCurrentIndex(self.dock.spots.source_box.findData("table"))
        self.dock.session.read_table(table, self.failed)
        wait_until(lambda: self.state.spots is not None)

    def start(self) -> None:
        """Click Run."""
        self.dock.run.run_button.click()

    def show_gene(self, gene: str) -> None:
        """Choose a gene and bring the section Genes into view."""
        self.state.gene = gene
        scroll = self.dock.scroll
        scroll.verticalScrollBar().setValue(scroll.verticalScrollBar().maximum())


def main() -> None:
    """Make every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    data = os.environ.get("NAPARI_TCGN_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=data, help="folder that holds her2st/")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--model", type=Path, help="card.json of another model than the bundled one")
    parser.add_argument("--theme", default="dark", choices=["dark", "light"])
    parser.add_argument("--gene", default="GNAS")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    photographer = Photographer(options.out, options.theme)
    if options.model is not None:
        photographer.dock.session.add_model(options.model)
    photographer.take("idle")

    section = options.data / "her2st" / "data"
    if section.is_dir():
        photographer.open_slide(section / "ST-imgs" / "C" / "C2" / "5714_HE_BT_C2.jpg", MPP_C2)
        photographer.read_spots(section / "ST-spotfiles" / "C2_selection.tsv")
    else:
        photographer.open_slide(ROOT / "sample_data" / "section.ome.tif", None)
        photographer.read_spots(ROOT / "sample_data" / "section_selection.tsv")
    photographer.take("spots")
    photographer.start()
    state = photographer.state
    wait_until(lambda: not state.running or (state.progress is not None and state.progress.done >= 40))
    photographer.take("running")
    wait_until(lambda: not state.running)
    if state.result is None:
        raise SystemExit(photographer.dock.run.message.text())
    photographer.show_gene(options.gene)
    photographer.take("gene")
    photographer.viewer.close()


if __name__ == "__main__":
    main()
