"""Tables as spreadsheets and other programs write them: separators, empty rows, flags in words, decimal commas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_tcgn.files import cells_of, open_table

if TYPE_CHECKING:
    import pandas as pd

# Spreadsheets write booleans in the language of the desk.
_YES = ("true", "t", "yes", "y", "wahr", "ja", "vrai", "oui", "verdadero", "verdadeiro", "vero", "waar")
_NO = ("false", "f", "no", "n", "falsch", "nein", "faux", "non", "falso", "onwaar", "", "nan", "none", "<na>")


def read_text_table(
    path: Path, known: Sequence[str], text: Sequence[str] = (), headless: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a table as text, by whatever program it was written.

    Cells are separated by tabs, commas or semicolons and may be quoted; rows without anything in them, and columns
    without a name and without anything in them, are left out. A first column without a name, as pandas and R write
    it, is kept.

    Parameters
    ----------
    path : pathlib.Path
    known : sequence of str
        Names of columns that are looked for: capitals in the file do not matter for them.
    text : sequence of str
        Columns whose cells are text, whatever they look like.
    headless : sequence of str, optional
        The columns of a table whose first line names none of the known ones; without it the first line is the header.

    Raises
    ------
    OSError, EOFError, zlib.error, ValueError
        If it cannot be read, or has another number of columns than it names.
    """
    import pandas as pd

    with open_table(path) as file:
        start = file.readline()
    names, separator = cells_of(start)
    spelt = _spelt(names, known)
    headed = headless is None or bool(set(spelt) & set(known))
    names = spelt if headed or headless is None else list(headless)
    with open_table(path) as file:
        if headed:
            file.readline()
        types = {number: str for number, name in enumerate(names) if name in text}
        try:
            table = pd.read_csv(file, sep=separator, header=None, dtype=types, skipinitialspace=True, index_col=False)
        except pd.errors.EmptyDataError:
            return pd.DataFrame(columns=names)
    width = len(table.columns)
    if width == len(names) + 1 and table.iloc[:, -1].notna().any():
        names = ["", *names]  # R names the columns only
    if not any(names[width:]) and table.iloc[:, len(names) :].isna().all(axis=None):  # lines end in separators
        names = (names + [""] * width)[:width]
    if len(names) != width:
        raise ValueError(f"it has {width} columns instead of {len(names)}")
    table.columns = pd.Index(names, dtype=object)
    unnamed = np.array([name == "" for name in names]) & table.isna().all(axis=0).to_numpy()
    return table.loc[:, ~unnamed].dropna(how="all").reset_index(drop=True)


def _spelt(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return names of columns, the known ones in small letters unless they stand there like that, too."""
    small = {name.lower(): name for name in known}
    return [name if (meant := small.get(name.lower(), name)) in names else meant for name in names]


def as_flags(values: ArrayLike) -> NDArray[np.bool_]:
    """Return which of the values say yes: 1, "1,0", true, WAHR, yes, in any spelling; what is missing says no.

    Parameters
    ----------
    values : array [n]
        Numbers, booleans or text.

    Raises
    ------
    ValueError
        If a value says neither yes nor no.
    """
    import pandas as pd

    found = pd.Series(np.asarray(values))
    if found.dtype.kind == "b":
        return found.to_numpy(dtype=bool)
    text = found.astype(str).str.strip().str.lower()
    number = pd.Series(as_numbers(text), index=found.index)
    unknown = number.isna() & ~text.isin(_YES + _NO)
    if unknown.any():
        raise ValueError(f"{found[unknown].iloc[0]!r} says neither yes (1, true) nor no (0, false)")
    return np.asarray((number == 1) | text.isin(_YES), dtype=bool)


def as_numbers(values: pd.Series) -> NDArray[np.float64]:
    """Return the numbers of a column, float64 [n], NaN where there is none; a comma may stand for the decimal point.

    It does not where it may separate thousands: where every one of them is followed by three digits, or points occur.
    """
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.isna().any():
        text = values.dropna().astype(str)
        comma = text.str.contains(",", regex=False)
        thousands = text[comma].str.fullmatch(r"\s*[-+]?\d{1,3}(,\d{3})+\s*")
        if comma.any() and not thousands.all() and not text.str.contains(".", regex=False).any():
            numbers = pd.to_numeric(values.astype(str).str.replace(",", ".", n=1, regex=False), errors="coerce")
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan)
