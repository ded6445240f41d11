"""A prediction and a measurement brought together: the same spots, the same genes, the same scale."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.comparison.align import Alignment, align
from napari_tcgn.comparison.orientation import DESCRIPTIONS, better_by_expression
from napari_tcgn.comparison.places import record_of
from napari_tcgn.comparison.records import ComparedModel, CountsRecord, Manifest, ScaleRecord
from napari_tcgn.engine import RunRecord, package_versions
from napari_tcgn.errors import DataError
from napari_tcgn.expression import (
    OUTPUT_SCALE,
    TOTAL_SCALE,
    UNS_KEY,
    GeneMatch,
    dense,
    doubtful_counts,
    match_genes,
    own_part,
    require_counts,
    require_measured,
    require_unchanged,
    scale_counts,
    source_of,
    totals_of,
    values_of,
    with_layer,
)
from napari_tcgn.model import ModelCard
from napari_tcgn.options import CompareSettings
from napari_tcgn.spots import Lattice, Spots, is_mirrored, make_lattice

if TYPE_CHECKING:
    from anndata import AnnData

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pairing:
    """What a comparison computes with.

    Attributes
    ----------
    predicted, measured : float64 [n, genes]
        On the model's scale.
    counts : float64 [n, genes] or None
        None where the measured values were on the model's scale already.
    totals : float64 [n] or None
        Counts of every spot over all its genes, where the model's scale goes by these; None: by those over the panel.
    depth : float64 [n] or None
        log10(1 + total of the spot) that the model's scale goes by: over its panel or all genes; None where unknown.
    lattice : Lattice
    alignment : Alignment
    match : GeneMatch
    card : ModelCard
    mpp : float
    manifest : Manifest
        Without the source of the haematoxylin baseline.
    warnings : list of str
    """

    predicted: Floats
    measured: Floats
    counts: Floats | None
    totals: Floats | None
    depth: Floats | None
    lattice: Lattice
    alignment: Alignment
    match: GeneMatch
    card: ModelCard
    mpp: float
    manifest: Manifest
    warnings: list[str]


def pair(
    predicted: AnnData, measured: AnnData, settings: CompareSettings, aliases: Mapping[str, str] | None = None
) -> Pairing:
    """Match genes and spots, check the counts and bring them to the model's scale.

    Raises
    ------
    DataError
        If one of the two is not what it should be, or they do not belong together; the message says why.
    """
    record = record_of(predicted)
    ours = own_part(predicted, "run_record", "model_card", "output_scale")
    card = ModelCard.from_json(ours["model_card"], "of the prediction")
    scale = ours["output_scale"]
    _require_scale(scale)
    require_unchanged(predicted)
    require_measured(measured)
    if scale == OUTPUT_SCALE:
        _require_panel(predicted, card, settings)
    chosen = with_layer(measured, settings.layer)
    match = match_genes(predicted, chosen, card.organism, aliases)
    alignment = align(predicted, measured, settings)
    x = _finite_prediction(predicted, alignment, match)
    table = values_of(chosen, np.concatenate(match.columns))[alignment.measured]
    doubts: list[str] = []
    if settings.values == "counts":
        require_counts(table, measured, settings.layer)
        doubts = doubtful_counts(chosen.X)
    total = _Total(None, len(match.genes))
    if scale == TOTAL_SCALE and settings.values == "counts":
        sums, over = totals_of(chosen, card.organism)
        total = _Total(sums[alignment.measured], over)
    values, counts = _on_scale(table, match, settings, total.counts)
    if not (values.max(axis=0) > values.min(axis=0)).any():
        raise DataError(
            f"None of the {values.shape[1]} common genes varies over the {len(values)} common spots: there is nothing "
            "to compare with.",
            "Give the counts of the whole section.",
        )
    spots, mpp = record.spots, record.mpp
    lattice = _lattice(predicted, spots.layout).select(alignment.predicted)
    source = source_of(measured)
    warnings = [
        *source.notes,
        *doubts,
        *alignment.warnings,
        *match.warnings,
        *_optimism(card, record),
        *_few_genes(total, card),
        *_mirrored(predicted, record),
    ]
    if predicted.uns[UNS_KEY].get("partial"):
        warnings.append("The prediction is partial: only the spots that were predicted are compared.")
    turned, scores = better_by_expression(x, values, lattice.xy)
    if turned != "upright":
        warnings.append(
            f"The measurement follows the prediction better when it is {DESCRIPTIONS[turned]} (median PCC "
            f"{scores[turned]:.2f} instead of {scores['upright']:.2f}): are names or positions mixed up?"
        )
    manifest = Manifest(
        measured=source,
        model=ComparedModel(card.name, card.version, card.metrics.median_pcc),
        slide=record.slide.name,
        spots=alignment.manifest,
        orientation_by_expression=scores,
        layout=lattice.kind,
        genes=match.manifest,
        scale=ScaleRecord(scale, settings.layer, _counts_record(counts, total, len(card.genes))),
        settings=settings,
        haematoxylin=None,
        versions=package_versions(),
    )
    depth = _depth(measured, alignment, counts, total.counts)
    return Pairing(x, values, counts, total.counts, depth, lattice, alignment, match, card, mpp, manifest, warnings)


def _mirrored(predicted: AnnData, record: RunRecord) -> list[str]:
    """Say it if the prediction was made at positions that contradict their own array: the counts will not follow it."""
    if not {"array_row", "array_col"} <= set(predicted.obs) or "spatial" not in predicted.obsm:
        return []
    x, y = np.asarray(predicted.obsm["spatial"], np.float64)[:, :2].T
    rows, cols = (predicted.obs[name].to_numpy() for name in ("array_row", "array_col"))
    told = record.spots
    spots = Spots(predicted.obs_names.to_numpy(np.str_), x, y, rows, cols, 1.0, 1.0, told.layout, source=told.source)
    if not is_mirrored(spots):
        return []
    return [
        "The lattice of the predicted spots is mirrored: their array columns run to the left where its rows run down. "
        "Unless the image is mirrored too, the prediction was made at positions whose x and y were swapped or mirrored."
    ]


def _lattice(predicted: AnnData, layout: str) -> Lattice:
    """Return how the spots of a prediction stand to each other, as `Spots.lattice` does."""
    row, col = (predicted.obs[name].to_numpy(dtype=np.int64) for name in ("array_row", "array_col"))
    x, y = np.asarray(predicted.obsm["spatial"])[:, :2].T
    return make_lattice(layout, row, col, x, y)


def _require_scale(scale: str) -> None:
    if scale not in (OUTPUT_SCALE, TOTAL_SCALE):
        raise DataError(
            f"The model predicts on the scale {scale!r}, to which measured counts cannot be brought here "
            f"(only to {OUTPUT_SCALE!r} and {TOTAL_SCALE!r}).",
            "Compare it by other means.",
        )


def _require_panel(predicted: AnnData, card: ModelCard, settings: CompareSettings) -> None:
    """Refuse some genes of a prediction: the totals that counts are scaled by would be over these, not the panel."""
    panel = card.panel_genes or len(card.genes)
    if settings.values == "counts" and predicted.n_vars < panel:
        raise DataError(
            f"The prediction holds {predicted.n_vars} of the model's {panel} genes, so that counts cannot be "
            "brought to its scale.",
            "Compare the whole prediction and choose genes afterwards.",
        )


def _finite_prediction(predicted: AnnData, alignment: Alignment, match: GeneMatch) -> Floats:
    x: Floats = dense(predicted.X)[np.ix_(alignment.predicted, match.genes)].astype(np.float64)
    if not np.isfinite(x).all():
        raise DataError(f"{int((~np.isfinite(x)).sum())} predicted values are missing (NaN).", "Predict again.")
    return x


def _on_scale(
    table: Floats, match: GeneMatch, settings: CompareSettings, totals: Floats | None
) -> tuple[Floats, Floats | None]:
    """Return measured values on the model's scale and, where there are any, the counts behind them.

    `totals` are those of the spots over all genes, where the scale goes by them and not by the panel.
    """
    if settings.values == "model-scale":
        match.require_single()
        if not np.isfinite(table).all():
            missing = int((~np.isfinite(table)).sum())
            raise DataError(f"{missing} measured values are missing (NaN).", "Give values without gaps.")
        return table, None
    counts = match.summed(table)
    return scale_counts(counts, totals), counts


@dataclass(frozen=True, slots=True, eq=False)
class _Total:
    """What counts of a spot are divided by: its counts over all genes (None: over the common ones), and how many."""

    counts: Floats | None
    genes: int


def _few_genes(total: _Total, card: ModelCard) -> list[str]:
    """Say it if a model that goes by the counts over all genes is compared with a measurement of some genes."""
    if total.counts is None or total.genes >= len(card.genes):
        return []
    return [
        f"The measured data hold {total.genes} genes, fewer than the {len(card.genes)} of the model, whose scale goes "
        "by a spot's counts over all its genes: the measured values are higher than they should be, by a share that "
        "may differ between spots."
    ]


def _depth(measured: AnnData, alignment: Alignment, counts: Floats | None, totals: Floats | None) -> Floats | None:
    if totals is not None:
        return np.asarray(np.log10(1 + totals))
    if counts is not None:
        return np.asarray(np.log10(1 + counts.sum(axis=1)))
    if "total_counts" in measured.obs:  # as scanpy's calculate_qc_metrics names it
        return np.asarray(np.log10(1 + measured.obs["total_counts"].to_numpy(dtype=np.float64)[alignment.measured]))
    return None


def _counts_record(counts: Floats | None, total: _Total, panel: int) -> CountsRecord | None:
    if counts is None:
        return None
    per_spot = counts.sum(axis=1) if total.counts is None else total.counts
    return CountsRecord(total.genes, panel, int((per_spot == 0).sum()), float(np.median(per_spot)))


def _optimism(card: ModelCard, record: RunRecord) -> list[str]:
    """Say it, if the model may have been trained on the very section that it is compared on."""
    sections = [str(name) for name in card.training.get("sections", [])]
    if not sections:
        return []
    texts = (record.slide.name, record.spots.source.file)
    words = {word for text in texts if text for word in re.split(r"[^A-Za-z0-9]+", str(text))}
    mine = [name for name in sections if name in words]
    if mine:
        return [
            f"By its name, this is section {mine[0]}, on which the model was trained: the figures are optimistic and "
            "say nothing about new slides. The model card holds the held-out ones."
        ]
    return [
        f"The model was trained on {', '.join(sections[:8])}{' …' if len(sections) > 8 else ''}: if this is one of "
        "these sections, the figures say nothing about new slides."
    ]
