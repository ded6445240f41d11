"""The patches of a section: cut from its slide, or taken from the patch cache."""

from __future__ import annotations

import gzip
import math
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.engine import choose_level, cut_patch, leaves_image, level_side_px, patch_side_px
from napari_tcgn.errors import DataError, OutputError, PixelSizeUnknownError, SlideError
from napari_tcgn.model import ModelCard
from napari_tcgn.slide import Slide
from napari_tcgn.spots import Spots, spot_distance_px
from napari_tcgn.training.data.patch_cache import PatchCache, patch_key
from napari_tcgn.training.data.section import SectionFiles

# The printed grid is not quite regular and its x and y scale differ by 1 %; a wrong scale is off by far more.
SCALE_TOLERANCE = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Patches of one section.

    Attributes
    ----------
    patches : uint8 [n, side, side, 3]
    spots : Spots
        With the pitch that was found, where several are possible.
    mpp : float
    mpp_source : str
    padded : int
        Spots whose patch reaches over the edge of the image.
    """

    patches: NDArray[np.uint8]
    spots: Spots
    mpp: float
    mpp_source: str
    padded: int


def cut_section(
    section: SectionFiles, spots: Spots, card: ModelCard, mpp: float | None, cache: PatchCache | None
) -> Cut:
    """Cut the patch of every spot, after making sure that slide, spots and µm per pixel belong together.

    Parameters
    ----------
    section : SectionFiles
    spots : Spots
    card : ModelCard
        How many µm a patch covers.
    mpp : float or None
        µm per pixel of the image; None: what the section's own table or the image says.
    cache : PatchCache or None

    Raises
    ------
    DataError, PixelSizeUnknownError, SlideError, SpotsError
        See `load_section`.
    """
    from napari_tcgn.slide import open_slide

    with unpacked(section.image) as image, closing(open_slide(image, mpp=section.mpp if mpp is None else mpp)) as slide:
        found, source = _pixel_size(section, spots, slide)
        spots = _check_scale(section, spots, found)
        side = patch_side_px(card, found)
        level = choose_level(slide, side, card.input_px)
        width, height = slide.level_dimensions[0]
        patches = _patches(section, spots, slide, side, level, cache)
        padded = int(leaves_image(spots.x, spots.y, side, width, height).sum())
        return Cut(patches, spots, found, source, padded)


def _patches(
    section: SectionFiles, spots: Spots, slide: Slide, side: int, level: int, cache: PatchCache | None
) -> NDArray[np.uint8]:
    """Take the patches from the cache, or cut them and put them there."""
    from napari_tcgn.spots import check_on_slide

    key = None if cache is None else patch_key(section.image, spots, side, level, slide.mpp)
    if cache is not None and key is not None:
        n = level_side_px(slide, side, level)
        kept = cache.find(key, (len(spots), n, n, 3), np.uint8)
        if kept is not None:  # its spots were found to belong to this very slide when it was made
            return kept
    check_on_slide(spots, slide, scale=False)  # `_check_scale` has looked at it
    patches = np.stack([cut_patch(slide, x, y, side, level) for x, y in zip(spots.x, spots.y, strict=True)])
    if cache is None or key is None:
        return patches
    return cache.keep(key, patches, {"section": section.name, "image": section.image.name, "patch_px": side})


@contextmanager
def unpacked(image: Path) -> Iterator[Path]:
    """Give an image's path, or that of a temporary copy of what is packed in a .gz file.

    Raises
    ------
    SlideError
        If the .gz file is damaged.
    OutputError
        If there is no room for the copy.
    """
    if image.suffix.lower() != ".gz":
        yield image
        return
    with tempfile.TemporaryDirectory(prefix="napari-tcgn-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / image.stem
        try:
            with gzip.open(image, "rb") as packed:
                start = packed.read(1 << 20)
                with copy.open("wb") as handle:
                    handle.write(start)
                    shutil.copyfileobj(packed, handle)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SlideError(f"{image.name} cannot be unpacked: {error}.", "Copy or download it again.") from error
        except OSError as error:
            raise OutputError(
                f"{image.name} cannot be unpacked into {folder}: {error}.", "Free space there, or unpack it (gunzip)."
            ) from error
        yield copy


def _pixel_size(section: SectionFiles, spots: Spots, slide: Slide) -> tuple[float, str]:
    """Return the µm per pixel of a section's image and where it comes from."""
    if slide.mpp is not None:
        return slide.mpp, slide.mpp_source
    if section.published_mpp is not None:
        return section.published_mpp, "known scale of the published images"
    hint = "Give it with --mpp."
    step = spot_distance_px(spots, max_residual=math.inf)
    if step is not None:
        pitches = section.pitches_um or (spots.pitch_um,)
        known = " or ".join(f"{pitch / step:.3g} at {pitch:g} µm" for pitch in pitches)
        hint = f"Give it with --mpp. The spots are {step:.1f} px apart: {known} from spot to spot."
    raise PixelSizeUnknownError(
        f"The µm per pixel of section {section.name} is unknown: its image does not say it.", hint
    )


def _check_scale(section: SectionFiles, spots: Spots, mpp: float) -> Spots:
    """Refuse a µm per pixel that the known distance between the spots contradicts; return spots of that distance."""
    step = spot_distance_px(spots, max_residual=math.inf)
    if step is None:
        return spots  # nothing to measure
    for pitch in section.pitches_um or (spots.pitch_um,):
        if abs(pitch / step / mpp - 1) <= SCALE_TOLERANCE:
            return replace(spots, pitch_um=pitch)
    found = spots.pitch_um / step
    raise DataError(
        f"Section {section.name}: its spots are {step:.1f} px apart; at {spots.pitch_um:g} µm that is {found:.3g} "
        f"µm per pixel, not {mpp:g}.",
        f"Give the scale of the images (--mpp {found:.3g}), or check that image and spot table belong together.",
    )
