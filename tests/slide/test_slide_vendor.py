"""The scanners' formats: small files of each made here byte by byte, read through openslide."""

from __future__ import annotations

import io
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_tcgn.errors import SlideError
from napari_tcgn.slide import Slide, open_slide
from napari_tcgn.slide.vendor import VendorSlide
from support.waiting import wait_until

SIDE = 512


def picture() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.stack([x // 2, y // 2, (x + y) // 4], axis=-1).astype(np.uint8)


def jpeg(pixels: np.ndarray, **options) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95, subsampling=0, **options)
    return out.getvalue()


def write_vms(folder, power=20, um=0.5):
    """Hamamatsu VMS: an index, the image as one JPEG with restart markers, a map and a macro image."""
    pixels = picture()
    (folder / "a.jpg").write_bytes(jpeg(pixels, restart_marker_rows=1))
    (folder / "a_map.jpg").write_bytes(jpeg(np.ascontiguousarray(pixels[::8, ::8]), restart_marker_rows=1))
    (folder / "a_macro.jpg").write_bytes(jpeg(np.zeros((90, 200, 3), np.uint8)))
    entries = {
        "NoLayers": 1, "NoJpegColumns": 1, "NoJpegRows": 1, "ImageFile": "a.jpg", "MapFile": "a_map.jpg",
        "MacroImage": "a_macro.jpg", "SourceLens": power,
        "PhysicalWidth": round(SIDE * um * 1000), "PhysicalHeight": round(SIDE * um * 1000),
    }  # fmt: skip
    lines = [f"{key}={value}" for key, value in entries.items()]
    (folder / "a.vms").write_text("\n".join(["[Virtual Microscope Specimen]", *lines, ""]))
    return folder / "a.vms"


def write_ndpi(folder, across=20_000, down=20_000):
    """Hamamatsu NDPI: one JPEG of the whole, 64-bit offsets in a little-endian classic TIFF."""
    out = bytearray(b"II*\0" + struct.pack("<Q", 0))

    def put(data: bytes) -> int:
        at = len(out)
        out.extend(data + b"\0" * (len(data) % 2))
        return at

    data = jpeg(picture())
    image, bits, maker = put(data), put(struct.pack("<3H", 8, 8, 8)), put(b"Hamamatsu\0")
    x, y = put(struct.pack("<2I", across, 1)), put(struct.pack("<2I", down, 1))
    tags = [
        (254, 4, 1, 0), (256, 4, 1, SIDE), (257, 4, 1, SIDE), (258, 3, 3, bits), (259, 3, 1, 7), (262, 3, 1, 6),
        (271, 2, 10, maker), (273, 4, 1, image), (277, 3, 1, 3), (278, 4, 1, SIDE), (279, 4, 1, len(data)),
        (282, 5, 1, x), (283, 5, 1, y), (296, 3, 1, 3), (65420, 4, 1, 1),
        (65421, 11, 1, struct.unpack("<I", struct.pack("<f", 20.0))[0]), (65422, 9, 1, 0), (65423, 9, 1, 0),
        (65424, 9, 1, 0),
    ]  # fmt: skip
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    start = put(directory + struct.pack("<Q", 0) + b"\0" * 4 * len(tags))
    out[4:12] = struct.pack("<Q", start)
    (folder / "a.ndpi").write_bytes(out)
    return folder / "a.ndpi"


def write_scn(folder):
    """Leica SCN: a macro image, which is told by covering the whole collection, and a scan that is 1 nm smaller."""
    scanned = SIDE * 500

    def image(name, nm, pixels, power):
        dimensions = "".join(f'<dimension sizeX="{s}" sizeY="{s}" r="{r}" ifd="{i}"/>' for s, r, i in pixels)
        return (
            f'<image name="{name}"><device model="m" version="1"/>'
            f'<pixels sizeX="{pixels[0][0]}" sizeY="{pixels[0][0]}">{dimensions}</pixels>'
            f'<view sizeX="{nm}" sizeY="{nm}" offsetX="0" offsetY="0"/>'
            f"<scanSettings><objectiveSettings><objective>{power}</objective></objectiveSettings><illuminationSettings>"
            "<illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings></image>"
        )

    text = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'
        f'<collection name="c" sizeX="{scanned + 1}" sizeY="{scanned + 1}"><barcode/>'
        f"{image('macro', scanned + 1, [(128, 0, 0)], 1)}"
        f"{image('scan', scanned, [(512, 0, 1), (128, 1, 2)], 20)}</collection></scn>"
    )
    options = {"tile": (128, 128), "photometric": "rgb", "compression": "jpeg", "metadata": None}
    options |= {"resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(folder / "a.scn", bigtiff=True) as tif:
        tif.write(np.zeros((128, 128, 3), np.uint8), description=text, resolution=(5000, 5000), **options)
        tif.write(picture(), resolution=(20_000, 20_000), **options)
        tif.write(np.array(Image.fromarray(picture()).reduce(4)), resolution=(5000, 5000), **options)
    return folder / "a.scn"


def write_bif(folder):
    """Ventana BIF: a label image, and four tiles whose joints are listed in XML."""
    scanner = 'ScannerModel="VENTANA DP 200" Magnification="20" ScanRes="0.5"'
    label = (
        f'<?xml version="1.0"?><Metadata><iScan {scanner}><AOI0 Left="0" Top="0" Right="1" Bottom="1"/></iScan>'
        "</Metadata>"
    )
    joints = "".join(
        f'<TileJointInfo FlagJoined="1" Confidence="100" Direction="{direction}" Tile1="{first}" Tile2="{second}" '
        'OverlapX="0" OverlapY="0"/>'
        for direction, first, second in (("RIGHT", 1, 2), ("UP", 2, 3), ("RIGHT", 4, 3), ("UP", 1, 4))
    )
    stitching = (
        f'<?xml version="1.0"?><EncodeInfo Ver="2"><SlideInfo><iScan {scanner}/>'
        '<AoiInfo XIMAGESIZE="256" YIMAGESIZE="256" NumRows="2" NumCols="2"/></SlideInfo><SlideStitchInfo>'
        '<ImageInfo AOIScanned="1" AOIIndex="0" NumRows="2" NumCols="2" Width="256" Height="256" Pos-X="0" Pos-Y="0">'
        f"{joints}</ImageInfo></SlideStitchInfo>"
        '<AoiOrigin><AOI0 OriginX="0" OriginY="0"/></AoiOrigin></EncodeInfo>'
    )
    options = {"photometric": "rgb", "metadata": None}
    with tifffile.TiffWriter(folder / "a.bif", bigtiff=True) as tif:
        xml = [(700, 1, len(label), label.encode(), True)]
        tif.write(np.zeros((384, 128, 3), np.uint8), description="Label_Image", extratags=xml, **options)
        xml = [(700, 1, len(stitching), stitching.encode(), True)]
        description = "level=0 mag=20 quality=95"
        tif.write(
            picture(), tile=(256, 256), compression="jpeg", description=description, extratags=xml, **options
        )  # fmt: skip
    return folder / "a.bif"


def write_mrxs(folder):
    """3DHISTECH MRXS: a preview that is a JPEG, and a folder with an index and the tiles of two levels."""
    tile, ident = 256, b"01.02" + b"0123456789ABCDEF" * 2
    data, records = bytearray(ident), []
    for level, pixels in enumerate((picture(), np.array(Image.fromarray(picture()).reduce(2)))):
        records.append([])
        for row in range(len(pixels) // tile):
            for column in range(len(pixels) // tile):
                part = jpeg(np.ascontiguousarray(pixels[row * tile :, column * tile :][:tile, :tile]))
                records[level].append((2 * (row << level) + (column << level), len(data), len(part), 0))
                data.extend(part)
    index = bytearray(ident)
    root = len(index)
    index.extend(struct.pack("<2i", root + 8, 0))
    table = len(index)
    index.extend(bytes(8))
    for level, entries in enumerate(records):
        head = len(index)
        index.extend(struct.pack("<4i", 0, head + 8, len(entries), 0))
        for entry in entries:
            index.extend(struct.pack("<4i", *entry))
        index[table + 4 * level : table + 4 * level + 4] = struct.pack("<i", head)
    text = (
        f"[GENERAL]\nSLIDE_VERSION=01.02\nSLIDE_ID={ident[5:].decode()}\nIMAGENUMBER_X=2\nIMAGENUMBER_Y=2\n"
        "OBJECTIVE_MAGNIFICATION=20\nCameraImageDivisionsPerSide=1\n[HIERARCHICAL]\nHIER_COUNT=1\nNONHIER_COUNT=0\n"
        "INDEXFILE=Index.dat\nHIER_0_NAME=Slide zoom level\nHIER_0_COUNT=2\nHIER_0_VAL_0_SECTION=L0\n"
        "HIER_0_VAL_1_SECTION=L1\n[DATAFILE]\nFILE_COUNT=1\nFILE_0=Data0000.dat\n"
    )
    for level in range(2):
        um = 0.5 * 2**level
        text += (
            f"[L{level}]\nOVERLAP_X=0\nOVERLAP_Y=0\nMICROMETER_PER_PIXEL_X={um}\nMICROMETER_PER_PIXEL_Y={um}\n"
            f"IMAGE_FORMAT=JPEG\nIMAGE_FILL_COLOR_BGR=16777215\nDIGITIZER_WIDTH={tile}\nDIGITIZER_HEIGHT={tile}\n"
            f"IMAGE_CONCAT_FACTOR={level}\n"
        )
    inside = folder / "a"
    inside.mkdir()
    (inside / "Slidedat.ini").write_text("\ufeff" + text, encoding="utf-8")
    (inside / "Index.dat").write_bytes(index)
    (inside / "Data0000.dat").write_bytes(data)
    (folder / "a.mrxs").write_bytes(jpeg(np.ascontiguousarray(picture()[::8, ::8])))
    return folder / "a.mrxs"


WRITERS = {"hamamatsu": write_vms, "NDPI": write_ndpi, "leica": write_scn, "ventana": write_bif, "mirax": write_mrxs}


@pytest.fixture(params=WRITERS)
def vendor_file(request, tmp_path):
    return WRITERS[request.param](tmp_path)


def test_scanner_formats_give_their_pixels_and_pixel_size(vendor_file):
    slide = open_slide(vendor_file)
    assert isinstance(slide, VendorSlide)
    assert isinstance(slide, Slide)
    assert slide.name == "a"
    assert slide.level_dimensions[0] in ((SIDE, SIDE), (SIDE + 1, SIDE + 1))  # and not a label or a macro image
    assert slide.mpp == pytest.approx(0.5)
    assert slide.mpp_source.startswith("openslide.mpp-x of ")
    expected = picture().astype(int)
    assert np.abs(slide.read_region(0, 0, SIDE, SIDE) - expected).mean() < 3  # JPEG
    region = slide.read_region(-20, 300, 120, 250)
    assert (region[:, :20] == 255).all()
    assert (region[SIDE + 1 - 300 :] == 255).all()
    assert np.abs(region[: SIDE - 300, 20:] - expected[300:, :100]).mean() < 3
    last = len(slide.level_dimensions) - 1
    coarse = slide.read_region(0, 0, *slide.level_dimensions[last], last)
    assert np.abs(coarse.mean((0, 1)) - expected.mean((0, 1))).max() < 12
    slide.close()
    slide.close()
    with pytest.raises(SlideError, match="closed"):
        slide.read_region(0, 0, 4, 4)


def test_many_threads_read_the_same_as_one(vendor_file):
    slide = open_slide(vendor_file)
    corners = [(int(x), int(y)) for x, y in np.random.default_rng(0).integers(0, 450, (100, 2))]
    alone = [slide.read_region(x, y, 60, 60) for x, y in corners]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda corner: slide.read_region(*corner, 60, 60), corners))
    np.testing.assert_array_equal(together, alone)


def test_closing_waits_for_whoever_is_reading(tmp_path, monkeypatch):
    slide = open_slide(write_ndpi(tmp_path))
    started, go_on = threading.Event(), threading.Event()
    read = slide._slide.read_region

    def held(*args):
        started.set()
        assert go_on.wait(60)
        return read(*args)

    monkeypatch.setattr(slide._slide, "read_region", held)
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(slide.read_region, 0, 0, 64, 64)
        assert started.wait(60)
        closing = pool.submit(slide.close)
        wait_until(lambda: slide._closed)
        assert not closing.done()
        go_on.set()
        assert reading.result().shape == (64, 64, 3)
        closing.result()


def test_mrxs_without_its_folder_is_not_taken_for_a_jpeg(tmp_path):
    path = write_mrxs(tmp_path)
    (tmp_path / "a").rename(tmp_path / "elsewhere")
    with pytest.raises(SlideError, match="not the data that belong to it"):
        open_slide(path)


def test_pixels_that_are_not_square_are_refused(tmp_path):
    with pytest.raises(SlideError, match=r"not square: 0\.5 x 0\.4"):
        open_slide(write_ndpi(tmp_path, 20_000, 25_000))


def test_absurd_pixel_size_is_unknown_and_the_objective_a_hint(tmp_path):
    slide = open_slide(write_vms(tmp_path, power=40, um=500))
    assert (slide.mpp, slide.mpp_source) == (None, "unknown")
    assert "500 µm per pixel" in slide.mpp_hint
    assert "Objective power 40 suggests about 0.25" in slide.mpp_hint
    assert open_slide(tmp_path / "a.vms", mpp=0.25).mpp == 0.25


def test_truncated_scanner_files_are_slide_errors(vendor_file):
    inside = vendor_file.parent / "a" / "Data0000.dat"
    path = {".mrxs": inside, ".vms": vendor_file.with_suffix(".jpg")}.get(vendor_file.suffix, vendor_file)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(SlideError):
        open_slide(vendor_file).read_region(0, 0, SIDE, SIDE)


def test_the_real_svs_reads_the_same_through_both_libraries(real_data):
    path = real_data / "wsi_svs" / "CMU-1-Small-Region.svs"
    ours, theirs = open_slide(path), VendorSlide(path)
    assert ours.level_dimensions == theirs.level_dimensions
    assert (ours.mpp, theirs.mpp) == (0.499, pytest.approx(0.499))
    box = (700, 900, 400, 300)
    difference = np.abs(ours.read_region(*box).astype(int) - theirs.read_region(*box))
    assert difference.max() <= 2  # two JPEG decoders round differently
