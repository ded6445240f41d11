"""A page from its template: pictures and tables inside it, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import io
import json
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from jinja2 import Environment
    from markupsafe import Markup
    from matplotlib.figure import Figure


LONGEST_LINE, MOST_LINES = 160, 60  # of a text in a figure


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a page.

    Attributes
    ----------
    title : str
        Stands over it, and is read out in its place.
    png : bytes
    """

    title: str
    png: bytes

    @classmethod
    def of(cls, title: str, figure: Figure, dpi: int = 150) -> Picture:
        """Draw a figure."""
        return cls(title, figure_bytes(figure, ".png", dpi, bbox_inches="tight"))

    @property
    def source(self) -> str:
        """The picture as a data URI."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


def figure_bytes(figure: Figure, suffix: str, dpi: int, **how: Any) -> bytes:
    """Return a figure as the content of a file (.png, .svg, .pdf); what is drawn does not stumble over a full disk."""
    _take_names_for_text(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix.lower().removeprefix("."), dpi=dpi, **how)
    return buffer.getvalue()


def shown(name: str) -> str:
    """Return a name as it can be drawn: without characters that no font and no XML has, and each line cut."""
    plain = "".join(
        "\N{REPLACEMENT CHARACTER}" if letter != "\n" and unicodedata.category(letter).startswith("C") else letter
        for letter in name
    )
    lines = [line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…" for line in plain.split("\n")]
    return "\n".join(lines[:MOST_LINES])


def _take_names_for_text(figure: Figure) -> None:
    """Let matplotlib read no formula ($…$) out of a name, and draw no line that is as long as a page.

    Numbers at axes stay as they are: matplotlib writes powers of ten as formulas.
    """
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter

    numbers: set[Text] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            formatter = axis.get_major_formatter()
            if isinstance(formatter, FixedFormatter):
                formatter.seq = [shown(str(name)) for name in formatter.seq]
            else:
                numbers |= {text for text in axis.findobj(Text) if text is not axis.label}
    for text in figure.findobj(Text):
        if text not in numbers:
            text.set_parse_math(False)
            if (said := shown(text.get_text())) != text.get_text():
                text.set_text(said)


def render_page(template: str, **values: Any) -> str:
    """Return a whole HTML page.

    Parameters
    ----------
    template : str
        Name of a file in `templates/`.
    **values
        What the template names. Text is escaped; pandas tables go through the filter `table`, records through `json`.
    """
    return _environment().get_template(template).render(**values) + "\n"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("napari_tcgn.pages"),
        autoescape=True,
        undefined=StrictUndefined,  # a name that nobody gives is a mistake, not an empty place
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"table": _table, "json": _json}
    return environment


def _table(data: pd.DataFrame) -> Markup:
    """Return a table without its index; numbers with three decimals, nothing for what is missing."""
    from markupsafe import Markup

    shown = data.rename(columns=lambda name: str(name).replace("_", " "))
    # pandas escapes what stands in the cells.
    text: str = shown.to_html(index=False, na_rep="", float_format=lambda v: f"{v:.3f}", border=0)
    return Markup(text)


def _json(record: Any) -> str:
    return json.dumps(record, indent=1, ensure_ascii=False)
