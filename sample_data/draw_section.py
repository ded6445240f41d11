"""Draw a section that resembles H&E-stained breast tissue, and keep the map of what was drawn where.

Everything is drawn as amounts of two stains (haematoxylin, eosin) and turned into colour by Beer and Lambert's law,
as light passes through a real section. Nothing here is taken from an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.draw import polygon2mask

Field = NDArray[np.float32]

MPP = 0.688  # µm per px
CELL = 8  # px per cell of the map
KINDS = ("epithelium", "stroma", "immune", "fat")

# Optical density (natural logarithm) in R, G, B of one unit of stain, and the glass without any.
HAEMATOXYLIN = np.array([1.60, 1.42, 0.72], np.float32)
EOSIN = np.array([0.16, 0.62, 0.27], np.float32)
GLASS = np.array([233.0, 224.0, 234.0], np.float32)


@dataclass(frozen=True)
class Plan:
    """What a section is to look like; lengths are shares of its side.

    Attributes
    ----------
    seed : int
    side : int
        px of the square image, a multiple of 16.
    outline : sequence of (x, y)
        Corners of the cut piece of tissue.
    tumour, fat : (x, y, radius)
        Where nests are dense, and where fat lies.
    aggregates : int
        Clusters of lymphocytes.
    """

    seed: int
    side: int
    outline: Sequence[tuple[float, float]]
    tumour: tuple[float, float, float]
    fat: tuple[float, float, float]
    aggregates: int


@dataclass(frozen=True)
class Section:
    """A drawn section.

    Attributes
    ----------
    picture : uint8 [side, side, 3]
    shares : float32 [4, side / CELL, side / CELL]
        Amount of each of KINDS in every cell of the map, 0 off the tissue.
    """

    picture: NDArray[np.uint8]
    shares: Field


def draw_section(plan: Plan) -> Section:
    """Draw the section of a plan; the same plan gives the same section."""
    rng = np.random.default_rng(plan.seed)
    shares, tissue = _lay_out(rng, plan)
    full = [_enlarge(share, plan.side) for share in shares]
    # Ragged edges: the smooth maps are cut at a level that wavers.
    level = 0.5 + 0.10 * _noise(rng, plan.side, 5)
    epithelium, stroma, immune, fat = (np.clip((share - level) * 6 + 0.5, 0, 1) for share in full)
    inside = np.clip((_enlarge(tissue, plan.side) - level) * 6 + 0.5, 0, 1)

    angle = _fibre_angle(rng, plan.side // 2)
    eosin, haematoxylin = _ground(rng, plan.side, angle, epithelium, stroma, immune)
    membranes = _membranes(rng, plan.side, fat)
    eosin += (0.75 * membranes + 0.07) * fat
    haematoxylin += 0.07 * membranes * fat
    nuclei = np.zeros((plan.side, plan.side), np.float32)
    _draw_nuclei(rng, nuclei, epithelium, stroma, immune, fat * (membranes > 0.5), angle)
    nuclei *= np.clip(1 + 0.22 * _noise(rng, plan.side, 1.2), 0.4, 1.5)  # chromatin
    haematoxylin = np.maximum(haematoxylin, nuclei)
    return Section(_develop(rng, eosin * inside, haematoxylin * inside, tissue), shares)


def _noise(rng: np.random.Generator, side: int, scale: float) -> Field:
    """Smooth noise of mean 0 and standard deviation 1 whose blobs are about `scale` px wide."""
    step = max(1, int(scale // 2))
    small = rng.standard_normal((side // step + 2, side // step + 2)).astype(np.float32)
    small = ndimage.gaussian_filter(small, scale / step / 2)
    field = _resize(small, (small.shape[0] * step, small.shape[1] * step))[:side, :side] if step > 1 else small
    field = field[:side, :side] - field.mean()
    return np.asarray(field / field.std(), np.float32)


def _resize(field: Field, shape: tuple[int, int]) -> Field:
    return np.asarray(Image.fromarray(field).resize(shape[::-1], Image.Resampling.BICUBIC))


def _enlarge(cells: Field, side: int) -> Field:
    return _resize(cells, (side, side))


def _lay_out(rng: np.random.Generator, plan: Plan) -> tuple[Field, Field]:
    """Decide what lies where: shares [4, n, n] and tissue [n, n] on the map of cells."""
    n = plan.side // CELL
    y, x = (np.mgrid[:n, :n] + 0.5) / n
    piece = polygon2mask((n, n), np.array([(b, a) for a, b in plan.outline]) * n)
    depth = ndimage.distance_transform_edt(piece) - ndimage.distance_transform_edt(~piece)
    tissue = depth + 1.2 * _noise(rng, n, 10) > 0

    def near(place: tuple[float, float, float], waver: float) -> Field:
        distance = np.hypot(x - place[0], y - place[1]) / place[2]
        return np.asarray(1 - distance + waver * _noise(rng, n, 24), np.float32)

    # Fat in lobules, with strands of collagen between them.
    strands = np.abs(_noise(rng, n, 34)) < 0.13
    fat = (near(plan.fat, 0.22) > 0) & ~strands
    # Nests: islands of noise, larger and closer in the tumour's middle.
    nests = _noise(rng, n, 15) + 0.45 * _noise(rng, n, 7) + 1.2 * np.clip(near(plan.tumour, 0.15), -0.9, 0.5) > 0.55
    nests &= ~fat & ~((near(plan.fat, 0.1) > 0) & strands)
    # Lymphocytes gather in the stroma beside nests.
    beside = ndimage.gaussian_filter(nests.astype(np.float32), 8) * ~nests * ~fat * (depth > 8)
    immune = np.zeros((n, n), np.float32)
    chance = (beside / beside.sum()).ravel()
    for spot in rng.choice(n * n, size=plan.aggregates, replace=False, p=chance):
        row, column = divmod(int(spot), n)
        radius = rng.uniform(6, 15)
        immune = np.maximum(immune, np.exp(-((x * n - column) ** 2 + (y * n - row) ** 2) / (2 * radius**2)))
    aggregates = (immune + 0.16 * _noise(rng, n, 8) > 0.55) & ~nests & ~fat
    stroma = ~(nests | aggregates | fat)
    masks = np.stack([nests, stroma, aggregates, fat]) & tissue
    soft = ndimage.gaussian_filter(masks.astype(np.float32), (0, 0.9, 0.9))
    return soft, ndimage.gaussian_filter(tissue.astype(np.float32), 0.9)


def _fibre_angle(rng: np.random.Generator, side: int) -> Field:
    """Direction of collagen (radians) at half resolution: slow turns with a short wave on them."""
    return np.asarray(0.9 * _noise(rng, side, 300) + 0.30 * _noise(rng, side, 45), np.float32)


def _fibres(rng: np.random.Generator, angle: Field) -> Field:
    """Streaks along `angle`: white noise averaged along the lines of the field (line integral convolution)."""
    side = len(angle)
    grain = rng.standard_normal((side, side)).astype(np.float32)
    dx, dy = np.cos(angle), np.sin(angle)
    total = grain.copy()
    for sign in (1, -1):
        y, x = np.mgrid[:side, :side].astype(np.float32)
        for _ in range(14):
            row, column = np.rint(y).astype(np.intp) % side, np.rint(x).astype(np.intp) % side
            x += sign * 1.3 * dx[row, column]
            y += sign * 1.3 * dy[row, column]
            total += ndimage.map_coordinates(grain, (y, x), order=1, mode="wrap", prefilter=False)
    streaks = ndimage.gaussian_filter(total, 0.6)
    return np.asarray((streaks - streaks.mean()) / streaks.std(), np.float32)


def _ground(
    rng: np.random.Generator, side: int, angle: Field, epithelium: Field, stroma: Field, immune: Field
) -> tuple[Field, Field]:
    """Draw everything but nuclei and fat: eosin and haematoxylin [side, side]."""
    fibres = _resize(_fibres(rng, angle), (side, side))
    # Collagen lies in bundles: dense and pink here, loose, pale and torn there.
    bundles = np.clip(0.55 + 0.33 * _noise(rng, side, 150) + 0.22 * _noise(rng, side, 40), 0.05, 1.3)
    collagen = np.clip(0.22 + 0.60 * bundles + (0.12 + 0.14 * bundles) * fibres, 0.04, 1.6)
    clefts = np.clip((_noise(rng, side, 26) + 0.55 * fibres - 1.75) * 2, 0, 1) * (bundles < 0.75)
    collagen *= 1 - 0.85 * clefts
    # Nests shrink away from the stroma in places.
    rim = np.exp(-(((epithelium + 0.25 * _noise(rng, side, 9)) - 0.35) ** 2) / 0.02)
    collagen *= 1 - 0.55 * rim * (_noise(rng, side, 60) > 0.2)
    grain = 0.06 * _noise(rng, side, 4) + 0.05 * _noise(rng, side, 1.5)
    eosin = stroma * collagen + epithelium * (0.42 + grain) + immune * (0.30 + grain + 0.06 * fibres)
    haematoxylin = stroma * (0.045 + 0.015 * fibres) + epithelium * (0.19 + grain) + immune * (0.11 + grain)
    return eosin.astype(np.float32), np.clip(haematoxylin, 0, None).astype(np.float32)


def _scatter(rng: np.random.Generator, side: int, spacing: float) -> NDArray[np.float64]:
    """Points (x, y) [n, 2] about `spacing` px apart: a hexagonal lattice, shaken."""
    rows = int(side / (spacing * 0.866)) + 1
    columns = int(side / spacing) + 1
    row, column = np.mgrid[:rows, :columns].reshape(2, -1).astype(np.float64)
    points = np.stack([(column + 0.5 * (row % 2)) * spacing, row * spacing * 0.866], axis=1)
    points += rng.normal(0, 0.22 * spacing, points.shape)
    return points[((points >= 0) & (points < side)).all(axis=1)]


def _membranes(rng: np.random.Generator, side: int, fat: Field) -> Field:
    """Walls between fat cells, 0 to 1: where a px is nearly as far from a second centre as from the first."""
    walls = np.zeros((side, side), np.float32)
    centres = _scatter(rng, side, 72)
    centres += rng.normal(0, 10, centres.shape)
    waver = 3.0 * _noise(rng, side, 30)
    rows, columns = np.nonzero(fat > 0.02)
    if len(rows) == 0:
        return walls
    pull = waver[rows, columns]
    distance, _ = cKDTree(centres).query(np.stack([columns + pull, rows - pull], axis=1), k=3)
    gap = distance[:, 1:] - distance[:, :1]
    thickness = 4.2 + 2.2 * np.clip(_noise(rng, side, 120)[rows, columns], -1, 3)
    walls[rows, columns] = np.clip(np.exp(-((gap / thickness[:, None]) ** 1.5)).sum(axis=1), 0, 1)
    return walls


def _draw_nuclei(
    rng: np.random.Generator,
    canvas: Field,
    epithelium: Field,
    stroma: Field,
    immune: Field,
    walls: Field,
    angle: Field,
) -> None:
    """Draw every nucleus on `canvas` (haematoxylin, in place)."""
    side = len(canvas)

    def place(spacing: float, where: Field, share: float) -> NDArray[np.float64]:
        points = _scatter(rng, side, spacing)
        column, row = points.astype(np.intp).T
        return points[(where[row, column] > 0.5) & (rng.random(len(points)) < share)]

    # Tumour: large, oval, unlike each other, pale within. Lymphocytes: small, round, dark.
    for x, y in place(15.5, epithelium, 0.94):
        long = rng.normal(7.4, 1.1)
        _stamp(canvas, x, y, long, long * rng.uniform(0.62, 0.95), rng.uniform(0, np.pi), rng.normal(0.80, 0.12), 0.25)
    for x, y in place(10.8, immune, 0.93):
        radius = rng.normal(4.5, 0.4)
        _stamp(canvas, x, y, radius, radius * rng.uniform(0.85, 1), rng.uniform(0, np.pi), rng.normal(1.0, 0.10), 0.0)
    # Fibroblasts: thin, along the fibres; single lymphocytes wander.
    for x, y in place(30, stroma, 0.62):
        along = angle[min(int(y) // 2, len(angle) - 1), min(int(x) // 2, len(angle) - 1)] + rng.normal(0, 0.2)
        _stamp(canvas, x, y, rng.normal(8.5, 1.6), rng.normal(2.5, 0.4), along, rng.normal(0.78, 0.12), 0.0)
    around = ndimage.gaussian_filter(immune[::4, ::4], 12)
    around = np.where(rng.random(around.shape) < 6 * around, 1, 0).astype(np.float32)
    for x, y in place(14, np.minimum(stroma, _enlarge(around, side)), 0.7):
        _stamp(canvas, x, y, 4.4, 4.0, rng.uniform(0, np.pi), rng.normal(1.0, 0.1), 0.0)
    for x, y in place(55, stroma, 0.35):
        _stamp(canvas, x, y, 4.3, 4.0, 0.0, rng.normal(0.95, 0.1), 0.0)
    for x, y in place(22, walls, 0.35):
        _stamp(canvas, x, y, 5.5, 2.4, rng.uniform(0, np.pi), 0.75, 0.0)


def _stamp(
    canvas: Field, x: float, y: float, long: float, short: float, angle: float, strength: float, pale: float
) -> None:
    """Draw one soft-edged oval; `pale` is how much lighter its middle is than its rim."""
    long, short = max(long, 2.0), max(short, 1.5)
    reach = int(long) + 3
    top, left = int(y) - reach, int(x) - reach
    a, b = max(top, 0), min(top + 2 * reach + 1, len(canvas))
    c, d = max(left, 0), min(left + 2 * reach + 1, len(canvas))
    v, u = np.mgrid[a:b, c:d].astype(np.float32)
    u, v = u - np.float32(x), v - np.float32(y)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    radius = np.hypot((u * cos + v * sin) / long, (v * cos - u * sin) / short)
    edge = np.clip((1 - radius) * short / 1.6 + 0.5, 0, 1)  # 1.6 px from none to full
    oval = strength * edge * (1 - pale * np.clip(1 - radius, 0, 1))
    np.maximum(canvas[a:b, c:d], oval, out=canvas[a:b, c:d])


def _develop(rng: np.random.Generator, eosin: Field, haematoxylin: Field, tissue: Field) -> NDArray[np.uint8]:
    """Turn stain into colour: a pink haze beside the tissue, uneven stain, the lens's blur, the camera's noise."""
    side = len(eosin)
    uneven = 1 + 0.06 * _noise(rng, side, 500)
    haze = ndimage.gaussian_filter(tissue, len(tissue) / 14)
    eosin = eosin * uneven + 0.16 * _enlarge(haze.astype(np.float32), side) + 0.02 * _noise(rng, side, 400)
    haematoxylin = haematoxylin * (2 - uneven)
    picture = np.empty((side, side, 3), np.float32)
    for channel in range(3):
        density = haematoxylin * HAEMATOXYLIN[channel] + eosin * EOSIN[channel]
        picture[..., channel] = GLASS[channel] * np.exp(-ndimage.gaussian_filter(density, 0.7))
    picture += rng.normal(0, 1.0, picture.shape).astype(np.float32)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
