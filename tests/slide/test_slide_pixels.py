"""Pixels that are not what they seem: turned, of more bits, with a fourth channel, never written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_tcgn.errors import SlideError
from napari_tcgn.slide import ArraySlide, open_slide, overview_of, stored_orientation

# The upright picture, 6 x 4 blocks of 32 px, all of different colours.
BLOCKS = np.random.default_rng(3).integers(0, 256, (4, 6, 3), np.uint8)
UPRIGHT = np.kron(BLOCKS, np.ones((32, 32, 1), np.uint8))
# How a file stores it under each value of the tag: what a viewer does to it, undone (TIFF 6.0, page 36).
STORED = {
    1: UPRIGHT, 2: UPRIGHT[:, ::-1], 3: UPRIGHT[::-1, ::-1], 4: UPRIGHT[::-1], 5: UPRIGHT.swapaxes(0, 1),
    6: np.rot90(UPRIGHT, 1), 7: UPRIGHT[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(UPRIGHT, -1),
}  # fmt: skip


def save(path: Path, orientation: int) -> Path:
    stored = np.ascontiguousarray(STORED[orientation])
    if path.suffix == ".tif":
        tifffile.imwrite(path, stored, photometric="rgb", tile=(64, 64), extratags=[(274, "H", 1, orientation, True)])
    else:
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(stored).save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_a_slide_is_read_as_viewers_show_it(orientation: int, suffix: str, tmp_path: Path) -> None:
    slide = open_slide(save(tmp_path / f"s{suffix}", orientation), mpp=1.0)
    assert slide.level_dimensions[0] == (192, 128)
    np.testing.assert_array_equal(slide.read_region(0, 0, 192, 128), UPRIGHT)
    np.testing.assert_array_equal(slide.read_region(40, 70, 33, 21), UPRIGHT[70:91, 40:73])
    beyond = slide.read_region(-5, 100, 20, 40)
    np.testing.assert_array_equal(beyond[:28, 5:], UPRIGHT[100:, :15])
    assert (beyond[28:] == 255).all()
    assert (beyond[:, :5] == 255).all()
    assert (stored_orientation(slide) is None) == (orientation == 1)
    with Image.open(tmp_path / f"s{suffix}") as image:
        if suffix == ".png":  # Pillow's own idea of it
            from PIL import ImageOps

            np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(image)), UPRIGHT)
    slide.close()


def test_a_jpeg_is_turned_in_its_preview_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.ascontiguousarray(STORED[6])).save(tmp_path / "s.jpg", exif=exif, quality=95)
    slide = open_slide(tmp_path / "s.jpg", mpp=1.0)
    small = slide.preview(4)
    assert small.shape == (32, 48, 3)
    assert np.abs(small[4::8, 4::8].astype(int) - BLOCKS).mean() < 12
    assert "turned by 90° clockwise" in stored_orientation(slide)


def test_a_tag_that_says_nothing_is_upright(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "s.tif", UPRIGHT, photometric="rgb", tile=(64, 64), extratags=[(274, "H", 1, 77, True)])
    np.testing.assert_array_equal(open_slide(tmp_path / "s.tif").read_region(0, 0, 192, 128), UPRIGHT)


def test_png_of_16_bits_is_refused(tmp_path: Path) -> None:
    import imagecodecs

    (tmp_path / "s.png").write_bytes(imagecodecs.png_encode(UPRIGHT.astype(np.uint16) * 16))
    with pytest.raises(SlideError, match="16 bits a channel"):
        open_slide(tmp_path / "s.png")


@pytest.mark.parametrize("mode", ["CMYK", "L", "I;16", "LA"])
def test_other_colours_are_refused_by_name(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(UPRIGHT).convert("L").convert("I;16") if mode == "I;16" else Image.fromarray(UPRIGHT)
    path = tmp_path / ("s.jpg" if mode == "CMYK" else "s.png")
    (image if mode == "I;16" else image.convert(mode)).save(path)
    with pytest.raises(SlideError, match="CMYK colours" if mode == "CMYK" else "one channel"):
        open_slide(path)


def test_a_palette_is_read_as_its_colours(tmp_path: Path) -> None:
    Image.fromarray(UPRIGHT).quantize(64).save(tmp_path / "s.png")
    found = open_slide(tmp_path / "s.png", mpp=1.0).read_region(0, 0, 192, 128)
    np.testing.assert_array_equal(found, UPRIGHT)  # 24 colours fit


def with_fourth(path: Path, fourth: np.ndarray, extra: str | int, rgb: np.ndarray = UPRIGHT) -> Path:
    four = np.concatenate([rgb, fourth[..., None].astype(np.uint8)], axis=-1)
    tifffile.imwrite(path, four, photometric="rgb", tile=(64, 64), extrasamples=[extra])
    return path


def test_a_fourth_channel_that_is_no_opacity_is_left_out(tmp_path: Path) -> None:
    infrared = np.random.default_rng(0).integers(0, 256, UPRIGHT.shape[:2])
    for name, fourth in (("empty", np.zeros(UPRIGHT.shape[:2])), ("infrared", infrared)):
        slide = open_slide(with_fourth(tmp_path / f"{name}.tif", fourth, "unspecified"), mpp=1.0)
        np.testing.assert_array_equal(slide.read_region(0, 0, 192, 128), UPRIGHT)


def test_opacity_is_laid_on_white_once(tmp_path: Path) -> None:
    alpha = np.full(UPRIGHT.shape[:2], 102)  # 0.4
    expected = 0.4 * UPRIGHT + 0.6 * 255
    plain = open_slide(with_fourth(tmp_path / "plain.tif", alpha, "unassalpha"), mpp=1.0)
    assert np.abs(plain.read_region(0, 0, 192, 128) - expected).max() <= 0.5
    multiplied = np.round(0.4 * UPRIGHT).astype(np.uint8)
    slide = open_slide(with_fourth(tmp_path / "done.tif", alpha, "assocalpha", multiplied), mpp=1.0)
    assert np.abs(slide.read_region(0, 0, 192, 128) - expected).max() <= 1


def test_no_opacity_anywhere_is_named(tmp_path: Path) -> None:
    nothing = np.zeros(UPRIGHT.shape[:2])
    with pytest.raises(SlideError, match="transparent everywhere"):
        open_slide(with_fourth(tmp_path / "a.tif", nothing, "unassalpha"))
    Image.fromarray(np.concatenate([UPRIGHT, nothing[..., None].astype(np.uint8)], axis=-1)).save(tmp_path / "a.png")
    with pytest.raises(SlideError, match="transparent everywhere"):
        overview_of(open_slide(tmp_path / "a.png", mpp=1.0))
    four = np.concatenate([UPRIGHT, nothing[..., None].astype(np.uint8)], axis=-1)
    with pytest.raises(SlideError, match="transparent everywhere"):
        overview_of(ArraySlide([four, four[::2, ::2]], mpp=1.0))
    four[:64, :64, 3] = 255  # glass that was never scanned is left transparent
    assert (ArraySlide(four).read_region(64, 64, 32, 32) == 255).all()


@pytest.mark.parametrize("opacity", [0, 255])
def test_opacity_in_a_plane_of_its_own(opacity: int, tmp_path: Path) -> None:
    planes = np.moveaxis(np.concatenate([UPRIGHT, np.full((*UPRIGHT.shape[:2], 1), opacity, np.uint8)], axis=-1), -1, 0)
    tifffile.imwrite(
        tmp_path / "s.tif", np.ascontiguousarray(planes), photometric="rgb", tile=(64, 64), planarconfig="separate",
        extrasamples=["unassalpha"],
    )  # fmt: skip
    if opacity:
        np.testing.assert_array_equal(open_slide(tmp_path / "s.tif").read_region(0, 0, 192, 128), UPRIGHT)
    else:
        with pytest.raises(SlideError, match="transparent everywhere"):
            open_slide(tmp_path / "s.tif")


def test_a_palette_of_a_tiff_is_named(tmp_path: Path) -> None:
    Image.fromarray(UPRIGHT).quantize(64).save(tmp_path / "s.tif")
    with pytest.raises(SlideError, match="a palette of colours"):
        open_slide(tmp_path / "s.tif")


def test_a_file_whose_tiles_were_never_written_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "s.tif"
    tifffile.imwrite(path, UPRIGHT, photometric="rgb", tile=(64, 64))
    with tifffile.TiffFile(path) as tif:
        tag = tif.pages[0].tags[325]  # TileByteCounts
        offset, count, dtype = tag.valueoffset, tag.count, {3: 2, 4: 4, 16: 8}[int(tag.dtype)]
    data = bytearray(path.read_bytes())
    data[offset : offset + count * dtype] = bytes(count * dtype)
    path.write_bytes(bytes(data))
    with pytest.raises(SlideError, match=r"none of its \d+ tiles was ever written"):
        open_slide(path)


def omezarr(path: Path, labels: list[str], colours: list[str], channels: int = 3, write: bool = True) -> Path:
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=2)
    array = group.create_array("0", shape=(channels, 128, 192), chunks=(1, 64, 64), dtype="uint8")
    if write:
        array[:3] = np.moveaxis(UPRIGHT, -1, 0)
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space", "unit": "micrometer"} for n in "yx")]
    scale = [{"type": "scale", "scale": [1.0, 0.5, 0.5]}]
    group.attrs["multiscales"] = [
        {"version": "0.4", "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    ]
    group.attrs["omero"] = {
        "channels": [{"label": label, "color": colour} for label, colour in zip(labels, colours, strict=True)]
    }
    return path


RGB = ["FF0000", "00FF00", "0000FF"]


@pytest.mark.parametrize(
    "labels",
    [["Channel 0", "Channel 1", "Channel 2"], ["channel_0", "channel_1", "channel_2"], ["C:0", "C:1", "C:2"],
     ["1", "2", "3"]],
)  # fmt: skip
def test_channels_with_made_up_names_and_the_colours_of_rgb_are_rgb(labels: list[str], tmp_path: Path) -> None:
    slide = open_slide(omezarr(tmp_path / "s.ome.zarr", labels, RGB))
    np.testing.assert_array_equal(slide.read_region(0, 0, 192, 128), UPRIGHT)


@pytest.mark.parametrize(
    ("labels", "colours"),
    [(["Channel 0", "Channel 1", "Channel 2"], ["0000FF", "00FF00", "FF0000"]), (["DAPI", "FITC", "Cy3"], RGB),
     (["Channel 0", "Channel 2", "Channel 1"], RGB)],
)  # fmt: skip
def test_stains_are_no_rgb(labels: list[str], colours: list[str], tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="channels named"):
        open_slide(omezarr(tmp_path / "s.ome.zarr", labels, colours))


def test_a_fourth_channel_of_a_zarr_without_a_name_is_left_out(tmp_path: Path) -> None:
    labels, colours = [f"Channel {i}" for i in range(4)], [*RGB, "FFFFFF"]
    slide = open_slide(omezarr(tmp_path / "s.ome.zarr", labels, colours, channels=4))
    np.testing.assert_array_equal(slide.read_region(0, 0, 192, 128), UPRIGHT)


def test_a_zarr_without_a_chunk_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="none of the chunks"):
        open_slide(omezarr(tmp_path / "s.ome.zarr", ["r", "g", "b"], RGB, write=False))


def test_the_record_says_how_the_stored_pixels_lie(tmp_path: Path) -> None:
    from napari_tcgn import GridSettings, make_grid, predict

    slide = open_slide(save(tmp_path / "s.tif", 3), mpp=2.0)
    spots = make_grid(slide, GridSettings("square", pitch_um=100, diameter_um=50, tissue_only=False))
    adata = predict(slide, spots, "haematoxylin-her2st")
    record = json.loads(adata.uns["napari_tcgn"]["run_record"])
    assert record["slide"]["orientation"] == "turned by 180° for viewing (orientation tag 3)"


def test_a_given_scale_that_contradicts_the_file_is_told(tmp_path: Path) -> None:
    from napari_tcgn.engine import domain_warnings
    from napari_tcgn.model import ModelCard

    tifffile.imwrite(
        tmp_path / "s.ome.tif", UPRIGHT, photometric="rgb", tile=(64, 64),
        metadata={"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5},
    )  # fmt: skip
    card = ModelCard("m", "1", {}, ["A"], 77.0)
    slide = open_slide(tmp_path / "s.ome.tif", mpp=2.0)
    assert slide.mpp == 2.0
    assert slide.mpp_source == "given; the file says 0.5 (OME PhysicalSizeX)"
    assert "The file says 0.5 µm per pixel (OME PhysicalSizeX), and 2 was given" in domain_warnings(card, slide)[0]
    for mpp in (0.51, None):
        assert not any(
            "was given" in warning for warning in domain_warnings(card, open_slide(tmp_path / "s.ome.tif", mpp))
        )


@pytest.mark.parametrize(("tag", "contradicts"), [(0.25, True), (0.49, False), (352.8, False)])
def test_a_file_that_contradicts_itself_is_told(tag: float, contradicts: bool, tmp_path: Path) -> None:
    from napari_tcgn.engine import domain_warnings
    from napari_tcgn.model import ModelCard
    from napari_tcgn.slide import give_mpp

    per_cm = 1e4 / tag
    size = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(
        tmp_path / "s.ome.tif", UPRIGHT, photometric="rgb", tile=(64, 64), resolution=(per_cm, per_cm),
        resolutionunit="CENTIMETER", metadata=size,
    )  # fmt: skip
    slide, card = open_slide(tmp_path / "s.ome.tif"), ModelCard("m", "1", {}, ["A"], 77.0)
    assert slide.mpp == 0.5
    told = any("0.5 µm per pixel (OME PhysicalSizeX) and 0.25 (TIFF" in one for one in domain_warnings(card, slide))
    assert told == contradicts
    assert ("the file says 0.25 too" in slide.mpp_source) == contradicts
    for mpp, how in ((0.5, "given"), (0.25, "given; the file says 0.5 (OME PhysicalSizeX)")):
        given = open_slide(tmp_path / "s.ome.tif", mpp)
        assert given.mpp_source == how, "it is settled"
        give_mpp(slide, mpp, "given")
        assert (slide.mpp_source, slide.mpp_hint) == (given.mpp_source, given.mpp_hint or slide.mpp_hint)
