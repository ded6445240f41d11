"""OME-Zarr of both versions, and folders that are something else."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr
from PIL import Image

from napari_tcgn.errors import SlideError
from napari_tcgn.slide import Slide, open_slide
from napari_tcgn.slide.ome_zarr import OmeZarrSlide


@pytest.fixture
def picture() -> np.ndarray:
    y, x = np.mgrid[:200, :300]
    return np.stack([x % 256, y, (x // 256) * 90 + 10], axis=-1).astype(np.uint8)


def write(folder, picture, version="0.5", axes="cyx", step=0.5, unit="micrometer", omero=None, whole=None):
    """A multiscale image of two levels; `step` is a number or one per axis."""
    steps = dict(zip(axes, step, strict=True)) if isinstance(step, tuple) else {"y": step, "x": step}
    levels = (
        [picture, np.array(Image.fromarray(picture).reduce(2))]
        if picture.dtype == np.uint8 and picture.shape[2] == 3
        else [picture]
    )
    datasets = []
    for number, level in enumerate(levels):
        data = level.transpose(["yxc".index(axis) for axis in axes if axis in "yxc"])
        for at, axis in enumerate(axes):
            if axis not in "yxc":
                data = np.expand_dims(data, at)
        chunks = tuple(64 if axis in "yx" else length for axis, length in zip(axes, data.shape, strict=True))
        array = zarr.create_array(
            folder / str(number), shape=data.shape, chunks=chunks, dtype=data.dtype,
            zarr_format=3 if version == "0.5" else 2,
        )  # fmt: skip
        array[...] = data
        scale = [steps.get(axis, 1.0) * (2**number if axis in "yx" else 1) for axis in axes]
        datasets.append({"path": str(number), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    kinds = {"c": "channel", "t": "time"}
    described = [{"name": a, "type": kinds.get(a, "space")} | ({"unit": unit} if a in "yxz" else {}) for a in axes]
    multiscale = {"axes": described, "datasets": datasets}
    if whole is not None:
        multiscale["coordinateTransformations"] = [{"type": "scale", "scale": whole}]
    attributes = {"multiscales": [multiscale]} | ({"omero": omero} if omero else {})
    if version == "0.5":
        group = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5"} | attributes}}
        (folder / "zarr.json").write_text(json.dumps(group))
    else:
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps(attributes))
    return folder


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["cyx", "yxc", "tczyx"])
def test_both_versions_and_any_order_of_axes(tmp_path, picture, version, axes):
    slide = open_slide(write(tmp_path / "s.ome.zarr", picture, version, axes))
    assert isinstance(slide, OmeZarrSlide)
    assert isinstance(slide, Slide)
    assert slide.name == "s"
    assert slide.level_dimensions == ((300, 200), (150, 100))
    assert (slide.mpp, slide.mpp_source) == (0.5, "OME-Zarr scale")
    np.testing.assert_array_equal(slide.read_region(47, 60, 101, 70), picture[60:130, 47:148])
    half = np.array(Image.fromarray(picture).reduce(2))
    np.testing.assert_array_equal(slide.read_region(20, 30, 64, 64, level=1), half[30:94, 20:84])
    region = slide.read_region(-10, 190, 50, 40)
    assert (region[10:] == 255).all()
    np.testing.assert_array_equal(region[:10, 10:], picture[190:, :40])


def test_units_and_the_scale_of_the_whole_count(tmp_path, picture):
    assert open_slide(write(tmp_path / "a.zarr", picture, step=250.0, unit="nanometer")).mpp == pytest.approx(0.25)
    assert open_slide(write(tmp_path / "b.zarr", picture, whole=[1, 0.5, 0.5])).mpp == pytest.approx(0.25)
    assert open_slide(write(tmp_path / "c.zarr", picture, unit=None)).mpp is None
    assert open_slide(write(tmp_path / "c2.zarr", picture, step=4000.0)).mpp is None
    assert open_slide(write(tmp_path / "d.zarr", picture, unit=None), mpp=0.7).mpp == 0.7
    with pytest.raises(SlideError, match="not square"):
        open_slide(write(tmp_path / "e.zarr", picture, step=(1.0, 0.5, 0.6)))


def test_first_image_of_bioformats2raw(tmp_path, picture):
    (tmp_path / "s.zarr").mkdir()
    (tmp_path / "s.zarr" / ".zgroup").write_text('{"zarr_format": 2}')
    (tmp_path / "s.zarr" / ".zattrs").write_text('{"bioformats2raw.layout": 3}')
    write(tmp_path / "s.zarr" / "0", picture, "0.4", "tczyx")
    np.testing.assert_array_equal(open_slide(tmp_path / "s.zarr").read_region(0, 0, 300, 200), picture)


def test_what_is_not_rgb_of_8_bits_is_refused(tmp_path, picture):
    for name, data in {"16": picture.astype(np.uint16), "two": picture[..., :2]}.items():
        with pytest.raises(SlideError, match="not an RGB image"):
            open_slide(write(tmp_path / name, data))
    stains = {"channels": [{"label": "DAPI"}, {"label": "FITC"}, {"label": "Cy3"}]}
    with pytest.raises(SlideError, match="channels named dapi, fitc, cy3"):
        open_slide(write(tmp_path / "stains", picture, omero=stains))
    colours = {"channels": [{"label": "Red"}, {"label": "Green"}, {"label": "Blue"}]}
    assert open_slide(write(tmp_path / "colours", picture, omero=colours)).level_dimensions[0] == (300, 200)


def test_folders_that_are_no_image(tmp_path, picture):
    zarr.create_array(tmp_path / "a.zarr", shape=(9, 9), dtype="u1")
    with pytest.raises(SlideError, match="without an OME multiscale image"):
        open_slide(tmp_path / "a.zarr")
    folder = write(tmp_path / "b.zarr", picture)
    (folder / "zarr.json").write_text("{")
    with pytest.raises(SlideError, match="metadata"):
        open_slide(folder)
    folder = write(tmp_path / "c.zarr", picture)
    shutil.rmtree(folder / "1")
    with pytest.raises(SlideError, match=r"c\.zarr cannot be read as OME-Zarr"):
        open_slide(folder)


def test_a_damaged_chunk_or_a_vanished_folder_is_not_black_tissue(tmp_path, picture):
    folder = write(tmp_path / "s.zarr", picture)
    slide = open_slide(folder)
    chunk = next(path for path in (folder / "0").rglob("*") if path.is_file() and path.name != "zarr.json")
    chunk.write_bytes(b"\0" * 40)
    with pytest.raises(SlideError, match="damaged"):
        slide.read_region(0, 0, 300, 200)
    shutil.rmtree(folder)
    with pytest.raises(SlideError, match="has gone"):
        slide.read_region(0, 0, 300, 200)


def test_threads_and_closing(tmp_path, picture):
    slide = open_slide(write(tmp_path / "s.zarr", picture))
    corners = [(int(x), int(y)) for x, y in np.random.default_rng(0).integers(0, 150, (100, 2))]
    with ThreadPoolExecutor(8) as pool:
        regions = list(pool.map(lambda corner: slide.read_region(*corner, 40, 40), corners))
    for (x, y), region in zip(corners, regions, strict=True):
        np.testing.assert_array_equal(region, picture[y : y + 40, x : x + 40])
    slide.close()
    slide.close()
    with pytest.raises(SlideError, match="closed"):
        slide.read_region(0, 0, 4, 4)


def test_levels_in_another_order_and_those_that_are_none(tmp_path, picture):
    folder = write(tmp_path / "s.zarr", picture)
    attributes = json.loads((folder / "zarr.json").read_text())
    datasets = attributes["attributes"]["ome"]["multiscales"][0]["datasets"]
    macro = zarr.create_array(folder / "2", shape=(3, 100, 50), chunks=(3, 50, 50), dtype=np.uint8)
    macro[...] = 7
    datasets.append(datasets[1] | {"path": "2"})
    datasets.reverse()
    (folder / "zarr.json").write_text(json.dumps(attributes))
    slide = open_slide(folder)
    assert slide.level_dimensions == ((300, 200), (150, 100))
    assert slide.mpp == 0.5, "of the finest level"
    np.testing.assert_array_equal(slide.read_region(0, 0, 300, 200), picture)
