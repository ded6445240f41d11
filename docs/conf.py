"""The documentation site: `make docs` builds it into docs/_build/html; warnings are errors."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
# The notebooks run on the CPU, with two threads, and keep nothing of theirs in the user's own cache.
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("NAPARI_TCGN_CACHE", str(Path(__file__).parent / "_build" / "cache"))

project = "napari-tcgn"
author = "The napari-tcgn developers"
copyright = f"2026, {author}"
version = release = version_of("napari-tcgn")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "sphinx_copybutton",
    "commands",
    "public_api",
    "model_cards",
]
exclude_patterns = ["_build", "_ext", "evaluation/*.csv"]
root_doc = "index"

# -- Pages and notebooks -----------------------------------------------------------------------------------------------
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
suppress_warnings = ["myst.header"]  # a page may begin with a second-level heading after its picture

# -- Reference ---------------------------------------------------------------------------------------------------------
autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections say the types, with shapes and units
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
# Nothing is fetched while building: the inventories of other projects are not needed.
intersphinx_mapping: dict[str, tuple[str, None]] = {}

# -- Look --------------------------------------------------------------------------------------------------------------
html_theme = "sphinx_book_theme"
html_title = "napari-tcgn"
html_theme_options = {
    "repository_url": "https://github.com/napari-tcgn/napari-tcgn",
    "use_repository_button": True,
    "use_issues_button": True,
    "path_to_docs": "docs",
    "show_navbar_depth": 1,
}
smartquotes = False  # "--spots" is to be copied as it is typed
html_static_path: list[str] = []
