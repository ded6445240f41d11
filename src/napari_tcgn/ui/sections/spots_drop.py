"""Files and folders of spots that are dropped on the viewer or on the section Spots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QWidget

from napari_tcgn.ui.io import spots_reader
from napari_tcgn.ui.session import Session

if TYPE_CHECKING:
    from napari.viewer import Viewer

NO_SLIDE = "{name} holds spots of a section: choose or open the slide that they lie on, then drop {name} again."
RUNNING = "{name} was not read: wait for the run to end, or cancel it, then drop it again."


class SpotsDrop(QObject):
    """Lets spots be dropped.

    Parameters
    ----------
    session : Session
    section : QWidget
        Where they may be dropped, beside the viewer.
    read : callable
        Reads the spots of a path onto the chosen slide.
    said : callable
        Told why they cannot be read now.
    """

    def __init__(
        self, session: Session, section: QWidget, read: Callable[[Path], object], said: Callable[[str], object]
    ) -> None:
        super().__init__(section)
        self._session, self._read, self._said = session, read, said
        self._waiting: Path | None = None
        section.setAcceptDrops(True)
        section.installEventFilter(self)
        session.state.events.busy.connect(self._read_what_waits)
        spots_reader.takers.add(self)

    def is_in(self, viewer: Viewer | None) -> bool:
        """Whether the dock is open in a viewer."""
        if self._session.closed:
            return False
        own = self._session.viewer  # it may be a proxy, as plugins see viewers
        return getattr(own, "__wrapped__", own) is getattr(viewer, "__wrapped__", viewer)

    def stop(self) -> None:
        """Take nothing any more."""
        spots_reader.takers.discard(self)
        self._waiting = None

    def take(self, path: Path) -> None:
        """Read the spots of a path; after what is being done, for a slide may have been dropped with them."""
        state = self._session.state
        if state.busy:
            self._waiting = path
        elif state.running:
            self._said(RUNNING.format(name=path.name))
        elif state.missing_for_table():
            self._said(NO_SLIDE.format(name=path.name))
        else:
            self._read(path)

    def _read_what_waits(self, busy: str) -> None:
        if not busy and self._waiting is not None:
            path, self._waiting = self._waiting, None
            self.take(path)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Accept one file or folder."""
        if isinstance(event, QDragEnterEvent | QDropEvent):
            data = event.mimeData()
            paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()] if data is not None else []
            if len(paths) == 1:
                event.acceptProposedAction()
                if not isinstance(event, QDragEnterEvent) and event.type() == QEvent.Type.Drop:
                    self.take(paths[0])
                return True
        return super().eventFilter(watched, event)
