"""Slides of every kind: the same pixels, the right µm per pixel, and typed errors for everything else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_tcgn.errors import PixelSizeUnknownError, SettingsError, SlideError
from napari_tcgn.slide import ArraySlide, Slide, level_downsamples, open_slide, require_mpp


@pytest.fixture
def picture() -> np.ndarray:
    """RGB 300 x 200 (width x height) in which every pixel is told apart by its colour."""
    y, x = np.mgrid[:200, :300]
    return np.stack([x % 256, y, (x // 256) * 90 + 10], axis=-1).astype(np.uint8)


def write_tiff(path, picture, **options):
    tifffile.imwrite(path, picture, photometric="rgb", **options)
    return path


LAYOUTS = {
    "one strip": {},
    "strips": {"rowsperstrip": 32, "compression": "zlib", "predictor": True},
    "tiles": {"tile": (64, 48), "compression": "lzw"},
    "tiles larger than the image": {"tile": (512, 512)},
    "planes": {"planarconfig": "separate", "tile": (64, 64)},
    "big endian BigTIFF": {"bigtiff": True, "byteorder": ">"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tiff_gives_the_pixels_that_were_written(tmp_path, picture, layout):
    data = np.moveaxis(picture, -1, 0) if layout == "planes" else picture
    slide = open_slide(write_tiff(tmp_path / "a.tif", data, **LAYOUTS[layout]))
    assert isinstance(slide, Slide)
    assert slide.level_dimensions == ((300, 200),)
    np.testing.assert_array_equal(slide.read_region(0, 0, 300, 200), picture)
    np.testing.assert_array_equal(slide.read_region(47, 60, 101, 70), picture[60:130, 47:148])


def test_png_and_array_give_the_pixels_that_were_written(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png")
    for slide in (open_slide(tmp_path / "a.png"), ArraySlide(picture, "a")):
        assert isinstance(slide, Slide)
        assert slide.name == "a"
        np.testing.assert_array_equal(slide.read_region(5, 7, 20, 10), picture[7:17, 5:25])


def test_jpeg_is_read_nearly_as_written(tmp_path, picture):
    smooth = np.ascontiguousarray(picture[:, :256])
    Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
    got = open_slide(tmp_path / "a.jpg").read_region(0, 0, 256, 200)
    assert np.abs(got.astype(int) - smooth).mean() < 3


@pytest.mark.parametrize("kind", ["array", "png", "tif"])
def test_what_lies_outside_is_white(tmp_path, picture, kind):
    if kind == "array":
        slide = ArraySlide(picture)
    elif kind == "png":
        Image.fromarray(picture).save(tmp_path / "a.png")
        slide = open_slide(tmp_path / "a.png")
    else:
        slide = open_slide(write_tiff(tmp_path / "a.tif", picture, tile=(64, 64)))
    region = slide.read_region(-10, 190, 50, 40)
    assert region.shape == (40, 50, 3)
    np.testing.assert_array_equal(region[:10, 10:], picture[190:, :40])
    assert (region[10:] == 255).all()
    assert (region[:, :10] == 255).all()
    assert (slide.read_region(1000, -500, 8, 8) == 255).all()


def test_levels_of_a_pyramid(tmp_path, picture):
    half = np.array(Image.fromarray(picture).reduce(2))
    with tifffile.TiffWriter(tmp_path / "p.ome.tif", ome=True) as tif:
        metadata = {"axes": "YXS", "PhysicalSizeX": 250.0, "PhysicalSizeXUnit": "nm"}
        tif.write(picture, subifds=1, photometric="rgb", tile=(64, 64), metadata=metadata)
        tif.write(half, subfiletype=1, photometric="rgb", tile=(64, 64))
    slide = open_slide(tmp_path / "p.ome.tif")
    assert slide.name == "p"
    assert slide.level_dimensions == ((300, 200), (150, 100))
    assert level_downsamples(slide) == (1.0, 2.0)
    assert (slide.mpp, slide.mpp_source) == (0.25, "OME PhysicalSizeX")
    np.testing.assert_array_equal(slide.read_region(20, 30, 64, 64, level=1), half[30:94, 20:84])
    with pytest.raises(SlideError, match="Level 2"):
        slide.read_region(0, 0, 8, 8, level=2)


@pytest.mark.parametrize(
    ("dpi", "mpp"), [(72, None), (96, None), (300, None), (25_400 / 0.5, 0.5), (25_400 / 0.05, None), (0, None)]
)
def test_only_a_microscope_resolution_is_believed(tmp_path, picture, dpi, mpp):
    slide = open_slide(write_tiff(tmp_path / "a.tif", picture, resolution=(dpi, dpi), resolutionunit="INCH"))
    assert slide.mpp == (None if mpp is None else pytest.approx(mpp, rel=1e-4))
    assert slide.mpp_source == ("unknown" if mpp is None else "TIFF resolution tag")


def test_resolution_without_a_unit_or_unlike_in_x_and_y_is_not_believed(tmp_path, picture):
    write_tiff(tmp_path / "a.tif", picture, resolution=(20_000, 20_000), resolutionunit="NONE")
    write_tiff(tmp_path / "b.tif", picture, resolution=(20_000, 30_000), resolutionunit="CENTIMETER")
    assert open_slide(tmp_path / "a.tif").mpp is None
    assert open_slide(tmp_path / "b.tif").mpp is None


@pytest.mark.parametrize(("unit", "per_unit", "mpp"), [("micron", 2.0, 0.5), ("inch", 300.0, None)])
def test_imagej_says_its_unit(tmp_path, picture, unit, per_unit, mpp):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, picture, imagej=True, resolution=(per_unit, per_unit), metadata={"unit": unit})
    slide = open_slide(path)
    assert slide.mpp == mpp
    assert slide.mpp_source == ("unknown" if mpp is None else "ImageJ unit")


@pytest.mark.parametrize("size", ["0", "-1", "nan", "wide"])
def test_ome_without_a_usable_size_says_nothing(tmp_path, picture, size):
    metadata = {"axes": "YXS", "PhysicalSizeX": size}
    tifffile.imwrite(tmp_path / "a.ome.tif", picture, photometric="rgb", metadata=metadata)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tif:
        assert f'PhysicalSizeX="{size}"' in tif.ome_metadata
    assert open_slide(tmp_path / "a.ome.tif").mpp is None


def test_broken_ome_is_a_slide_error_or_a_plain_tiff(tmp_path, picture):
    head = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image><Pixels'
    write_tiff(tmp_path / "a.tif", picture, description=head + "/></Image></OME>", metadata=None)
    with pytest.raises(SlideError, match=r"a\.tif cannot be read: KeyError: .DimensionOrder"):
        open_slide(tmp_path / "a.tif")
    write_tiff(tmp_path / "b.tif", picture, description=head, metadata=None)  # no XML at all
    np.testing.assert_array_equal(open_slide(tmp_path / "b.tif").read_region(0, 0, 300, 200), picture)


def test_palette_png_is_read_in_its_colours(tmp_path, picture):
    palette = Image.fromarray(picture).quantize(64)
    palette.save(tmp_path / "a.png")
    np.testing.assert_array_equal(
        open_slide(tmp_path / "a.png").read_region(0, 0, 300, 200), np.asarray(palette.convert("RGB"))
    )


def test_given_mpp_wins(tmp_path, picture):
    path = write_tiff(tmp_path / "a.tif", picture, resolution=(20_000, 20_000), resolutionunit="CENTIMETER")
    assert open_slide(path).mpp == pytest.approx(0.5)
    slide = open_slide(path, mpp=0.7)
    assert (slide.mpp, slide.mpp_source) == (0.7, "given; the file says 0.5 (TIFF resolution tag)")


@pytest.mark.parametrize("mpp", [0, -1, float("nan"), float("inf")])
def test_impossible_mpp_is_refused(tmp_path, picture, mpp):
    Image.fromarray(picture).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", write_tiff(tmp_path / "a.tif", picture)):
        with pytest.raises(SettingsError, match="mpp must be a positive"):
            open_slide(path, mpp=mpp)
    with pytest.raises(SettingsError):
        ArraySlide(picture, mpp=mpp)


def test_unknown_mpp_is_asked_for(picture):
    with pytest.raises(PixelSizeUnknownError, match="--mpp"):
        require_mpp(ArraySlide(picture))
    assert require_mpp(ArraySlide(picture, mpp=0.5)) == 0.5


def test_missing_empty_and_foreign_files(tmp_path):
    with pytest.raises(SlideError, match="does not exist"):
        open_slide(tmp_path / "none.jpg")
    with pytest.raises(SlideError, match="folder"):
        open_slide(tmp_path)
    (tmp_path / "empty.tif").touch()
    with pytest.raises(SlideError, match="empty"):
        open_slide(tmp_path / "empty.tif")
    (tmp_path / "text.jpg").write_text("no image at all")
    with pytest.raises(SlideError, match="not a readable"):
        open_slide(tmp_path / "text.jpg")
    (tmp_path / "head.tif").write_bytes(b"II*\0" + b"\x08\0\0\0")
    with pytest.raises(SlideError):
        open_slide(tmp_path / "head.tif")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_truncated_image_is_a_slide_error(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    if name.endswith("tif"):
        # libtiff's order: the directory first, so that the file opens and only its tiles are missing.
        write_tiff(tmp_path / name, noise, tile=(64, 64), compression="zlib")
    else:
        Image.fromarray(noise).save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(SlideError, match=r"damaged|cut short|readable"):
        open_slide(tmp_path / name).read_region(0, 0, 256, 256)


def test_garbage_inside_a_jpeg_tile_is_a_slide_error(tmp_path, picture):
    path = write_tiff(tmp_path / "a.tif", picture, tile=(64, 64), compression="jpeg")
    with tifffile.TiffFile(path) as tif:
        offset, count = tif.pages[0].dataoffsets[0], tif.pages[0].databytecounts[0]
    raw = bytearray(path.read_bytes())
    raw[offset : offset + count] = b"\x00" * count
    path.write_bytes(raw)
    with pytest.raises(SlideError, match="damaged"):
        open_slide(path).read_region(0, 0, 64, 64)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize(("dtype", "found"), [(np.uint8, "one channel|8 bits"), (np.uint16, "16")])
def test_one_channel_or_16_bits_is_refused(tmp_path, name, dtype, found):
    grey = np.zeros((64, 64), dtype)
    if name.endswith("png"):
        Image.fromarray(grey).save(tmp_path / name)
    else:
        tifffile.imwrite(tmp_path / name, grey)
    with pytest.raises(SlideError, match=f"not an RGB image.*({found})"):
        open_slide(tmp_path / name)


def test_rgb_of_16_bits_and_stacks_are_refused(tmp_path, picture):
    write_tiff(tmp_path / "a.tif", picture.astype(np.uint16))
    with pytest.raises(SlideError, match="16 bits"):
        open_slide(tmp_path / "a.tif")
    write_tiff(tmp_path / "b.tif", np.stack([picture, picture]))
    with pytest.raises(SlideError, match="not an RGB image"):
        open_slide(tmp_path / "b.tif")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((9, 9), np.uint8),
        np.zeros((9, 9, 3), np.float32),
        np.zeros((9, 9, 2), np.uint8),
        np.zeros((0, 9, 3), "u1"),
    ],
)
def test_arrays_that_are_no_rgb_image_are_refused(array):
    with pytest.raises(SlideError, match="not an RGB image"):
        ArraySlide(array)


def test_levels_in_the_wrong_order_are_refused(picture):
    with pytest.raises(SlideError, match="finest"):
        ArraySlide([picture[::2, ::2], picture])
    with pytest.raises(SlideError, match="no level"):
        ArraySlide([])


def test_transparency_lies_on_white(tmp_path, picture):
    alpha = np.full((200, 300, 1), 255, np.uint8)
    alpha[:100] = 0
    rgba = np.concatenate([picture, alpha], axis=-1)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    for slide in (ArraySlide(rgba), open_slide(tmp_path / "a.png")):
        assert (slide.read_region(0, 0, 300, 100) == 255).all()
        np.testing.assert_array_equal(slide.read_region(0, 100, 300, 100), picture[100:])


def test_dask_levels_are_read_lazily(picture):
    da = pytest.importorskip("dask.array")
    read = []

    def block(block_info):
        read.append(block_info[None]["chunk-location"])
        (a, b), (c, d), _ = block_info[None]["array-location"]
        return picture[a:b, c:d]

    lazy = da.map_blocks(
        block, chunks=((100, 100), (100, 100, 100), (3,)), dtype=np.uint8, meta=np.empty((0, 0, 0), "u1")
    )
    slide = ArraySlide([lazy, lazy[::2, ::2]], mpp=1.0)
    read.clear()
    np.testing.assert_array_equal(slide.read_region(110, 10, 20, 20), picture[10:30, 110:130])
    assert read == [(0, 1, 0)]


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_many_threads_read_the_same_as_one(tmp_path, picture, name):
    if name.endswith("png"):
        Image.fromarray(picture).save(tmp_path / name)
    else:
        write_tiff(tmp_path / name, picture, tile=(32, 32), compression="zlib")
    slide = open_slide(tmp_path / name)
    corners = [(int(x), int(y)) for x, y in np.random.default_rng(0).integers(0, 150, (200, 2))]
    with ThreadPoolExecutor(8) as pool:
        regions = list(pool.map(lambda c: slide.read_region(c[0], c[1], 40, 40), corners))
    for (x, y), region in zip(corners, regions, strict=True):
        np.testing.assert_array_equal(region, picture[y : y + 40, x : x + 40])


def test_closing_twice_is_harmless_and_a_closed_tiff_says_so(tmp_path, picture):
    slide = open_slide(write_tiff(tmp_path / "a.tif", picture))
    slide.close()
    slide.close()
    with pytest.raises(SlideError, match="closed"):
        slide.read_region(0, 0, 4, 4)


def test_empty_region_is_refused(picture):
    with pytest.raises(SlideError, match="0 x 5"):
        ArraySlide(picture).read_region(0, 0, 0, 5)


def test_pillow_limit_is_left_as_it_was(tmp_path, picture, monkeypatch):
    Image.fromarray(picture).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # far below this picture
    assert open_slide(tmp_path / "a.png").read_region(0, 0, 300, 200).shape == (200, 300, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_real_svs(real_data):
    path = real_data / "wsi_svs" / "CMU-1-Small-Region.svs"
    slide = open_slide(path)
    # The label, thumbnail and macro images of the file are no levels.
    assert slide.level_dimensions == ((2220, 2967),)
    assert (slide.mpp, slide.mpp_source) == (0.499, "Aperio MPP")
    np.testing.assert_array_equal(slide.read_region(700, 900, 500, 400), tifffile.imread(path)[900:1300, 700:1200])


def test_real_jpeg_says_no_microscope_scale(real_data):
    path = real_data / "her2st/data/ST-imgs/C/C2/5714_HE_BT_C2.jpg"
    slide = open_slide(path)
    assert slide.level_dimensions == ((9274, 9911),)
    assert slide.mpp is None
    assert open_slide(path, mpp=0.688).mpp == 0.688
