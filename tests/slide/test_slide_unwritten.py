"""Slides of whose finest level some tiles were never written: damage, glass that a scanner left out, empty chunks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_tcgn.errors import SlideError
from napari_tcgn.slide import open_slide

TILE = 64


def section(glass: tuple[int, int, int] = (242, 240, 241), pale: bool = False) -> np.ndarray:
    """Glass, 512 x 768, with tissue from (192, 128) to (576, 384): tiles 2 to 5 of rows, 3 to 8 of columns."""
    picture = np.full((512, 768, 3), glass, np.uint8)
    noise = np.random.default_rng(0).integers(0, 20, (256, 384, 1), dtype=np.uint8)
    picture[128:384, 192:576] = np.array([215, 190, 215] if pale else [200, 130, 180], np.uint8) + noise
    return picture


def pyramid(picture: np.ndarray, factors: tuple[int, ...]) -> list[np.ndarray]:
    height, width, _ = picture.shape
    return [picture.reshape(height // f, f, width // f, f, 3).mean(axis=(1, 3)).astype(np.uint8) for f in (1, *factors)]


def tiff(
    path: Path,
    lost: Callable[[int, int], bool],
    factors: tuple[int, ...] = (4, 8),
    picture: np.ndarray | None = None,
    planar: bool = False,
) -> Path:
    """A TIFF of whose level 0 the tiles (row, column) that are lost have no bytes."""
    levels = pyramid(section() if picture is None else picture, factors)
    options = {"tile": (TILE, TILE), "photometric": "rgb", "metadata": None}
    if planar:
        options["planarconfig"] = "separate"
    with tifffile.TiffWriter(path) as writer:
        for number, level in enumerate(levels):
            stored = np.ascontiguousarray(np.moveaxis(level, -1, 0)) if planar else level
            writer.write(stored, subfiletype=int(number > 0), **options)
    with tifffile.TiffFile(path, mode="r+b") as file:
        page = file.pages[0]
        across, down = 768 // TILE, 512 // TILE
        counts, offsets = list(page.databytecounts), list(page.dataoffsets)
        for index in range(len(counts)):
            if lost(index % (across * down) // across, index % across):
                counts[index] = offsets[index] = 0
        page.tags[325].overwrite(counts)
        page.tags[324].overwrite(offsets)
    return path


def omezarr(
    path: Path,
    lost: Callable[[int, int], bool] = lambda row, column: False,
    levels: list[np.ndarray] | None = None,
    version: int = 2,
    alpha: int | None = None,
    **options: object,
) -> Path:
    """An OME-Zarr of whose level 0 the chunks (row, column) that are lost have no file."""
    levels = pyramid(section(), (4,)) if levels is None else levels
    group = zarr.open_group(path, mode="w", zarr_format=version)
    for number, level in enumerate(levels):
        if alpha is not None:
            level = np.concatenate([level, np.full((*level.shape[:2], 1), alpha, np.uint8)], axis=-1)
        data = np.moveaxis(level, -1, 0)
        array = group.create_array(
            str(number), shape=data.shape, chunks=(len(data), TILE, TILE), dtype="uint8", **options
        )
        array[...] = data
    for file in (path / "0").rglob("*"):
        key = [part for part in file.relative_to(path / "0").as_posix().replace("/", ".").split(".") if part != "c"]
        if file.is_file() and key[-1].isdigit() and lost(int(key[1]), int(key[2])):
            file.unlink()
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space", "unit": "micrometer"} for n in "yx")]
    datasets = [
        {
            "path": str(number),
            "coordinateTransformations": [{"type": "scale", "scale": [1.0, *[512 / level.shape[0]] * 2]}],
        }
        for number, level in enumerate(levels)
    ]
    attributes = {"multiscales": [{"axes": axes, "datasets": datasets}]}
    if alpha is not None:
        attributes["omero"] = {"channels": [{"label": label} for label in ("red", "green", "blue", "alpha")]}
    group.attrs.update(attributes if version == 2 else {"ome": {"version": "0.5"} | attributes})
    return path


def on_tissue(row: int, column: int) -> bool:
    return 2 <= row < 6 and 3 <= column < 9


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("factors", [(2, 8), (4,), (4, 8, 16)])
def test_tissue_that_was_never_written_is_damage(tmp_path: Path, factors: tuple[int, ...], planar: bool) -> None:
    path = tiff(tmp_path / "s.tif", lambda row, column: row >= 4, factors, planar=planar)
    with pytest.raises(SlideError, match=r"48 of 96 tiles of its finest level were never written, 12 of them .*tissue"):
        open_slide(path)


@pytest.mark.parametrize("pale", [False, True])
def test_one_tile_of_tissue_is_enough(tmp_path: Path, pale: bool) -> None:
    path = tiff(tmp_path / "s.tif", lambda row, column: (row, column) == (3, 5), picture=section(pale=pale))
    with pytest.raises(SlideError, match=r"1 of 96 tiles .* never written, 1 of them"):
        open_slide(path)


@pytest.mark.parametrize("glass", [(255, 255, 255), (242, 240, 241), (222, 220, 215)])
def test_glass_that_a_scanner_leaves_out_is_white(tmp_path: Path, glass: tuple[int, int, int]) -> None:
    path = tiff(tmp_path / "s.tif", lambda row, column: not on_tissue(row, column), picture=section(glass))
    slide = open_slide(path)
    assert (slide.read_region(0, 0, 192, 128) == 255).all()
    np.testing.assert_array_equal(slide.read_region(192, 128, 384, 256), section()[128:384, 192:576])


def test_an_image_without_levels_whose_end_is_lost(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="the last 46 of its 96 tiles were never written"):
        open_slide(tiff(tmp_path / "lost.tif", lambda row, column: row * 12 + column >= 50, ()))
    # One tile may be glass, and who leaves out glass does so on every side.
    open_slide(tiff(tmp_path / "one.tif", lambda row, column: (row, column) == (7, 11), ()))
    open_slide(tiff(tmp_path / "sparse.tif", lambda row, column: not on_tissue(row, column), ()))


@pytest.mark.parametrize("options", [{"version": 2}, {"version": 3}, {"version": 3, "shards": (3, 128, 128)}])
def test_chunks_of_tissue_that_are_lost(tmp_path: Path, options: dict[str, object]) -> None:
    found = "12 of 24" if "shards" in options else "48 of 96"
    with pytest.raises(SlideError, match=rf"{found} chunks of its finest level were never written"):
        open_slide(
            omezarr(tmp_path / "s.zarr", lambda row, column: row >= (2 if "shards" in options else 4), **options)
        )
    open_slide(omezarr(tmp_path / "whole.zarr", **options))


def test_glass_that_would_be_read_as_black(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match=r"1 of 96 chunks .* 1 of them where a coarser level shows something"):
        open_slide(omezarr(tmp_path / "s.zarr", lambda row, column: (row, column) == (0, 0)))
    white = omezarr(tmp_path / "w.zarr", lambda row, column: (row, column) == (0, 0), fill_value=255)
    assert (open_slide(white).read_region(0, 0, TILE, TILE) == 255).all()


@pytest.mark.parametrize("factors", [(), (4,)])
def test_black_chunks_that_a_writer_leaves_out_are_black(tmp_path: Path, factors: tuple[int, ...]) -> None:
    picture = section()
    picture[:TILE] = picture[:, -TILE:] = 0  # zarr writes no chunk of the fill value
    slide = open_slide(omezarr(tmp_path / "s.zarr", levels=pyramid(picture, factors)))
    assert len([file for file in (tmp_path / "s.zarr/0").rglob("*") if file.is_file()]) < 96
    np.testing.assert_array_equal(slide.read_region(0, 0, 768, 512), picture)


def test_opacity_zero_everywhere_in_a_zarr_is_named(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="transparent everywhere"):
        open_slide(omezarr(tmp_path / "s.zarr", alpha=0))
    slide = open_slide(omezarr(tmp_path / "opaque.zarr", alpha=255))
    np.testing.assert_array_equal(slide.read_region(0, 0, 768, 512), section())
