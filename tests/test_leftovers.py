"""What a process that was killed has left goes with the next run of the same target; of a living one nothing goes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_tcgn import moves
from napari_tcgn.engine import WorkFolder, unfinished_runs
from napari_tcgn.errors import OutputError
from napari_tcgn.files import (
    find_leftovers,
    remove_leftovers,
    whole,
    write_text_whole,
    write_together,
    write_whole_folder,
)
from napari_tcgn.moves import beginning_of_temporary, exchange

KILLED = """
import os, signal, sys
from pathlib import Path
from napari_tcgn.files import write_whole, write_whole_folder
target = Path(sys.argv[1])
with (write_whole_folder if target.suffix == ".zarr" else write_whole)(target) as temporary:
    (temporary / "part" if temporary.is_dir() else temporary).write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
NO_KILL = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")


def kill_in_writing(target: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False).returncode == -9


@NO_KILL
@pytest.mark.parametrize("name", ["out.h5ad", "x" * 240 + ".csv", "a.b", "µ$[0].svg", "out.zarr", "x." + "y" * 240])
def test_the_next_run_of_the_same_target_removes_it(tmp_path: Path, name: str) -> None:
    kill_in_writing(tmp_path / name)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(f".{name[:20]}")
    assert find_leftovers(tmp_path) == [left]
    write_text_whole(tmp_path / "other.csv", "other")
    assert left.exists(), "another target"
    if name.endswith(".zarr"):
        with write_whole_folder(tmp_path / name) as temporary:
            (temporary / name).mkdir()
    else:
        write_text_whole(tmp_path / name, "whole")
    assert {path.name for path in tmp_path.iterdir()} == {name, "other.csv"}


def test_nothing_of_a_living_process_goes(tmp_path: Path) -> None:
    with whole.write_whole(tmp_path / "out.csv") as first:
        write_text_whole(tmp_path / "out.csv", "second")
        assert first.exists()
        assert find_leftovers(tmp_path) == []
        first.write_text("first")
    assert (tmp_path / "out.csv").read_text() == "first"


def test_of_another_machine_only_what_is_a_day_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(moves.platform, "node", lambda: "elsewhere")
        left = [tmp_path / f"{beginning_of_temporary(tmp_path / 'out.csv')}abcd123{n}.csv" for n in range(2)]
    for path in left:
        path.write_text("half")
    os.utime(left[0], (1, 1))
    assert remove_leftovers(tmp_path) == 1
    assert [path.exists() for path in left] == [False, True]


def test_a_number_that_a_new_process_has(tmp_path: Path) -> None:
    left = tmp_path / f"{beginning_of_temporary(tmp_path / 'out.csv')}abcd1234.csv"  # of the process of this test
    left.write_text("half")
    assert find_leftovers(tmp_path) == []
    os.utime(left, (1, 1))  # long before this process began
    assert find_leftovers(tmp_path) == [left]


@pytest.mark.parametrize(
    "name", [".out.csv", ".out.csv.bak", ".out.0123abcd-x-abcd1234.csv", "out.0123abcd-1-abcd1234.csv", ".0123abcd-1-a"]
)
def test_files_of_the_user_are_none(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    os.utime(tmp_path / name, (1, 1))
    assert remove_leftovers(tmp_path) == 0
    assert (tmp_path / name).exists()


def test_two_folders_change_places_in_one_step(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if exchange(tmp_path / "a", tmp_path / "b"):
        assert (tmp_path / "a" / "b").exists()
        assert (tmp_path / "b" / "a").exists()
        with pytest.raises(FileNotFoundError):
            exchange(tmp_path / "a", tmp_path / "gone")
    else:
        assert (tmp_path / "a" / "a").exists()


@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_kill_while_a_folder_is_replaced_loses_neither(
    tmp_path: Path, in_one_step: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step of it is tried as the last one."""
    if not in_one_step:
        monkeypatch.setattr(whole, "exchange", lambda *_: False)

    class Killed(BaseException):
        pass

    kept = []
    for last in range(6):
        folder = tmp_path / str(last)
        (folder / "x.zarr").mkdir(parents=True)
        (folder / "x.zarr" / "zarr.json").write_text("old")
        with monkeypatch.context() as patch:
            steps = [0]

            def step(function, steps=steps, last=last):
                def counted(*given, **named):
                    if steps[0] >= last:
                        raise Killed
                    steps[0] += 1
                    return function(*given, **named)

                return counted

            for name in ("move", "exchange"):
                patch.setattr(whole, name, step(getattr(whole, name)))
            patch.setattr(whole.shutil, "rmtree", step(whole.shutil.rmtree))
            try:
                with write_whole_folder(folder / "x.zarr", True, ("zarr.json",)) as temporary:
                    (temporary / "x.zarr").mkdir()
                    (temporary / "x.zarr" / "zarr.json").write_text("new")
            except Killed:
                pass
        for left in folder.glob(".*"):
            os.utime(left, (1, 1))  # as if its process were no more
        remove_leftovers(folder)
        assert [path.name for path in folder.iterdir()] == ["x.zarr"]
        kept.append((folder / "x.zarr" / "zarr.json").read_text())
    assert set(kept) == {"old", "new"}
    assert kept == sorted(kept, reverse=True), "first the old one, then the new one"


@pytest.mark.parametrize("there", [True, False])
def test_files_that_belong_together_come_together(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "out"
    if there:
        folder.mkdir()
        (folder / "a.csv").write_text("old")

    def until_full() -> None:
        with write_together(folder) as making:
            write_text_whole(making / "a.csv", "new")
            with whole.write_whole(making / "b.csv"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutputError, match=r"out/b\.csv cannot be written: No space") as said:
        until_full()
    assert ".out." not in str(said.value)
    assert folder.exists() == there
    if there:
        assert [path.name for path in folder.iterdir()] == ["a.csv"]
        assert (folder / "a.csv").read_text() == "old"
    with write_together(folder) as making:
        write_text_whole(making / "a.csv", "new")
        write_text_whole(making / "b.csv", "new")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a.csv": "new", "b.csv": "new"}


def test_work_folders_that_nobody_writes_are_listed(tmp_path: Path) -> None:
    import numpy as np

    work = WorkFolder(tmp_path / "a.h5ad.partial.zarr")
    (tmp_path / "mine.zarr").mkdir()
    with work:
        work.begin({}, np.arange(5), 2, 2)
        work.add(np.arange(3), np.ones((3, 2), np.float32))
        assert unfinished_runs(tmp_path) == []
        work.flush()
    (found,) = unfinished_runs(tmp_path)
    assert (found.folder.name, found.done, found.spots) == ("a.h5ad.partial.zarr", 3, 5)
    (tmp_path / "a.h5ad.partial.zarr" / "zarr.json").write_text("[")
    (found,) = unfinished_runs(tmp_path)
    assert (found.done, found.spots) == (0, 0)


def test_doctor_lists_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_tcgn.cli.checks import check_leftovers

    monkeypatch.chdir(tmp_path)
    assert check_leftovers().verdict == "PASS"
    (tmp_path / "a.h5ad.partial.zarr").mkdir()
    left = tmp_path / f"{beginning_of_temporary(tmp_path / 'out.csv')}abcd1234.csv"
    left.touch()
    os.utime(left, (1, 1))
    found = check_leftovers()
    assert found.verdict == "WARN"
    assert "a.h5ad.partial.zarr (0 of 0 spots)" in found.found
    assert left.name in found.found
    assert "--resume" in found.hint
