"""What a file claims is judged before memory is taken for it, and what is no file is never waited for."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_tcgn import memory
from napari_tcgn.errors import SettingsError, SlideError
from napari_tcgn.slide import open_slide


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 8 GB be free, however large the machine is."""
    monkeypatch.setattr(memory, "available_memory", lambda: 8 * 10**9)


def png(path: Path, width: int, height: int) -> Path:
    """Write a PNG whose header claims a size that its few bytes do not have."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def changed(path: Path, **tags: int) -> Path:
    """Write other values into the tags of a TIFF's first page."""
    with tifffile.TiffFile(path, mode="r+") as tif:
        for name, value in tags.items():
            tif.pages[0].tags[name].overwrite(value)
    return path


def tiled(path: Path) -> Path:
    tifffile.imwrite(path, np.full((256, 256, 3), 200, np.uint8), tile=(64, 64), photometric="rgb")
    return path


def test_an_image_that_claims_more_than_memory_holds(tmp_path: Path) -> None:
    path = png(tmp_path / "bomb.png", 44_000, 44_000)
    with pytest.raises(SlideError, match=r"bomb\.png must be decoded whole; it has 44000 x 44000 px") as found:
        open_slide(path)
    assert "19.4 GB" in str(found.value)
    assert "vips tiffsave" in found.value.hint


def test_the_share_of_memory_is_a_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = png(tmp_path / "large.png", 20_000, 30_000)  # 6 GB of 8
    monkeypatch.setenv(memory.VARIABLE, "0.5")
    with pytest.raises(SlideError, match=r"6\.0 GB"):
        open_slide(path)
    monkeypatch.setenv(memory.VARIABLE, "0.9")
    assert open_slide(path).level_dimensions == ((20_000, 30_000),)
    monkeypatch.setenv(memory.VARIABLE, "lots")
    with pytest.raises(SettingsError, match="lots"):
        open_slide(path)


def test_tiles_that_claim_more_than_memory_holds(tmp_path: Path) -> None:
    path = changed(tiled(tmp_path / "tiles.tif"), TileWidth=60_000, TileLength=60_000)
    with pytest.raises(SlideError, match="tiles of 60000 x 60000 px"):
        open_slide(path)


def test_tiles_without_a_size(tmp_path: Path) -> None:
    path = changed(tiled(tmp_path / "none.tif"), TileWidth=0)
    with pytest.raises(SlideError, match=r"none.tif"):
        open_slide(path)


def test_a_ring_of_pages_is_not_followed_for_ever(tmp_path: Path) -> None:
    path = tiled(tmp_path / "ring.tif")
    data = bytearray(path.read_bytes())
    first = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * entries, first)  # the page behind the first is the first
    path.write_bytes(data)
    with pytest.raises(SlideError, match="pages"):
        open_slide(path)


def test_many_pages_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "many.tif"
    count = 30_000
    pages = b"".join(struct.pack("<HI", 0, 8 + 6 * (n + 1) if n + 1 < count else 0) for n in range(count))
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + pages)
    with pytest.raises(SlideError, match="over 20,000 pages"):
        open_slide(path)


def zarr_image(folder: Path, size: int, chunk: int, path: str = "0") -> Path:
    import json

    import zarr

    zarr.create_array(folder / "0", shape=(3, size, size), chunks=(3, chunk, chunk), dtype="uint8", zarr_format=2)
    scale = [{"type": "scale", "scale": [1.0, 0.5, 0.5]}]
    axes = [{"name": name} for name in "cyx"]
    multiscale = {"version": "0.4", "axes": axes, "datasets": [{"path": path, "coordinateTransformations": scale}]}
    (folder / ".zattrs").write_text(json.dumps({"multiscales": [multiscale]}), encoding="utf-8")
    (folder / ".zgroup").write_text('{"zarr_format": 2}', encoding="utf-8")
    return folder


def test_chunks_that_claim_more_than_memory_holds(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="chunks of 3 x 200000 x 200000"):
        open_slide(zarr_image(tmp_path / "wide.zarr", 200_000, 200_000))


@pytest.mark.parametrize("path", ["../other/0", "{absolute}"])
def test_a_level_outside_the_folder(tmp_path: Path, path: str) -> None:
    other = zarr_image(tmp_path / "other", 64, 64)
    image = zarr_image(tmp_path / "image.zarr", 64, 64, path.format(absolute=other / "0"))
    with pytest.raises(SlideError, match="outside its own folder"):
        open_slide(image)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tif")
    with pytest.raises(SlideError, match=r"pipe\.tif cannot be read: it is no file but a pipe") as found:
        open_slide(tmp_path / "pipe.tif")
    assert "Copy what it gives into a file" in found.value.hint
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    with pytest.raises(SlideError, match="device"):
        open_slide(tmp_path / "zero.png")
