"""Predictions without a model, beside which every comparison has to be read: depth alone, haematoxylin alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.engine import cut_patch, patch_side_px

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_tcgn.model import ModelCard
    from napari_tcgn.slide import Slide

Floats = NDArray[np.float64]
DEPTH_ALONE = "measured depth (no predictor)"
HAEMATOXYLIN = "haematoxylin alone"


def haematoxylin_of_patches(slide: Slide, x: Floats, y: Floats, card: ModelCard) -> Floats:
    """Return the mean haematoxylin under every spot, float64 [n], from patches as the model sees them.

    Of a model of several scales, from its smallest.

    All patches are held in memory at once: give a part of many spots at a time.

    Parameters
    ----------
    slide : Slide
        With known µm per px.
    x, y : float64 [n]
        Centres in full-resolution px.
    card : ModelCard
        Says how much tissue a patch covers.

    Raises
    ------
    SlideError
        If the slide cannot be read, or nothing says its µm per px.
    """
    from napari_tcgn.model import FeatureExtractor, feature_card
    from napari_tcgn.slide import require_mpp

    plain = replace(feature_card(card, "haematoxylin"), patch_um=card.scales_um[0])
    extract = FeatureExtractor(plain, "cpu")
    side = patch_side_px(plain, require_mpp(slide))
    patches = np.stack([cut_patch(slide, float(at_x), float(at_y), side) for at_x, at_y in zip(x, y, strict=True)])
    stain: Floats = extract(patches).double().numpy()[:, 0]
    return stain


def haematoxylin_of_picture(adata: AnnData, patch_um: float, mpp: float) -> Floats | None:
    """Return the mean haematoxylin under every spot, float64 [n], from the small picture that a prediction carries.

    Parameters
    ----------
    adata : anndata.AnnData
        A prediction.
    patch_um : float
        Side of the square around a spot that counts.
    mpp : float
        µm per full-resolution px.

    Returns
    -------
    float64 [n] or None
        None where the prediction carries no picture. Optical density of the stain by the vectors of Ruifrok and
        Johnston (2001), as the feature of the same name of full patches.
    """
    from skimage.color import hed_from_rgb

    from napari_tcgn.slide import DARKEST_OF_FEATURES, optical_density

    library: dict[str, Any] = next(iter(adata.uns.get("spatial", {}).values()), {})
    picture = library.get("images", {}).get("hires")
    if picture is None:
        return None
    scale = float(library["scalefactors"]["tissue_hires_scalef"])
    values = np.asarray(picture)[..., :3].astype(np.float64)
    values = values if values.max() > 1 else 255 * values
    stain = optical_density(values, darkest=DARKEST_OF_FEATURES, dtype=np.float64) @ hed_from_rgb[:, 0]  # [h, w]
    # Sums over squares by differences of running sums.
    running = np.zeros((stain.shape[0] + 1, stain.shape[1] + 1))
    running[1:, 1:] = stain.cumsum(axis=0).cumsum(axis=1)
    half = max(0.5, patch_um / mpp * scale / 2)
    centre = np.asarray(adata.obsm["spatial"], dtype=np.float64)[:, :2] * scale
    edges = []
    for axis, size in ((0, stain.shape[1]), (1, stain.shape[0])):
        low = np.clip(np.rint(centre[:, axis] - half), 0, size - 1).astype(np.int64)
        edges.append((low, np.clip(np.rint(centre[:, axis] + half).astype(np.int64), low + 1, size)))
    (left, right), (top, bottom) = edges
    total = running[bottom, right] - running[top, right] - running[bottom, left] + running[top, left]
    mean: Floats = total / ((right - left) * (bottom - top))
    return mean
