"""Whether a slide is the one that a result was made on."""

from __future__ import annotations

from napari_tcgn.engine import slide_digest
from napari_tcgn.errors import SlideError
from napari_tcgn.expression import Library
from napari_tcgn.slide import Slide

SAME_MPP = 0.01  # share by which two µm per px may differ


def require_same_slide(library: Library, slide: Slide) -> tuple[str, ...]:
    """Refuse a slide that cannot be that of a result, and say it where it is another file.

    Returns
    -------
    tuple of str
        Sentences; empty where nothing speaks against it.

    Raises
    ------
    SlideError
        If its size or its µm per px is another one.
    """
    if library.mpp is not None and slide.mpp is not None and abs(slide.mpp / library.mpp - 1) > SAME_MPP:
        raise SlideError(
            f"The result was made at {library.mpp:g} µm per px, {slide.name} is opened at {slide.mpp:g}.",
            "Leave out --mpp: that of the result is taken.",
        )
    if library.record is None or not library.record.slide.width_px:
        return ()
    known = library.record.slide
    made, found = (known.width_px, known.height_px), tuple(slide.level_dimensions[0])
    if made != found:
        raise SlideError(
            f"The result was made on a slide of {made[0]} x {made[1]} px, {slide.name} has {found[0]} x {found[1]}.",
            "Give the slide of this result.",
        )
    if known.sha256 and slide.path is not None and slide_digest(slide) != known.sha256:
        return (f"{slide.name} is not the file that the result was made from: its bytes are others.",)
    return ()
