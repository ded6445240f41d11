"""What drives a gene as one HTML page: the gallery, the morphology, and explained spots with their checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from napari_tcgn.explanation.drivers import GeneDrivers
from napari_tcgn.explanation.figure import draw_explanation
from napari_tcgn.explanation.result import Explanation
from napari_tcgn.pages import Picture, render_page

SIGNIFICANT = 0.05


def drivers_page(
    found: GeneDrivers, gallery: Picture, explanations: Sequence[Explanation], record: dict[str, Any]
) -> str:
    """Return one self-contained HTML page (`pages/templates/gene.html`).

    Parameters
    ----------
    found : GeneDrivers
    gallery : Picture
    explanations : sequence of Explanation
        Of spots that the page explains.
    record : dict
        JSON-able; stands at the end.
    """
    morphology = pd.DataFrame(
        [{"feature": one.feature, "Spearman": one.rho, "p": f"{one.p:.2g}", "q": f"{one.q:.2g}"}
         for one in found.drivers]
    )  # fmt: skip
    return render_page(
        "gene.html",
        title=f"{found.gene} over {found.library_id}: what drives it",
        found=found,
        gallery=gallery,
        morphology=morphology,
        strong=[one for one in found.drivers if one.q < SIGNIFICANT],
        explained=[_explained(one) for one in explanations],
        record=record,
    )


def _explained(one: Explanation) -> dict[str, Any]:
    title = f"{one.gene} at spot {one.spot}: {one.prediction:.3f}"
    checks = [
        {"check": check.name, "map": check.method, "outcome": "passed" if check.passed else "FAILED",
         "in words": check.sentence}
        for check in one.checks
    ]  # fmt: skip
    return {
        "picture": Picture.of(title, draw_explanation(one), 100),
        "shares": one.shares,
        "maps": one.maps,
        "failed": sorted({check.method for check in one.failed()}),
        "checks": pd.DataFrame(checks) if checks else None,
        "notes": one.notes,
    }
