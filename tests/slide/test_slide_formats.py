"""TIFF variants, wrong names, hints and files that change under the reader's feet."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_tcgn.errors import PixelSizeUnknownError, SlideError
from napari_tcgn.slide import ArraySlide, open_slide, require_mpp
from napari_tcgn.slide.tiff import TiffSlide
from napari_tcgn.slide.vendor import VendorSlide

SIDE = 512


@pytest.fixture
def picture() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.stack([x // 2, y // 2, (x + y) // 4], axis=-1).astype(np.uint8)


def halves(picture, levels):
    result = [picture]
    for _ in range(levels - 1):
        result.append(np.array(Image.fromarray(result[-1]).reduce(2)))
    return result


APERIO = "Aperio Image Library v10\r\n512x512 (128x128) J2K Q=30|AppMag = 20"


def write_jpeg2000(path, picture, compression, description=f"{APERIO}|MPP = 0.4990"):
    """An Aperio file with tiles of JPEG 2000, in RGB (33005) or in YCbCr without saying so (33003)."""
    imagecodecs = pytest.importorskip("imagecodecs")
    ycbcr = compression == 33003
    source = np.array(Image.fromarray(picture).convert("YCbCr")) if ycbcr else picture
    tiles = (
        imagecodecs.jpeg2k_encode(
            np.ascontiguousarray(source[y : y + 128, x : x + 128]), codecformat="j2k", mct=False, reversible=True
        )
        for y in range(0, SIDE, 128)
        for x in range(0, SIDE, 128)
    )
    tifffile.imwrite(
        path, tiles, shape=picture.shape, dtype=np.uint8, tile=(128, 128), compression=compression,
        photometric="ycbcr" if ycbcr else "rgb", subsampling=(1, 1) if ycbcr else None,
        description=description, metadata=None,
    )  # fmt: skip
    return path


@pytest.mark.parametrize(("compression", "reader"), [(33005, TiffSlide), (33003, VendorSlide)])
def test_jpeg_2000_tiles(tmp_path, picture, compression, reader):
    slide = open_slide(write_jpeg2000(tmp_path / "a.svs", picture, compression))
    assert type(slide) is reader
    assert slide.mpp == pytest.approx(0.499)
    found = slide.read_region(100, 200, 300, 250).astype(int)
    assert np.abs(found - picture[200:450, 100:400]).max() <= (0 if compression == 33005 else 3)


@pytest.mark.parametrize("flagged", [True, False])
def test_pyramid_of_plain_pages(tmp_path, picture, flagged):
    """Levels as pages of their own, as vips and libtiff write them, whether or not they are flagged as reduced."""
    levels = halves(picture, 3)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for number, level in enumerate(levels):
            reduced = 1 if flagged and number else 0
            tif.write(level, tile=(64, 64), photometric="rgb", compression="zlib", subfiletype=reduced, metadata=None)
    slide = open_slide(tmp_path / "a.tif")
    assert slide.level_dimensions == ((512, 512), (256, 256), (128, 128))
    for number, level in enumerate(levels):
        np.testing.assert_array_equal(slide.read_region(3, 5, 90, 80, number), level[5:85, 3:93])


@pytest.mark.parametrize("shape", [(384, 128), (128, 512), (100, 300)])
def test_a_reduced_page_of_other_proportions_is_no_level(tmp_path, picture, shape):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        options = {"tile": (64, 64), "photometric": "rgb", "metadata": None}
        tif.write(picture, **options)
        tif.write(np.zeros((*shape, 3), np.uint8), subfiletype=1, **options)  # a macro image or label
    assert open_slide(tmp_path / "a.tif").level_dimensions == ((512, 512),)


def test_the_largest_image_of_an_ome_tiff_is_the_slide_with_its_own_pixel_size(tmp_path, picture):
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tif:
        options = {"photometric": "rgb", "tile": (64, 64)}
        macro = {"axes": "YXS", "PhysicalSizeX": 8.0, "PhysicalSizeY": 8.0}
        tif.write(picture[:100, :300], metadata=macro, **options)
        size = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        tif.write(picture, metadata=size, **options)
    slide = open_slide(tmp_path / "a.ome.tif")
    assert slide.level_dimensions[0] == (512, 512)
    assert (slide.mpp, slide.mpp_source) == (0.5, "OME PhysicalSizeX")


def test_an_ome_tiff_whose_pixels_lie_in_another_file_is_refused(tmp_path, picture):
    tifffile.imwrite(tmp_path / "pixels.tif", picture, photometric="rgb", metadata=None)
    text = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:a"><Image '
        'ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="512" SizeY="512" SizeC="3" '
        'SizeZ="1" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="3"/><TiffData IFD="0" PlaneCount="1">'
        '<UUID FileName="pixels.tif">urn:uuid:b</UUID></TiffData></Pixels></Image></OME>'
    )
    tifffile.imwrite(tmp_path / "index.ome.tif", 255 - picture, photometric="rgb", description=text, metadata=None)
    with pytest.raises(SlideError, match="lie in other files"):
        open_slide(tmp_path / "index.ome.tif")


def test_ome_pixels_that_are_not_square_are_refused_even_with_a_given_size(tmp_path, picture):
    metadata = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.6}
    tifffile.imwrite(tmp_path / "a.ome.tif", picture, photometric="rgb", metadata=metadata)
    for given in (None, 0.5):
        with pytest.raises(SlideError, match="not square"):
            open_slide(tmp_path / "a.ome.tif", mpp=given)


@pytest.mark.parametrize("um", [1e-6, 350.0])
def test_absurd_ome_size_is_asked_for(tmp_path, picture, um):
    metadata = {"axes": "YXS", "PhysicalSizeX": um, "PhysicalSizeY": um}
    tifffile.imwrite(tmp_path / "a.ome.tif", picture, photometric="rgb", metadata=metadata)
    slide = open_slide(tmp_path / "a.ome.tif")
    assert (slide.mpp, slide.mpp_source) == (None, "unknown")
    with pytest.raises(PixelSizeUnknownError, match=r"OME PhysicalSizeX\), which is no light microscope's.*--mpp"):
        require_mpp(slide)


def test_objective_power_is_only_a_hint(tmp_path, picture):
    slide = open_slide(write_jpeg2000(tmp_path / "a.svs", picture, 33005, APERIO))
    assert slide.mpp is None
    with pytest.raises(PixelSizeUnknownError, match=r"AppMag 20 suggests about 0\.5 µm per pixel\. Give it with --mpp"):
        require_mpp(slide)


def test_printing_resolution_is_told_in_the_hint(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.jpg", dpi=(300, 300))
    with pytest.raises(PixelSizeUnknownError, match="JPEG resolution of 300 dpi is not a microscope's"):
        require_mpp(open_slide(tmp_path / "a.jpg"))


def test_content_counts_and_not_the_name(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "png.svs")
    tifffile.imwrite(tmp_path / "tiff.jpg", picture, photometric="rgb")
    for name in ("png.svs", "tiff.jpg"):
        np.testing.assert_array_equal(open_slide(tmp_path / name).read_region(0, 0, SIDE, SIDE), picture)
    (tmp_path / "text.ndpi").write_text("not an image")
    with pytest.raises(SlideError, match=r"neither TIFF, OME-Zarr, JPEG, PNG nor a format of openslide.*OME-TIFF"):
        open_slide(tmp_path / "text.ndpi")


def test_cmyk_is_refused(tmp_path, picture):
    cmyk = Image.fromarray(picture).convert("CMYK")
    cmyk.save(tmp_path / "a.jpg")
    cmyk.save(tmp_path / "a.tif")
    for name in ("a.jpg", "a.tif"):
        with pytest.raises(SlideError, match="not an RGB image of 8 bits"):
            open_slide(tmp_path / name)


def test_alpha_of_a_tiff_lies_on_white(tmp_path, picture):
    alpha = np.full((SIDE, SIDE, 1), 255, np.uint8)
    alpha[:100] = 0
    rgba = np.concatenate([picture, alpha], axis=-1)
    tifffile.imwrite(tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=["unassalpha"], tile=(64, 64))
    slide = open_slide(tmp_path / "a.tif")
    assert (slide.read_region(0, 0, SIDE, 100) == 255).all()
    np.testing.assert_array_equal(slide.read_region(0, 100, SIDE, 300), picture[100:400])


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        (np.zeros((3, 9, 9), np.uint8), r"moveaxis\(array, 0, -1\)"),
        (np.zeros((9, 9, 3), np.float32), r"255.*uint8"),
        (np.zeros((9, 9, 3), np.uint16), r"uint8"),
        (np.zeros((9, 9), np.uint8), "colour"),
    ],
)
def test_arrays_are_refused_with_their_own_mend(array, hint):
    with pytest.raises(SlideError, match=f"not an RGB image of 8 bits.*{hint}"):
        ArraySlide(array)


def test_names_of_any_language_and_very_long_paths(tmp_path, picture):
    folder = tmp_path / "Gewebe 组织 тест" / ("long" * 50) / ("deep" * 50)
    folder.mkdir(parents=True)
    path = folder / "größe µm 切片.tif"
    tifffile.imwrite(path, picture, photometric="rgb", tile=(64, 64))
    assert open_slide(path).name == "größe µm 切片"
    np.testing.assert_array_equal(open_slide(path).read_region(0, 0, 9, 9), picture[:9, :9])
    with pytest.raises(SlideError, match="cannot be read"):
        open_slide(tmp_path / ("x" * 300 + ".tif"))
    with pytest.raises(SlideError, match="cannot be read"):
        open_slide("a\0.tif")


def test_a_file_that_is_cut_while_it_is_read_is_a_slide_error(tmp_path, picture):
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb", tile=(64, 64))
    slide = open_slide(tmp_path / "a.tif")
    slide.read_region(0, 0, 10, 10)
    with (tmp_path / "a.tif").open("r+b") as handle:
        handle.truncate(5000)
    with pytest.raises(SlideError, match="damaged or cut short"):
        slide.read_region(0, 400, SIDE, 100)


def test_a_jpeg_that_vanishes_before_it_is_decoded_is_a_slide_error(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.jpg")
    slide = open_slide(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(SlideError, match=r"a\.jpg cannot be read"):
        slide.read_region(0, 0, 10, 10)


def test_an_image_without_pixels_is_a_slide_error(tmp_path):
    # Libraries refuse to write one; the header of a TIFF can still claim it.
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((64, 64, 3), np.uint8), photometric="rgb", metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tif:
        tif.pages[0].tags[256].overwrite(0)
    with pytest.raises(SlideError):
        open_slide(tmp_path / "a.tif").read_region(0, 0, 8, 8)


def test_preview_of_a_jpeg_is_the_whole_picture_made_small(tmp_path, picture):
    Image.fromarray(picture[:, :301]).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(picture).save(tmp_path / "a.png")
    assert open_slide(tmp_path / "a.png").preview(4) is None
    slide = open_slide(tmp_path / "a.jpg")
    small = slide.preview(4)
    assert small.shape == (128, 76, 3)
    expected = np.array(Image.fromarray(picture[:, :301]).reduce(4))
    assert np.abs(small.astype(int) - expected).mean() < 3
    slide.read_region(0, 0, 8, 8)
    assert slide.preview(4) is None  # decoded already
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SlideError, match="damaged or cut short"):
        open_slide(tmp_path / "a.jpg").preview(4)
