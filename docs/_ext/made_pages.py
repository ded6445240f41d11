"""Where the pages go that are made of the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_api_page(app: Any, name: str, text: str) -> None:
    """Write docs/api/NAME, unless it says the same already; git keeps nothing of that folder, so it may be missing."""
    page = Path(app.srcdir) / "api" / name
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.parent.mkdir(exist_ok=True)
        page.write_text(text, encoding="utf-8", newline="\n")
