"""An .h5ad of which a part is not what it should be: a sentence that names the part, or the part tells nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pytest

from napari_tcgn.cli import main
from napari_tcgn.errors import DataError, TcgnError
from napari_tcgn.exports import export
from napari_tcgn.expression import (
    counts_table,
    library_of,
    read_measured,
    read_prediction,
    read_section,
)
from napari_tcgn.options import ExportSettings
from napari_tcgn.sample import sample_folder
from napari_tcgn.spots import read_spots

DEEP = "[" * 100_000


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, sample = tmp_path_factory.mktemp("whole") / "whole.h5ad", sample_folder()
    given = [sample / "section.ome.tif", "--spots", sample / "section_selection.tsv", "--out", path]
    with pytest.raises(SystemExit) as stop:
        main(["predict", *map(str, given), "--model", "haematoxylin-her2st"])
    assert not stop.value.code
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "r.h5ad"))


def put(path: Path, key: str, value: Any) -> None:
    with h5py.File(path, "r+") as file:
        if key in file:
            del file[key]
        if value is not None:
            file[key] = value


def answer(read: Callable[[Path], object], path: Path) -> None:
    """Read: a result is right, and so is a sentence of ours; everything else is a fault."""
    said = ""
    try:
        read(path)
    except TcgnError as error:
        said = str(error)
    assert len(said) < 1_000


def use(path: Path) -> None:
    adata = read_prediction(path)
    library_of(adata)
    for name in ("o.csv", "o.geojson"):
        export(adata, path.with_name(name), ExportSettings(genes="GNAS"), overwrite=True)


TEXTS: dict[str, Any] = {
    "empty": "", "no JSON": "{", "null": "null", "list": "[]", "number": "3", "deep": DEEP, "an int": 3,
    "an array": np.arange(3), "texts": np.array([b"a", b"b"]), "void": np.void(b"abc"), "nothing": h5py.Empty("S10"),
    "no UTF-8": np.bytes_(b"\xff\xfe"), "mpp null": '{"mpp": null}', "mpp text": '{"mpp": "x"}', 
    "mpp list": '{"mpp": []}',
    "NUL": "\0",
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("key", ["run_record", "model_card"])
def test_a_record_or_card_inside_that_is_none(path: Path, key: str, text: str) -> None:
    try:
        put(path, f"uns/napari_tcgn/{key}", TEXTS[text])
    except ValueError:
        pytest.skip("HDF5 does not take it")
    with pytest.raises(TcgnError) as said:
        use(path)
    assert any(name in str(said.value).lower() for name in (key, key.replace("_", " ")))
    assert len(str(said.value)) < 1_000
    answer(read_spots, path)


def test_a_record_without_a_pixel_size(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        record = json.loads(file["uns/napari_tcgn/run_record"].asstr()[()])
        name = next(iter(file["uns/spatial"]))
        del file[f"uns/spatial/{name}/metadata"], record["mpp"]
    put(path, "uns/napari_tcgn/run_record", json.dumps(record))
    assert library_of(read_prediction(path)).mpp is None


@pytest.mark.parametrize("value", ["absent", "negative", "0", "NaN", "1e308"])
def test_a_pixel_size_that_is_none(path: Path, value: str) -> None:
    sizes = {"absent": None, "negative": -1.0, "0": 0.0, "NaN": np.nan, "1e308": 1e308}
    with h5py.File(path) as file:
        name = next(iter(file["uns/spatial"]))
    put(path, f"uns/spatial/{name}/metadata/mpp", sizes[value])
    library_of(read_prediction(path))


PARTS = [
    "uns", "uns/napari_tcgn", "uns/spatial", "uns/spatial/section", "uns/spatial/section/metadata",
    "uns/spatial/section/scalefactors", "uns/spatial/section/images", "uns/spatial/section/images/hires",
    "uns/spatial/section/scalefactors/spot_diameter_fullres",
    "uns/spatial/section/scalefactors/tissue_hires_scalef", "obsm", "obsm/spatial", "obs/domain_p", "obs/_index",
    "var/_index", "X", "layers", "uns/napari_tcgn/partial", "uns/napari_tcgn/output_scale",
]  # fmt: skip
VALUES: dict[str, Any] = {
    "absent": None, "void": np.void(b"abc"), "a text": "x", "a number": 3.0, "NaN": np.nan, "three": np.arange(3.0),
    "a cube": np.zeros((2, 2, 2)), "texts": np.array([b"a"] * 79), "other rows": np.zeros((5, 2)),
    "three columns": np.zeros((79, 3)), "all NaN": np.full((79, 2), np.nan), "infinite": np.full((79, 2), np.inf),
    "huge": np.full((79, 2), 1e300), "complex": np.full((79, 2), 1j), "a table of texts": np.full((79, 2), b"x"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("part", PARTS)
def test_odd_parts(path: Path, part: str, value: str) -> None:
    put(path, part, VALUES[value])
    for read in (use, read_spots, lambda one: library_of(read_section(one)[0]), read_measured):
        answer(read, path)


def counts(value: float, shape: tuple[int, int] = (6, 3)) -> anndata.AnnData:
    values = np.ones(shape)
    if values.size:
        values.flat[0] = value
    adata = anndata.AnnData(values)
    adata.obsm["spatial"] = np.random.default_rng(0).random((adata.n_obs, 2)) * 100
    adata.obs_names = [f"{n}x{n}" for n in range(adata.n_obs)]
    return adata


@pytest.mark.parametrize("suffix", [".h5ad", ".tsv", ".csv"])
@pytest.mark.parametrize("value", [1e12, 1e15, 2.0**63, 1e300, np.inf, np.nan, -1, 0.5])
def test_counts_that_are_none(tmp_path: Path, value: float, suffix: str) -> None:
    adata, file = counts(value), tmp_path / f"c{suffix}"
    if suffix == ".h5ad":
        adata.write_h5ad(file)
    else:
        adata.to_df().to_csv(file, sep="\t" if suffix == ".tsv" else ",")
    with pytest.raises(DataError) as said:
        counts_table(read_measured(file))
    if np.isfinite(value) and value > 1:
        of_float32 = value > np.finfo(np.float32).max and suffix != ".h5ad"
        assert ("not finite" if of_float32 else "no spot has so many molecules") in str(said.value)


def test_large_counts_that_may_be(tmp_path: Path) -> None:
    counts(9e11).write_h5ad(tmp_path / "c.h5ad")
    assert counts_table(read_measured(tmp_path / "c.h5ad")).table.iloc[0, 0] == 9e11


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_a_measured_file_without_spots_or_genes(tmp_path: Path, shape: tuple[int, int]) -> None:
    counts(1, shape).write_h5ad(tmp_path / "c.h5ad")
    with pytest.raises(DataError, match=f"hold {shape[0]} spots and {shape[1]} genes"):
        counts_table(read_measured(tmp_path / "c.h5ad"))


@pytest.mark.parametrize("text", ["", "\n", "\tA\tB\n", "A\tB\n", "\t\n", "\tA\n\n\n", "1x1\n", "\0", "\ufeff"])
def test_a_table_without_spots(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"t\.tsv"):
        counts_table(read_measured(tmp_path / "t.tsv"))
