"""The search for a gene: typed with real keys, on its own and while the table is walked."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_tcgn.model import HeldOut
from napari_tcgn.ui.state import ModelChoice
from napari_tcgn.ui.widgets.gene_names import find_gene, unknown_gene

PANEL = ["GNAS", "ERBB2", "CD200", "KRT19", "KRT8", "KRT18", "VIM"]
CHORD = Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def dock(dock_in_viewer, use_predictor, kit, qtbot):
    """A shown dock whose model has the genes of `PANEL`, and two other models in its list."""
    chosen = kit.predictor()
    pcc = [0.7 - 0.1 * i for i in range(len(PANEL))]
    chosen.card = kit.card(genes=PANEL, metrics=HeldOut(pcc=pcc))
    use_predictor(chosen)
    viewer, dock = dock_in_viewer(show=True)
    state = dock.session.state
    for name, genes in (("skin", ["MS4A1", "SOX10"]), ("lung", ["MS4A1"])):
        card = kit.card(name=name, genes=genes, metrics=HeldOut())
        state.models += (ModelChoice(f"/models/{name}", card),)
    viewer.window.resize(1280, 800)
    with qtbot.waitActive(dock.window()):
        dock.window().activateWindow()
    dock.focus_search()
    qtbot.waitUntil(lambda: dock.genes.table.isVisible())
    assert dock.genes.table.visible_genes() == PANEL
    return dock


def search(qtbot, dock, text: str, enter: bool = True) -> None:
    dock.focus_search()
    qtbot.keyClick(dock.genes.search, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(dock.genes.search, Qt.Key.Key_Delete)
    qtbot.keyClicks(dock.genes.search, text)
    if enter:
        qtbot.keyClick(dock.genes.search, Qt.Key.Key_Return)


def test_an_alias_finds_its_gene_and_says_so(dock, qtbot):
    genes, state = dock.genes, dock.session.state
    for text, gene in (("HER2", "ERBB2"), ("ck-19", "KRT19"), ("vimentin", "VIM")):
        search(qtbot, dock, text, enter=False)
        assert gene in genes.table.visible_genes()
        assert genes.found.text() == f"{text} is {gene}."
        qtbot.keyClick(genes.search, Qt.Key.Key_Return)
        assert state.gene == gene
        assert genes.found.text() == f"{text} is {gene}.", "still said once it is taken"
        assert genes.table.current_gene() == gene
    search(qtbot, dock, "gnas")
    assert state.gene == "GNAS"
    assert genes.found.text() == ""


def test_no_match_is_a_sentence_with_the_models_that_have_the_gene(dock, qtbot):
    genes, state = dock.genes, dock.session.state
    search(qtbot, dock, "vim")
    search(qtbot, dock, "sox10", enter=False)
    assert genes.found.text() == "SOX10 is not in this panel (7 genes); skin has it."
    assert genes.table.visible_genes() == []
    search(qtbot, dock, "CD20")
    assert genes.found.text() == "CD20 is MS4A1, which is not in this panel (7 genes); skin and lung have it."
    assert state.gene == "VIM", "CD200 has the same letters and is another gene"
    search(qtbot, dock, "Ki-67")
    assert "Ki-67 is MKI67, which is not in this panel (7 genes); no model in the list has it." in genes.found.text()
    search(qtbot, dock, "ERBB3X")
    assert genes.found.text() == "No gene of this panel (7 genes) is called 'ERBB3X'. Near: ERBB2."
    assert genes.found.label.textFormat() == Qt.TextFormat.PlainText
    qtbot.keyClick(genes.search, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(genes.search, Qt.Key.Key_Delete)
    assert genes.found.text() == ""
    assert genes.table.visible_genes() == PANEL


def test_many_models_are_counted_and_names_are_plain_text():
    panels = {f"m{i}": ["SOX10"] for i in range(5)}
    assert unknown_gene("SOX10", ["A"], panels).endswith("m0, m1, m2 and 2 others have it.")
    assert unknown_gene("HER2", ["A"]) == "HER2 is ERBB2, which is not in this panel (1 genes)."


def test_the_channels_and_the_search_know_the_same_names():
    assert [find_gene(text, PANEL) for text in ("cytokeratin 19", "krt19", "KRT", "")] == ["KRT19", "KRT19", "", ""]
    assert find_gene("HER2", ["Erbb2"]) == "Erbb2", "of a mouse"


def test_nothing_covers_the_table_while_one_types(dock, qtbot):
    search(qtbot, dock, "KRT", enter=False)
    table = dock.genes.table
    assert table.visible_genes() == ["KRT19", "KRT8", "KRT18"]
    qtbot.wait(300)  # long enough for a list to open
    window, cells = dock.window(), table.viewport()
    assert QApplication.activePopupWidget() is None
    assert [one for one in QApplication.topLevelWidgets() if one.isVisible()] == [window]
    second = table.visualRect(table.genes.index(1, 0)).center()
    assert window.childAt(cells.mapTo(window, second)) is cells
    qtbot.mouseClick(cells, Qt.MouseButton.LeftButton, pos=second)
    assert dock.session.state.gene == "KRT8"


def test_next_and_previous_gene_walk_on_after_enter(dock, qtbot):
    genes, state = dock.genes, dock.session.state
    search(qtbot, dock, "KRT19")
    assert genes.search.text() == "", "the others are shown again"
    qtbot.keyClick(genes.search, Qt.Key.Key_N, CHORD)
    assert state.gene == "KRT8"
    qtbot.keyClick(genes.search, Qt.Key.Key_P, CHORD)
    qtbot.keyClick(genes.search, Qt.Key.Key_P, CHORD)
    assert state.gene == "CD200"
    # Of a part of several names the first, and then the others that have it.
    search(qtbot, dock, "krt")
    assert state.gene == "KRT19"
    assert genes.table.visible_genes() == ["KRT19", "KRT8", "KRT18"]
    for gene in ("KRT8", "KRT18", "KRT18"):
        qtbot.keyClick(genes.search, Qt.Key.Key_N, CHORD)
        assert state.gene == gene
    # The arrows walk too, without leaving the search.
    qtbot.keyClick(genes.search, Qt.Key.Key_Up)
    assert state.gene == "KRT8"
    qtbot.keyClick(genes.search, Qt.Key.Key_Down)
    assert state.gene == "KRT18"
    assert genes.search.hasFocus()
