"""Patches on disk, cut once: mapped into memory by later runs instead of decoding the slide again.

An entry is a pair KEY.npy and KEY.json. The key is a hash of everything that the patches come from: the content of the
slide file, the spots, the size of a patch, and the versions of what reads slides. So an entry never has to be renewed;
one that is damaged is not used and made again.
"""

from __future__ import annotations

import hashlib
import json
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import DataError, OutputError
from napari_tcgn.files import (
    CacheSize,
    entries_of,
    find_leftovers,
    one_of,
    read_json,
    require_regular,
    sha256_of,
    text,
    write_text_whole,
    write_whole,
)
from napari_tcgn.spots import Spots

FORMAT = "napari-tcgn patches 1"
READERS = ("pillow", "tifffile", "imagecodecs", "openslide-python", "openslide-bin")
# Slides of several files: the content of the one that is named does not say what the patches look like.
SEVERAL_FILES = frozenset({".mrxs", ".vms", ".vmu", ".dcm"})
MOST_BYTES = 2**20  # of KEY.json
ENTRY = {"format": one_of(FORMAT), "sha256": text(64, 64)}
Number = TypeVar("Number", bound=np.generic)


class PatchCache:
    """A folder of patches, and of what encoders make of them.

    Parameters
    ----------
    folder : pathlib.Path
        Made when the first entry is written.

    Attributes
    ----------
    read, written : int
        Entries found and made by this object.
    notes : list of str
        What went wrong, in words; training goes on from memory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.read, self.written = 0, 0
        self.notes: list[str] = []

    def find(self, key: str, shape: tuple[int, ...], dtype: type[Number]) -> NDArray[Number] | None:
        """Return the patches of a key, mapped from disk (changes to them are not written); None if they are not there.

        An entry whose shape, type or hash is not what it should be is not used; `notes` says so.
        """
        array, entry = self._paths(key)
        if not os.path.isfile(entry):  # nor where it is forbidden to look
            return None
        try:
            said = read_json(entry, entry.name, DataError, "", entries_of(ENTRY), MOST_BYTES)
            require_regular(array)
            patches = np.load(array, mmap_mode="c", allow_pickle=False)
            whole = (
                said["format"] == FORMAT
                and patches.dtype == dtype
                and patches.shape == shape
                and sha256_of(array) == said["sha256"]
            )
        except (DataError, OSError, ValueError, KeyError, TypeError, EOFError, MemoryError):
            whole = False
        if whole:
            self.read += 1
            found: NDArray[Number] = patches
            return found
        self.notes.append(f"the entry {array.name} is damaged; it is made again")
        return None

    def keep(self, key: str, patches: NDArray[Number], about: dict[str, Any]) -> NDArray[Number]:
        """Write patches and return them mapped from disk; where they cannot be written, return them as they are."""
        array, entry = self._paths(key)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with write_whole(array, overwrite=True) as temporary:
                np.save(temporary, patches, allow_pickle=False)
            content = {"format": FORMAT, "sha256": sha256_of(array), "shape": patches.shape, **about}
            # The entry counts from here on: a run killed before leaves an array that nobody reads.
            write_text_whole(entry, json.dumps(content, indent=1), overwrite=True)
            mapped: NDArray[Number] = np.load(array, mmap_mode="c", allow_pickle=False)
        except (OSError, OutputError) as error:
            reason = error.problem if isinstance(error, OutputError) else str(error)
            self.notes.append(f"what was made is kept in memory, for it cannot be written to the cache: {reason}")
            return patches
        self.written += 1
        return mapped

    def size(self) -> CacheSize:
        """Measure the cache, files of unfinished writes included."""
        files = self._files()
        return CacheSize(
            entries=sum(path.suffix == ".json" and not path.name.startswith(".") for path in files),
            bytes=sum(path.stat().st_size for path in files),
        )

    def clear(self) -> CacheSize:
        """Remove every entry, and nothing else; return what was removed.

        Raises
        ------
        OutputError
            If a file cannot be removed.
        """
        removed = self.size()
        for path in self._files():
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise OutputError(
                    f"{path} cannot be removed: {error}.", "End what trains with it, and check the permissions."
                ) from error
        return removed

    def _paths(self, key: str) -> tuple[Path, Path]:
        return self.folder / f"{key}.npy", self.folder / f"{key}.json"

    def _files(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        # KEY.npy, KEY.json, and .KEY.npy.….npy of a write that was killed; what is being written now stays
        entries = [path for path in self.folder.iterdir() if not path.name.startswith(".")]
        return [
            path
            for path in sorted(entries + find_leftovers(self.folder))
            if path.suffix in (".npy", ".json") and _is_key(path.name.lstrip(".").split(".")[0]) and path.is_file()
        ]


def patch_key(image: Path, spots: Spots, side: int, level: int, mpp: float | None) -> str | None:
    """Return the key of a section's patches; None for slides of several files, which are not cached.

    Parameters
    ----------
    image : pathlib.Path
    spots : Spots
    side, level : int
        As in `engine.cut_patch`.
    mpp : float or None
        µm per pixel that the slide itself has: whether the spots belong to it was judged with that.
    """
    if image.is_dir() or image.suffix.lower() in SEVERAL_FILES:
        return None
    digest = hashlib.sha256()
    source = spots.source.to_record()
    told = {key: source.get(key) for key in ("kind", "image_size")}
    readers = {name: _version(name) for name in READERS}
    digest.update(json.dumps([FORMAT, sha256_of(image), side, level, mpp, told, readers], sort_keys=True).encode())
    for place in (spots.x, spots.y):
        digest.update(np.ascontiguousarray(place, dtype="<f8").tobytes())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _is_key(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
