"""The pages of the documentation that are made of the code, in a folder as a fresh clone has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import environment

EXTENSIONS = Path(__file__).resolve().parents[1] / "docs" / "_ext"

SCRIPT = """
import sys
from types import SimpleNamespace
sys.path.insert(0, sys.argv[1])
import commands, model_cards, public_api
for write in (commands.write_page, model_cards.write_page, public_api.write_pages):
    write(SimpleNamespace(srcdir=sys.argv[2]), None)
"""


@pytest.mark.skipif(not EXTENSIONS.is_dir(), reason="no checkout")
def test_pages_are_made_in_a_fresh_clone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, EXTENSIONS, tmp_path], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert sorted(page.name for page in (tmp_path / "api").iterdir()) == [
        "command_line.md",
        "model_cards.md",
        "names.md",
    ]
