"""Cells of tables as spreadsheets and other programs write them: flags in words, decimal commas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import pandas as pd

_YES = ("true", "t", "yes", "y")
_NO = ("false", "f", "no", "n", "", "nan", "none", "<na>")


def as_flags(values: ArrayLike) -> NDArray[np.bool_]:
    """Return which of the values say yes: 1, true, yes, in any spelling; what is missing says no.

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
    number = pd.to_numeric(text, errors="coerce")
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
