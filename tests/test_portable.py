"""What Windows and macOS do in another way, as far as Linux can tell it: names, text files, files that are open."""

from __future__ import annotations

import ast
import ntpath
import os
import re
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

import napari_tcgn
from napari_tcgn import moves, paths
from napari_tcgn.errors import OutputError
from napari_tcgn.files import check_folder, check_target, make_folder, write_text_whole, write_whole, write_whole_folder
from napari_tcgn.moves import remove_file, remove_folder
from napari_tcgn.paths import fault_on_windows, is_of_system, portable_name, same_path
from support.windows import open_files_are_locked

SOURCE = Path(napari_tcgn.__file__).parent


def held(code: int = 32) -> PermissionError:
    error = PermissionError(13, "The process cannot access the file because it is being used by another process")
    error.winerror = code
    return error


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "WINDOWS", True)
    monkeypatch.setattr(moves, "WAITS", (0.0, 0.0))


# -- names


@pytest.mark.parametrize(
    ("name", "portable"),
    [
        ("C2", "C2"),
        ("Käse µ 日本.h5ad", "Käse µ 日本.h5ad"),
        ('a<b>c:d"e/f\\g|h?i*j', "a_b_c_d_e_f_g_h_i_j"),
        ("ends in a dot. . ", "ends in a dot"),
        ("aux.csv", "_aux.csv"),
        ("Com1", "_Com1"),
        ("LPT².tar.gz", "_LPT².tar.gz"),
        ("nul .x", "_nul .x"),
        ("auxiliary.csv", "auxiliary.csv"),
        ("..", "_"),
        ("", "_"),
        ("line\nbreak", "line_break"),
    ],
)
def test_portable_names(name: str, portable: str) -> None:
    assert portable_name(name) == portable
    assert fault_on_windows(portable) == ""
    assert bool(fault_on_windows(name)) == (name != portable and name != "")


def test_a_name_that_windows_does_not_take_is_refused_there_before_the_work(on_windows, tmp_path: Path) -> None:
    for name, why in (("a:1.h5ad", "holds ':'"), ("aux.csv", "device"), ("a.csv.", "ends in a dot")):
        with pytest.raises(OutputError, match=why):
            check_target(tmp_path / name)
    with pytest.raises(OutputError, match="no folder called fold-A:1"):
        make_folder(tmp_path / "fold-A:1")
    assert list(tmp_path.iterdir()) == []


def test_elsewhere_such_a_name_is_taken(tmp_path: Path) -> None:
    if paths.WINDOWS:
        pytest.skip("this is Windows")
    check_target(tmp_path / "a:1.h5ad")


@pytest.mark.parametrize("name", [".DS_Store", "._C2.jpg", "Thumbs.db", "desktop.ini", "Desktop.ini"])
def test_files_of_the_system(name: str) -> None:
    assert is_of_system(name)


def test_files_of_the_user() -> None:
    assert not any(map(is_of_system, ("C2.jpg", ".zattrs", "zarr.json", ".hidden", "thumbs.png", "0")))


def test_paths_that_windows_does_not_tell_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "normcase", ntpath.normcase)
    assert same_path(r"C:\Slides\A.svs") == same_path("c:/slides/a.svs")


def test_a_drive_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Path, "exists", lambda path: False)
    with pytest.raises(OutputError, match=re.escape(f"There is no {tmp_path.anchor} here")):
        check_folder(tmp_path / "out")


@pytest.mark.skipif(paths.WINDOWS, reason="a path of Windows may be too short for such names")
def test_a_long_name_leaves_room_for_the_temporary_one(tmp_path: Path) -> None:
    for name in ("n" * 240 + ".csv", "漢" * 80 + ".csv"):
        write_text_whole(tmp_path / name, "text")
        assert (tmp_path / name).read_text(encoding="utf-8") == "text"


def test_a_long_path_is_named_as_what_windows_may_refuse(on_windows, monkeypatch, tmp_path: Path) -> None:
    def refuse(**_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(OutputError, match=r"Its path has \d+ characters"), write_whole(tmp_path / ("n" * 230)):
        pass


# -- files that are open


def test_a_scanner_that_lets_go_costs_nothing(on_windows, monkeypatch, tmp_path: Path) -> None:
    replace, tries = os.replace, []

    def busy_twice(source: Path, target: Path) -> None:
        if source != target:
            tries.append(source)
            if len(tries) <= 2:
                raise held(5)
        replace(source, target)

    monkeypatch.setattr(os, "replace", busy_twice)
    write_text_whole(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "new"
    assert len(tries) == 3


def test_an_open_target_is_refused_before_the_work(on_windows, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("old")

    def busy(source: Path, target: Path) -> None:
        raise held()

    monkeypatch.setattr(os, "replace", busy)
    with pytest.raises(OutputError, match="used by another process") as caught:
        check_target(tmp_path / "a.csv", overwrite=True)
    assert caught.value.hint.startswith("Close the programs that have it open")


def write_while_another_opens_it(target: Path, stack: ExitStack) -> None:
    with write_whole(target, overwrite=True) as temporary:
        temporary.write_text("new")
        stack.enter_context(target.open())


def fail_with_the_file_open(target: Path, stack: ExitStack) -> None:
    with write_whole(target) as temporary:
        stack.enter_context(temporary.open("w"))
        raise ValueError("no such gene")


def test_what_is_opened_meanwhile_keeps_its_content(on_windows, tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    with open_files_are_locked():
        with ExitStack() as stack, pytest.raises(OutputError, match="cannot be written"):
            write_while_another_opens_it(target, stack)
        assert target.read_text() == "old"
        assert list(tmp_path.iterdir()) == [target]
        write_text_whole(target, "new", overwrite=True)
    assert target.read_text() == "new"


def test_the_error_that_is_told_is_the_first_one(on_windows, tmp_path: Path) -> None:
    """Not that the temporary file cannot be removed, which a failed writer still has open."""
    with open_files_are_locked(), ExitStack() as stack, pytest.raises(ValueError, match="no such gene"):
        fail_with_the_file_open(tmp_path / "a", stack)


def test_a_folder_with_an_open_file_stays_whole(on_windows, tmp_path: Path) -> None:
    entry = tmp_path / "entry"
    entry.mkdir()
    for number in range(3):
        (entry / f"{number}.tif").write_text("level")
    with open_files_are_locked():
        with (entry / "2.tif").open(), pytest.raises(PermissionError):
            remove_folder(entry)
        assert len(list(entry.iterdir())) == 3
        remove_folder(entry)
    assert list(tmp_path.iterdir()) == []


def test_a_replaced_folder_with_an_open_file_stays(on_windows, tmp_path: Path) -> None:
    target = tmp_path / "result.zarr"
    target.mkdir()
    (target / "zarr.json").write_text("old")
    with open_files_are_locked(), (target / "zarr.json").open():
        with (
            pytest.raises(OutputError, match="cannot be written"),
            write_whole_folder(target, overwrite=True, marks=("zarr.json",)) as temporary,
        ):
            (temporary / target.name).mkdir()
        assert (target / "zarr.json").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_in_use_is_left(on_windows, tmp_path: Path) -> None:
    with open_files_are_locked():
        with (tmp_path / "a").open("w"):
            assert not remove_file(tmp_path / "a")
        assert remove_file(tmp_path / "a")
        assert remove_file(tmp_path / "a"), "it is gone already"


def test_permissions_of_a_folder_are_tried_on_windows(on_windows, monkeypatch, tmp_path: Path) -> None:
    """`os.access` of Windows knows nothing of them."""

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(OutputError, match="cannot be written to"):
        check_target(tmp_path / "a.csv")
    with pytest.raises(OutputError, match="cannot be written to"):
        check_folder(tmp_path / "out")


# -- text


def test_line_ends_are_written_as_they_are(tmp_path: Path) -> None:
    write_text_whole(tmp_path / "a", "µ\n\r\n")
    assert (tmp_path / "a").read_bytes() == "µ\n\r\n".encode()


MODE = re.compile(r"[rwax]\+?[bt]?\+?")


def told(call: ast.Call) -> set[str | None]:
    return {keyword.arg for keyword in call.keywords}


def faults_of(call: ast.Call) -> str:
    """Say what a call leaves to the system: the encoding of a text, its line ends, or how an open file is replaced."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    if name == "open":
        plain = isinstance(call.func, ast.Name)
        modes = [text for text in texts if MODE.fullmatch(text)]
        if not (plain or modes or not call.args):
            return ""  # of another kind: an image, a folder of a study
        mode = modes[-1] if modes else "r"
        if "b" in mode:
            return ""
        wanted = {"encoding"} | ({"newline"} if mode[0] != "r" else set())
        wanted -= {"newline"} if any("devnull" in ast.dump(arg) for arg in call.args) else set()
    elif name in ("write_text", "read_text"):
        wanted = {"encoding", "newline"} if name == "write_text" else {"encoding"}
    elif name == "to_csv" and getattr(call.func.value, "id", "") != "comparison":  # that is one of our own
        wanted = {"lineterminator"}
    elif name in ("rename", "replace") and getattr(getattr(call.func, "value", None), "id", "") == "os":
        return "moves.move renames"
    else:
        return ""
    return ", ".join(sorted(wanted - told(call)))


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("open(p)", "encoding"),
        ("open(p, 'w')", "encoding, newline"),
        ("p.open('a', encoding='utf-8')", "newline"),
        ("p.open('rb')", ""),
        ("Image.open(p)", ""),
        ("p.write_text(t, encoding='utf-8')", "newline"),
        ("p.read_text()", "encoding"),
        ("t.to_csv(p)", "lineterminator"),
        ("os.replace(a, b)", "moves.move renames"),
        ("text.replace('a', 'b')", ""),
    ],
)
def test_the_rule_finds_what_it_should(code: str, fault: str) -> None:
    call = ast.parse(code).body[0].value
    assert isinstance(call, ast.Call)
    assert faults_of(call) == fault


def test_nothing_is_left_to_the_system() -> None:
    found = []
    for file in SOURCE.rglob("*.py"):
        if file == SOURCE / "moves.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (fault := faults_of(node)):
                found.append(f"{file.relative_to(SOURCE).as_posix()}:{node.lineno}: {fault}")
    assert found == []


def test_suffixes_in_capitals_are_read(tmp_path: Path) -> None:
    """As cameras, scanners and old programs of Windows write them."""
    from napari_tcgn.expression import read_measured
    from napari_tcgn.model import BUNDLED, read_checkpoint
    from napari_tcgn.sample import sample_section
    from napari_tcgn.slide import open_slide

    sample = sample_section()
    for source, name in ((sample.measured, "S.H5AD"), (sample.image, "S.OME.TIF")):
        (tmp_path / name).write_bytes(source.read_bytes())
    assert read_measured(tmp_path / "S.H5AD").n_obs == read_measured(sample.measured).n_obs
    open_slide(tmp_path / "S.OME.TIF").close()
    (tmp_path / "M.SAFETENSORS").write_bytes((BUNDLED / "haematoxylin-her2st" / "model.safetensors").read_bytes())
    assert read_checkpoint(tmp_path / "M.SAFETENSORS")
