"""`scripts/setup.sh`, which `make` starts: once per version of Python, and with the interpreter that is named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SAYS_ITS_VERSION = """#!/bin/sh
case "$*" in
*print*) echo {version} ;;
*--version*) echo Python {version} ;;
*"-m venv"*)
    mkdir -p .venv/bin
    cp "$0" .venv/bin/python
    printf '#!/bin/sh\\necho "$*" >>pip.log\\n' >.venv/bin/pip
    chmod +x .venv/bin/pip ;;
*exit*) exit {unfit} ;;
esac
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell script; the README says what to do on Windows")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing in it, and interpreters that only say their version: 3.9, 3.11 and 3.12."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for name in ("pyproject.toml", "constraints.txt", "requirements-dev.txt"):
        (tmp_path / name).touch()
    for version, unfit in (("3.9", 1), ("3.11", 0), ("3.12", 0)):
        interpreter = tmp_path / f"python{version}"
        interpreter.write_text(SAYS_ITS_VERSION.format(version=version, unfit=unfit))
        interpreter.chmod(0o755)
    return tmp_path


def set_up(checkout: Path, version: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    if version:
        environment["PYTHON"] = str(checkout / f"python{version}")
    return subprocess.run(
        [checkout / "scripts" / "setup.sh"], env=environment, capture_output=True, text=True, timeout=60
    )


def installs(checkout: Path) -> int:
    return (checkout / "pip.log").read_text().count("install ") if (checkout / "pip.log").exists() else 0


def test_a_second_call_finds_nothing_to_do(checkout: Path) -> None:
    assert "Making .venv with Python 3.11" in set_up(checkout, "3.11").stderr
    assert installs(checkout) == 1
    for version in ("3.11", None):
        done = set_up(checkout, version)
        assert (done.returncode, done.stderr) == (0, "")
    assert installs(checkout) == 1


def test_another_version_that_is_named_gets_its_own_stack(checkout: Path) -> None:
    set_up(checkout, "3.11")
    done = set_up(checkout, "3.12")
    assert "The .venv here is of Python 3.11; it is made anew with Python 3.12." in done.stderr
    assert installs(checkout) == 2
    assert set_up(checkout, None).stderr == ""  # whoever names none keeps what is there


def test_a_version_that_is_not_supported_leaves_what_is_there(checkout: Path) -> None:
    set_up(checkout, "3.11")
    done = set_up(checkout, "3.9")
    assert done.returncode == 1
    assert "Python 3.11 to 3.14 was not found" in done.stderr
    assert set_up(checkout, None).stderr == ""
