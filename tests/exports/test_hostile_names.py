"""Names are text: whatever a gene, spot, slide or section is called, outputs escape, cut or refuse it."""

from __future__ import annotations

import json
import os
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
QUICK_FORMATS, SLOW_FORMATS = (".h5ad", ".csv", ".parquet", ".geojson"), (".svg", ".png", ".zarr")
WORST = ("NUL", "escape", "mathtext", "script", "bidi", "letters10000", "root", "percent", "dot")


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


def cases() -> list[tuple[str, str, str]]:
    """Return what is tried: a name of some kind in a format; slow formats with all names in `make fuzz` only."""
    found = [(name, kind, suffix) for name in NAMES for kind in KINDS for suffix in QUICK_FORMATS]
    named = NAMES if "NAPARI_TCGN_MUTATIONS" in os.environ else WORST
    # Neither figures nor SpatialData say anything of the slide.
    return found + [(name, kind, suffix) for name in named for kind in KINDS[:-1] for suffix in SLOW_FORMATS]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "kind", "suffix"), cases())
def test_exports(whole: Path, tmp_path: Path, suffix: str, kind: str, name: str) -> None:
    adata = called(whole, kind, NAMES[name])
    before: list[Any] = list(adata.var_names)
    settings = ExportSettings(genes="all")
    if answer(lambda: export(adata, tmp_path / f"out{suffix}", settings)):
        check(tmp_path / f"out{suffix}", kind, NAMES[name])
    assert {path.name for path in tmp_path.iterdir()} <= {f"out{suffix}"}
    np.testing.assert_array_equal(before, adata.var_names)


# -- pages ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, sample = tmp_path_factory.mktemp("panel") / "whole.h5ad", sample_folder()
    given = [sample / "section.ome.tif", "--spots", sample / "section_selection.tsv", "--out", path]
    with pytest.raises(SystemExit) as stop:
        main(["predict", *map(str, given), "--model", "haematoxylin-her2st"])
    assert not stop.value.code
    return path


def tags_of(page: str) -> set[tuple[str, ...]]:
    """Return every kind of tag, with the names of its attributes."""
    return {(tag, *sorted(name for name, _ in attributes)) for tag, attributes in Tags(page).found}


def with_names(panel: Path, folder: Path, names: list[str]) -> tuple[Path, Path]:
    """Return a prediction and a measurement whose first genes, first spot, section and slide are called so."""
    predicted, measured = anndata.read_h5ad(panel), anndata.read_h5ad(sample_folder() / "section.h5ad")
    order = predicted.to_df().var().sort_values(ascending=False).index  # names that are shown stand first
    names = [name[:900] for name in names]  # a longer one is refused: a card takes 1,000 letters
    shared = [gene for gene in order if gene in measured.var_names]
    other = dict(zip(shared, [name for name in names if name.strip()], strict=False))
    ours = predicted.uns["napari_tcgn"]
    card, record = json.loads(ours["model_card"]), json.loads(ours["run_record"])
    card |= {"genes": [other.get(gene, gene) for gene in card["genes"]], "tissue": names[0], "citation": names[-1]}
    record["slide"] |= {"name": " ".join(names)[:2_000], "file": names[0]}
    record["warnings"] = names
    ours |= {"model_card": json.dumps(card), "run_record": json.dumps(record)}
    predicted.var_names = [other.get(gene, gene) for gene in predicted.var_names]
    measured.var_names = [other.get(gene, gene) for gene in measured.var_names]
    predicted.uns["spatial"] = {names[0].replace("/", "_"): next(iter(predicted.uns["spatial"].values()))}
    predicted.write_h5ad(folder / "p.h5ad")
    measured.write_h5ad(folder / "m.h5ad")
    return folder / "p.h5ad", folder / "m.h5ad"


QUICK = ["--draws", "20", "--no-domains"]
WORDS = [name for name in NAMES.values() if name.strip() and not set(name) & set("\0\t\r\x1b")]
MARKUP = [NAMES[name] for name in ("quote", "script", "bold", "entity", "cdata", "template", "letters10000")]


@pytest.mark.filterwarnings("ignore")
def test_the_report_of_a_comparison(panel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = []
    for number, names in enumerate((["plain", "words"], MARKUP, WORDS)):
        (folder := tmp_path / str(number)).mkdir()
        predicted, measured = with_names(panel, folder, [name for name in names if "\n" not in name])
        with pytest.raises(SystemExit) as stop:
            main(["compare", str(predicted), str(measured), "--out", str(folder / "out"), *QUICK])
        assert not stop.value.code, capsys.readouterr().err
        pages.append((folder / "out" / "report.html").read_text(encoding="utf-8"))
    assert tags_of(pages[1]) == tags_of(pages[0])
    assert tags_of(pages[2]) == tags_of(pages[0])
    assert "<script>alert" not in "".join(pages)
    assert "&lt;script&gt;alert" in pages[1], "it is there as text"
    genes = pd.read_csv(tmp_path / "2" / "out" / "genes.csv", dtype=str)
    assert not genes["gene"].str.startswith(("=", "@")).any()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["plain", *MARKUP[:-1], "$$", "../x", "=cmd|x"])
def test_the_page_of_a_gene(panel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    predicted, _ = with_names(panel, tmp_path, [name])
    slide = str(sample_folder() / "section.ome.tif")
    given = [str(predicted), slide, "--gene", name, "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stop:
        main(["explain-gene", *given])
    assert not stop.value.code, capsys.readouterr().err
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    found = {tag for tag, *_ in tags_of(page)}
    assert not found & {"script", "b"}
    assert not any("onerror" in attributes for _, *attributes in tags_of(page))
    if "<" in name:
        assert name not in page
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"report.html", "gallery.png"}
