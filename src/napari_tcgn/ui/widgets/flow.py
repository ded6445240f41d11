"""A row of widgets that goes on in the next line where it is full, as words do."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtWidgets import QLayout, QLayoutItem, QWidget

GAP = 4  # px


class FlowLayout(QLayout):
    """Widgets at their own width; of each line, those that grow share what is left.

    A row of buttons fits a wide dock in one line and a narrow one, or a large font, in several.

    Parameters
    ----------
    *widgets : QWidget
    growing : sequence of QWidget
        Those of `widgets` that may become wider than they want to be.
    """

    def __init__(self, *widgets: QWidget, growing: Sequence[QWidget] = ()) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self._growing = tuple(growing)
        self.setContentsMargins(0, 0, 0, 0)
        for widget in widgets:
            self.addWidget(widget)

    def addItem(self, item: QLayoutItem | None) -> None:  # Qt's name
        """Take an item at the end."""
        if item is not None:
            self._items.append(item)

    def count(self) -> int:
        """Return the number of items."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # Qt's name
        """Return an item; None where there is none."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # Qt's name
        """Take an item out."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:  # Qt's name
        """Return that it wants no more height than its lines need."""
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:  # Qt's name
        """Return that the height follows from the width."""
        return True

    def heightForWidth(self, width: int) -> int:  # Qt's name
        """Return the height of all lines in px."""
        lines = self._lines(width)
        return sum(map(_height, lines)) + GAP * max(0, len(lines) - 1)

    def sizeHint(self) -> QSize:  # Qt's name
        """Return the size of everything in one line."""
        shown = self._shown()
        width = sum(map(_width, shown)) + GAP * max(0, len(shown) - 1)
        return QSize(width, max((item.sizeHint().height() for item in shown), default=0))

    def minimumSize(self) -> QSize:  # Qt's name
        """Return the size of the widest item."""
        sizes = [item.minimumSize() for item in self._shown()]
        return QSize(max((s.width() for s in sizes), default=0), max((s.height() for s in sizes), default=0))

    def setGeometry(self, rect: QRect) -> None:  # Qt's name
        """Lay the items out in lines."""
        super().setGeometry(rect)
        y = rect.y()
        for line in self._lines(rect.width()):
            height, x = _height(line), rect.x()
            for item, width in line:
                item.setGeometry(QRect(x, y, width, height))
                x += width + GAP
            y += height + GAP

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _lines(self, width: int) -> list[list[tuple[QLayoutItem, int]]]:
        """Return the items of each line with their widths."""
        lines: list[list[QLayoutItem]] = []
        room = 0
        for item in self._shown():
            needed = _width(item)
            if not lines or needed > room:
                lines.append([])
                room = width
            lines[-1].append(item)
            room -= needed + GAP
        return [self._spread(line, width) for line in lines]

    def _spread(self, line: list[QLayoutItem], width: int) -> list[tuple[QLayoutItem, int]]:
        """Give what a line has left to the items that grow."""
        spare = width - sum(map(_width, line)) - GAP * (len(line) - 1)
        growing = sum(item.widget() in self._growing for item in line)
        more = spare // growing if growing else 0
        return [(item, min(width, _width(item) + (more if item.widget() in self._growing else 0))) for item in line]


def _width(item: QLayoutItem) -> int:
    # A widget whose wish is ignored has one all the same: its least.
    return max(item.sizeHint().width(), item.minimumSize().width())


def _height(line: list[tuple[QLayoutItem, int]]) -> int:
    # What lies in an item may wrap as well.
    return max(
        item.heightForWidth(width) if item.hasHeightForWidth() else item.sizeHint().height() for item, width in line
    )
