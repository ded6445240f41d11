"""Slide-level expression from predicted spots.

The original work's second use (Xiao et al. 2024): average the spots of a slide and compare with the bulk sample of
the same patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.expression import OUTPUT_SCALE, TOTAL_SCALE, UNS_KEY, dense, own_part
from napari_tcgn.model import ModelCard

if TYPE_CHECKING:
    from anndata import AnnData

Floats = NDArray[np.float64]


def pseudobulk(predictions: Mapping[str, AnnData]) -> AnnData:
    """Return the expression of whole slides from their predicted spots.

    Every spot counts by the share of it that is tissue (all alike where that was not measured), because H&E says how
    much tissue there is and not how deep a library would be. On the scales of the bundled models the mean is taken
    of the shares that the values stand for (those of a panel then sum to one again); on any other scale it is the mean
    of the values.

    Parameters
    ----------
    predictions : mapping of str to AnnData
        Predictions of one model by the name of their slide, as `to_anndata` makes them.

    Returns
    -------
    anndata.AnnData
        X float64 [slides, genes] on the model's output scale; obs: spots, tissue_spots (their tissue summed, in
        spots) and partial; uns["napari_tcgn"]: output_scale, model_card.

    Raises
    ------
    DataError
        If there is no slide, a slide has no prediction of this package, not all genes of its model or no tissue, or the
        slides come from different models.
    """
    import pandas as pd
    from anndata import AnnData

    if not predictions:
        raise DataError("There is no slide.", "Give at least one predicted slide.")
    first = next(iter(predictions))
    _check_one_model(predictions)
    _check_whole_panel(predictions)
    weights = {name: tissue_weights(adata, name) for name, adata in predictions.items()}
    scale = str(predictions[first].uns[UNS_KEY]["output_scale"])
    rows = [_mean(dense(adata.X).astype(np.float64), weights[name], scale) for name, adata in predictions.items()]
    obs = pd.DataFrame(
        {
            "spots": [adata.n_obs for adata in predictions.values()],
            "tissue_spots": [float(weights[name].sum()) for name in predictions],
            "partial": [bool(adata.uns[UNS_KEY]["partial"]) for adata in predictions.values()],
        },
        index=pd.Index(list(predictions), dtype=object),
    )
    uns = {UNS_KEY: {key: predictions[first].uns[UNS_KEY][key] for key in ("output_scale", "model_card")}}
    return AnnData(X=np.vstack(rows), obs=obs, var=predictions[first].var.copy(), uns=uns)


def tissue_weights(adata: AnnData, name: str) -> Floats:
    """Return how much every spot of a slide counts (float64 [spots], from 0 to 1).

    Raises
    ------
    DataError
        If no spot has any tissue.
    """
    weights = np.ones(adata.n_obs)
    if "tissue_fraction" in adata.obs:
        fraction = adata.obs["tissue_fraction"].to_numpy(dtype=np.float64)
        weights = np.where(np.isnan(fraction), 1.0, fraction)
    if "in_tissue" in adata.obs:
        weights = weights * (adata.obs["in_tissue"].to_numpy() != 0)
    if not weights.sum() > 0:
        raise DataError(f"No spot of slide {name!r} lies on tissue.", "Leave this slide out, or check its spots.")
    return weights


def _check_one_model(predictions: Mapping[str, AnnData]) -> None:
    cards: dict[str, str] = {}
    for name, adata in predictions.items():
        if "model_card" not in adata.uns.get(UNS_KEY, {}):
            raise DataError(
                f"Slide {name!r} holds no napari-tcgn prediction.", "Give files that `napari-tcgn predict` has written."
            )
        cards.setdefault(own_part(adata, "model_card", "output_scale", "partial")["model_card"], name)
    if len(cards) > 1:
        one, other = list(cards.values())[:2]
        raise DataError(
            f"Slides {one!r} and {other!r} were predicted by different models.",
            "Predict all slides with the same model: values of two models cannot be compared over slides.",
        )


def _check_whole_panel(predictions: Mapping[str, AnnData]) -> None:
    """Refuse some genes of a prediction: shares are of the whole panel, and a column has to be one gene in all."""
    for name, adata in predictions.items():
        card = ModelCard.from_json(str(adata.uns[UNS_KEY]["model_card"]), f"of slide {name!r}")
        enough = card.holds_panel or card.output_scale == TOTAL_SCALE  # shares of all genes: those of some are the same
        if list(adata.var_names) != card.genes or not enough:
            genes = card.panel_genes or len(card.genes)
            raise DataError(
                f"Slide {name!r} holds {adata.n_vars} genes, not the {genes} of its model in their order.",
                "Give the whole prediction, as `napari-tcgn predict` has written it.",
            )


def _mean(values: Floats, weights: Floats, scale: str) -> Floats:
    """Weighted mean of spots [spots, genes] as [genes], on the scale they come in."""
    if scale not in (OUTPUT_SCALE, TOTAL_SCALE):
        mean: Floats = np.average(values, axis=0, weights=weights)
        return mean
    shares = np.maximum(10.0**values - 1, 0)  # [spots, genes], the total is 1e4; no share is below nothing
    mean = np.average(shares, axis=0, weights=weights)
    # Those of a panel sum to one; those of all genes do not, for the model predicts only some of them.
    return shares_to_scale(mean) if scale == OUTPUT_SCALE else np.log10(1 + mean)


def shares_to_scale(amounts: Floats, total: Floats | None = None) -> Floats:
    """Return log10(1 + 1e4 * amount / total) of amounts [..., genes] on a linear scale.

    `total` [...] is that of all genes, where these are not all that counts; default: that of these.
    """
    over = amounts.sum(axis=-1, keepdims=True) if total is None else total[..., None]
    scaled: Floats = np.log10(1 + 1e4 * amounts / np.where(over > 0, over, 1))
    return scaled
