"""The torchvision repair, each case in a process of its own: what was imported once stays imported."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

# Stands for a torchvision whose compiled part did not load: it counts on operators that nobody declared.
BROKEN = """
import torch
import torchvision.helper
for name in {operators}:
    if not hasattr(torch.ops.torchvision, name):
        raise RuntimeError(f"operator torchvision::{{name}} does not exist")
imported = torchvision.helper.imported
"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    for name in ("torchvision", "timm"):
        (tmp_path / name).mkdir()
    (tmp_path / "torchvision" / "helper.py").write_text("imported = True\n")
    (tmp_path / "timm" / "__init__.py").write_text("import torchvision\nassert torchvision.imported\n")
    return tmp_path


def run(code: str, packages: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    if packages is not None:
        environment["PYTHONPATH"] = str(packages)
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, env=environment, timeout=300
    )


@pytest.mark.slow
def test_the_installed_timm_builds_a_model() -> None:
    done = run(
        """
        from napari_tcgn.model.timm_import import import_timm
        timm = import_timm()
        import timm.data, torchvision.transforms
        print(sum(p.numel() for p in timm.create_model("resnet18", pretrained=False).parameters()))
        """
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["11689512"]


def test_declares_the_missing_operators_after_a_failed_import(packages: Path) -> None:
    (packages / "torchvision" / "__init__.py").write_text(BROKEN.format(operators=("nms", "qnms")))
    done = run(
        """
        try:
            import torchvision
        except RuntimeError as error:
            print(error)
        from napari_tcgn.model.timm_import import declared_operators, import_timm, import_torchvision
        timm = import_timm()
        import torchvision
        assert import_torchvision() is torchvision and import_timm() is timm
        print(*declared_operators())
        """,
        packages,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["operator torchvision::nms does not exist", "nms qnms"]


def test_leaves_a_sound_torchvision_alone(packages: Path) -> None:
    (packages / "torchvision" / "__init__.py").write_text("imported = True\n")
    done = run(
        """
        import sys
        from napari_tcgn.model.timm_import import declared_operators, import_timm
        import_timm()
        assert declared_operators() == () and "torch" not in sys.modules
        """,
        packages,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("torchvision", "problem"),
    [
        (BROKEN.format(operators=("nms", "roi_align")), "operator torchvision::roi_align does not exist"),
        ("raise OSError('libc10.so: undefined symbol')", "undefined symbol"),
        ("import no_such_package", "pip install no_such_package"),
    ],
)
def test_says_what_it_cannot_repair(packages: Path, torchvision: str, problem: str) -> None:
    (packages / "torchvision" / "__init__.py").write_text(torchvision)
    done = run(
        """
        from napari_tcgn.errors import MissingDependencyError
        from napari_tcgn.model.timm_import import import_timm
        try:
            import_timm()
        except MissingDependencyError as error:
            print(error)
        """,
        packages,
    )
    assert done.returncode == 0, done.stderr
    assert problem in done.stdout
