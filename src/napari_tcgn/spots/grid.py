"""A grid of spots laid over a slide."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SettingsError, SpotsError
from napari_tcgn.options import HEXAGONAL, GridSettings
from napari_tcgn.slide import Slide, TissueMask, overview_of, require_mpp
from napari_tcgn.spots.lattice import ARRAY_STEP
from napari_tcgn.spots.region import Region
from napari_tcgn.spots.source import GridSource
from napari_tcgn.spots.table import Spots

MAX_SPOTS = 2_000_000
_ROUNDING = 1e-9  # steps; a spot on the very border is decided once, by `_place`

Box = tuple[float, float, float, float]  # left, top, right, bottom in µm


def make_grid(
    slide: Slide, settings: GridSettings, tissue: TissueMask | None = None, region: Region | None = None
) -> Spots:
    """Lay a lattice of spots over a slide.

    Square lattices (st, visium-hd, square) count rows down and columns to the right from the origin. Hexagonal ones
    (visium, hex) follow Space Ranger: rows lie pitch * sqrt(3) / 2 apart, a step to the right is two array columns,
    and odd rows hold the odd columns. What lies left of or above the origin has negative positions.

    Parameters
    ----------
    slide : Slide
        With known µm per pixel.
    settings : GridSettings
    tissue : TissueMask, optional
        By default the slide's at the settings' threshold.
    region : Region, optional
        Only spots whose centre lies in it.

    Returns
    -------
    Spots
        Every spot whose centre is on the slide (in the region, and on tissue, if asked for), row by row.

    Raises
    ------
    PixelSizeUnknownError
        If the slide has no µm per pixel.
    SettingsError
        If the pitch is smaller than a pixel, or the slide would hold more than two million spots.
    SpotsError
        If no spot is left.
    """
    row, col, x, y, fraction, source = _lay(slide, settings, tissue, region)
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
        source=source,
    )


def count_spots(
    slide: Slide, settings: GridSettings, tissue: TissueMask | None = None, region: Region | None = None
) -> int:
    """Return how many spots `make_grid` would lay, without naming each; raises what it would raise."""
    return len(_lay(slide, settings, tissue, region)[0])


_Laid = tuple[
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    GridSource,
]


def _lay(slide: Slide, settings: GridSettings, tissue: TissueMask | None, region: Region | None) -> _Laid:
    """Return row, col, x and y (px), tissue fraction and source of a grid's spots."""
    mpp = require_mpp(slide)
    if settings.pitch < mpp:
        raise SettingsError(
            f"A pitch of {settings.pitch:g} µm is less than one pixel of the slide ({mpp:g} µm).",
            "Use a larger pitch, or check the µm per pixel.",
        )
    row, col = _positions(_box(slide, mpp, region), settings)
    x, y = _place(row, col, settings)
    width, height = slide.level_dimensions[0]
    keep = (x >= 0) & (y >= 0) & (x < width * mpp) & (y < height * mpp)
    x, y = x / mpp, y / mpp
    threshold = None
    if region is not None:
        keep &= region.contains(x, y)
    if not keep.any():
        raise _no_spot(settings, region, f"{width * mpp:.0f} x {height * mpp:.0f} µm")
    row, col, x, y = row[keep], col[keep], x[keep], y[keep]
    fraction = np.full(len(x), np.nan)
    if settings.tissue_only:
        tissue = tissue or overview_of(slide).tissue(settings.tissue_threshold)
        threshold = round(tissue.threshold, 4)
        fraction = _on_tissue(slide, settings, tissue, x, y, mpp)
        keep = fraction >= settings.min_tissue_fraction
        row, col, x, y, fraction = row[keep], col[keep], x[keep], y[keep], fraction[keep]
    source = GridSource(
        settings=settings, region=None if region is None else region.recorded(), tissue_threshold=threshold
    )
    return row, col, x, y, fraction, source


def _no_spot(settings: GridSettings, region: Region | None, size: str) -> SpotsError:
    nowhere = f"No spot of a pitch of {settings.pitch:g} µm has its centre"
    if region is not None:
        return SpotsError(
            f"{nowhere} inside the region.", "Draw a larger region, use a smaller pitch, or move the origin."
        )
    return SpotsError(
        f"{nowhere} on the slide ({size}).", "Use a smaller pitch, move the origin, or check the µm per pixel."
    )


def grid_origin(settings: GridSettings) -> tuple[float, float]:
    """Return the centre (x, y) of spot (0, 0) in µm; half a pitch where nothing else is asked for."""
    x, y = settings.origin_x_um, settings.origin_y_um
    return settings.pitch / 2 if x is None else x, settings.pitch / 2 if y is None else y


def _box(slide: Slide, mpp: float, region: Region | None) -> Box:
    """Where spots may lie: the slide, and of it what the region's frame covers."""
    width, height = slide.level_dimensions[0]
    if region is None:
        return 0.0, 0.0, width * mpp, height * mpp
    left, top, right, bottom = region.bounds
    if left >= width or top >= height or right < 0 or bottom < 0:
        raise SpotsError(
            f"The region (from ({left:.0f}, {top:.0f}) to ({right:.0f}, {bottom:.0f}) px) lies outside slide "
            f"{slide.name} ({width} x {height} px).",
            "Draw it on this slide, in px of its full resolution.",
        )
    return max(left, 0) * mpp, max(top, 0) * mpp, min(right, width) * mpp, min(bottom, height) * mpp


def _on_tissue(
    slide: Slide,
    settings: GridSettings,
    tissue: TissueMask,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    mpp: float,
) -> NDArray[np.float64]:
    """Return each spot's share of tissue; refuse where none would be left."""
    if not tissue.mask.any():
        raise SpotsError(
            f"No tissue was found on slide {slide.name} (optical density above {tissue.threshold:.2f}).",
            "Lower the tissue threshold (--tissue-threshold), or lay spots on the whole slide (--whole-slide).",
        )
    square = settings.layout == "visium-hd"
    fraction = tissue.fraction(x, y, settings.diameter / mpp, square, settings.rotation_deg)
    if (fraction < settings.min_tissue_fraction).all():
        raise SpotsError(
            f"None of the {len(x)} spots is tissue to at least {settings.min_tissue_fraction:g}.",
            "Lower the needed tissue fraction, or lay spots on the whole slide (--whole-slide).",
        )
    return fraction


def _steps(settings: GridSettings) -> tuple[float, float]:
    """µm from one row to the next and from one array column to the next."""
    col_step, row_step = ARRAY_STEP["hexagonal" if settings.layout in HEXAGONAL else "square"]
    return row_step * settings.pitch, col_step * settings.pitch


def _positions(box: Box, settings: GridSettings) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return array rows and columns (int64 [m]) of the positions in a box.

    Each lattice row is a line that enters and leaves the box, so that the spots are counted before any is made.
    """
    row_step, col_step = _steps(settings)
    origin_x, origin_y = grid_origin(settings)
    cos, sin = (f(math.radians(settings.rotation_deg)) for f in (math.cos, math.sin))
    left, top, right, bottom = box
    # Rows between the box's corners as seen from the lattice: turned back around the origin.
    down = [((y - origin_y) * cos - (x - origin_x) * sin) / row_step for x in (left, right) for y in (top, bottom)]
    rows = np.arange(math.floor(min(down)), math.ceil(max(down)) + 1)
    start_x, start_y = origin_x - rows * row_step * sin, origin_y + rows * row_step * cos
    enters, leaves = np.full(len(rows), -np.inf), np.full(len(rows), np.inf)  # µm along each row
    for start, step, low, high in ((start_x, cos, left, right), (start_y, sin, top, bottom)):
        if abs(step) < 1e-12:  # parallel to this pair of sides: between them, or never
            leaves = np.where((start < low) | (start > high), -np.inf, leaves)
        else:
            ends = np.sort([(low - start) / step, (high - start) / step], axis=0)
            enters, leaves = np.maximum(enters, ends[0]), np.minimum(leaves, ends[1])
    crossing = enters <= leaves
    rows, enters, leaves = rows[crossing], enters[crossing], leaves[crossing]
    first = np.ceil(enters / col_step - _ROUNDING).astype(np.int64)
    last = np.floor(leaves / col_step + _ROUNDING).astype(np.int64)
    stride = 1
    if settings.layout in HEXAGONAL:
        stride = 2
        first += (first - rows) % 2  # odd rows hold the odd columns
    counts = np.maximum((last - first) // stride + 1, 0)
    total = int(counts.sum())
    if total > MAX_SPOTS:
        raise SettingsError(
            f"A pitch of {settings.pitch:g} µm makes {total:,} spots; {MAX_SPOTS:,} are the most that can be laid.",
            "Use a larger pitch or bin, or lay spots in a region only.",
        )
    before = np.cumsum(counts) - counts
    along = np.arange(total) - np.repeat(before, counts)
    return np.repeat(rows, counts).astype(np.int64), np.repeat(first, counts) + stride * along


def _place(
    row: NDArray[np.int64], col: NDArray[np.int64], settings: GridSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centres (x, y) in µm; y runs down, so a positive angle turns clockwise."""
    row_step, col_step = _steps(settings)
    origin_x, origin_y = grid_origin(settings)
    angle = math.radians(settings.rotation_deg)
    u, v = col * col_step, row * row_step
    x = origin_x + u * math.cos(angle) - v * math.sin(angle)
    y = origin_y + u * math.sin(angle) + v * math.cos(angle)
    return x, y
