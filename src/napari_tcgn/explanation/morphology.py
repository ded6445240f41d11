"""Plain morphology of the tissue under spots: nuclei, stains, texture, how far the tissue's edge is."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.engine import choose_level, cut_patch, level_side_px, reading_order
from napari_tcgn.model import FEATURES, FeatureExtractor, ModelCard
from napari_tcgn.slide import DARKEST_OF_FEATURES, Slide, optical_density, overview_of

Floats = NDArray[np.float64]
AT_ONCE = 32  # patches
UM_PER_PX = 1.0  # at which nuclei are looked for
NUCLEUS_UM = 7.0  # across; two nearer than half of that count as one
SMOOTHING_UM = 1.2
SAMPLE = 64  # patches whose haematoxylin sets the threshold of nuclei
# Of the features of the simple models: those whose names say something.
SIMPLE = {
    "haematoxylin": "haematoxylin mean",
    "eosin": "eosin mean",
    "haematoxylin, spread": "haematoxylin spread",
    "texture, fine": "haematoxylin edges, scale 1",
    "texture, coarse": "haematoxylin edges, scale 4",
}
NUCLEI = {"density of nuclei": "1/mm²", "size of nuclei": "µm²"}
EDGE = {"distance to the tissue's edge": "µm"}
UNITS = NUCLEI | dict.fromkeys(SIMPLE, "optical density") | EDGE


@dataclass(frozen=True, slots=True, eq=False)
class Morphology:
    """What the tissue under spots looks like, in numbers.

    Attributes
    ----------
    names, units : tuple of str
    values : float64 [spots, features]
        NaN where there is none, as the size of nuclei where none is found.
    side_um : float
        Of the square around a spot that was looked at.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: Floats
    side_um: float


def measure_morphology(
    slide: Slide, x: Floats, y: Floats, side_um: float, mpp: float
) -> Generator[int, None, Morphology]:
    """Measure the tissue around spots.

    Nuclei are what is darker in haematoxylin (stain vectors of Ruifrok and Johnston) than a threshold of the section
    (Otsu on some of its patches); each peak of the smoothed stain counts as one. A rough count: it does not tell apart
    what overlaps, and takes ink and folds for nuclei.

    Parameters
    ----------
    slide : Slide
    x, y : float64 [spots]
        Centres in full-resolution px.
    side_um : float
        Side of the square around a spot.
    mpp : float
        µm per full-resolution px.

    Yields
    ------
    int
        Spots done.

    Raises
    ------
    SlideError
        If the slide cannot be read.
    """
    side = max(8, round(side_um / mpp))
    level = choose_level(slide, side, round(side_um / UM_PER_PX))
    um_per_px = side_um / level_side_px(slide, side, level)
    order = reading_order(x, y, side)

    def cut(spots: NDArray[np.intp]) -> NDArray[np.uint8]:
        return np.stack([cut_patch(slide, x[i], y[i], side, level) for i in spots])

    threshold = _threshold(cut(order[:: max(1, len(order) // SAMPLE)]), um_per_px)
    card = ModelCard(
        "morphology", "1", {"family": "ridge", "features": "colour-texture"}, ["none"], side_um,
        input_px=112, mean=[0.0] * 3, std=[1.0] * 3,
    )  # fmt: skip
    simple = FeatureExtractor(card, "cpu")
    chosen = [FEATURES["colour-texture"].index(name) for name in SIMPLE.values()]
    values = np.full((len(x), len(UNITS)), np.nan)
    values[:, -1] = _to_edge(slide, x, y, mpp)
    for start in range(0, len(order), AT_ONCE):
        spots = order[start : start + AT_ONCE]
        patches = cut(spots)
        values[spots, : len(NUCLEI)] = [count_nuclei(patch, um_per_px, threshold) for patch in patches]
        values[spots, len(NUCLEI) : -1] = simple(patches).numpy()[:, chosen]
        yield start + len(spots)
    return Morphology(tuple(UNITS), tuple(UNITS.values()), values, side_um)


def count_nuclei(patch: NDArray[np.uint8], um_per_px: float, threshold: float) -> tuple[float, float]:
    """Return how many nuclei a patch [n, n, 3] has per mm², and their mean size in µm² (NaN where there is none)."""
    from scipy.ndimage import maximum_filter

    stain = _smoothed(patch, um_per_px)
    dark = stain > threshold
    reach = max(3, 2 * int(NUCLEUS_UM / 2 / um_per_px) + 1)
    nuclei = int((dark & (stain == maximum_filter(stain, reach))).sum())
    area_um2 = stain.size * um_per_px**2
    return nuclei / area_um2 * 1e6, float(dark.sum()) * um_per_px**2 / nuclei if nuclei else float("nan")


def _smoothed(patch: NDArray[np.uint8], um_per_px: float) -> NDArray[np.float32]:
    """Return the haematoxylin of a patch, smoothed so that a nucleus has one peak: float32 [n, n]."""
    from scipy.ndimage import gaussian_filter
    from skimage.color import hed_from_rgb

    stain = optical_density(patch, darkest=DARKEST_OF_FEATURES) @ hed_from_rgb[:, 0].astype(np.float32)
    smooth: NDArray[np.float32] = gaussian_filter(stain, SMOOTHING_UM / um_per_px, truncate=3)
    return smooth


def _threshold(patches: NDArray[np.uint8], um_per_px: float) -> float:
    from skimage.filters import threshold_otsu

    return float(threshold_otsu(np.stack([_smoothed(patch, um_per_px) for patch in patches])))  # type: ignore[no-untyped-call]


def _to_edge(slide: Slide, x: Floats, y: Floats, mpp: float) -> Floats:
    """Return how far the tissue's edge is from every spot, in µm; 0 beside the tissue."""
    from scipy.ndimage import distance_transform_edt

    tissue = overview_of(slide).tissue()
    # Beyond the image nobody knows: its border is no edge of the tissue.
    distance = distance_transform_edt(tissue.mask) if not tissue.mask.all() else np.full(tissue.mask.shape, np.nan)
    row = np.clip((y * tissue.scale).astype(int), 0, tissue.mask.shape[0] - 1)
    column = np.clip((x * tissue.scale).astype(int), 0, tissue.mask.shape[1] - 1)
    found: Floats = distance[row, column] / tissue.scale * mpp
    return found
