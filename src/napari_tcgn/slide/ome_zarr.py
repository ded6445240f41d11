"""OME-Zarr folders (versions 0.4 and 0.5): only the chunks that are asked for are decoded."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SlideError
from napari_tcgn.files import reading
from napari_tcgn.memory import require_budget
from napari_tcgn.paths import is_of_system
from napari_tcgn.sdata import is_spatialdata, only_image, um_per_px
from napari_tcgn.slide.mpp import UM_PER_UNIT, PixelSize, checked_mpp, from_metadata, settled
from napari_tcgn.slide.padding import (
    FourthChannel,
    check_level,
    not_rgb,
    read_on_white,
    require_opacity,
    require_possible_size,
    same_proportions,
    without_alpha,
)
from napari_tcgn.slide.unwritten import Unwritten, require_written

METADATA = ("zarr.json", ".zattrs", ".zgroup")  # of version 3 and version 2
_RED, _GREEN, _BLUE = {"r", "red", "0"}, {"g", "green", "1"}, {"b", "blue", "2"}
_RGB_COLOURS = ["ff0000", "00ff00", "0000ff"]


class OmeZarrSlide:
    """A slide behind the multiscale image of an OME-Zarr folder.

    Parameters
    ----------
    path : pathlib.Path
        The image's folder, or one in the layout of bioformats2raw (its first image is the slide).
    mpp : float or None
        µm per pixel of level 0; None takes what the axes' units and scales say.

    Raises
    ------
    SlideError
        If the folder is no such image or not RGB of 8 bits: one channel axis of 3 or 4, named red, green and blue
        or not named at all; all other axes but y and x of length 1.
    SettingsError
        If `mpp` is not a positive number.
    """

    def __init__(self, path: Path, mpp: float | None = None) -> None:
        self.path: Path | None = path
        self.name = path.name.removesuffix(".zarr").removesuffix(".ome")
        given = checked_mpp(mpp)
        folder, attributes = _image_of(path)
        with reading(path.name, SlideError, "Give the folder of a multiscale image, complete.", "OME-Zarr"):
            multiscale = attributes["multiscales"][0]
            axes = [axis["name"] if isinstance(axis, dict) else str(axis) for axis in multiscale["axes"]]
            datasets = multiscale["datasets"]
            levels = [_open_array(_inside(folder, dataset["path"])) for dataset in datasets]
            _check_rgb(self.name, axes, levels, attributes)
            sizes = [(int(level.shape[axes.index("x")]), int(level.shape[axes.index("y")])) for level in levels]
            # The finest first, as the format wants it and not every writer does; what is no copy of it is no level.
            order = sorted(range(len(sizes)), key=lambda number: -sizes[number][0])
            order = [number for number in order if same_proportions(sizes[number], sizes[order[0]])]
            self._folders = [folder / datasets[number]["path"] for number in order]
            self._levels = [levels[number] for number in order]
            self._axes, self._closed = axes, False
            self._fourth = _fourth_channel(attributes)
            self.level_dimensions: tuple[tuple[int, int], ...] = tuple(sizes[number] for number in order)
            require_possible_size(path.name, self.level_dimensions[0])
            unwritten = _unwritten(self.name, self._folders[0], self._levels[0], axes)
            self._require_opaque()
            require_written(self.name, unwritten, self.level_dimensions, self.read_region)
            self.stated = _pixel_size(multiscale, datasets[order[0]], axes, path.name)
            size = settled(given, self.stated)
        self.mpp, self.mpp_source, self.mpp_hint = size.mpp, size.source, size.hint

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 0) -> NDArray[np.uint8]:
        """Read a rectangle of one level; see `Slide.read_region`.

        Raises
        ------
        SlideError
            If the slide is closed, its folder has gone, or a chunk is corrupt.
        """
        size = check_level(level, self.level_dimensions)
        return read_on_white(
            lambda x0, y0, x1, y1: self._read_inside(level, x0, y0, x1, y1), (x, y, width, height), size
        )

    def close(self) -> None:
        """Refuse further reads; nothing is held open."""
        self._closed = True

    def _read_inside(self, level: int, x0: int, y0: int, x1: int, y1: int) -> NDArray[np.uint8]:
        if self._closed:
            raise SlideError(f"Slide {self.name} is closed.", "Open it again.")
        # zarr takes a chunk that is not there for an empty one: a vanished folder would read as black tissue.
        folder = self._folders[level]
        if not ((folder / "zarr.json").exists() or (folder / ".zarray").exists()):
            raise SlideError(f"The folder {folder} has gone.", "Put it back, or open the slide anew.")
        return without_alpha(self._stored(level, x0, y0, x1, y1), self._fourth)

    def _stored(self, level: int, x0: int, y0: int, x1: int, y1: int) -> NDArray[np.uint8]:
        """Return a rectangle with all its channels, uint8 [h, w, 3 or 4]."""
        where = {"y": slice(y0, y1), "x": slice(x0, x1), "c": slice(None)}
        key = tuple(where.get(axis, 0) for axis in self._axes)
        kept = [axis for axis in self._axes if axis in where]
        with reading(f"A chunk of level {level} of {self.name}", SlideError):
            block: NDArray[np.uint8] = np.asarray(self._levels[level][key])
        return block.transpose([kept.index(axis) for axis in "yxc"])

    def _require_opaque(self) -> None:
        """Refuse a slide of no opacity anywhere, as its coarsest level shows."""
        level = len(self._levels) - 1
        if self._fourth == "other" or self._levels[level].shape[self._axes.index("c")] < 4:
            return
        width, height = self.level_dimensions[level]
        require_opacity(
            self.name,
            lambda y0, y1: self._stored(level, 0, y0, width, y1)[..., 3],
            height,
            self._levels[level].chunks[self._axes.index("y")],
        )


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a Zarr group or array."""
    return any((path / name).is_file() for name in METADATA)


def _image_of(path: Path) -> tuple[Path, dict[str, Any]]:
    """Return the folder of the image and its OME attributes."""
    if is_spatialdata(path):
        path = only_image(path, SlideError)
    attributes = _attributes(path)
    if "multiscales" not in attributes and (path / "0").is_dir():  # bioformats2raw: images are numbered
        path, attributes = path / "0", _attributes(path / "0")
    if "multiscales" not in attributes:
        raise SlideError(
            f"{path.name} is a Zarr folder without an OME multiscale image.",
            "Give the folder of the image itself.",
        )
    return path, attributes


def _attributes(folder: Path) -> dict[str, Any]:
    with reading(f"The metadata of {folder}", SlideError):
        for name in ("zarr.json", ".zattrs"):
            if (folder / name).is_file():
                found = json.loads((folder / name).read_text(encoding="utf-8"))
                attributes = found.get("attributes", {}) if name == "zarr.json" else found
                return dict(attributes.get("ome", attributes))
    return {}


def _inside(folder: Path, path: str) -> Path:
    """Return the folder of a level, which must lie in that of the image: a file speaks for itself only.

    Raises
    ------
    SlideError
    """
    found = folder / path
    if not found.resolve().is_relative_to(folder.resolve()):
        raise SlideError(
            f"{folder.name} names a level outside its own folder ({path!r}).", "Copy the image with all its levels."
        )
    return found


def _open_array(folder: Path) -> Any:
    """Open a level, after making sure that one of its chunks can be decoded."""
    import zarr

    level = zarr.open_array(str(folder), mode="r")
    chunk = level.chunks
    require_budget(
        f"Level {folder.name} has chunks of {' x '.join(map(str, chunk))}, each of which is decoded whole and",
        math.prod(chunk) * level.dtype.itemsize * 2,
        "Write it in smaller chunks (such as 512 x 512)",
        SlideError,
    )
    return level


def _unwritten(name: str, folder: Path, level: Any, axes: list[str]) -> Unwritten:
    """Return which chunks (shards, where there are any) of a level lack their file.

    Raises
    ------
    SlideError
        If there is none at all.
    """
    side = dict(zip(axes, level.shards or level.chunks, strict=True))
    length = dict(zip(axes, level.shape, strict=True))
    grid = {axis: -(-length[axis] // side[axis]) for axis in "yxc"}
    absent = np.ones([grid[axis] for axis in "yxc"], np.bool_)
    for parent, _, files in os.walk(folder):
        for file in files:
            # c/0/3/7, c.0.3.7, 0/3/7 or 0.3.7, by version and writer.
            key = (Path(parent) / file).relative_to(folder).as_posix()
            if re.fullmatch(r"(?:c[./])?\d+(?:[./]\d+)*", key) and not is_of_system(file):
                place = dict(zip(axes, map(int, re.findall(r"\d+", key)), strict=False))
                where = tuple(place.get(axis, 0) for axis in "yxc")
                if all(at < grid[axis] for at, axis in zip(where, "yxc", strict=True)):
                    absent[where] = False
    if absent.all():
        raise SlideError(
            f"{name} is damaged: none of the chunks of its finest level was ever written.",
            "Write or copy it again: whoever made it has not come to its end.",
        )
    of_colour = np.arange(3) // side["c"]
    return Unwritten(absent[..., of_colour], (side["y"], side["x"]), int(level.fill_value or 0), "chunks")


def _check_rgb(name: str, axes: list[str], levels: list[Any], attributes: dict[str, Any]) -> None:
    full = levels[0]
    found = f"axes {''.join(axes)} of size {'x'.join(map(str, full.shape))} and type {full.dtype}"
    if not {"y", "x", "c"} <= set(axes):
        raise not_rgb(name, found)
    for level in levels:
        lengths = dict(zip(axes, level.shape, strict=True))
        others = [length for axis, length in lengths.items() if axis not in "yxc"]
        if level.dtype != np.uint8 or lengths["c"] not in (3, 4) or any(length != 1 for length in others):
            raise not_rgb(name, found)
        if 0 in level.shape:
            raise not_rgb(name, found)
    labels, colours = _channels(attributes)
    # Three stains of a fluorescence image have this shape too; their names give them away.
    named = all(label in names for label, names in zip(labels, (_RED, _GREEN, _BLUE), strict=False) if label)
    if any(labels) and not named and not (colours[:3] == _RGB_COLOURS and _only_numbered(labels)):
        raise not_rgb(name, f"channels named {', '.join(labels[:3])}")


def _channels(attributes: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return labels and colours of the channels, in lower case; both may be empty."""
    channels = attributes.get("omero", {}).get("channels", [])
    return tuple([str(channel.get(key, "")).lower() for channel in channels] for key in ("label", "color"))  # type: ignore[return-value]


def _only_numbered(labels: list[str]) -> bool:
    """Tell whether channels have the names that writers make up for lack of others: "Channel 0", "C:1", "3"."""
    found = [re.fullmatch(r"(?:channel|ch|c)?[ _:#-]*(\d+)", label) for label in labels[:3]]
    numbers = [int(match[1]) for match in found if match]
    return len(numbers) == len(labels[:3]) and numbers in ([0, 1, 2], [1, 2, 3])


def _fourth_channel(attributes: dict[str, Any]) -> FourthChannel:
    """Tell what a fourth channel is: opacity only where it is called so."""
    labels, _ = _channels(attributes)
    return "alpha" if labels[3:4] and labels[3] in ("a", "alpha", "opacity") else "other"


def _pixel_size(multiscale: dict[str, Any], finest: dict[str, Any], axes: list[str], name: str) -> PixelSize:
    """Multiply the scales of the finest level and of the whole image; without a unit they say nothing of µm.

    An image of SpatialData has no units, but may lie in a coordinate system that is called µm.
    """
    if (told := um_per_px(multiscale)) is not None:
        return from_metadata(*told, "SpatialData coordinate system in µm", name)
    steps = np.ones(len(axes))
    for owner in (finest, multiscale):
        for transformation in owner.get("coordinateTransformations") or []:
            if transformation.get("type") == "scale":
                steps = steps * np.asarray(transformation["scale"], float)
    sides: list[float | None] = []
    for axis in ("x", "y"):
        entry = multiscale["axes"][axes.index(axis)]
        um = UM_PER_UNIT.get(str(entry.get("unit")).lower()) if isinstance(entry, dict) else None
        sides.append(None if um is None else float(steps[axes.index(axis)]) * um)
    return from_metadata(sides[0], sides[1], "OME-Zarr scale", name)
