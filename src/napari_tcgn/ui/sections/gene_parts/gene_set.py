"""Gene sets, pasted or from a .gmt file, as a score."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QPlainTextEdit, QPushButton
from superqt.utils import signals_blocked

from napari_tcgn.errors import TcgnError
from napari_tcgn.stats import GeneSet, parse_gene_names, read_gmt
from napari_tcgn.ui.actions import scores
from napari_tcgn.ui.layers import store
from napari_tcgn.ui.sections.base import Part
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.tasks.latest import Latest
from napari_tcgn.ui.widgets.controls import choice_box, line_edit
from napari_tcgn.ui.widgets.flow import FlowLayout

if TYPE_CHECKING:
    from napari.layers import Points


class GeneSetPart(Part):
    """Names are pasted or taken from a .gmt; the score is a layer of its own, as browsable as any result."""

    def __init__(self, session: Session) -> None:
        super().__init__("Gene set", "Score a set of genes: the mean of their z-scores over the spots")
        self.session = session
        self.sets: list[GeneSet] = []
        self.file_button = QPushButton("Open .gmt…")
        self.file_button.setToolTip("Gene sets of a .gmt file, such as those of MSigDB")
        tip = "Sets of the file; all of them become one layer, in which they are chosen like genes"
        self.set_box = choice_box(tip, characters=8)
        self.names_edit = QPlainTextEdit()
        self.names_edit.setPlaceholderText("or paste gene names: GNAS, SCD, KRT19 …")
        self.names_edit.setTabChangesFocus(True)
        self.names_edit.setFixedHeight(54)
        self.names_edit.setToolTip("Gene names as in the panel, separated by spaces, commas or lines")
        self.name_edit = line_edit("name of the set", "Name of the set, for the layer")
        self.score_button = QPushButton("Score")
        self.score_button.setToolTip("Add a layer: the mean of the genes' z-scores; 0 is an average spot")
        file_row = FlowLayout(self.file_button, self.set_box, growing=[self.set_box])
        name_row = FlowLayout(self.name_edit, self.score_button, growing=[self.name_edit])
        for row in (file_row, self.names_edit, name_row):
            self.form.add(row)
        self.set_box.hide()
        self._latest = Latest(session.background, self._show, self._on_failed)
        # Too few spots so far are no failure: the next step of the run tries again.
        self._latest_update = Latest(session.background, self._update, lambda failure: None)
        self.file_button.clicked.connect(self._ask_for_file)
        self.set_box.currentIndexChanged.connect(self._on_set)
        self.score_button.clicked.connect(self._score)
        events = session.state.events
        events.result_layer.connect(self._enable)
        for event in (events.progress, events.result_version):
            event.connect(self._refresh)
        self._enable()

    def _enable(self) -> None:
        self.score_button.setEnabled(store.result_of(self.session.state.result_layer) is not None)

    def _ask_for_file(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Gene sets", "", "Gene sets (*.gmt);;All files (*)")
        if not chosen:
            return
        try:
            self.sets = read_gmt(Path(chosen))
        except TcgnError as error:
            self.message.fail(Failure.of(error))
            return
        self.message.say(f"{Path(chosen).name}: {len(self.sets)} gene set{'s' if len(self.sets) > 1 else ''}.")
        with signals_blocked(self.set_box):
            self.set_box.clear()
            if len(self.sets) > 1:
                self.set_box.addItem(f"all {len(self.sets)} sets", None)
            for gene_set in self.sets:
                self.set_box.addItem(f"{gene_set.name} ({len(gene_set.genes)})", gene_set)
        self.set_box.show()
        self._on_set()

    def _on_set(self) -> None:
        """Show the genes of a set, so that they can be changed; all sets are taken as they are."""
        chosen = self.set_box.currentData()
        several = chosen is None and len(self.sets) > 1
        self.names_edit.setPlainText("" if chosen is None else " ".join(chosen.genes))
        self.name_edit.setText("" if chosen is None else chosen.name)
        for widget in (self.names_edit, self.name_edit):
            widget.setVisible(not several)

    def _chosen(self) -> list[GeneSet]:
        if self.set_box.currentData() is None and len(self.sets) > 1:
            return self.sets
        return [GeneSet(self.name_edit.text().strip() or "gene set", parse_gene_names(self.names_edit.toPlainText()))]

    def _score(self) -> None:
        layer, sets = self.session.state.result_layer, self._chosen()
        assert layer is not None  # the button is disabled without one
        source = self._source(layer)
        if not sets[0].genes:
            self.message.say("Paste the names of some genes, or open a .gmt file.")
            return
        self.score_button.setEnabled(False)
        self.message.say("Scoring …")
        self._latest.ask(lambda: (layer, scores.score_sets(source, sets), sets))

    def _source(self, layer: Points) -> store.Result:
        """Return the result whose genes are scored: of a layer of scores, the one that it was made from."""
        result = store.result_of(layer)
        assert result is not None  # the button is disabled without one
        return scores.source_of(layer) or result

    def _show(self, computed: tuple[Points, scores.Scored, list[GeneSet]]) -> None:
        layer, scored, sets = computed
        self._enable()
        self.message.say(scores.scored_text(scored, sets))
        if not self.session.closed and layer in self.session.viewer.layers:
            self.session.state.result_layer = scores.add_scores(self.session.viewer, layer, scored, sets)

    def _on_failed(self, failure: Failure) -> None:
        self._enable()
        self.message.fail(failure)

    def _refresh(self) -> None:
        """Score anew where a run has filled in more spots."""
        for layer in self.session.colours.result_layers():
            found = scores.outdated(layer)
            if found is None:
                continue
            self._latest_update.ask(partial(_scored_again, layer, *found))
            return  # one layer at a time; the next step of the run brings the others

    def _update(self, computed: tuple[Points, scores.Scored]) -> None:
        layer, scored = computed
        result = store.result_of(layer)
        if result is not None:
            scores.update_scores(layer, result, scored)
            self.session.colours.refresh()
            self._refresh()


def _scored_again(layer: Points, source: store.Result, sets: Sequence[GeneSet]) -> tuple[Points, scores.Scored]:
    return layer, scores.score_sets(source, sets)
