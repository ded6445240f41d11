"""Coarse levels, and tiles, of images that have none: made once, kept on disk for the next opening."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_tcgn.errors import OutputError, SlideError
from napari_tcgn.files import CacheSize, cache_folder, find_leftovers, remove_leftovers
from napari_tcgn.moves import beginning_of_temporary, move, remove_folder
from napari_tcgn.slide.base import Slide
from napari_tcgn.slide.orientation import UPRIGHT
from napari_tcgn.slide.tiff import TiffSlide

LIMIT_VARIABLE = "NAPARI_TCGN_CACHE_GB"
LIMIT_GB = 20.0
MIN_PIXELS = 25_000_000  # a smaller image is read and shrunk in a moment
TILE = 256  # px
COARSEST_SIDE = 1024  # px

_NAME = re.compile(r"[0-9a-f]{32}|\.[0-9a-f]{32}\..+")  # of an entry, or of one that is being made

log = logging.getLogger(__name__)


def wants_pyramid(slide: Slide) -> bool:
    """Tell whether a slide is a large file of one level; a folder does not show whether what is in it has changed."""
    width, height = slide.level_dimensions[0]
    return (
        slide.path is not None
        and slide.path.is_file()
        and len(slide.level_dimensions) == 1
        and width * height >= MIN_PIXELS
    )


def find_pyramid(slide: Slide) -> list[TiffSlide] | None:
    """Return the kept levels of a slide, finest (that of the slide itself) first; None if there are none.

    An entry that cannot be read is dropped.
    """
    entry = _entry(slide)
    if entry is None or not os.path.isdir(entry):
        return None
    levels: list[TiffSlide] = []
    try:
        os.utime(entry)  # used now: the last to be dropped
        for path in sorted(entry.glob("*.tif")):
            levels.append(TiffSlide(path))
        if levels and levels[0].level_dimensions[0] == slide.level_dimensions[0]:
            return levels
    except (OSError, SlideError) as error:
        log.warning("The kept pyramid of %s cannot be read (%s) and is made anew.", slide.name, error)
    for level in levels:
        level.close()
    _drop(entry)
    return None


def keep_pyramid(slide: Slide) -> bool:
    """Write the levels of a slide to the cache, without loss, and drop the entries used longest ago.

    Memory does not grow with the slide: one band of tiles is held at a time. Level 0 is kept too: its tiles are read
    in a fraction of the time that decoding the whole image takes.

    Returns
    -------
    bool
        False if the cache folder cannot be written or has no room; nothing half-written stays.

    Raises
    ------
    SlideError
        If the slide cannot be read.
    """
    entry = _entry(slide)
    if entry is None:
        return False
    making: Path | None = None
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(entry.parent)
        making = Path(tempfile.mkdtemp(prefix=beginning_of_temporary(entry), dir=entry.parent))
        _write_levels(slide, making)
        if _entry(slide) != entry:
            return False  # the file was changed meanwhile
        move(making, entry)
    except OSError as error:  # disk full, read-only, or another process was first
        log.info("No pyramid of %s is kept: %s.", slide.name, error)
        return os.path.isdir(entry)
    finally:
        if making is not None:
            shutil.rmtree(making, ignore_errors=True)
    _drop_oldest(entry)
    return True


def kept_size() -> CacheSize:
    """Measure all pyramids that are kept, those of unfinished writes included."""
    folders = _folders()
    return CacheSize(
        entries=sum(not folder.name.startswith(".") for folder in folders),
        bytes=sum(file.stat().st_size for folder in folders for file in folder.iterdir()),
    )


def clear_pyramids() -> CacheSize:
    """Remove every pyramid that is kept, and nothing else; return what was removed.

    Raises
    ------
    OutputError
        If one cannot be removed.
    """
    removed = kept_size()
    for folder in _folders():
        try:
            remove_folder(folder)
        except OSError as error:
            raise OutputError(
                f"{folder} cannot be removed: {error}.", "Close the slides that are open, and check the permissions."
            ) from error
    return removed


def _folders() -> list[Path]:
    """List the entries; what a write that was killed has left starts with a dot, one under way is none of them."""
    root = cache_folder("pyramids")
    if not root.is_dir():
        return []
    entries = [path for path in root.iterdir() if not path.name.startswith(".")] + find_leftovers(root)
    return sorted(path for path in entries if _NAME.fullmatch(path.name) and path.is_dir())


def _entry(slide: Slide) -> Path | None:
    """Return the folder of a slide's file as it is now: a changed file has another one."""
    if slide.path is None:
        return None
    try:
        found = slide.path.stat()
        key = f"{slide.path.resolve()}\0{found.st_mtime_ns}\0{found.st_size}"
        if (orientation := getattr(slide, "orientation", UPRIGHT)) != UPRIGHT:
            key += f"\0turned {orientation}"  # entries of versions that did not turn it have another key
    except OSError:
        return None
    return cache_folder("pyramids") / hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _write_levels(slide: Slide, folder: Path) -> None:
    source, number, shrink = slide, 0, 1
    while True:
        path = folder / f"{number:02d}.tif"
        _write_level(source, path, shrink)
        if source is not slide:
            source.close()
        source, number, shrink = TiffSlide(path), number + 1, 2
        if max(source.level_dimensions[0]) <= COARSEST_SIDE:
            source.close()
            return


def _write_level(source: Slide, path: Path, shrink: int) -> None:
    import tifffile

    width, height = (-(-side // shrink) for side in source.level_dimensions[0])
    tifffile.imwrite(
        path,
        _tiles(source, width, height, shrink),
        shape=(height, width, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        photometric="rgb",
        compression="zstd",
        compressionargs={"level": 1},
        predictor=True,
        metadata=None,
        bigtiff=True,
    )


def _tiles(source: Slide, width: int, height: int, shrink: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the tiles of a level from left to right and top to bottom, each made of averages of `shrink`² px."""
    full_width, full_height = source.level_dimensions[0]
    for top in range(0, height, TILE):
        rows = min(TILE * shrink, full_height - top * shrink)
        band = source.read_region(0, top * shrink, full_width, rows)
        if shrink > 1:
            band = np.asarray(Image.fromarray(band).reduce(shrink))
        for left in range(0, width, TILE):
            tile = np.zeros((TILE, TILE, 3), np.uint8)
            part = band[:, left : left + TILE]
            tile[: part.shape[0], : part.shape[1]] = part
            yield tile


def _drop(entry: Path) -> bool:
    """Remove an entry, unless it is in use; tells whether it is gone."""
    try:
        remove_folder(entry)
    except OSError as error:
        log.info("The kept pyramid %s stays: %s.", entry, error)
    return not entry.exists()


def _drop_oldest(keep: Path) -> None:
    """Keep the cache under its limit; the newest entry stays whatever its size."""
    try:
        limit = float(os.environ.get(LIMIT_VARIABLE, LIMIT_GB)) * 1e9
    except ValueError:
        limit = LIMIT_GB * 1e9
    try:
        entries = [entry for entry in _folders() if not entry.name.startswith(".")]
        sizes = {entry: sum(file.stat().st_size for file in entry.iterdir()) for entry in entries}
        total = sum(sizes.values())
        for entry in sorted(entries, key=lambda entry: entry.stat().st_mtime):
            if total <= limit:
                return
            if entry != keep and _drop(entry):
                total -= sizes[entry]
    except OSError as error:  # another process is tidying up too
        log.info("The cache could not be tidied: %s.", error)
