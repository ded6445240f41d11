"""Slides through napari's own ways of opening a file."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_tcgn.errors import SlideError
from napari_tcgn.slide import open_slide, pyramid_cache
from napari_tcgn.slide.image import ImageSlide
from napari_tcgn.ui.io import reader
from napari_tcgn.ui.layers.pyramid import LevelArray, levels_for_napari


@pytest.fixture
def pyramid_file(tmp_path, kit):
    """A pyramid of two levels that says 2 µm per px."""
    pixels = kit.stained()
    path = tmp_path / "section.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        options = {"photometric": "rgb", "tile": (64, 64)}
        size = {"axes": "YXS", "PhysicalSizeX": kit.MPP, "PhysicalSizeY": kit.MPP}
        tif.write(pixels, subifds=1, metadata=size, **options)
        tif.write(np.array(Image.fromarray(pixels).reduce(2)), subfiletype=1, **options)
    return path


def write_zarr(folder, pixels, mpp):
    array = zarr.create_array(folder / "0", shape=pixels.shape, chunks=(64, 64, 3), dtype="u1")
    array[...] = pixels
    axes = [{"name": "y", "type": "space", "unit": "micrometer"}, {"name": "x", "type": "space", "unit": "micrometer"}]
    scale = [{"type": "scale", "scale": [mpp, mpp, 1.0]}]
    image = {"axes": [*axes, {"name": "c", "type": "channel"}]}
    image["datasets"] = [{"path": "0", "coordinateTransformations": scale}]
    attributes = {"ome": {"version": "0.5", "multiscales": [image]}}
    (folder / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": attributes}))
    return folder


def check_taken_up(viewer, dock, mpp, size):
    """The layer is a lazy pyramid in µm, and the dock works on the slide behind it."""
    layer = viewer.layers[-1]
    assert layer.multiscale
    assert layer.rgb
    np.testing.assert_allclose(layer.scale, mpp)
    assert str(layer.units[0]) == "micrometer"
    state = dock.session.state
    assert state.image == layer
    assert isinstance(layer.data[0], LevelArray)
    assert state.slide == layer.data[0].slide  # napari hands out proxies
    assert state.slide.level_dimensions[0] == size
    assert state.mpp == pytest.approx(mpp)
    assert dock.slide.mpp_box.value() == pytest.approx(mpp)
    assert f"{size[0]} x {size[1]} px" in dock.slide.info.text()


def test_viewer_open_shows_a_pyramid_that_the_dock_takes_up(dock_in_viewer, pyramid_file, kit):
    viewer, dock = dock_in_viewer()
    viewer.open(pyramid_file, plugin="napari-tcgn")
    check_taken_up(viewer, dock, kit.MPP, (kit.SIDE, kit.SIDE))
    assert viewer.layers[-1].name == "section"
    assert "OME PhysicalSizeX" in dock.slide.info.text()
    np.testing.assert_array_equal(viewer.layers[-1].data[0][10:20, 30:50], kit.stained()[10:20, 30:50])
    assert viewer.layers[-1].extent.world[1] == pytest.approx((kit.SIDE - 0.5) * kit.MPP, abs=kit.MPP)


def test_an_ome_zarr_folder(dock_in_viewer, tmp_path, kit):
    viewer, dock = dock_in_viewer()
    viewer.open(write_zarr(tmp_path / "s.ome.zarr", kit.stained(), kit.MPP), plugin="napari-tcgn")
    check_taken_up(viewer, dock, kit.MPP, (kit.SIDE, kit.SIDE))


def test_the_real_svs_is_taken_up_with_its_pixel_size(dock_in_viewer, real_data, qtbot, kit):
    viewer, dock = dock_in_viewer()
    viewer.open(real_data / "wsi_svs" / "CMU-1-Small-Region.svs", plugin="napari-tcgn")
    check_taken_up(viewer, dock, 0.499, (2220, 2967))
    assert "Aperio MPP" in dock.slide.info.text()
    assert len(viewer.layers) == 1  # no label, thumbnail or macro image
    dock.spots.lay_button.click()
    qtbot.waitUntil(lambda: dock.session.state.spots is not None, timeout=kit.TIMEOUT)


def test_the_manifest_names_the_reader():
    from npe2 import PluginManager

    found = [c for c in PluginManager.instance().iter_compatible_readers("x.NDPI") if c.plugin_name == "napari-tcgn"]
    assert len(found) == 1
    title = PluginManager.instance().get_manifest("napari-tcgn").contributions.commands
    assert any(command.id == "napari-tcgn.read_slide" and "slide" in command.title for command in title)


def test_what_is_no_slide_is_left_to_others(tmp_path, kit):
    Image.fromarray(kit.stained()).save(tmp_path / "small.png")
    tifffile.imwrite(tmp_path / "grey.tif", np.zeros((64, 64), np.uint8))
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((5, 64, 64), np.uint16))
    (tmp_path / "folder").mkdir()
    for name in ("small.png", "grey.tif", "stack.tif", "folder"):
        assert reader.get_reader(str(tmp_path / name)) is None, name
    assert reader.get_reader([str(tmp_path / "small.png"), str(tmp_path / "grey.tif")]) is None


def test_a_large_png_is_taken(tmp_path, kit, monkeypatch):
    monkeypatch.setattr(reader, "MIN_PLAIN_PIXELS", 100)
    Image.fromarray(kit.stained()).save(tmp_path / "large.png")
    read = reader.get_reader(str(tmp_path / "large.png"))
    ((levels, kwargs, kind),) = read(str(tmp_path / "large.png"))
    assert kind == "image"
    assert kwargs == {"name": "large", "rgb": True, "multiscale": True}  # no scale: the file says none
    assert levels[0].shape == (kit.SIDE, kit.SIDE, 3)


def test_a_broken_slide_says_what_is_wrong(tmp_path):
    (tmp_path / "broken.svs").write_bytes(b"II*\0 nothing more")
    read = reader.get_reader(str(tmp_path / "broken.svs"))
    with pytest.raises(SlideError, match="not a readable TIFF"):
        read(str(tmp_path / "broken.svs"))


@pytest.fixture
def large_png(tmp_path, monkeypatch):
    """A flat image that counts as large, and an empty cache."""
    monkeypatch.setenv("NAPARI_TCGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pyramid_cache, "MIN_PIXELS", 100_000)
    pixels = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    return tmp_path / "large.png"


def wait_for_cache():
    for thread in threading.enumerate():
        if thread.name == "napari-tcgn-pyramid":
            thread.join(30)


def test_the_second_opening_of_a_flat_image_decodes_nothing(large_png, monkeypatch):
    levels = levels_for_napari(open_slide(large_png))
    first = [np.asarray(level[:]) for level in levels]
    wait_for_cache()
    slide = levels[0].slide
    assert slide._pixels is None  # freed: its kept tiles serve it now
    np.testing.assert_array_equal(levels[0][:], first[0])

    def never(self):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageSlide, "_decoded", never)
    again = levels_for_napari(open_slide(large_png))
    assert [level.shape[:2] for level in again] == [(1500, 2000), (750, 1000)]
    np.testing.assert_array_equal(again[0][700:900, 1000:1300], first[0][700:900, 1000:1300])
    assert np.abs(again[1][:].mean((0, 1)) - first[0].mean((0, 1))).max() < 1
    # what is predicted from has one level as before: the cache changes no result
    assert len(again[0].slide.level_dimensions) == 1


def test_without_a_place_for_the_cache_all_is_in_memory(large_png, monkeypatch):
    monkeypatch.setenv("NAPARI_TCGN_CACHE", str(large_png))  # a file in the way of the folder
    for _ in range(2):
        levels = levels_for_napari(open_slide(large_png))
        wait_for_cache()
        assert isinstance(levels[1], np.ndarray)
        assert max(levels[-1].shape) <= 1024
        assert levels[0][:5].shape == (5, 2000, 3)


def test_a_slide_closed_while_its_pyramid_is_made_does_no_harm(large_png):
    tif = large_png.with_suffix(".tif")
    tifffile.imwrite(tif, np.asarray(Image.open(large_png)), photometric="rgb", tile=(256, 256))
    slide = open_slide(tif)
    levels_for_napari(slide)
    slide.close()
    wait_for_cache()
