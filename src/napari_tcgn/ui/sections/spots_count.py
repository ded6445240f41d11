"""How many spots there are, and how many there would be: in words, below the controls of the section Spots."""

from __future__ import annotations

from collections.abc import Callable

from napari_tcgn.options import GridSettings
from napari_tcgn.slide import Slide, overview_of
from napari_tcgn.spots import GridSource, Region, array_mpp, contradicted_mpp, count_spots
from napari_tcgn.ui.actions.run import duration_text
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.tasks.background import Failure
from napari_tcgn.ui.tasks.latest import Latest


class Expected:
    """How many spots the controls would lay, counted in the background.

    Parameters
    ----------
    session : Session
    counted : callable (float or None)
        Told whenever it becomes known, with the tissue threshold that was chosen for the slide.

    Attributes
    ----------
    value : int or str
        The number, or why it is none; "": not known.
    """

    def __init__(self, session: Session, counted: Callable[[float | None], object]) -> None:
        self._session, self._counted = session, counted
        self._latest = Latest(session.background, self._take, self._fail)
        self.value: int | str = ""

    def ask(self, slide: Slide, settings: GridSettings, region: Region | None) -> None:
        """Count anew."""

        def count() -> tuple[int, float | None]:
            if not settings.tissue_only:
                return count_spots(slide, settings, region=region), None
            return count_spots(slide, settings, region=region), overview_of(slide).density.threshold

        self.value = "counting spots …"
        self._latest.ask(count)

    def forget(self) -> None:
        """Count no longer: they are being laid."""
        self._latest.cancel()
        self.value = ""

    def text(self) -> str:
        """Return the number, or why it is none, in a sentence."""
        value = self.value
        return f"{value:,} spots would be laid{time_text(self._session, value)}." if isinstance(value, int) else value

    def _take(self, counted: tuple[int, float | None]) -> None:
        self.value, threshold = counted
        self._counted(threshold)

    def _fail(self, failure: Failure) -> None:
        self.value = f"No spots would be laid: {failure.sentence}"
        self._counted(None)


def time_text(session: Session, count: int) -> str:
    """Return how long so many spots take, to be added to their number; "" where that is not known."""
    rate = session.state.rate
    return f"; about {duration_text(count / rate)} to predict" if rate else ""


def mpp_of_array(session: Session) -> float | None:
    """Return the µm per px that the spots of a file imply, where the slide's is another one or unknown."""
    spots, mpp = session.state.spots, session.state.mpp
    if spots is None or isinstance(spots.source, GridSource):  # a grid is laid by the slide's own
        return None
    return array_mpp(spots) if mpp is None else contradicted_mpp(spots, mpp)


def laid_text(session: Session, implied: float | None) -> str:
    """Return what is to be said of the spots that are laid; "" where there are none.

    Parameters
    ----------
    session : Session
    implied : float or None
        As `mpp_of_array` returns it; it takes a while to compute.
    """
    state = session.state
    spots = state.spots
    if spots is None:
        return ""
    text = f"{len(spots)} spots of {spots.diameter_um:g} µm, {spots.pitch_um:g} µm apart"
    if spots.source.file:
        text += f" ({spots.source.file})"
    if spots.source.deleted:
        text += f", {spots.source.deleted} deleted by hand"
    text += time_text(session, len(spots))
    if state.mpp is None and implied is None:
        return f"{text}\nThey do not tell how many µm one pixel covers: say it (section Slide) before a run."
    if state.mpp is None:
        told = f"Their array implies {implied:.3g} µm per pixel; the slide has none yet."
        return f"{text}\n{told} Take it, or say another (section Slide)."
    if implied is not None:
        text += f"\n⚠ Their array implies {implied:.3f} µm per pixel; the slide is set to {state.mpp:g}."
    return text
