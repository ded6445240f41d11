"""Gene panels that ship with the project: one symbol a line, in the models' output order."""

from __future__ import annotations

from pathlib import Path

from napari_tcgn.errors import DataError


def read_panel(name_or_path: str | Path) -> list[str]:
    """Read a gene panel by name ("her2st_785") or from a text file with one symbol a line.

    Raises
    ------
    DataError
        If there is no such panel, it is empty, or a gene occurs twice.
    """
    shipped = Path(__file__).parent / f"{name_or_path}.txt"
    path = shipped if shipped.is_file() else Path(name_or_path)
    if not path.is_file():
        known = sorted(p.stem for p in Path(__file__).parent.glob("*.txt"))
        raise DataError(f"There is no gene panel {str(name_or_path)!r}.", f"Give a text file, or one of {known}.")
    genes = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not genes:
        raise DataError(f"The gene panel {path} is empty.", "Write one gene symbol a line.")
    repeated = sorted({g for g in genes if genes.count(g) > 1}) if len(set(genes)) != len(genes) else []
    if repeated:
        raise DataError(f"The gene panel {path} names {repeated[0]!r} more than once.", "Name every gene once.")
    return genes
