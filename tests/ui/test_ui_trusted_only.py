"""Of thousands of genes the table lists the trusted ones, until the others are asked for; with real clicks and keys."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt

from napari_tcgn.model import HeldOut, list_models
from napari_tcgn.trust import trusted
from napari_tcgn.ui.state import ModelChoice

PANEL = ["GNAS", "ERBB2", "VIM", "VIL1", "KRT19", "EPCAM"]
# VIM falls by its interval, VIL1 once depth is taken out; a simple model predicts KRT19 better; EPCAM: never measured.
METRICS = {
    "pcc": [0.6, 0.5, 0.4, 0.35, 0.3, None], "pcc_low": [0.5, 0.4, -0.1, 0.2, 0.2, None],
    "depth_pcc": [0.3, 0.2, 0.1, -0.1, 0.1, None], "better_simple": [None, None, None, None, "haematoxylin", None],
}  # fmt: skip
TRUSTED = ["GNAS", "ERBB2", "KRT19"]


@pytest.fixture
def open_dock(dock_in_viewer, use_predictor, kit, qtbot):
    """Return a function that shows a dock whose model has the genes of `PANEL`."""

    def make():
        chosen = kit.predictor()
        chosen.card = kit.card(genes=PANEL, metrics=HeldOut.from_record(METRICS))
        use_predictor(chosen)
        viewer, dock = dock_in_viewer(show=True)
        viewer.window.resize(1280, 800)
        with qtbot.waitActive(dock.window()):
            dock.window().activateWindow()
        dock.focus_search()
        qtbot.waitUntil(lambda: dock.genes.table.isVisible())
        return viewer, dock

    return make


def search(qtbot, dock, text: str) -> None:
    dock.focus_search()
    qtbot.keyClick(dock.genes.search, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(dock.genes.search, Qt.Key.Key_Delete)
    qtbot.keyClicks(dock.genes.search, text)


def test_the_trusted_ones_are_listed_at_first_and_counted(open_dock, kit):
    _, dock = open_dock()
    genes = dock.genes
    assert genes.trusted.box.isChecked()
    assert genes.table.visible_genes() == TRUSTED
    assert genes.trusted.count.text() == "3 of 6 trusted"
    assert "6 genes, 3 trusted" in dock.model.card.text(), "one rule"
    kit.click(genes.trusted.box)
    assert genes.table.visible_genes() == PANEL
    assert genes.trusted.count.text() == "3 of 6 trusted"
    kit.click(genes.trusted.box)
    assert genes.table.visible_genes() == TRUSTED


def test_the_choice_is_remembered_and_reset(open_dock, kit):
    viewer, dock = open_dock()
    kit.click(dock.genes.trusted.box)
    viewer.window.remove_dock_widget(dock)
    _, again = open_dock()
    assert not again.genes.trusted.box.isChecked()
    assert again.genes.table.visible_genes() == PANEL
    again.tabs.setCurrentWidget(again.predict_page)
    kit.click(again.reset_button)
    assert again.genes.trusted.box.isChecked()
    assert again.genes.table.visible_genes() == TRUSTED


def test_a_hidden_gene_that_is_searched_is_found_and_shown_on_enter(open_dock, qtbot):
    _, dock = open_dock()
    genes, state = dock.genes, dock.session.state
    search(qtbot, dock, "vimentin")
    assert genes.found.text() == "vimentin is VIM. VIM is hidden because it is not trusted; Enter shows it."
    assert genes.table.visible_genes() == []
    assert genes.trusted.count.text() == "0 of 1 found are trusted"
    assert state.gene != "VIM"
    qtbot.keyClick(genes.search, Qt.Key.Key_Return)
    assert state.gene == "VIM"
    assert genes.found.text() == ("vimentin is VIM. VIM is not trusted: held-out PCC 0.40 is not surely above 0.")
    assert genes.table.visible_genes() == ["GNAS", "ERBB2", "VIM", "KRT19"], "its row stays, the others are back"
    assert genes.table.current_gene() == "VIM"
    qtbot.keyClick(genes.search, Qt.Key.Key_Down)
    assert state.gene == "KRT19"
    assert "VIM" in genes.table.visible_genes()


def test_hidden_genes_of_a_part_of_their_name_are_listed_by_a_click(open_dock, qtbot, kit):
    _, dock = open_dock()
    genes, state = dock.genes, dock.session.state
    before = state.gene
    search(qtbot, dock, "v")
    expected = "2 genes with these letters are hidden because they are not trusted; Enter shows them."
    assert genes.found.text() == expected
    kit.click(genes.show_button)
    assert genes.table.visible_genes() == ["VIM", "VIL1"]
    assert state.gene == before, "listed, not taken"
    assert genes.found.text() == ""
    assert not genes.show_button.isVisible()
    qtbot.keyClick(genes.search, Qt.Key.Key_Return)
    assert state.gene == "VIM"
    # Where something is seen, only the line of counts tells of the rest; a gene that nobody has is no hidden one.
    kit.click(genes.trusted.box)
    kit.click(genes.trusted.box)
    search(qtbot, dock, "e")
    assert genes.table.visible_genes() == ["ERBB2"]
    assert genes.trusted.count.text() == "1 of 2 found are trusted"
    assert genes.found.text() == ""
    search(qtbot, dock, "qqq")
    assert genes.found.text() == "No gene of this panel (6 genes) is called 'qqq'."
    assert not genes.show_button.isVisible()


def test_the_gene_on_the_canvas_is_listed_whoever_chose_it(open_dock, kit):
    _, dock = open_dock()
    dock.session.state.gene = "EPCAM"  # as a row of the section Compare does
    assert dock.genes.table.current_gene() == "EPCAM"
    kit.click(dock.genes.trusted.box)
    kit.click(dock.genes.trusted.box)
    assert dock.genes.table.visible_genes() == [*TRUSTED, "EPCAM"]


@pytest.mark.parametrize(
    ("metrics", "said"),
    [({}, "no held-out figures: all 6 genes are listed"),
     ({"pcc": [-0.1] * 6}, "none is trusted: all 6 genes are listed")],
)  # fmt: skip
def test_without_figures_nothing_is_hidden_and_a_sentence_says_so(open_dock, kit, metrics, said):
    _, dock = open_dock()
    state = dock.session.state
    # Another model of the same genes: its own figures count.
    card = kit.card(name="other", genes=PANEL, metrics=HeldOut.from_record(metrics))
    state.models += (ModelChoice("/models/other", card),)
    dock.tabs.setCurrentWidget(dock.predict_page)
    dock.model.model_box.setFocus()
    dock.model.model_box.setCurrentIndex(1)
    dock.model.model_box.activated.emit(1)
    assert state.model.card is card
    assert sorted(dock.genes.table.visible_genes()) == sorted(PANEL)
    assert dock.genes.trusted.count.text() == said
    assert not dock.genes.trusted.box.isEnabled()


def test_predicting_trusted_genes_means_the_same_genes():
    from napari_tcgn.expression.some_genes import genes_of

    for card in list_models():
        chosen = [gene for gene, good in zip(card.genes, trusted(card), strict=True) if good]
        assert genes_of(card, "trusted") == chosen
        assert 0 < len(chosen) < len(card.genes)
