"""What the section Why says of a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_tcgn.errors import DataError

if TYPE_CHECKING:
    from napari_tcgn.explanation import AttributionMap, Explanation
    from napari_tcgn.model import ModelCard


def has_network(card: ModelCard) -> bool:
    """Whether a model draws the last map that is explained over a section."""
    return card.architecture.get("family") == "tcgn"


def words_of(known: Explanation, method: str, earlier: Explanation | None = None) -> str:
    """Say what a prediction is, what the colours of a map mean, and what its checks have found.

    Of a gene whose maps at this spot were kept, say how alike those are.
    """
    said = [f"{known.gene} at spot {known.spot}: {known.prediction:.3g}."]
    if known.shares is not None:
        said.append(f"Of these the network gives {known.shares.network:.3g} and the line {known.shares.line:.3g}.")
    shown = _shown(known, method)
    if shown is not None:
        colours = "Red raises it, blue lowers it" if shown.signed else "Bright is much"
        most = float(np.nanmax(np.abs(shown.values)))
        said.append(f"{colours}, by up to {most:.2g} {shown.unit}".rstrip() + "." if shown.signed else f"{colours}.")
    failed = known.failed(method) if shown is not None else ()  # type: ignore[arg-type]
    said += [f"⚠ Check failed: {one.sentence}" for one in failed]
    if known.checks and not failed:
        said.append(f"All {sum(one.method == method for one in known.checks)} checks of this map passed.")
    return " ".join([*said, *_compared(earlier, known)])


def details_of(known: Explanation, method: str) -> str:
    """Say what a map is measured against, and what limits it."""
    shown = _shown(known, method)
    said = [] if shown is None else [f"Measured against: {shown.reference}.", shown.note]
    return "\n".join(one for one in (*said, *known.notes) if one)


def _shown(known: Explanation, method: str) -> AttributionMap | None:
    return next((one for one in known.maps if one.method == method), None)


def _compared(earlier: Explanation | None, known: Explanation) -> list[str]:
    """Say how alike the maps of two genes are; nothing where these are not two genes at one spot."""
    from napari_tcgn.explanation import compare_genes

    if earlier is None:
        return []
    try:
        return [compare_genes(earlier, known).sentence]
    except DataError:
        return []
