"""Spots laid on the chosen slide in the background: a grid, those of a file, or the part of them inside a region."""

from __future__ import annotations

from pathlib import Path

from napari_tcgn.options import GridSettings, SpotsSettings
from napari_tcgn.spots import Region, Spots, make_grid
from napari_tcgn.ui.layers.laid_spots import Origin
from napari_tcgn.ui.layers.spots_on_slide import lay_again, read_on_slide
from napari_tcgn.ui.session import Failed, Session


def lay_grid(session: Session, settings: GridSettings, failed: Failed, region: Region | None = None) -> None:
    """Lay a grid of spots over the slide in the background."""
    slide = session.state.slide
    assert slide is not None  # the button is disabled without one

    def lay() -> Spots:
        return make_grid(slide, settings, region=region)

    session.busy.call("Laying spots …", lay, session.laid.take, failed)


def read_table(
    session: Session, path: Path, failed: Failed, region: Region | None = None, taken: SpotsSettings | None = None
) -> None:
    """Read the spots of a file or folder of any kind in the background."""
    slide = session.state.slide
    assert slide is not None  # the button is disabled without one

    def read() -> tuple[Spots, Spots]:
        return read_on_slide(path, slide, region, taken)

    def show(found: tuple[Spots, Spots]) -> None:
        everywhere, spots = found
        session.laid.take(spots, Origin(path, everywhere))

    session.busy.call(f"Reading {path.name} …", read, show, failed)


def lay_inside(session: Session, region: Region | None, failed: Failed) -> None:
    """Lay or choose the spots anew, in the background: those inside a region, None for all of them.

    Spots that were deleted by hand stay deleted.
    """
    slide, spots = session.state.slide, session.state.spots
    assert slide is not None  # there are spots on it
    assert spots is not None
    everywhere = session.laid.origin.everywhere or spots

    def lay() -> Spots:
        return lay_again(slide, everywhere, region)

    session.busy.call("Laying spots …", lay, session.laid.take_part, failed)
