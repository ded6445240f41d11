"""What a model's card says, in words for people."""

from __future__ import annotations

import numpy as np

from napari_tcgn.model.card import ModelCard

TOP_GENES = 10
SAME = 0.005  # two medians of a PCC


def skill_of(card: ModelCard) -> str:
    """Return a model's overall held-out accuracy in a few words, with the genes that it is of.

    A panel that is chosen anew for each fold is larger than the card's, which every section can measure.
    """
    median, own = card.metrics.median_pcc, card.gene_metric("pcc")
    if median is None:
        return "never evaluated"
    of_own = float(np.nanmedian(own)) if np.isfinite(own).any() else median
    if abs(of_own - median) <= SAME:
        return f"held-out median PCC {median:.3f}"
    return f"held-out median PCC {of_own:.3f} of its {len(card.genes):,} genes ({median:.3f} of all that a fold had)"


def depth_skill_of(card: ModelCard) -> str:
    """Return a model's overall held-out accuracy with sequencing depth taken out; "" where it is unknown."""
    median, own = card.metrics.median_depth_pcc, card.gene_metric("depth_pcc")
    if median is None:
        return ""
    of_own = float(np.nanmedian(own)) if np.isfinite(own).any() else median
    other = "" if abs(of_own - median) <= SAME else f" ({median:.3f} of all that a fold had)"
    return f"median PCC {of_own:.3f}{other}"


def describe(card: ModelCard) -> dict[str, str]:
    """Return what a card says, by headings in the order in which to read them; what it does not state is left out."""
    pcc = card.gene_metric("pcc")
    ranked = [i for i in np.argsort(-pcc) if not np.isnan(pcc[i])][:TOP_GENES]
    training = card.training
    simpler = sum(map(bool, card.better_baselines()))
    lines = {
        "Model": f"{card.name} {card.version}",
        "Tissue": ", ".join(part for part in (card.organism, card.tissue) if part),
        "Architecture": ", ".join(f"{key} {value}" for key, value in card.architecture.items() if key != "scales_um"),
        "Genes": f"{len(card.genes)} ({', '.join(card.genes[:5])} …)",
        "Patch": f"{_squares(card)} shown to the network as {card.input_px} px, {card.orientation}",
        "Output": card.output_scale,
        "Trained on": str(training.get("data", "")),
        "Sections": ", ".join(training.get("sections", [])),
        "Accuracy": skill_of(card),
        "Depth taken out": depth_skill_of(card),
        "Reachable": _reachable(card),
        "Intervals": _intervals(card),
        "Simple models": f"one does better for {simpler} of {len(card.genes)} genes" if simpler else "",
        "Protocol": card.metrics.protocol,
        "Best genes": ", ".join(f"{card.genes[i]} {pcc[i]:.2f}" for i in ranked),
        "Licence": card.licence,
        "Cite": "; ".join(str(text) for text in (card.citation, training.get("citation")) if text),
        "Mind": " ".join(card.caveats),
        "Weights": f"sha256 {card.sha256}" if card.sha256 else "",
    }
    return {heading: text for heading, text in lines.items() if text}


def _reachable(card: ModelCard) -> str:
    """Say how much of the measured variation could be predicted at all, in the gene in the middle."""
    plain, depth = card.metrics.median_ceiling_pcc, card.metrics.median_depth_ceiling_pcc
    if plain is None:
        return "unknown" if card.metrics.median_pcc is not None else ""
    without_depth = "" if depth is None else f", {depth:.3f} with depth taken out"
    return f"median PCC {plain:.3f} at best{without_depth}: the rest is noise of counting"


def _intervals(card: ModelCard) -> str:
    """Say how often measurements of held-out sections lay inside their interval, and what nobody can promise."""
    known = card.metrics.intervals
    if known is None:
        return ""
    shares = ", ".join(f"{name} {share:.0%}" for name, share in known.coverage.items())
    made = f" (from {known.source})" if known.source else ""
    return (
        f"at {known.level:.0%}, of the spots of each section held out there lay inside, in the median gene: "
        f"{shares}{made}; "
        f"no level above {known.guaranteed:.0%} is guaranteed by {len(known.coverage)} sections"
    )


def _squares(card: ModelCard) -> str:
    if len(card.scales_um) == 1:
        return f"{card.patch_um:g} µm of tissue,"
    *narrow, widest = (f"{scale:g}" for scale in card.scales_um)
    return f"squares of {', '.join(narrow)} and {widest} µm of tissue, each"
