"""Pyramids kept on disk: the same pixels, found again, dropped in time, and no harm without a disk."""

from __future__ import annotations

import errno
import os
import threading

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_tcgn.slide import open_slide, pyramid_cache
from napari_tcgn.slide.pyramid_cache import clear_pyramids, find_pyramid, keep_pyramid, kept_size, wants_pyramid


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder; images of 0.1 megapixel count as large."""
    monkeypatch.setenv("NAPARI_TCGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pyramid_cache, "MIN_PIXELS", 100_000)
    monkeypatch.setattr(pyramid_cache, "COARSEST_SIDE", 200)
    return tmp_path / "cache" / "pyramids"


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (501, 703, 3)).astype(np.uint8)


def write(path, picture):
    Image.fromarray(picture).save(path)
    return path


def test_levels_are_kept_without_loss_and_found_again(cache, tmp_path, picture):
    slide = open_slide(write(tmp_path / "a.png", picture))
    assert wants_pyramid(slide)
    assert find_pyramid(slide) is None
    assert keep_pyramid(slide)
    levels = find_pyramid(open_slide(tmp_path / "a.png"))
    assert [level.level_dimensions[0] for level in levels] == [(703, 501), (352, 251), (176, 126)]
    expected = picture
    for number, level in enumerate(levels):
        if number:
            expected = np.array(Image.fromarray(expected).reduce(2))
        np.testing.assert_array_equal(level.read_region(0, 0, *level.level_dimensions[0]), expected)


def test_a_slide_reads_the_same_from_its_kept_tiles(cache, tmp_path, picture):
    slide = open_slide(write(tmp_path / "a.png", picture))
    keep_pyramid(slide)
    slide = open_slide(tmp_path / "a.png")
    slide.read_from(find_pyramid(slide)[0])
    np.testing.assert_array_equal(slide.read_region(600, 400, 80, 90), picture[400:490, 600:680])
    assert slide._pixels is None  # nothing was decoded whole
    slide._tiles.close()  # the kept copy goes: the file itself is read
    np.testing.assert_array_equal(slide.read_region(600, 400, 80, 90), picture[400:490, 600:680])
    slide.close()


def test_small_slides_pyramids_and_arrays_want_none(cache, tmp_path, picture):
    from napari_tcgn.slide import ArraySlide

    assert not wants_pyramid(open_slide(write(tmp_path / "small.png", picture[:100, :100])))
    assert not wants_pyramid(ArraySlide(picture))
    with tifffile.TiffWriter(tmp_path / "p.tif") as tif:
        tif.write(picture, photometric="rgb", tile=(64, 64), subifds=1)
        tif.write(np.array(Image.fromarray(picture).reduce(2)), photometric="rgb", tile=(64, 64), subfiletype=1)
    assert not wants_pyramid(open_slide(tmp_path / "p.tif"))


def test_a_changed_file_has_another_pyramid(cache, tmp_path, picture):
    path = write(tmp_path / "a.png", picture)
    keep_pyramid(open_slide(path))
    write(path, 255 - picture)
    os.utime(path, (1, 1))
    slide = open_slide(path)
    assert find_pyramid(slide) is None
    keep_pyramid(slide)
    np.testing.assert_array_equal(find_pyramid(slide)[0].read_region(0, 0, 9, 9), 255 - picture[:9, :9])


def test_a_damaged_entry_is_made_anew(cache, tmp_path, picture):
    slide = open_slide(write(tmp_path / "a.png", picture))
    keep_pyramid(slide)
    next(cache.glob("*/01.tif")).write_bytes(b"II")
    assert find_pyramid(slide) is None
    assert list(cache.iterdir()) == []
    assert keep_pyramid(slide)
    assert len(find_pyramid(slide)) == 3


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("where", ["folder", "level"])
def test_full_or_read_only_disk_leaves_nothing_behind(cache, tmp_path, picture, monkeypatch, code, where):
    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    slide = open_slide(write(tmp_path / "a.png", picture))
    if where == "folder":
        monkeypatch.setattr(pyramid_cache.tempfile, "mkdtemp", fail)
    else:
        # The first level fits, the second does not.
        whole, calls = tifffile.imwrite, []

        def until_full(path, *args, **kwargs):
            calls.append(path)
            return whole(path, *args, **kwargs) if len(calls) == 1 else fail()

        monkeypatch.setattr(tifffile, "imwrite", until_full)
    assert not keep_pyramid(slide)
    assert find_pyramid(slide) is None
    assert list(cache.iterdir()) == []
    np.testing.assert_array_equal(slide.read_region(0, 0, 9, 9), picture[:9, :9])


def test_a_cache_folder_that_cannot_be_made(tmp_path, picture, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NAPARI_TCGN_CACHE", str(tmp_path / "file"))
    assert not keep_pyramid(open_slide(write(tmp_path / "a.png", picture)))


def test_clearing_removes_pyramids_and_nothing_else(cache, tmp_path, picture):
    assert (kept_size().entries, kept_size().bytes) == (0, 0)
    keep_pyramid(open_slide(write(tmp_path / "a.png", picture)))
    torn = cache / f".{'a' * 32}.0123abcd-1-abcd1234"  # of another machine, long ago
    torn.mkdir()
    (torn / "00.tif").write_bytes(b"half")
    os.utime(torn, (1, 1))
    (cache / "mine").mkdir()
    (cache / "notes.txt").write_text("mine")
    size = kept_size()
    assert size.entries == 1
    assert size.bytes > picture.nbytes  # noise does not get smaller
    assert clear_pyramids() == size
    assert sorted(path.name for path in cache.iterdir()) == ["mine", "notes.txt"]


def test_the_entries_used_longest_ago_go_first(cache, tmp_path, picture, monkeypatch):
    slides = [open_slide(write(tmp_path / f"{n}.png", picture)) for n in range(3)]
    for slide in slides[:2]:
        keep_pyramid(slide)
    size = sum(file.stat().st_size for file in cache.glob("*/*.tif")) / 2
    for slide, age in zip(slides[:2], (100, 200), strict=True):
        entry = pyramid_cache._entry(slide)
        os.utime(entry, (entry.stat().st_mtime - age,) * 2)
    monkeypatch.setenv("NAPARI_TCGN_CACHE_GB", str(2.5 * size / 1e9))
    keep_pyramid(slides[2])
    assert [find_pyramid(slide) is not None for slide in slides] == [True, False, True]
    monkeypatch.setenv("NAPARI_TCGN_CACHE_GB", "0")
    write(tmp_path / "3.png", picture)
    keep_pyramid(open_slide(tmp_path / "3.png"))
    assert len(list(cache.iterdir())) == 1  # the newest stays whatever its size


def test_what_a_killed_process_left_is_swept(cache, tmp_path, picture):
    old, new = cache / ".x.0123abcd-1-abcd1234", cache / ".x.0123abcd-1-abcd1235"
    old.mkdir(parents=True)
    new.mkdir()
    os.utime(old, (1, 1))
    keep_pyramid(open_slide(write(tmp_path / "a.png", picture)))
    assert not old.exists()
    assert new.exists()  # a process of another machine may be at it


def test_two_at_once_leave_one_entry(cache, tmp_path, picture):
    slide = open_slide(write(tmp_path / "a.png", picture))
    results = []
    threads = [threading.Thread(target=lambda: results.append(keep_pyramid(slide))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 3
    assert len(list(cache.iterdir())) == 1
    assert len(find_pyramid(slide)) == 3


def test_a_file_that_changes_meanwhile_is_not_kept(cache, tmp_path, picture, monkeypatch):
    path = write(tmp_path / "a.png", picture)
    write_levels = pyramid_cache._write_levels

    def touch_then_write(slide, folder):
        write_levels(slide, folder)
        os.utime(path, (5, 5))

    monkeypatch.setattr(pyramid_cache, "_write_levels", touch_then_write)
    assert not keep_pyramid(open_slide(path))
    assert list(cache.iterdir()) == []
