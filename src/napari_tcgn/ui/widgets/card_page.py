"""What a model's card says, as a page in a window of its own."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from qtpy.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

SIZE = (560, 520)  # px


class CardPage(QDialog):
    """A page of headings and texts that can be read beside the dock.

    Parameters
    ----------
    parent : QWidget
        With which it goes.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.browser = QTextBrowser()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.browser)
        self.resize(*SIZE)

    def show_text(self, title: str, lines: Mapping[str, str]) -> None:
        """Show a card; what it says is not trusted to be free of markup."""
        rows = (f"<tr><td><b>{escape(name)}</b></td><td>{escape(text)}</td></tr>" for name, text in lines.items())
        self.setWindowTitle(title)
        self.browser.setHtml(f"<table cellspacing='6'>{''.join(rows)}</table>")
