"""Make the pictures of the docs from a real napari window.

Run it as `xvfb-run -a -s "-screen 0 1400x900x24" .venv/bin/python scripts/make_pictures.py`.

Needs the real section C2 of the her2st data (docs/pictures/README.md cites it); without it the bundled sample is shown.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QApplication

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

    def __init__(self, out: Path) -> None:
        import napari

        from napari_tcgn.ui import make_dock

        self.out = out
        self.viewer = napari.Viewer(show=True, show_welcome_screen=False)
        self.viewer.theme = "dark"
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

    def take_both(self, name: str) -> None:
        """Take a picture in the dark and one in the light theme, switched while everything is open."""
        self.take(name)
        self.viewer.theme = "light"
        self.take(f"{name}-light")
        self.viewer.theme = "dark"

    def open_slide(self, image: Path) -> None:
        """Open an image."""
        self.dock.session.open_file(image, self.failed)
        wait_until(lambda: self.state.slide is not None and not self.state.busy)
        self.viewer.reset_view()

    def read_spots(self, table: Path) -> None:
        """Read an ST table, as the section Spots does."""
        from napari_tcgn.ui.actions import laying

        self.dock.spots.source_box.setCurrentIndex(self.dock.spots.source_box.findData("table"))
        laying.read_table(self.dock.session, table, self.failed)
        wait_until(lambda: self.state.spots is not None)

    def show_sections(self, *shown: Any) -> None:
        """Unfold some sections of the dock, fold the others of their tab, and bring the first into sight."""
        page = self.dock.predict_page if shown[0] in self.dock.sections[:3] else self.dock.explore_page
        for section in self.dock.sections:
            if page.isAncestorOf(section):
                section.heading.setChecked(section in shown)
        settle(0.3)
        self.dock.open_section(shown[0])
        page.verticalScrollBar().setValue(0)

    def run(self, until: int | None = None) -> None:
        """Click Run and wait for its end, or until so many spots are predicted."""
        self.dock.run.run_button.click()
        state = self.state
        wait_until(lambda: not state.running or (until and state.progress is not None and state.progress.done >= until))
        if not state.running and state.result_layer is None:
            raise SystemExit(self.dock.run.message.text())


def idle_and_slide(photographer: Photographer, section: Path) -> None:
    """The dock with nothing to do, with a slide of unknown scale, and ready to run."""
    dock = photographer.dock
    photographer.take_both("idle")
    if section.is_dir():
        photographer.open_slide(section / "ST-imgs" / "C" / "C2" / "5714_HE_BT_C2.jpg")
        dock.slide.ways.ruler_button.click()
        dock.slide.ways.objective_box.setCurrentText("20x")
        photographer.take("scale-unknown")
        dock.slide.ways.ruler_button.click()
        dock.slide.mpp_box.setValue(MPP_C2)
        photographer.read_spots(section / "ST-spotfiles" / "C2_selection.tsv")
    else:
        photographer.open_slide(ROOT / "sample_data" / "section.ome.tif")
        photographer.read_spots(ROOT / "sample_data" / "section_selection.tsv")
    wait_until(lambda: photographer.state.rate is not None)  # the speed is measured by then
    photographer.take("spots")


def runs(photographer: Photographer, gene: str) -> None:
    """A run that fills in, a partial result, two results, and the genes of the finished one."""
    dock = photographer.dock
    photographer.show_sections(dock.slide, dock.model)
    photographer.run(until=60)
    photographer.take_both("running")
    dock.run.cancel()
    photographer.take("partial")
    photographer.run()
    photographer.take("two-results")
    photographer.show_sections(dock.genes, dock.map)
    photographer.state.gene = gene
    photographer.take_both("gene")


def comparison(photographer: Photographer, section: Path, gene: str) -> None:
    """Predicted beside measured expression, with the section Compare."""
    from napari_tcgn.ui.actions.comparing import Measured

    dock = photographer.dock
    dock.compare.compare(Measured(section / "ST-cnts" / "C2.tsv.gz", section / "ST-spotfiles" / "C2_selection.tsv"))
    wait_until(lambda: not dock.compare.comparing.running)
    if not list(dock.compare.comparing):
        raise SystemExit(dock.compare.message.text())
    photographer.show_sections(dock.compare)
    photographer.state.gene = gene
    photographer.take_both("compare")


def main() -> None:
    """Make every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    data = os.environ.get("NAPARI_TCGN_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=data, help="folder that holds her2st/")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--model", type=Path, help="card.json of another model than the bundled one")
    parser.add_argument("--gene", default="GNAS")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:  # nothing of the user's settings is read or changed
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "settings.yaml")
        os.environ["NAPARI_TCGN_DOCK_FILE"] = str(Path(folder) / "dock.json")
        from napari_tcgn.ui.actions.models import add_model

        photographer = Photographer(options.out)
        if options.model is not None:
            added: list[object] = []
            add_model(photographer.dock.session, options.model, added.append, photographer.failed)
            wait_until(lambda: added)
        idle_and_slide(photographer, options.data / "her2st" / "data")
        runs(photographer, options.gene)
        if (options.data / "her2st").is_dir():
            comparison(photographer, options.data / "her2st" / "data", options.gene)
        photographer.viewer.close()


if __name__ == "__main__":
    main()
