"""Section Why: which morphology speaks for the shown gene at a spot, and what goes along with it over the section."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Points
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLayout, QPushButton, QSlider, QWidget

from napari_tcgn.explanation import ExplainStep, Explanation
from napari_tcgn.ui.actions.explaining import Explaining, why_not
from napari_tcgn.ui.actions.spot_mark import SpotMark
from napari_tcgn.ui.actions.uncovering import Uncovering
from napari_tcgn.ui.layers import explanation_layers as drawn, result_layers, store
from napari_tcgn.ui.layers.hover import spot_at
from napari_tcgn.ui.sections.base import Part, Section, text_label
from napari_tcgn.ui.sections.explain_drivers import DriversView
from napari_tcgn.ui.sections.explain_words import details_of, has_network, words_of
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.widgets.controls import choice_box, set_quietly, tick_box
from napari_tcgn.ui.widgets.flow import FlowLayout
from napari_tcgn.ui.widgets.rows import Rows

if TYPE_CHECKING:
    from napari.utils.events import Event
    from napari.viewer import Viewer

    from napari_tcgn.engine import Progress
    from napari_tcgn.explanation import GeneDrivers, SectionMap

PREFERRED = ("occlusion", "integrated gradients")  # the first is what every model has
MOST_EDGES, FEW_EDGES = 300, 60
NO_GRAPH, BLOCKS = "no graph", ("graph of block 1", "graph of block 2")
ATTENTION = "Attention is where tokens exchange information, not what is important."
OVER_SECTION = (
    "What the network's patches speak for, finer than the spots: an attribution, not expression at this resolution. "
    "Red raises the gene, blue lowers it, in units of the prediction of a patch."
)
CLICK = "Click a spot on the canvas to choose it."


class ExplainSection(Section):
    """Explain the shown gene at a spot that is clicked, and over the section.

    Attributes
    ----------
    spot : str
        Name of the chosen spot; "" for none.
    explanation : Explanation or None
        What is known of it.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Why this gene, here", folded=True)
        self.spot = ""
        self.explanation: Explanation | None = None
        self._layer: Points | None = None  # whose spot is explained; another may be shown meanwhile
        self._earlier: Explanation | None = None  # of which the maps were kept
        self._wanted_map = ""  # as the user has chosen it
        self._mapped: store.Result | None = None
        self.chosen = text_label()
        self.explain_button = QPushButton("Explain")
        self.explain_button.setToolTip("Show which parts of the patch raise or lower the prediction of the shown gene")
        self.check_box = tick_box("with checks", "Test the maps against random orders and random weights; takes longer")
        self.keep_box = tick_box(
            "keep earlier maps",
            "Leave the maps of other spots and genes on the slide; two genes at one spot are compared in words",
        )
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop explaining")
        self.map_box = choice_box("Which map lies on the slide", characters=10)
        self.graph_box = choice_box("The graph that the network drew over the patch", characters=10)
        self.edge_slider = QSlider(Qt.Orientation.Horizontal)
        self.edge_slider.setRange(5, MOST_EDGES)
        self.edge_slider.setValue(FEW_EDGES)
        self.edge_slider.setToolTip("How many of the strongest edges are drawn")
        self.said = text_label()
        self.about = Part("What this map is", "What it is measured against, and what limits it")
        self.about_text = text_label()
        self.about.form.add(self.about_text)
        self.drivers_button = QPushButton("What goes along with it")
        self.drivers_button.setToolTip(
            "Patches where the gene is predicted highest and lowest, and which morphology goes along"
        )
        self.section_button = QPushButton("Map over the section")
        self.section_button.setToolTip(
            "Lay the network's maps of all spots on the slide, averaged where patches overlap; it follows the gene"
        )
        self.drivers = DriversView()
        self.answer, answer = QWidget(), Rows()  # of one gene at one spot of one result: hidden beside any other
        answer.setContentsMargins(0, 0, 0, 0)
        self.answer.setLayout(answer)
        boxes = (self.map_box, self.graph_box)
        for part in (FlowLayout(*boxes, growing=boxes), self.edge_slider, self.said, self.about):
            answer.add(part)
        rows: tuple[QWidget | QLayout, ...] = (
            self.chosen,
            FlowLayout(self.explain_button, self.check_box, self.keep_box, growing=[self.explain_button]),
            self.answer,
            FlowLayout(self.drivers_button, self.section_button, growing=[self.drivers_button, self.section_button]),
            self.cancel_button,
            self.drivers,
        )
        for row in rows:
            self.form.add(row)
        self.mark = SpotMark(session)
        self.uncovering = Uncovering(session)
        self.explaining = Explaining(session, self._on_step, self._on_done, self._on_failed)
        self._drivers: tuple[Points, GeneDrivers] | None = None
        self._sections: weakref.WeakKeyDictionary[store.Result, SectionMap] = weakref.WeakKeyDictionary()
        self._connect()
        self._show_nothing()
        self._enable()

    def _connect(self) -> None:
        self.explain_button.clicked.connect(self.explain)
        self.cancel_button.clicked.connect(self.cancel)
        self.drivers_button.clicked.connect(self.look_for_drivers)
        self.section_button.clicked.connect(self.map_section)
        self.session.colours.painted.connect(self._on_painted)
        self.map_box.currentTextChanged.connect(self._take_map)
        self.graph_box.currentTextChanged.connect(self._draw_graph)
        self.edge_slider.valueChanged.connect(self._draw_graph)
        self.drivers.went.connect(self._go_to)
        events = self.session.state.events
        for event in (events.result_layer, events.gene, events.running):
            event.connect(self._on_result)
        self.session.viewer.mouse_drag_callbacks.append(self._on_press)

    def disconnect_all(self) -> None:
        """Stop listening to the viewer, which outlives the dock."""
        self.explaining.cancel()
        self.mark.disconnect_all()
        self.uncovering.disconnect_all()
        self.session.colours.painted.disconnect(self._on_painted)
        if self._on_press in self.session.viewer.mouse_drag_callbacks:
            self.session.viewer.mouse_drag_callbacks.remove(self._on_press)

    # -- a spot and a gene -------------------------------------------------------------------------------------------

    def _on_press(self, viewer: Viewer, event: Event) -> Iterator[None]:
        """Choose the spot that is clicked, not one over which the slide is dragged."""
        yield
        while event.type == "mouse_move":
            return
        layer = self.session.state.result_layer
        if not self.heading.isChecked() or not isinstance(layer, Points) or not layer.visible:
            return
        spot = spot_at(layer, event.position)
        if spot is not None:
            self.choose(spot, look=False)

    def choose(self, spot: int, look: bool = True) -> None:
        """Choose a spot of the shown result by its number; the camera goes there unless it was clicked there."""
        layer = self.session.state.result_layer
        result = store.result_of(layer)
        if layer is None or result is None:
            return
        self.spot = str(result.spots.ids[spot])
        self.mark.mark([layer], spot, look)
        self._enable()

    def explain(self) -> None:
        """Explain the shown gene at the chosen spot."""
        layer = self.session.state.result_layer
        result = store.result_of(layer)
        assert isinstance(layer, Points)  # the button is disabled without a result
        assert result is not None
        self._layer, self._earlier = layer, self.explanation
        if not self.keep_box.isChecked():
            self._earlier = None
            drawn.remove_explanations(self.session.viewer)
        self._show_nothing()
        self.message.say("Explaining …")
        self.explaining.spot(result, self.spot, self._gene(), self.check_box.isChecked())
        self._enable()

    def cancel(self) -> None:
        """Stop explaining; what is drawn stays."""
        self.explaining.cancel()
        self.message.say("Stopped.")
        self._enable()

    def _on_step(self, step: Progress) -> None:
        if step.total > 1:
            self.message.say(f"{step.stage}: {step.done} of {step.total}")
        known = step.explanation if isinstance(step, ExplainStep) else None
        if known is not None and (self.explanation is None or len(known.maps) != len(self.explanation.maps)):
            self._show(known)

    def _on_done(self, found: Explanation | GeneDrivers | SectionMap) -> None:
        from napari_tcgn.explanation import GeneDrivers  # brings torch, which is there by now

        self.message.say("")
        if isinstance(found, Explanation):
            self._show(found)
        elif isinstance(found, GeneDrivers):
            self._show_drivers(found)
        elif self._mapped is not None:
            self._sections[self._mapped] = found
            self._draw_section()
        self._enable()

    def _on_failed(self, failure: Failure) -> None:
        self.message.fail(failure)
        self._enable()

    def _show_nothing(self) -> None:
        self.explanation = None
        for box in (self.map_box, self.graph_box):
            box.blockSignals(True)
            box.clear()
            box.blockSignals(False)
        self.said.setText("")
        for widget in (self.map_box, self.graph_box, self.edge_slider, self.said, self.about):
            widget.hide()

    def _show(self, known: Explanation) -> None:
        """Show what is known so far; the first map lies on the slide as soon as it is there."""
        self.explanation = known
        methods: list[str] = [one.method for one in known.maps]
        preferred = [name for name in (*PREFERRED, *methods) if name in methods]
        before = self._wanted_map
        self.map_box.blockSignals(True)
        self.map_box.clear()
        self.map_box.addItems(methods)
        if methods:
            set_quietly(self.map_box, before if before in methods else preferred[0])
        self.map_box.blockSignals(False)
        if known.graphs and not self.graph_box.count():
            self.graph_box.addItems([NO_GRAPH, *BLOCKS])
        self.map_box.setVisible(bool(methods))
        self.graph_box.setVisible(bool(known.graphs))
        self._say()
        self.said.show()
        self.about.show()
        self._show_what_belongs()
        self._draw_map()

    def _take_map(self, method: str) -> None:
        self._wanted_map = method
        self._draw_map()

    def _draw_map(self) -> None:
        layer, known = self._layer, self.explanation
        shown = None if known is None else known.map_of(self.map_box.currentText())  # type: ignore[arg-type]
        viewer = self.session.viewer
        if layer is None or layer not in viewer.layers or known is None or shown is None:
            return
        there = drawn.show_map(viewer, layer, known, shown)
        for other in drawn.maps_at(viewer, known):  # of one spot one map is seen: two would mix
            other.visible = other.name == there.name
        self.session.story.retell()
        self._say()

    def _draw_graph(self, _value: object = None) -> None:
        layer, known, number = self._layer, self.explanation, self.graph_box.currentIndex()
        drawn.remove_explanations(self.session.viewer, drawn.GRAPH)
        self.edge_slider.setVisible(number > 0)
        if layer is not None and layer in self.session.viewer.layers and known is not None and number > 0:
            drawn.show_graph(self.session.viewer, layer, known, known.graphs[number - 1], self.edge_slider.value())
        self._say()

    def _say(self) -> None:
        """Say what is known of the map that is seen, and what the edges of a graph are not."""
        if self.explanation is not None:
            method = self.map_box.currentText()
            told = words_of(self.explanation, method, self._earlier)
            graph = f" The {self.edge_slider.value()} strongest edges. {ATTENTION}"
            self.said.setText(told + graph if self.graph_box.currentIndex() > 0 else told)
            self.about_text.setText(details_of(self.explanation, method))

    # -- over the section --------------------------------------------------------------------------------------------

    def look_for_drivers(self) -> None:
        """Look for what goes along with the shown gene over the section."""
        result = store.result_of(self.session.state.result_layer)
        assert result is not None  # the button is disabled without one
        self.message.say("Looking at the patches …")
        self.explaining.gene(result, self._gene())
        self._enable()

    def map_section(self) -> None:
        """Lay the maps of all spots on the slide; those that were made once are only drawn."""
        self._mapped = result = store.result_of(self.session.state.result_layer)
        assert result is not None  # the button is disabled without one
        if result in self._sections:
            self._draw_section()
            return
        self.message.say("Looking at all patches …")
        self.explaining.section(result)
        self._enable()

    def _draw_section(self) -> None:
        layer = self.session.state.result_layer
        found = self._sections.get(store.result_of(layer)) if layer is not None else None  # type: ignore[arg-type]
        if layer is None or found is None:
            return
        drawn.show_section(self.session.viewer, layer, found, self._gene())
        self.message.say(OVER_SECTION)

    def _on_painted(self, layer: Points) -> None:
        """Let the map over the section follow the gene."""
        result = store.result_of(layer)
        found = None if result is None else self._sections.get(result)
        if found is not None and drawn.section_layer(self.session.viewer, result) is not None:
            drawn.show_section(self.session.viewer, layer, found, result_layers.shown_gene(layer))
        self._show_what_belongs()
        if any(drawn.is_explanation(one) for one in self.session.viewer.layers):
            self.session.story.retell()  # those of another gene go, and come back with it

    def _show_what_belongs(self) -> None:
        """Show what was found of the result and the gene that are shown, and nothing of others."""
        layer = self.session.state.result_layer
        result = store.result_of(layer)
        gene = result_layers.shown_gene(layer) if layer is not None and result is not None else ""
        known = self.explanation
        mine = known is not None and store.result_of(self._layer) is result and known.gene == gene
        self.answer.setVisible(mine)
        of, found = self._drivers if self._drivers is not None else (None, None)
        self.drivers.setVisible(found is not None and store.result_of(of) is result and found.gene == gene)

    def _show_drivers(self, found: GeneDrivers) -> None:
        layer = self.session.state.result_layer
        if layer is None:
            return
        self._drivers = layer, found
        self.drivers.show_drivers(found)
        self._show_what_belongs()

    def _go_to(self, spot: str) -> None:
        """Look at the spot of a patch, which is then the one to explain."""
        if self._drivers is None:
            return
        layer, _found = self._drivers
        result = store.result_of(layer)
        if result is None or layer not in self.session.viewer.layers:
            return
        self.session.state.result_layer = layer
        self.choose(int(np.flatnonzero(result.spots.ids.astype(str) == spot)[0]))

    # ----------------------------------------------------------------------------------------------------------------

    def _gene(self) -> str:
        layer = self.session.state.result_layer
        assert layer is not None  # the buttons are disabled without one
        return result_layers.shown_gene(layer)

    def _on_result(self, _event: object = None) -> None:
        if self.session.closed:
            return
        result = store.result_of(self.session.state.result_layer)
        # Told of every gene: compared at once, and only where a spot is chosen (a set of 100,000 names takes 30 ms).
        if self.spot and (result is None or not (result.spots.ids.astype(str) == self.spot).any()):
            self.spot = ""
        if not self.explaining.running:
            self.message.say("")
        self._show_what_belongs()
        self._enable()

    def _enable(self) -> None:
        state = self.session.state
        result, running = store.result_of(state.result_layer), self.explaining.running
        reason = why_not(result)
        ready = not reason and not running and not state.running
        self.explain_button.setEnabled(ready and bool(self.spot))
        self.drivers_button.setEnabled(ready)
        self.section_button.setEnabled(
            ready and result is not None and result.card is not None and has_network(result.card)
        )
        self.cancel_button.setVisible(running)
        text = reason or (CLICK if not self.spot else f"{self._gene()} at spot {self.spot}. {CLICK}")
        self.chosen.setText(text)
