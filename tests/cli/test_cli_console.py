"""Consoles and shells that are not those of Linux: encodings, patterns, signals, pipes."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from napari_tcgn import paths
from napari_tcgn.cli import app as app_module, main
from napari_tcgn.cli.console import reader_has_gone, with_matches
from support.processes import environment

MODEL = "tcgn-tiny-her2st"


def start(*arguments: object, folder: Path | None = None, **variables: object) -> subprocess.CompletedProcess[bytes]:
    """Run the command line in a process of its own, as a pipe of Windows has it: in an encoding without most signs."""
    named = environment(**{"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252:strict", "LC_ALL": "C"} | variables)
    command = [sys.executable, "-m", "napari_tcgn", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env=named, cwd=folder, timeout=300, check=False)


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "cp932", "latin-1"])
def test_signs_that_a_console_lacks_do_not_end_a_command(encoding: str) -> None:
    done = start("models", "info", MODEL, PYTHONIOENCODING=f"{encoding}:strict")
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode(encoding)
    assert MODEL in said
    assert ("µm" if encoding != "cp932" else r"\xb5m") in said


def test_json_is_read_whatever_the_encoding() -> None:
    done = start("models", "info", MODEL, "--json")
    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout.decode("ascii"))
    assert card["name"] == MODEL


def test_a_name_of_another_script_is_an_error_in_words(tmp_path: Path) -> None:
    done = start("predict", "切片.svs", "--grid", "visium", "--out", "out.h5ad", folder=tmp_path, LC_ALL="C.UTF-8")
    assert done.returncode == 1
    assert rb"\u5207\u7247.svs" in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"bug" not in done.stderr


def test_patterns_stand_for_files_where_the_shell_leaves_them(monkeypatch, tmp_path: Path) -> None:
    for name in ("b.svs", "a.svs", "[1].svs", "c.tif"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    given = ["predict", "*.svs", "[1].svs", "no*.svs", "--genes", "A*", "--spots={stem}*.tsv"]
    assert with_matches(given) == given or paths.WINDOWS
    monkeypatch.setattr(paths, "WINDOWS", True)
    assert with_matches(given) == [
        "predict", "[1].svs", "a.svs", "b.svs", "[1].svs", "no*.svs", "--genes", "A*", "--spots={stem}*.tsv",
    ]  # fmt: skip


def test_the_command_line_of_the_process_is_expanded(monkeypatch, capsys, tmp_path: Path) -> None:
    (tmp_path / "a.svs").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "WINDOWS", True)
    monkeypatch.setattr(sys, "argv", ["napari-tcgn", "predict", "*.svs", "--grid", "visium", "--out", "x.h5ad"])
    with pytest.raises(SystemExit):
        main()
    assert "a.svs" in capsys.readouterr().err


def test_ctrl_break_ends_like_a_told_end(monkeypatch) -> None:
    """SIGBREAK is Ctrl-Break, and a closed console, of Windows."""
    if os.name == "nt":
        pytest.skip("here it is the real one")
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR2, raising=False)
    before = signal.getsignal(signal.SIGUSR2), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(app_module, "app", lambda **_: signal.raise_signal(signal.SIGUSR2))
    try:
        with pytest.raises(SystemExit) as end:
            main([])
    finally:
        signal.signal(signal.SIGUSR2, before[0])
        signal.signal(signal.SIGTERM, before[1])
    assert end.value.code == 143


def test_a_pipe_without_a_reader(monkeypatch) -> None:
    invalid_name = OSError(errno.EINVAL, "Invalid argument")
    invalid_name.winerror = 123
    assert reader_has_gone(BrokenPipeError())
    assert not reader_has_gone(OSError(errno.EINVAL, "Invalid argument")) or paths.WINDOWS
    monkeypatch.setattr(paths, "WINDOWS", True)
    assert reader_has_gone(OSError(errno.EINVAL, "Invalid argument"))
    assert not reader_has_gone(invalid_name)


def predicted(tmp_path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "napari_tcgn", "predict", str(tmp_path / "no.jpg"), "--grid", "visium"]
    command += ["--out", str(tmp_path / "a.h5ad"), *more]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.mark.parametrize("number", ["0,688", "0.688"])
def test_numbers_with_a_comma(number: str, tmp_path: Path) -> None:
    """Both are read; what is missing is named then."""
    done = predicted(tmp_path, "--mpp", number, "--pitch-um", "100,5")
    assert done.returncode == 1
    assert "does not exist" in done.stderr


def test_what_is_no_number(tmp_path: Path) -> None:
    done = predicted(tmp_path, "--mpp", "fast")
    assert done.returncode == 2
    assert "'fast' is no number: write it like 0.688" in done.stderr
