"""Damaged files of every kind end in a sentence that names the file, whatever a library raises on the way."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_tcgn.errors import DataError, TcgnError
from napari_tcgn.expression import counts_table, read_measured
from napari_tcgn.slide import open_slide, overview_of
from napari_tcgn.spots import read_region, read_spots

ROUNDS = 60


def look(path: Path) -> None:
    slide = open_slide(path)
    try:
        slide.read_region(0, 0, 64, 64)
        overview_of(slide)
    finally:
        slide.close()


def damaged_bytes(data: bytes, dice: random.Random) -> bytes:
    """Overwrite some bytes, most of them in the head, or cut the file."""
    if dice.random() < 0.2:
        return data[: dice.randrange(1, len(data))]
    changed = bytearray(data)
    reach = dice.choice([len(data), min(len(data), 2048), min(len(data), 256)])
    for _ in range(dice.choice([1, 4, 32])):
        changed[dice.randrange(reach)] = dice.randrange(256)
    return bytes(changed)


def fails_in_a_sentence(read: Callable[[Path], object], path: Path) -> bool:
    """Whether a file is refused; every other error than a typed one fails the test."""
    try:
        read(path)
    except TcgnError:
        return True
    return False


@pytest.fixture
def picture() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    noise[:100] = 240
    return noise


def write_tiled(path: Path, picture: np.ndarray) -> None:
    import tifffile

    tifffile.imwrite(
        path, picture, tile=(128, 128), photometric="rgb", resolution=(20000, 20000), resolutionunit="CENTIMETER"
    )


def write_ome(path: Path, picture: np.ndarray) -> None:
    import tifffile

    metadata = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, picture, tile=(128, 128), photometric="rgb", metadata=metadata, ome=True)


def write_picture(path: Path, picture: np.ndarray) -> None:
    from PIL import Image

    Image.fromarray(picture).save(path, dpi=(300, 300))


@pytest.mark.parametrize(
    ("name", "write"),
    [("a.tif", write_tiled), ("a.ome.tif", write_ome), ("a.jpg", write_picture), ("a.png", write_picture)],
)
@pytest.mark.filterwarnings("ignore")  # of Pillow and tifffile, about what they skip
def test_slides(tmp_path, picture, name, write):
    dice = random.Random(1)
    write(tmp_path / name, picture)
    data = (tmp_path / name).read_bytes()
    refused = 0
    for _ in range(ROUNDS):
        (tmp_path / name).write_bytes(damaged_bytes(data, dice))
        refused += fails_in_a_sentence(look, tmp_path / name)
    assert refused > ROUNDS // 10


def test_tags_that_say_nothing_sensible(tmp_path, picture):
    """A tile length of 0 and widths that are several numbers: tifffile and numpy raise what they like."""
    import tifffile

    for name, value in (("TileLength", 0), ("TileWidth", 0), ("RowsPerStrip", 0)):
        path = tmp_path / f"{name}.tif"
        if name == "RowsPerStrip":
            tifffile.imwrite(path, picture, photometric="rgb")
        else:
            write_tiled(path, picture)
        with tifffile.TiffFile(path, mode="r+") as tif:
            tif.pages[0].tags[name].overwrite(value)
        with pytest.raises(TcgnError, match=rf"{name}\.tif"):
            look(path)


def test_a_size_that_no_slide_has(tmp_path, picture):
    folder = tmp_path / "huge.zarr"
    (folder / "0").mkdir(parents=True)
    scale = {"type": "scale", "scale": [1, 0.5, 0.5]}
    axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    multiscale = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    (folder / ".zattrs").write_text(json.dumps({"multiscales": [multiscale]}))
    array = {"zarr_format": 2, "shape": [3, 10**12, 400], "chunks": [3, 128, 128], "dtype": "|u1", "compressor": None}
    (folder / "0" / ".zarray").write_text(json.dumps({**array, "fill_value": 0, "order": "C", "filters": None}))
    (folder / "0" / "0.0.0").write_bytes(bytes(3 * 128 * 128))
    with pytest.raises(TcgnError, match="claims to have 400 x 1000000000000 px"):
        open_slide(folder)


def counts_file(path: Path) -> Path:
    import anndata
    from scipy import sparse

    spots, genes = 60, 20
    place = np.arange(spots)
    adata = anndata.AnnData(
        sparse.csr_matrix(np.random.default_rng(0).poisson(2, (spots, genes)).astype(np.float32)),
        obs=pd.DataFrame({"array_row": place // 10, "array_col": place % 10}, index=[f"s{i}" for i in place]),
        var=pd.DataFrame(index=[f"G{i}" for i in range(genes)]),
        obsm={"spatial": np.column_stack([place % 10, place // 10]) * 100.0 + 50},
    )
    adata.uns["spatial"] = {"a": {"scalefactors": {"spot_diameter_fullres": 55.0}, "images": {}}}
    adata.write_h5ad(path)
    return path


def damage_h5ad(path: Path, dice: random.Random) -> None:
    """Take an element away, put another kind of thing in its place, or change an attribute or all numbers."""
    import h5py

    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = dice.choice(names)
        element, what = file[name], dice.randrange(4)
        attributes = list(element.attrs)
        if what == 0:
            del file[name]
        elif what == 1:
            del file[name]
            file[name] = dice.choice([np.arange(3), 1.5, "text", np.zeros((2, 2)), np.array([b"a", b"\xff"])])
        elif what == 2 and attributes:
            element.attrs[dice.choice(attributes)] = dice.choice([1, "zzz", np.arange(3)])
        elif isinstance(element, h5py.Dataset) and element.shape and element.dtype.kind in "fi":
            element[...] = dice.choice([np.nan, -1, 1e30]) if element.dtype.kind == "f" else dice.choice([0, 1, 99])


@pytest.mark.filterwarnings("ignore")  # of anndata, about old encodings
def test_h5ad(tmp_path):
    dice = random.Random(2)
    whole = counts_file(tmp_path / "whole.h5ad")
    readers: tuple[Callable[[Path], object], ...] = (
        lambda path: read_spots(path, mpp=1.0),
        lambda path: counts_table(read_measured(path)),
    )
    refused = 0
    for _ in range(ROUNDS):
        shutil.copy(whole, tmp_path / "damaged.h5ad")
        damage_h5ad(tmp_path / "damaged.h5ad", dice)
        refused += sum(fails_in_a_sentence(read, tmp_path / "damaged.h5ad") for read in readers)
    assert refused > ROUNDS // 5


def test_a_sparse_matrix_that_points_outside_itself(tmp_path):
    """Scipy reads foreign memory there, and the whole of napari may go down with it."""
    import h5py

    path = counts_file(tmp_path / "outside.h5ad")
    with h5py.File(path, "r+") as file:
        file["X/indices"][...] = 10**6
    with pytest.raises(DataError, match=r"outside\.h5ad cannot be read as \.h5ad: .*indices"):
        read_measured(path)


def test_the_place_in_an_h5ad_is_named(tmp_path):
    import h5py

    path = counts_file(tmp_path / "a.h5ad")
    with h5py.File(path, "r+") as file:
        file["obs"].attrs["encoding-version"] = "9.9.9"
    with pytest.raises(DataError, match="obs"):
        read_measured(path)


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"type": "Polygon", "coordinates": [[[0, 0], [1, null], [1, 1]]]}']
)
def test_regions(tmp_path, content):
    path = tmp_path / "region.geojson"
    path.write_text(content)
    with pytest.raises(TcgnError, match=r"region\.geojson cannot be read"):
        read_region(path)
