"""An option that is declared is everywhere: flag, control of the dock, its memory, preferences, record and command."""

from __future__ import annotations

import subprocess
import sys

from support.processes import environment

# In a process of its own, because the declaration is read when the modules are imported.
CODE = """
from dataclasses import asdict, dataclass
from types import SimpleNamespace
import napari_tcgn.options.prediction as declared
from napari_tcgn.options.declaration import check, option

@dataclass(frozen=True, slots=True)
class PredictSettings(declared.PredictSettings):
    tiles: int = option(3, "Of a version to come.", at_least=1, form=(1, 9))
    rows: int | None = option(None, "Of a version to come.", at_least=1, form=(1, 9), if_none="automatic")
    mirror: bool = option(False, "Of a version to come.")
    note: str = option("", "Of a version to come.")

    def __post_init__(self) -> None:
        check(self)

declared.PredictSettings = PredictSettings

import typer
from qtpy.QtWidgets import QApplication
application = QApplication([])
from napari_tcgn.cli.app import app
from napari_tcgn.engine import RunRecord, predict_command
from napari_tcgn.ui.prefs.choices import Choices
from napari_tcgn.ui.sections.options import Options
from napari_tcgn.ui.state import DockState, ModelChoice
import napari_tcgn.ui.prefs.preferences as preferences

NEW = ("tiles", "rows", "mirror", "note")
new = lambda settings: tuple(getattr(settings, name) for name in NEW)
group = preferences._group()
assert group is None or not hasattr(group, "tiles"), "not in napari.yaml yet"

state = DockState()
choices = Choices(state)
assert new(state.settings) == (3, None, False, "")
options = Options(SimpleNamespace(state=state))
boxes = {name: options._widgets[name].native for name in NEW}
assert boxes["tiles"].value() == 3 and boxes["rows"].text() == "automatic"
boxes["tiles"].setValue(5)
boxes["rows"].setValue(2)
boxes["mirror"].setChecked(True)
boxes["note"].setText("a b")
boxes["note"].editingFinished.emit()
state.model = ModelChoice("model", SimpleNamespace(stain_methods=lambda: ("none",)))
settings = state.predict_settings()
assert new(settings) == (5, 2, True, "a b") and settings.model == "model"

again = DockState()  # of the next dock
Choices(again)
assert again.settings == settings

record = {
    "slide": {"name": "C2", "file": "C2.jpg"}, "mpp": 0.688, "device": "cpu", "settings": asdict(settings),
    "spots": {"source": {"kind": "ST selection table", "file": "C2.tsv"}},
}
run = RunRecord.from_json(RunRecord.read(record).to_json())
assert run.settings == settings and not run.unknown_settings
line = predict_command(run, "out.h5ad")
given = typer.main.get_command(app).commands["predict"].make_context("predict", line[2:]).params
assert tuple(given[name] for name in NEW) == new(settings), given
assert "--tiles" in line and "--mirror" in line
print("everywhere")
"""


def test_a_new_option_is_everywhere(tmp_path) -> None:
    own = environment(
        QT_QPA_PLATFORM="offscreen",
        NAPARI_TCGN_DOCK_FILE=tmp_path / "dock.json",
        NAPARI_CONFIG=tmp_path / "settings.yaml",
    )
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=own, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("everywhere")
