"""Keeps what is laid inside of what is drawn."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer

from napari_tcgn.errors import TcgnError
from napari_tcgn.spots import Region, RegionRecord
from napari_tcgn.ui.sections.spots_region import RegionControls
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import Failure

PAUSE = 150  # ms after a change until spots are laid anew
DRAWING = "Finish the region that is being drawn: double-click its last corner. Or untick “only inside”."
WAITING = "The spots are being laid anew inside the region …"


class KeptInside(QObject):
    """Lays spots anew whenever the region is another one, and says in `state.region_trouble` until it is done.

    Parameters
    ----------
    session : Session
    controls : RegionControls
    failed : callable
        Told why the spots of the new region cannot be laid.
    parent : QObject
    """

    def __init__(
        self, session: Session, controls: RegionControls, failed: Callable[[Failure], object], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._session, self._controls, self._failed = session, controls, failed
        self._changed = False  # since spots were laid
        self._tried: list[RegionRecord | None] = []  # at most one: the region whose spots cannot be laid
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE)
        self._timer.timeout.connect(self._lay)
        controls.changed.connect(self._on_region)
        events = session.state.events
        events.image.connect(self._on_slide)
        events.spots.connect(self._on_spots)
        for event in (events.busy, events.running):
            event.connect(self._go_on)

    def stop(self) -> None:
        """Lay nothing any more."""
        self._timer.stop()
        self._changed = False

    def _on_slide(self) -> None:
        """Leave the region of the slide before: each slide has its own."""
        self.stop()
        self._controls.show_region(None)
        self._session.state.region_trouble = ""

    def _on_spots(self) -> None:
        spots = self._session.state.spots
        if spots is None:
            self.stop()
            self._session.state.region_trouble = ""
        elif self._changed:
            self._compare()  # it was drawn further while they were laid
        else:
            self._controls.show_region(spots.source.region)

    def _on_region(self) -> None:
        self._changed = True
        self._tried.clear()
        self._compare()

    def _go_on(self) -> None:
        state = self._session.state
        if self._changed and not state.busy and not state.running:
            self._compare()

    def _wish(self) -> tuple[Region | None, str]:
        """Return the region that is asked for, and why it cannot be had."""
        if self._controls.drawing:
            return None, DRAWING
        try:
            return self._controls.region(), ""
        except TcgnError as error:
            return None, Failure.of(error).sentence

    def _compare(self) -> None:
        state = self._session.state
        if state.spots is None:
            return
        region, trouble = self._wish()
        record = None if region is None else region.recorded()
        if trouble:
            self._timer.stop()
            state.region_trouble = trouble
        elif _same(record, state.spots.source.region):
            self.stop()
            state.region_trouble = ""
        elif not any(_same(record, tried) for tried in self._tried):
            state.region_trouble = WAITING
            self._timer.start()

    def _lay(self) -> None:
        state = self._session.state
        region, trouble = self._wish()
        if state.busy or state.running or state.spots is None or trouble:
            return  # `_go_on` comes back
        self._tried = [None if region is None else region.recorded()]
        self._session.lay_inside(region, self._on_not_laid)

    def _on_not_laid(self, failure: Failure) -> None:
        self._session.state.region_trouble = failure.sentence
        self._failed(failure)


def _same(one: RegionRecord | None, other: RegionRecord | None) -> bool:
    """Whether two regions enclose the same; None is everywhere."""
    if one is None or other is None:
        return one is other
    return one.outline_px == other.outline_px
