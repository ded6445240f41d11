"""What a wheel and an editable install bring: manifest, sample, models, and no Qt binding."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import zipfile
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
QT_BINDINGS = {"pyqt5", "pyqt6", "pyside2", "pyside6"}
ALL_FOUND = """
    from pathlib import Path
    import napari_tcgn
    from napari_tcgn.sample import sample_folder
    from npe2 import PluginManifest
    manifest = PluginManifest.from_distribution("napari-tcgn")
    manifest.validate_imports()  # every command leads to something
    print(Path(napari_tcgn.__file__).parent)
    print(sample_folder())
    print(manifest.display_name)
    print(*sorted(command.python_name for command in manifest.contributions.commands))
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
        text=True,
    )
    (path,) = folder.glob("*.whl")
    unpacked = folder / "unpacked"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(unpacked)
    return unpacked


def python(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=300, cwd="/"
    )


def files_below(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_all_of_the_package(wheel: Path) -> None:
    assert files_below(ROOT / "src" / "napari_tcgn") <= files_below(wheel / "napari_tcgn")


def test_the_wheel_holds_the_sample_and_nothing_of_the_tests(wheel: Path) -> None:
    sample = files_below(wheel / "napari_tcgn" / "sample_data")
    assert sample == files_below(ROOT / "sample_data")
    assert sample
    assert {path.name for path in wheel.iterdir() if path.suffix != ".dist-info"} == {"napari_tcgn"}


def test_the_wheel_holds_the_bundled_models(wheel: Path) -> None:
    cards = list((wheel / "napari_tcgn" / "model" / "bundled").glob("*/card.json"))
    assert cards
    for card in cards:
        assert {path.name for path in card.parent.glob("*.safetensors")} == {
            "model.safetensors",
            "domain.safetensors",
            "intervals.safetensors",
        }


def test_manifest_and_sample_are_found_in_a_wheel(wheel: Path) -> None:
    done = python("-c", textwrap.dedent(ALL_FOUND), path=wheel)
    assert done.returncode == 0, done.stderr
    package, sample, name, commands = done.stdout.splitlines()
    assert Path(package) == wheel / "napari_tcgn"
    assert Path(sample) == wheel / "napari_tcgn" / "sample_data"
    assert name == "TCGN"
    assert {"napari_tcgn.ui.io.samples:open_sample", "napari_tcgn.ui:make_dock"} <= set(commands.split())


def test_manifest_and_sample_are_found_in_the_editable_install() -> None:
    done = python("-c", textwrap.dedent(ALL_FOUND))
    assert done.returncode == 0, done.stderr
    package, sample, name, _ = done.stdout.splitlines()
    assert Path(package) == ROOT / "src" / "napari_tcgn"
    assert Path(sample) == ROOT / "sample_data"
    assert name == "TCGN"


def test_the_manifest_at_the_top_is_the_same_file() -> None:
    top, inside = ROOT / "napari.yaml", Path("src/napari_tcgn/napari.yaml")
    # git of Windows writes a link as a small file with the place in it.
    assert top.samefile(ROOT / inside) or top.read_text(encoding="utf-8") == inside.as_posix()


def needed(package: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> None:
    """Collect what installing a package brings in, following the metadata of what is installed here."""
    if (package, extras) in seen:
        return
    seen.add((package, extras))
    try:
        texts = requires(package) or []
    except PackageNotFoundError:
        return  # not installed on this platform; its name is in `seen`
    for requirement in map(Requirement, texts):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in (*extras, "")):
            needed(canonicalize_name(requirement.name), frozenset(requirement.extras), seen)


def test_a_plain_install_brings_no_qt_and_all_brings_one() -> None:
    plain: set[tuple[str, frozenset[str]]] = set()
    needed("napari-tcgn", frozenset(), plain)
    names = {name for name, _ in plain}
    assert {"torch", "squidpy", "timm"} <= names  # the walk did follow
    assert names & (QT_BINDINGS | {"napari", "qtpy", "vispy"}) == set()

    full: set[tuple[str, frozenset[str]]] = set()
    needed("napari-tcgn", frozenset({"all"}), full)
    assert {name for name, _ in full} & QT_BINDINGS == {"pyqt6"}


@pytest.mark.parametrize("arguments", [["--help"], ["predict", "--help"], ["models", "list"]])
def test_the_command_line_works_without_napari_and_qt(arguments: list[str]) -> None:
    code = f"""
    import runpy, sys
    class Absent:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0].lower() in {QT_BINDINGS | {"napari", "qtpy", "magicgui", "superqt", "vispy"}!r}:
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
    sys.meta_path.insert(0, Absent())
    sys.argv = ["napari-tcgn", *{arguments!r}]
    runpy.run_module("napari_tcgn", run_name="__main__")
    """
    done = python("-c", textwrap.dedent(code))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
