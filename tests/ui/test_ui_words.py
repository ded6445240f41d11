"""The dock never speaks of options of the command line: it has controls."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from qtpy.QtWidgets import QWidget

import napari_tcgn
from napari_tcgn.ui.words import in_the_dock

PACKAGE = Path(napari_tcgn.__file__).parent
NOT_IN_THE_DOCK = ("cli", "training", "jobs")


def texts_with_options() -> list[str]:
    """Return every text of the package that names an option, but for those that only the command line says."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] in NOT_IN_THE_DOCK:
            continue
        tree = ast.parse(path.read_text())
        docstrings = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            # Not the options themselves, which are a single word.
            if " --" in f" {text}" and " " in text.strip() and id(node) not in docstrings:
                found.append(text)
    return found


def test_every_sentence_with_an_option_is_said_without_it():
    texts = texts_with_options()
    assert len(texts) > 25
    for text in texts:
        assert "--" not in in_the_dock(text), text


@pytest.mark.parametrize(
    ("said", "in_dock"),
    [
        ("Check the µm per pixel (--mpp) or use another.", "Check the µm per pixel or use another."),
        ("Give --mpp 0.686 if they are.", "Give the µm per pixel 0.686 if they are."),
        ("Name up to 11 genes (--genes, --top).", "Name up to 11 genes."),
        ("Predict it without (--stain none), or not.", "Predict it without, or not."),
        ("Choose --device auto or cpu.", "Choose device auto or cpu."),
        ("Say --orientation rot90.", "Say orientation rot90 (an option of the command line)."),
        ("No such gene. `napari-tcgn models info NAME --json` lists them.", "No such gene."),
        ("A dash -- and a range 3--4 stay.", "A dash -- and a range 3--4 stay."),
    ],
)
def test_what_an_option_becomes(said, in_dock):
    assert in_the_dock(said) == in_dock


def test_no_control_speaks_of_options(dock_with_spots, kit):
    _, dock = dock_with_spots
    kit.run_to_end(dock)
    for widget in dock.findChildren(QWidget):
        text = getattr(widget, "text", str)()
        assert "--" not in f"{widget.toolTip()}{text}", (widget.toolTip(), text)


def test_a_failure_says_what_to_do_in_the_dock(dock_with_spots, kit, qtbot):
    _, dock = dock_with_spots
    dock.spots.fraction_box.setValue(1.0)
    dock.spots.tissue.slider.setValue(dock.spots.tissue.slider.maximum())
    kit.click(dock.spots.lay_button)
    qtbot.waitUntil(lambda: dock.spots.message.text() != "", timeout=kit.TIMEOUT)
    assert "lay spots on the whole slide" in dock.spots.message.text()
    assert "--" not in dock.spots.message.text()
