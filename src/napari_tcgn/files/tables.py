"""Tables as spreadsheets read and write them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import IO, TYPE_CHECKING

from napari_tcgn.files.untrusted import open_text

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a cell begins with that a spreadsheet computes


def open_table(path: Path) -> IO[str]:
    """Open a table as text (`open_text`) behind the line "sep=;" that tells Excel what separates its cells.

    Raises
    ------
    OSError
        If it cannot be opened.
    """
    file = open_text(path)
    try:
        if not file.readline(16).strip().strip('"').lower().startswith("sep="):
            file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def cells_of(line: str) -> tuple[list[str], str]:
    """Return the cells of a line of a table, without quotes and spaces around them, and what separates them.

    That is a tab where there is one, whatever the file is called, else a comma, or ";" where there are more of it:
    spreadsheets of countries with a decimal comma write it into what they call CSV.
    """
    separator = "\t" if "\t" in line else ";" if line.count(";") > line.count(",") else ","
    cells = next(csv.reader([line.rstrip("\r\n")], delimiter=separator, skipinitialspace=True), [])
    return [cell.strip() for cell in cells], separator


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose names a spreadsheet takes for text: what begins like a formula gets an apostrophe before it.

    Spreadsheets compute cells of a CSV that begin with =, +, - or @, and a formula can open files and addresses.

    Parameters
    ----------
    table : pandas.DataFrame
        Names stand in its columns, its index and its columns of text; numbers are left as they are.
    """

    def plain(name: object) -> object:
        return f"'{name}" if isinstance(name, str) and name.startswith(_FORMULA) else name

    safe = table.rename(columns=plain, index=plain)
    for number, kind in enumerate(table.dtypes):
        if getattr(kind, "kind", "") == "O":  # of objects, texts and categories
            safe.isetitem(number, [plain(value) for value in table.iloc[:, number]])
    return safe
