"""The parts of a self-contained HTML page: style, tables, pictures."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:64em;margin:2em auto;padding:0 1em;color:#222;
background:#fff}table{border-collapse:collapse;margin:1em 0;font-size:13px}td,th{padding:.25em .7em;
border-bottom:1px solid #ddd;text-align:right}td:first-child,th:first-child{text-align:left}img{max-width:100%}
.note{background:#fff8e1;border-left:4px solid #f0b400;padding:.6em 1em}.wide{overflow-x:auto}
pre{white-space:pre-wrap;font-size:12px;background:#f6f6f6;padding:.8em}summary{cursor:pointer}"""


def page(title: str, body: str) -> str:
    """Return a whole HTML page; `body` is HTML already."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>{body}</body></html>\n"
    )


def png_of(figure: Figure, dpi: int = 150) -> bytes:
    """Return a figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight")
    return buffer.getvalue()


def picture(title: str, png: bytes) -> str:
    """Return a picture that is part of the page, under its title."""
    data = base64.b64encode(png).decode()
    return f'<h2>{html.escape(title)}</h2><img alt="{html.escape(title)}" src="data:image/png;base64,{data}">'


def table(data: pd.DataFrame) -> str:
    """Return a table without its index; numbers with three decimals, nothing for what is missing."""
    shown = data.rename(columns=lambda name: str(name).replace("_", " "))
    text: str = shown.to_html(index=False, na_rep="", float_format=lambda v: f"{v:.3f}", border=0)
    return f'<div class="wide">{text}</div>'


def notes(sentences: list[str]) -> str:
    """Return sentences that must not be overlooked; nothing for none."""
    return "".join(f'<p class="note">{html.escape(sentence)}</p>' for sentence in sentences)


def folded(summary: str, inside: str) -> str:
    """Return a part that opens when its summary is clicked; `inside` is HTML already."""
    return f"<details><summary>{html.escape(summary)}</summary>{inside}</details>"
