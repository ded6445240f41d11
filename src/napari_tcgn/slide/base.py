"""What every slide offers, whatever file or array stands behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import PixelSizeUnknownError
from napari_tcgn.slide.mpp import PixelSize, settled


@runtime_checkable
class Slide(Protocol):
    """A lazily read RGB image pyramid.

    Attributes
    ----------
    name : str
        Short name for layers and results (the file's stem).
    path : pathlib.Path or None
        The file; None for an array that was handed in.
    mpp : float or None
        µm per pixel of level 0; None when nothing says it.
    mpp_source : str
        Where `mpp` comes from, in words, for the run record ("given", "TIFF resolution tag", …).
    level_dimensions : tuple of (width, height)
        Size in px of every level, finest first.

    Notes
    -----
    Readers of files have a `mpp_hint` too (str): a sentence that may help to know an unknown µm per pixel, such as
    what the objective's power suggests; and `stated` (PixelSize): what the file says, whatever was given.
    """

    name: str
    path: Path | None
    mpp: float | None
    mpp_source: str
    level_dimensions: tuple[tuple[int, int], ...]

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 0) -> NDArray[np.uint8]:
        """Read a rectangle of one level; may be called from several threads.

        Parameters
        ----------
        x, y : int
            Left and top, in px of that `level` (may lie outside the image).
        width, height : int
            Size in px of that `level`.
        level : int
            0 is the finest.

        Returns
        -------
        uint8 [height, width, 3]
            RGB; what lies outside the image is white.
        """
        ...

    def close(self) -> None:
        """Release the file; a second call does nothing."""
        ...


def level_downsamples(slide: Slide) -> tuple[float, ...]:
    """Width of level 0 over the width of each level."""
    full = slide.level_dimensions[0][0]
    return tuple(full / width for width, _ in slide.level_dimensions)


def mpp_hint(slide: Slide) -> str:
    """Return what may help to know the µm per pixel, or what a given one contradicts, as a sentence and a space.

    "" for slides that know of nothing.
    """
    hint: str = getattr(slide, "mpp_hint", "")
    return f"{hint} " if hint else ""


def stated_mpp(slide: Slide) -> PixelSize:
    """Return the µm per pixel that the file of a slide states, whatever was given by hand; unknown for an array."""
    stated: PixelSize = getattr(slide, "stated", PixelSize())
    return stated


def give_mpp(slide: Slide, mpp: float | None, how: str) -> None:
    """Give an opened slide its µm per pixel by hand, as if it had been opened with it (`settled`).

    Parameters
    ----------
    slide : Slide
    mpp : float or None
        Already checked; None: not known.
    how : str
        How it is known, for the record.
    """
    stated = stated_mpp(slide)
    size = PixelSize(hint=stated.hint) if mpp is None else settled(mpp, stated, how)
    slide.mpp, slide.mpp_source = size.mpp, size.source
    slide.mpp_hint = size.hint or stated.hint  # type: ignore[attr-defined]  # of the readers' own


def require_mpp(slide: Slide) -> float:
    """Return the slide's µm per pixel.

    Raises
    ------
    PixelSizeUnknownError
        If the slide has none: it changes every prediction and is never guessed.
    """
    if slide.mpp is None:
        raise PixelSizeUnknownError(
            f"The µm per pixel of slide {slide.name!r} is unknown: its file does not say it.",
            f"{mpp_hint(slide)}Give it with --mpp (or in the dock's Slide section); "
            "her2st images of patients B to H have 0.688.",
        )
    return slide.mpp
