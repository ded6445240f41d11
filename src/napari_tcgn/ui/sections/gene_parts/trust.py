"""How far to trust what is shown: width of the interval and likeness to the training as maps, rings, a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QPushButton

from napari_tcgn.engine import OUTSIDE
from napari_tcgn.model import LEVEL
from napari_tcgn.ui.actions import trust_maps
from napari_tcgn.ui.layers import store
from napari_tcgn.ui.sections.base import Part, text_label
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.widgets.controls import set_quietly, tick_box
from napari_tcgn.ui.widgets.flow import FlowLayout

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.viewer import Viewer

UNKNOWN = "This model does not know how far it is off, nor which spots are unlike its training."


class TrustPart(Part):
    """Maps of uncertainty and of likeness to the training beside the map of a gene.

    Attributes
    ----------
    width_button, likeness_button : QPushButton
    ring_box, fade_box : QCheckBox
    said : QLabel
    """

    def __init__(self, session: Session) -> None:
        tip = "Between which bounds a measurement may lie, and which spots are unlike the training"
        super().__init__("How far to trust it", tip)
        self.session = session
        self.said = text_label()
        self.width_button = QPushButton("Map of the interval's width")
        self.width_button.setToolTip(
            f"Add a layer: how far apart the bounds are between which {LEVEL:.0%} of measurements are to lie; "
            "genes are browsed in it as in any result"
        )
        self.likeness_button = QPushButton("Map of likeness")
        self.likeness_button.setToolTip(
            "Add a layer: how usual the tissue at a spot is among that of the training; up to 0.05 is unlike it"
        )
        tip = "Draw a ring around each spot that is unlike the training: expect less of the model there"
        self.ring_box = tick_box("ring spots unlike the training", tip)
        self.form.add(self.said)
        buttons = (self.width_button, self.likeness_button)
        self.form.add(FlowLayout(*buttons, growing=buttons))
        tip = (
            "Draw spots the fainter, the wider the interval of the shown gene is there; faintest where a spot is "
            "unlike the training"
        )
        self.fade_box = tick_box("fade uncertain spots", tip, ticked=session.state.look.fade)
        self.form.add(FlowLayout(self.ring_box, self.fade_box))
        self.width_button.clicked.connect(lambda: self._add(trust_maps.add_width_map))
        self.likeness_button.clicked.connect(self._add_likeness)
        self.ring_box.toggled.connect(self._ring)
        self.fade_box.toggled.connect(lambda on: session.state.change_look(fade=on))
        events = session.state.events
        events.look.connect(self._show_look)
        for event in (events.result_layer, events.result_version, events.progress):
            event.connect(self.show_result)
        session.viewer.layers.events.removed.connect(self.show_result)
        self.show_result()

    def disconnect_all(self) -> None:
        """Stop listening to the viewer, which outlives the dock."""
        self.session.viewer.layers.events.removed.disconnect(self.show_result)

    def _layer(self) -> Points | None:
        """Return the layer of the chosen result; of a map of its trust, that of the result that it was made from."""
        layer = self.session.state.result_layer
        result = store.result_of(layer)
        if result is None or result.kind not in (trust_maps.WIDTH_KIND, trust_maps.LIKENESS_KIND):
            return layer
        source = store.made_from(layer)
        return next((one for one in self.session.colours.result_layers() if store.result_of(one) is source), None)

    def _result(self) -> store.Result | None:
        return store.result_of(self._layer())

    def show_result(self, _event: object = None) -> None:
        """Say what is known of the chosen result."""
        if self.session.closed:
            return
        result = self._result()
        which, known = trust_maps.outside(result), result is not None and result.intervals is not None
        running = self.session.state.running
        self.width_button.setEnabled(known)
        self.likeness_button.setEnabled(which is not None and not running)
        self.ring_box.setEnabled(which is not None and not running)
        self.fade_box.setEnabled(known or which is not None)
        set_quietly(self.ring_box, bool(trust_maps.rings_of(self.session.viewer, result)))
        said = []
        if result is not None:
            if which is not None:
                counted = f"{int(which.sum()):,} of {int(result.done.sum()):,} spots"
                said.append(f"{counted} are unlike the training (of a slide like it, about {OUTSIDE:.0%} may be).")
            told = None if result.card is None else result.card.metrics.intervals
            if known and told is not None:
                shares = ", ".join(f"{name} {share:.0%}" for name, share in list(told.coverage.items())[:6])
                said.append(
                    f"So many spots of held-out sections lay inside their {told.level:.0%} interval, in the median "
                    f"gene: {shares}. Of some genes it is less (the card says it)."
                )
            if which is None and not known and result.card is not None:
                said.append(UNKNOWN)
        self.said.setText(" ".join(said))
        self.said.setVisible(bool(said))

    def _show_look(self, _look: object = None) -> None:
        set_quietly(self.fade_box, self.session.state.look.fade)

    def _add_likeness(self) -> None:
        added = self._add(trust_maps.add_likeness_map)
        if added is not None:  # limits in which `OUTSIDE` can be read, whatever the spots
            low, high = trust_maps.LIKENESS_LIMITS
            self.session.colours.change(added, automatic=False, low=low, high=high)

    def _add(self, make: Callable[[Viewer, Points], Points | None]) -> Points | None:
        layer = self._layer()
        assert layer is not None  # the buttons are disabled without one
        added = make(self.session.viewer, layer)
        if added is not None:
            self.session.state.result_layer = added
        return added

    def _ring(self, on: bool) -> None:
        viewer, layer = self.session.viewer, self._layer()
        if layer is None:
            return
        if on:
            trust_maps.ring_outside(viewer, layer)
        else:
            for rings in trust_maps.rings_of(viewer, self._result()):
                viewer.layers.remove(rings)
