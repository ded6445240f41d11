"""What `napari-tcgn doctor` looks at, one function each."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from ctypes.util import find_library
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from pathlib import Path
from typing import Literal

from napari_tcgn.errors import TcgnError

ENOUGH_DISK_GB = 2.0
MOST_NAMED = 5  # of things left over
QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
NEWEST_PYTHON = (3, 14)  # that is tested
INSTALL_ALL = 'Install it with: pip install "napari-tcgn[all]"'


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes
    ----------
    subject : str
        What was looked at.
    verdict : {"PASS", "WARN", "FAIL"}
        FAIL: the main job does not work; WARN: something else does not, or is worth knowing.
    found : str
    hint : str
        What to do about it; "" where there is nothing to do.
    """

    subject: str
    verdict: Literal["PASS", "WARN", "FAIL"]
    found: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Two packages that are known not to work together.

    Attributes
    ----------
    package, versions : str
        The one that breaks, and in which versions (as pip writes them).
    beside, beside_versions : str
        The one that it breaks beside.
    what, hint : str
    """

    package: str
    versions: str
    beside: str
    beside_versions: str
    what: str
    hint: str

    def applies(self, have: Mapping[str, str]) -> bool:
        """Tell whether both are installed in these versions."""
        from packaging.specifiers import SpecifierSet

        pairs = ((self.package, self.versions), (self.beside, self.beside_versions))
        return all(
            name in have and SpecifierSet(versions).contains(have[name], prereleases=True) for name, versions in pairs
        )


TROUBLES = (
    Trouble(
        "spatialdata", "<0.8", "dask", ">=2026.1.2",
        "spatialdata 0.7 cannot be imported beside this dask",
        'Install an older dask: pip install "dask<2026.1.2", or Python 3.12 with spatialdata 0.8.',
    ),
    Trouble(
        "napari-spatialdata", "<=0.7.2", "anndata", ">=0.13",
        "napari-spatialdata shows the picture and spots of an exported store, but colours nothing by a gene "
        "beside this anndata (its issue 400)",
        "Colour by genes in the dock of napari-tcgn, or update napari-spatialdata once a release after 0.7.2 is there.",
    ),
)  # fmt: skip


def examine(check: Callable[[], Finding]) -> Finding:
    """Run a check; an error in it is a FAIL, never a traceback."""
    subject = check.__name__.removeprefix("check_").replace("_", " ")
    try:
        return check()
    except TcgnError as error:
        return Finding(subject, "FAIL", error.problem, error.hint)
    except Exception as error:
        return Finding(subject, "FAIL", f"{type(error).__name__}: {error}", "Install napari-tcgn again.")


def check_python() -> Finding:
    """Compare the Python version with those the dependencies are tested on."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] > NEWEST_PYTHON:
        return Finding("Python", "WARN", found, "Newer than tested; if something fails, use Python 3.11 to 3.14.")
    return Finding("Python", "PASS", found)


def check_packages() -> Finding:
    """Compare installed versions with the requirements of the base install."""
    from packaging.requirements import Requirement

    wanted = [Requirement(text) for text in requires("napari-tcgn") or []]
    wanted = [need for need in wanted if need.marker is None or need.marker.evaluate({"extra": ""})]
    wrong = []
    for need in wanted:
        try:
            have = version(need.name)
        except PackageNotFoundError:
            wrong.append(f"{need.name} is missing")
            continue
        if not need.specifier.contains(have, prereleases=True):
            wrong.append(f"{need.name} {have} is not {need.specifier}")
    if wrong:
        return Finding("Packages", "FAIL", "; ".join(wrong), "Repair them with: pip install --upgrade napari-tcgn")
    return Finding("Packages", "PASS", f"all {len(wanted)} requirements are met")


def check_stack() -> Finding:
    """Name the generation of the packages that results are exchanged with, and what is known to go wrong with it."""
    names = ("spatialdata", "anndata", "scanpy", "squidpy", "dask", "pandas", "numpy", "zarr", "napari-spatialdata")
    have = {name: found for name in names if (found := _version(name))}
    told = ", ".join(f"{name} {found}" for name, found in have.items())
    troubles = [trouble for trouble in TROUBLES if trouble.applies(have)]
    stack = "the stack of Python 3.12 and later" if sys.version_info >= (3, 12) else "the stack of Python 3.11"
    if troubles:
        found = "; ".join([f"{stack}: {told}", *(trouble.what for trouble in troubles)])
        return Finding("Stack", "WARN", found, " ".join(trouble.hint for trouble in troubles))
    return Finding("Stack", "PASS", f"{stack}: {told}")


def check_torch() -> Finding:
    """Name the device that `--device auto` takes."""
    import torch

    from napari_tcgn.engine import choose_device, precision_reason

    device = choose_device("auto")
    precision = f"--precision auto is {precision_reason(device)}"
    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        name = torch.cuda.get_device_name()
        return Finding(
            "PyTorch",
            "PASS",
            f"{torch.__version__}, {name} with {free / 2**30:.1f} of {total / 2**30:.1f} GiB free; {precision}",
        )
    if device == "cpu" and shutil.which("nvidia-smi"):
        return Finding(
            "PyTorch",
            "WARN",
            f"{torch.__version__} computes on the CPU although there is an NVIDIA GPU",
            "Install the CUDA build that pytorch.org's selector names for your system.",
        )
    return Finding("PyTorch", "PASS", f"{torch.__version__}, {device}, {torch.get_num_threads()} threads; {precision}")


def check_timm() -> Finding:
    """Import timm, with the repair for a torchvision whose compiled operators do not load."""
    from napari_tcgn.model import declared_operators, import_timm

    timm = import_timm()
    repaired = declared_operators()
    note = f", after declaring torchvision's missing operators {', '.join(repaired)}" if repaired else ""
    return Finding("timm", "PASS", f"{timm.__version__}{note}")


def check_slides() -> Finding:
    """Load openslide's library, which reads the scanners' own formats."""
    try:
        import openslide
    except (ImportError, OSError) as error:  # OSError: the library behind it
        return Finding(
            "Slides",
            "FAIL",
            f"openslide cannot be loaded: {error}",
            "Install it again with: pip install --force-reinstall openslide-bin openslide-python",
        )
    return Finding("Slides", "PASS", f"openslide {openslide.__library_version__}")


def check_cluster() -> Finding:
    """Look for dask.distributed, without importing it."""
    found = _version("distributed")
    if not found:
        return Finding(
            "Cluster",
            "WARN",
            "dask.distributed is not installed: only --scheduler needs it",
            'Install it with: pip install "napari-tcgn[cluster]"',
        )
    return Finding("Cluster", "PASS", f"distributed {found}")


def check_models() -> Finding:
    """Compare the weights of the bundled models with the hashes on their cards; look for own ones that are left out."""
    from napari_tcgn.files import sha256_of
    from napari_tcgn.model import BUNDLED, ModelCard, left_out

    names = []
    for path in sorted(BUNDLED.glob("*/card.json")):
        card = ModelCard.read(path)
        weights = path.parent / card.weights
        if not weights.is_file():
            return Finding("Models", "FAIL", f"the weights {weights} are missing", "Install napari-tcgn again.")
        if sha256_of(weights) != card.sha256:
            return Finding("Models", "FAIL", f"{weights} is not the file its card names", "Install napari-tcgn again.")
        names.append(card.name)
    if not names:
        return Finding("Models", "FAIL", "no bundled model", "Install napari-tcgn again, or give --model FOLDER.")
    for error in left_out():
        return Finding("Models", "WARN", error.problem, error.hint)
    return Finding("Models", "PASS", f"{', '.join(names)}: weights as their cards say")


def check_sample() -> Finding:
    """Find the sample section and the mini training set."""
    from napari_tcgn.sample import sample_folder, sample_section, training_sample

    sample_section()
    training_sample()
    return Finding("Sample data", "PASS", str(sample_folder()))


def check_napari() -> Finding:
    """Look for napari, a Qt binding and the plugin's manifest, without importing any of them."""
    found = {name: _version(name) for name in ("napari", *QT_BINDINGS)}
    bindings = [f"{name} {found[name]}" for name in QT_BINDINGS if found[name]]
    if not found["napari"]:
        return Finding("napari", "WARN", "not installed: only the command line works", INSTALL_ALL)
    if not bindings:
        return Finding(
            "napari", "WARN", f"napari {found['napari']} without a Qt binding cannot open a window", INSTALL_ALL
        )
    if not any(entry.name == "napari-tcgn" for entry in entry_points(group="napari.manifest")):
        return Finding(
            "napari", "FAIL", "napari will not see the plugin: its entry point is missing", "Install napari-tcgn again."
        )
    return Finding("napari", "PASS", f"napari {found['napari']}, {', '.join(bindings)}")


def check_window() -> Finding:
    """Look for what a napari window needs of the system."""
    if not sys.platform.startswith("linux"):
        return Finding("Window", "PASS", f"{platform.system()} brings what is needed")
    lacking = [name for name in ("GL", "EGL", "xkbcommon-x11", "xcb-cursor") if find_library(name) is None]
    if lacking:
        libraries = ", ".join(f"lib{name}" for name in lacking)
        return Finding(
            "Window",
            "WARN",
            f"napari's window needs {libraries}",
            "Debian, Ubuntu: apt-get install libgl1 libegl1 libxkbcommon-x11-0 libxcb-cursor0",
        )
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return Finding(
            "Window",
            "WARN",
            "no screen here (DISPLAY is not set): only the command line works",
            "Work at the machine's own desktop or a remote desktop; for tests, start with xvfb-run.",
        )
    return Finding("Window", "PASS", "OpenGL libraries and a screen found")


def check_disk() -> Finding:
    """Measure the free space where results go."""
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    found = f"{free:.1f} GB free in the working folder"
    if free < ENOUGH_DISK_GB:
        return Finding("Disk", "WARN", found, f"Free some: training checkpoints want {ENOUGH_DISK_GB:g} GB.")
    return Finding("Disk", "PASS", found)


def check_cache() -> Finding:
    """Write into the cache folders; without them everything works, but slower."""
    from napari_tcgn.files import CACHE_VARIABLE, cache_folder

    folders = [cache_folder("patches"), cache_folder("pyramids")]
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            return Finding(
                "Cache",
                "WARN",
                f"{folder} cannot be written: {error.strerror or error}",
                f"Correct its permissions, or name another folder in {CACHE_VARIABLE}.",
            )
    return Finding("Cache", "PASS", f"{folders[0].parent}; `napari-tcgn data cache` shows what is in it")


def check_leftovers() -> Finding:
    """Look in the working folder for what runs that were killed have left."""
    from napari_tcgn.engine import unfinished_runs
    from napari_tcgn.files import find_leftovers

    here = Path.cwd()
    runs, files = unfinished_runs(here), find_leftovers(here)
    if not runs and not files:
        return Finding("Leftovers", "PASS", "none in the working folder")
    found = [f"{run.folder.name} ({run.done} of {run.spots} spots)" for run in runs] + [path.name for path in files]
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return Finding(
        "Leftovers",
        "WARN",
        f"of runs that were interrupted, in the working folder: {', '.join(found[:MOST_NAMED])}{more}",
        "Go on with a .partial.zarr by its own command and --resume, or delete it; the others go with the next run of "
        "the same result, or can be deleted.",
    )


def check_training_data() -> Finding:
    """Look for the her2st sections; only training needs them."""
    from napari_tcgn.cli.train_data import find_her2st
    from napari_tcgn.training import find_sections

    try:
        folder = find_her2st()
        names = [section.name for section in find_sections(folder)]
    except TcgnError as error:
        return Finding("Training data", "WARN", error.problem, error.hint)
    return Finding("Training data", "PASS", f"{len(names)} sections in {folder}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


CHECKS: tuple[Callable[[], Finding], ...] = (
    check_python,
    check_packages,
    check_stack,
    check_torch,
    check_timm,
    check_slides,
    check_models,
    check_sample,
    check_napari,
    check_window,
    check_disk,
    check_cache,
    check_leftovers,
    check_cluster,
    check_training_data,
)
