"""Count tables as text: spots in rows or in columns, as ST pipelines, R, spreadsheets and GEO write them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_tcgn.errors import DataError
from napari_tcgn.files import cells_of, open_table
from napari_tcgn.spots.text import as_numbers

if TYPE_CHECKING:
    import pandas as pd

COUNT_SUFFIXES = (".tsv", ".txt", ".csv")
_SUFFIX = re.compile(r"\.(tsv|txt|csv)(\.gz)?$", re.IGNORECASE)
_ST = re.compile(r"-?\d+x-?\d+")
# R's make.names writes "X10x12" for a column "10x12", and ".1" for the "-1" behind a barcode.
_ST_OF_R = re.compile(r"X-?\d+x-?\d+")
_BARCODE = re.compile(r"(.*[_.-])?[ACGT]{12,}([-_.]\w+)*|s_\d{3}um_\d+_\d+(-\d+)?")


def is_count_table(path: Path) -> bool:
    """Tell by its name whether a file is a count table as text, packed or not."""
    return path.name.lower().removesuffix(".gz").endswith(COUNT_SUFFIXES)


def selection_beside(counts: Path) -> Path | None:
    """Return the ST selection table that lies with a count table: C2_selection.tsv with C2.tsv.gz.

    It lies in the same folder, or in the folder ST-spotfiles beside that of the counts, as in her2st.
    """
    stem = _SUFFIX.sub("", counts.name)
    for folder in (counts.parent, counts.parent.parent / "ST-spotfiles"):
        for suffix in COUNT_SUFFIXES:
            for packed in ("", ".gz"):
                table = folder / f"{stem}_selection{suffix}{packed}"
                if table.is_file() and table != counts:
                    return table
    return None


def is_st_name(name: str) -> bool:
    """Whether a spot is called by its place on a legacy array, "10x12"."""
    return _ST.fullmatch(name) is not None


def read_count_table(path: str | Path) -> pd.DataFrame:
    """Read a count table.

    Parameters
    ----------
    path : str or pathlib.Path
        Separated by tabs, commas or semicolons, plain or packed; spots in rows or in columns, named by their place on
        a legacy array ("10x12") or by a barcode.

    Returns
    -------
    pandas.DataFrame [spots, genes]
        Counts as they stand; the index holds the spots' names. A gene that stands there twice has two columns of its
        name.

    Raises
    ------
    DataError
        If the file is missing, unreadable or not such a table, if a spot occurs twice, or if a count is negative or
        not a number.
    """
    path = Path(path)
    counts = _oriented(_read(path), path)
    if not counts.index.is_unique:
        repeated = counts.index[counts.index.duplicated()][0]
        raise DataError(f"{path.name} holds spot {repeated!r} twice.", "Keep one row per spot.")
    counts = _as_numbers(counts, path)
    values = counts.to_numpy()
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{path.name} has {bad.sum()} counts that are negative or missing "
            f"(first: {counts.columns[column]} in spot {counts.index[row]}: {values[row, column]}).",
            "Give the raw counts, without gaps.",
        )
    return counts


def read_st_counts(path: str | Path) -> pd.DataFrame:
    """Read the count table of a legacy ST section: as `read_count_table`, of spots "<x>x<y>" only.

    Returns
    -------
    pandas.DataFrame [spots, genes]

    Raises
    ------
    DataError
        As `read_count_table` does, or if the spots are named otherwise.
    """
    counts = read_count_table(path)
    if not all(map(is_st_name, counts.index)):
        raise not_counts(Path(path), f"its spots are named by barcodes (such as {counts.index[0]})")
    return counts


def _as_numbers(counts: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the table in numbers; decimal commas, which a spreadsheet may write all over it, are points."""
    import pandas as pd

    of_text = np.array([dtype.kind not in "iuf" for dtype in counts.dtypes], dtype=bool)
    if not of_text.any():
        return counts
    values = counts.to_numpy(dtype=object)
    text = np.frompyfunc(lambda cell: isinstance(cell, str), 1, 1)(values).astype(bool)
    found = np.full(values.shape, np.nan)
    found[~text] = pd.to_numeric(pd.Series(values[~text]), errors="coerce")
    found[text] = as_numbers(pd.Series(values[text]))  # all of them tell what a comma means
    wrong = np.argwhere(text & np.isnan(found))
    if len(wrong):
        row, column = wrong[0]
        raise not_counts(path, f"column {counts.columns[column]!r} holds text ({values[row, column]!r})")
    return pd.DataFrame(found, index=counts.index, columns=counts.columns)


def not_counts(path: Path, found: str) -> DataError:
    """Return the error for a file that is no count table."""
    return DataError(
        f"{path.name} is not an ST count table: {found}.",
        "It must be a table of spots and genes, its spots named <x>x<y> or by barcodes.",
    )


def _read(path: Path) -> pd.DataFrame:
    """Return the table as it stands, its first column as index, both kinds of names as text."""
    import pandas as pd

    if not path.is_file():
        raise DataError(f"The table {path} does not exist.", "Check its name and folder.")
    try:
        with open_table(path) as file:
            header, separator = cells_of(file.readline())
            row = file.readline().count(separator)
            if len(header) < 2:
                raise not_counts(path, "it has no columns")
            # R names the columns only: its header lacks the corner.
            columns = header if row == len(header) else header[1:]
        with open_table(path) as file:
            file.readline()
            table = pd.read_csv(file, sep=separator, header=None, index_col=0, converters={0: str.strip})
    except pd.errors.EmptyDataError as error:
        raise not_counts(path, "its first column holds 'nothing'") from error
    except (OSError, EOFError, ValueError, zlib.error) as error:  # ValueError: pandas' parser errors, decoding
        raise DataError(f"The table {path.name} cannot be read: {error}.", "Copy or download it again.") from error
    table = table[~((table.index == "") & table.isna().all(axis=1).to_numpy())]  # rows without anything in them
    if len(table.columns) == len(columns) and columns[-1] == "" and table.iloc[:, -1].isna().all():
        table, columns = table.iloc[:, :-1], columns[:-1]  # every line ends in a separator
    elif len(table.columns) == len(columns) + 1 and table.iloc[:, -1].isna().all():
        table = table.iloc[:, :-1]
    if len(table.columns) != len(columns):
        raise not_counts(path, f"it names {len(columns)} columns and has {len(table.columns)}")
    table.columns = pd.Index(columns, dtype=object)
    table.index = pd.Index(list(table.index), dtype=object)
    return table


def _oriented(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the table with spots in rows, which are told by their names."""
    import pandas as pd

    rows, columns = list(table.index), list(table.columns)
    if (names := _spots(rows)) is None and (names := _spots(columns)) is not None:
        table = table.T
    if names is None:
        wrong = next((name for name in rows if not (is_st_name(name) or _BARCODE.fullmatch(name))), "nothing")
        raise not_counts(path, f"its first column holds {wrong!r}")
    table.index = pd.Index(names, dtype=object)
    return table


def _spots(names: Sequence[str]) -> list[str] | None:
    """Return names of spots as they are meant, None if they are no spots."""
    if not names:
        return None
    if all(map(is_st_name, names)):
        return list(names)
    if all(_ST_OF_R.fullmatch(name) for name in names):
        return [name[1:] for name in names]
    return list(names) if all(_BARCODE.fullmatch(name) for name in names) else None
