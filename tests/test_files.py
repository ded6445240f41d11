"""What is written whole: a failure at the last step leaves what was there before; text as other programs write it."""

from __future__ import annotations

import gzip
import importlib
import os
from pathlib import Path

import pytest

from napari_tcgn import memory
from napari_tcgn.errors import DataError, OutputError
from napari_tcgn.files import cells_of, open_table, open_text, reading, whole, write_whole_folder
from napari_tcgn.spots import read_count_table


def folder_with(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "mark").write_text(text)
    return path


def test_a_folder_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    target = folder_with(tmp_path / "result", "old")
    with write_whole_folder(target, overwrite=True, marks=("mark",)) as temporary:
        folder_with(temporary / "result", "new")
    assert (target / "mark").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_what_cannot_be_put_in_place_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = folder_with(tmp_path / "result", "old")
    replace = os.replace

    def fail_once(source: Path, place: Path) -> None:
        if Path(place) == target and Path(source).name == "result":
            raise OSError(28, "No space left on device")
        replace(source, place)

    monkeypatch.setattr(whole, "exchange", lambda *_: False)  # where the system cannot do it in one step
    monkeypatch.setattr(os, "replace", fail_once)
    with (
        pytest.raises(OutputError, match="cannot be written"),
        write_whole_folder(target, overwrite=True, marks=("mark",)) as temporary,
    ):
        folder_with(temporary / "result", "new")
    assert (target / "mark").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("packed", [False, True])
def test_text_of_other_programs(tmp_path: Path, encoding: str, packed: bool) -> None:
    data = "a;µm\r\n1;2\r\n".encode(encoding)
    (tmp_path / "t").write_bytes(gzip.compress(data) if packed else data)
    with open_text(tmp_path / "t") as file:
        assert file.read() == "a;µm\n1;2\n"


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("a;b", ["a", "b"]),
        ("a;1;1,5;2,25\r\n", ["a", "1", "1,5", "2,25"]),
        ("a,b", ["a", "b"]),
        ("a,b;c", ["a", "b;c"]),
        ("a\tb;c\td", ["a", "b;c", "d"]),
        ('"a","b, c", d ,', ["a", "b, c", "d", ""]),
        ("a", ["a"]),
        ("", []),
    ],
)
def test_cells(line: str, cells: list[str]) -> None:
    assert cells_of(line)[0] == cells


def test_the_line_that_tells_excel_the_separator(tmp_path: Path) -> None:
    for start in ("sep=;\r\n", '"sep=;"\n', "SEP=;\n", ""):
        (tmp_path / "a.csv").write_text(f"{start}a;b\n", encoding="utf-8-sig")
        with open_table(tmp_path / "a.csv") as file:
            assert file.read() == "a;b\n"


def test_lists_as_spreadsheets_save_them(tmp_path: Path) -> None:
    """A byte order mark is part of no name; where the comma is decimal, semicolons separate."""
    from napari_tcgn.comparison.bulk import read_bulk
    from napari_tcgn.expression.gene_names import read_aliases
    from napari_tcgn.training.fit.recipe import read_train_settings

    (tmp_path / "a.tsv").write_text("OLD\tNEW\r\n", encoding="utf-8-sig")
    assert read_aliases(tmp_path / "a.tsv") == {"OLD": "NEW"}
    (tmp_path / "r.toml").write_text("epochs = 3\r\n", encoding="utf-8-sig")
    assert read_train_settings(tmp_path / "r.toml")["epochs"] == 3
    (tmp_path / "b.csv").write_text("gene;S1;S2\r\nGNAS;1,5;2\r\n", encoding="utf-8-sig")
    assert read_bulk(tmp_path / "b.csv").loc["GNAS"].tolist() == [1.5, 2.0]


def test_a_missing_package_is_not_blamed_on_the_file() -> None:
    missing = pytest.raises(DataError, match=r"a\.h5ad cannot be read here: .*no_such_package")
    with missing as found, reading("a.h5ad", DataError):
        importlib.import_module("no_such_package")
    assert "pip install" in found.value.hint
    assert "damaged" not in str(found.value)


def test_a_packed_file_without_end_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 50_000_000)
    path = tmp_path / "counts.tsv.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(30):
            file.write(b"\tG" * 1_000_000)  # 60 MB, and one line without end, in 60 kB
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match=r"counts\.tsv\.gz cannot be read: it holds 1\d MB of text or more"):
        read_count_table(path)
    small = tmp_path / "small.tsv.gz"
    with gzip.open(small, "wb") as file:
        file.write(b"\tA\tB\n1x1\t3\t0\n2x1\t0\t4\n")
    assert read_count_table(small).loc["1x1", "A"] == 3
