"""Names are text: whatever a gene, spot, slide or section is called, outputs escape, cut or refuse it."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from lxml import etree

from napari_tcgn.cli import main
from napari_tcgn.errors import TcgnError
from napari_tcgn.exports import export
from napari_tcgn.expression import read_prediction
from napari_tcgn.options import ExportSettings
from napari_tcgn.sample import sample_folder

NAMES = {
    "NUL": "a\0b", "newline": "a\nb", "return": "a\rb", "tab": "a\tb", "escape": "a\x1b[31mb", "dollars": "$$",
    "mathtext": r"$\frac{a$", "bold": "<b>x</b>", "script": "<script>alert(1)</script>", 
    "quote": '"><img src=x onerror=a>',
    "entity": "&lt;b&gt;", "cdata": "]]><b>", "formula": "=cmd|' /C calc'!A0", "at": "@SUM(1)", 
    "bidi": "a\u202eb\u2066c",
    "letters300": "x" * 300, "letters10000": "y" * 10_000, "up": "../x", "root": "/etc/x", "device": "CON",
    "empty": "", "spaces": "   ", "template": "{{ 7 * 7 }}", "percent": "%s%n", "braces": "{0}", "comma": "a,b;c",
    "not shown": "\ufffe\uffff", "emoji": "🧬", "accent": "e\u0301", "number": "12", "nan": "NaN", "dot": ".",
}  # fmt: skip
KINDS = ("gene", "spot", "section", "slide")
TAGS = {"b", "img"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, sample = tmp_path_factory.mktemp("whole") / "whole.h5ad", sample_folder()
    given = [sample / "section.ome.tif", "--spots", sample / "section_selection.tsv", "--out", path]
    with pytest.raises(SystemExit) as stop:
        main(["predict", *map(str, given), "--model", "haematoxylin-her2st", "--genes", "GNAS,CD74,FASN"])
    assert not stop.value.code
    return path


def called(path: Path, kind: str, name: str) -> anndata.AnnData:
    """Return the prediction with something in it called by a name."""
    adata = read_prediction(path)[:, :3].copy()
    ours = dict(adata.uns["napari_tcgn"])
    match kind:
        case "gene":
            adata.var_names = [name, *adata.var_names[1:]]
            card = json.loads(ours["model_card"])
            ours["model_card"] = json.dumps({**card, "genes": [name, *card["genes"][1:]]})
        case "spot":
            adata.obs_names = [name, *adata.obs_names[1:]]
        case "section":
            adata.uns["spatial"] = {name: next(iter(adata.uns["spatial"].values()))}
        case "slide":
            record = json.loads(ours["run_record"])
            record["slide"] |= {"name": name, "file": name}
            ours["run_record"] = json.dumps(record)
    adata.uns["napari_tcgn"] = ours
    return adata


class Tags(HTMLParser):
    """What a browser would make of a page: its tags, and attributes that run something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))


def require_harmless(page: str, plain: str) -> None:
    """No tag, and no attribute, came from the name: there are those of the page with a plain name."""
    tags = lambda text: sorted({(tag, *(name for name, _ in attrs)) for tag, attrs in Tags(text).found})  # noqa: E731
    assert tags(page) == tags(plain)
    assert "<script>alert" not in page
    assert "49" not in page or "{{ 7 * 7 }}" in page or "{{ 7 * 7 }}" not in plain


def check(path: Path, kind: str, name: str) -> None:
    """Read what was written, as another program would."""
    match path.suffix:
        case ".h5ad":
            found = anndata.read_h5ad(path)
            assert (found.var_names if kind == "gene" else found.obs_names)[0] is not None
        case ".csv":
            for cell in pd.read_csv(path, dtype=str, keep_default_na=False).to_numpy().ravel()[:200]:
                assert not str(cell).startswith(("=", "@"))
        case ".parquet":
            assert len(pd.read_parquet(path)) > 0
        case ".geojson":
            assert json.loads(path.read_text(encoding="utf-8"))["features"]
        case ".svg":
            root = etree.parse(str(path), etree.XMLParser(huge_tree=True)).getroot()
            tags = {etree.QName(one).localname for one in root.iter() if isinstance(one.tag, str)}
            assert not tags & {"b", "img", "script"}
        case ".png":
            from PIL import Image

            with Image.open(path) as picture:
                assert max(picture.size) < 20_000
        case ".zarr":
            import spatialdata

            spatialdata.read_zarr(path)


def answer(do: Callable[[], object]) -> bool:
    """Do something with a name: it may be refused with a sentence that is not as long as the name."""
    said = ""
    try:
        do()
    except TcgnError as error:
        said = str(error)
    assert len(said) < 2_000, "the name is cut"
    assert "\0" not in said
    return not said


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".h5ad", ".csv", ".parquet", ".geojson", ".svg", ".png", ".zarr"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_exports(whole: Path, tmp_path: Path, suffix: str, kind: str, name: str) -> None:
    if suffix in (".zarr", ".png", ".svg") and kind == "slide":
        pytest.skip("says nothing of the slide")
    adata = called(whole, kind, NAMES[name])
    before: list[Any] = list(adata.var_names)
    settings = ExportSettings(genes="all")
    if answer(lambda: export(adata, tmp_path / f"out{suffix}", settings)):
        check(tmp_path / f"out{suffix}", kind, NAMES[name])
    assert {path.name for path in tmp_path.iterdir()} <= {f"out{suffix}"}
    np.testing.assert_array_equal(before, adata.var_names)
