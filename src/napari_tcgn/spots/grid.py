"""A grid of spots laid over a slide."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SettingsError, SpotsError
from napari_tcgn.settings import GridSettings, to_record
from napari_tcgn.slide import Slide, TissueMask, require_mpp, tissue_mask
from napari_tcgn.spots.table import Spots

HEXAGONAL = ("visium", "hex")
MAX_POSITIONS = 5_000_000


def make_grid(slide: Slide, settings: GridSettings, tissue: TissueMask | None = None) -> Spots:
    """Lay a lattice of spots over a slide.

    Square lattices (st, square) count rows down and columns to the right from the origin. Hexagonal ones (visium,
    hex) follow Space Ranger: rows lie pitch * sqrt(3) / 2 apart, a step to the right is two array columns, and odd
    rows hold the odd columns. What lies left of or above the origin has negative positions.

    Parameters
    ----------
    slide : Slide
        With known µm per pixel.
    settings : GridSettings
    tissue : TissueMask, optional
        The slide's, where it is known already; by default it is found here if it is needed.

    Returns
    -------
    Spots
        Every spot whose centre is on the slide (and on tissue, if asked for), row by row.

    Raises
    ------
    PixelSizeUnknownError
        If the slide has no µm per pixel.
    SettingsError
        If the pitch is so small that the slide would hold millions of spots.
    SpotsError
        If no spot is left.
    """
    mpp = require_mpp(slide)
    width, height = slide.level_dimensions[0]
    row, col = _positions(width * mpp, height * mpp, settings)
    x, y = _place(row, col, settings)
    on_slide = (x >= 0) & (y >= 0) & (x < width * mpp) & (y < height * mpp)
    row, col, x, y = row[on_slide], col[on_slide], x[on_slide] / mpp, y[on_slide] / mpp
    if len(x) == 0:
        raise SpotsError(
            f"No spot of a pitch of {settings.pitch:g} µm has its centre on the slide "
            f"({width * mpp:.0f} x {height * mpp:.0f} µm).",
            "Use a smaller pitch, move the origin, or check the µm per pixel.",
        )
    fraction = np.full(len(x), np.nan)
    if settings.tissue_only:
        fraction = (tissue or tissue_mask(slide)).fraction(x, y, settings.diameter / mpp)
        keep = fraction >= settings.min_tissue_fraction
        row, col, x, y, fraction = row[keep], col[keep], x[keep], y[keep], fraction[keep]
        if len(x) == 0:
            raise SpotsError(
                f"None of the {len(keep)} spots is tissue to at least {settings.min_tissue_fraction:g}.",
                "Lower the needed tissue fraction, or lay spots on the whole slide (--whole-slide).",
            )
    return Spots(
        ids=np.array([f"{c}x{r}" for c, r in zip(col.tolist(), row.tolist(), strict=True)]),
        x=x,
        y=y,
        array_row=row,
        array_col=col,
        diameter_um=settings.diameter,
        pitch_um=settings.pitch,
        layout=settings.layout,
        tissue_fraction=fraction,
        source={"kind": "grid", "settings": to_record(settings)},
    )


def _steps(settings: GridSettings) -> tuple[float, float]:
    """µm from one row to the next and from one array column to the next."""
    if settings.layout in HEXAGONAL:
        return settings.pitch * math.sqrt(3) / 2, settings.pitch / 2
    return settings.pitch, settings.pitch


def _origin(settings: GridSettings) -> tuple[float, float]:
    x, y = settings.origin_x_um, settings.origin_y_um
    return settings.pitch / 2 if x is None else x, settings.pitch / 2 if y is None else y


def _positions(
    width_um: float, height_um: float, settings: GridSettings
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return array rows and columns (int64 [m]) of all positions that could lie on the slide."""
    row_step, col_step = _steps(settings)
    origin_x, origin_y = _origin(settings)
    angle = math.radians(settings.rotation_deg)
    # The slide's corners as seen from the lattice: turned back around the origin.
    dx = np.array([0, width_um, 0, width_um]) - origin_x
    dy = np.array([0, 0, height_um, height_um]) - origin_y
    along = (dx * math.cos(angle) + dy * math.sin(angle)) / col_step
    down = (dy * math.cos(angle) - dx * math.sin(angle)) / row_step
    first_row, last_row = math.floor(down.min()), math.ceil(down.max())
    first_col, last_col = math.floor(along.min()), math.ceil(along.max())
    count = (last_row - first_row + 1) * (last_col - first_col + 1)
    if count > MAX_POSITIONS:
        raise SettingsError(
            f"A pitch of {settings.pitch:g} µm makes about {count} spots.",
            "Use a larger pitch, or check the µm per pixel.",
        )
    row, col = np.mgrid[first_row : last_row + 1, first_col : last_col + 1].reshape(2, -1)
    if settings.layout in HEXAGONAL:
        parity = row % 2 == col % 2
        row, col = row[parity], col[parity]
    return row.astype(np.int64), col.astype(np.int64)


def _place(
    row: NDArray[np.int64], col: NDArray[np.int64], settings: GridSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centres (x, y) in µm; y runs down, so a positive angle turns clockwise."""
    row_step, col_step = _steps(settings)
    origin_x, origin_y = _origin(settings)
    angle = math.radians(settings.rotation_deg)
    u, v = col * col_step, row * row_step
    x = origin_x + u * math.cos(angle) - v * math.sin(angle)
    y = origin_y + u * math.sin(angle) + v * math.cos(angle)
    return x, y
