"""The spots where a gene is predicted highest and lowest, explained with checks."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_tcgn.engine import Progress
from napari_tcgn.errors import DataError
from napari_tcgn.explanation.chosen import loaded
from napari_tcgn.explanation.drivers import GeneDrivers
from napari_tcgn.explanation.result import Explanation
from napari_tcgn.explanation.steps import explain_steps
from napari_tcgn.expression import library_of
from napari_tcgn.options import ExplainSettings
from napari_tcgn.slide import Slide

if TYPE_CHECKING:
    from anndata import AnnData

SAME = 0.02  # how far a value may be from that of the result: half precision on one of two devices


def explain_ends_steps(
    adata: AnnData, slide: Slide, drivers: GeneDrivers, count: int, how: ExplainSettings | None = None
) -> Generator[Progress, None, tuple[Explanation, ...]]:
    """Explain the spots of both ends of a gene's values, with checks, as a generator: closing it stops the work.

    The model and the stain are those of the result's run; device and precision are what suits this machine.

    Parameters
    ----------
    adata : anndata.AnnData
        A result of `predict`: the one that `drivers` were looked for in.
    slide : Slide
        With known µm per px; the one that the spots lie on.
    drivers : GeneDrivers
    count : int
        Of spots of each end.
    how : ExplainSettings, optional

    Yields
    ------
    Progress

    Returns
    -------
    tuple of Explanation
        The highest spots, then the lowest. Where the model says something else now than the result, a note tells.

    Raises
    ------
    DataError
        If no model is known to have predicted these values.
    TcgnError
        As `explain` does.
    """
    library = library_of(adata, drivers.library_id)
    if library.record is None or library.card is None:
        raise DataError(
            "Only what a model has predicted can be explained; these values come from elsewhere.",
            "Look for what goes along with the gene only, or predict the slide.",
        )
    how = replace(how if how is not None else ExplainSettings(), check=True)
    yield Progress("load model", 0, 1)
    model, settings = loaded(None, replace(library.record.settings, device="auto", precision="auto"))
    spots, found = library.spots(), list[Explanation]()
    ends = ((end.spots[:count], end.values[:count]) for end in (drivers.highest, drivers.lowest))
    for spot, value in (pair for names, values in ends for pair in zip(names, values.tolist(), strict=True)):
        steps = explain_steps(slide, spots, spot, drivers.gene, model, settings, how)
        known = yield from _named(steps, spot)
        if library.unit == known.unit and not np.isclose(known.prediction, value, rtol=SAME, atol=SAME):
            note = (
                f"The result has {value:.3f} here, the model now predicts {known.prediction:.3f}: it is not the "
                "prediction of the result that is explained."
            )
            known = replace(known, notes=(*known.notes, note))
        found.append(known)
    return tuple(found)


def _named(steps: Generator[Progress, None, Explanation], spot: str) -> Generator[Progress, None, Explanation]:
    """Say which spot a step is of."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            found: Explanation = end.value
            return found
        yield replace(step, stage=f"spot {spot}, {step.stage}")
