"""Whether a slide resembles what a model was trained on, and a slide brought to look like it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.engine.progress import Prediction
from napari_tcgn.engine.record import DomainRecord
from napari_tcgn.engine.work import WorkFolder
from napari_tcgn.errors import ModelError
from napari_tcgn.model import ModelCard, SectionStain
from napari_tcgn.options import StainName
from napari_tcgn.slide import Slide, StainStatistics, contradicts_file, mpp_hint, overview_of

COARSER = 1.25  # times the coarsest training slide: finer ones are shrunk to the same, detail that is not there is not
OUTSIDE = 0.05  # p-values up to it are taken for unlike the training
MANY_OUTSIDE, ENOUGH_SPOTS = 0.15, 20  # share of a slide's spots that is told of; three times what is expected
FURTHER = 0.5  # standard deviations: the four bundled training sections lie within 0.4 of each other
STAIN_NAMES = ("haematoxylin", "eosin")


def domain_warnings(card: ModelCard, slide: Slide, stain: StainStatistics | None = None) -> list[str]:
    """Return sentences about what sets a slide apart from the model's training sections; empty: nothing known to.

    Compared are the µm per px, and the mean haematoxylin and eosin of the tissue: these are told of where they lie
    further from every training section than half of how much the tissue of one section spreads (standard deviation).

    Parameters
    ----------
    card : ModelCard
        Its `domain` says what the training sections were like; what it does not say is not compared.
    slide : Slide
    stain : StainStatistics, optional
        By default that of `overview_of(slide)`.

    Raises
    ------
    SlideError
        If the slide cannot be read.
    """
    found = [mpp_hint(slide).strip()] if contradicts_file(slide.mpp_source) else []
    mpps = card.domain.mpp
    if mpps and slide.mpp is not None and slide.mpp > COARSER * max(mpps):
        found.append(
            f"The slide has {slide.mpp:g} µm per px, the training sections {max(mpps):g}: it shows less detail than "
            f"{card.name} was trained on."
        )
    stain = stain if stain is not None else overview_of(slide).stain
    if stain is None:
        return [
            *found,
            f"No tissue was found on {slide.name}, so its stain is not compared with the training sections.",
        ]
    sections = {} if card.domain.stain is None else card.domain.stain.sections
    for name in STAIN_NAMES if sections else ():
        found.extend(_stain_warning(name, getattr(stain, f"{name}_mean"), list(sections.values()), card.name))
    return found


def is_outside(p: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which p-values (of any float type) say that a spot is unlike the training; NaN, unknown, does not."""
    found: NDArray[np.bool_] = np.asarray(p, np.float32) <= np.float32(OUTSIDE)  # they are kept in single precision
    return found


def count_outside(p: NDArray[np.float32] | None) -> DomainRecord | None:
    """Count the spots that look unlike the training patches, from the p-values of those that are predicted."""
    if p is None:
        return None
    known = p[~np.isnan(p)]
    return DomainRecord(OUTSIDE, len(known), int(is_outside(known).sum()))


def outside_warnings(found: DomainRecord | None, model: str) -> list[str]:
    """Return a sentence where many spots of a slide look unlike the training patches."""
    if found is None or found.spots < ENOUGH_SPOTS or found.share < MANY_OUTSIDE:
        return []
    return [
        f"{found.outside} of {found.spots} spots ({found.share:.0%}) look unlike the patches that {model} was trained "
        f"on; {found.level:.0%} are expected. Expect less of it there (domain_p up to {found.level:g})."
    ]


def note_domain(prediction: Prediction, warnings: list[str]) -> None:
    """Bring what a record says of spots unlike the training up to date; `warnings` are those of the whole slide."""
    record = prediction.record
    record.domain = count_outside(prediction.domain_p)
    record.warnings = [*warnings, *outside_warnings(record.domain, prediction.card.name)]


def make_room_for_domain(prediction: Prediction, work: WorkFolder | None) -> None:
    """Give a prediction room for its spots' p-values, with what is known of them already."""
    kept = None if work is None else work.domain_p()
    prediction.domain_p = np.full(len(prediction.spots), np.nan, dtype=np.float32) if kept is None else kept


def _stain_warning(name: str, mean: float, sections: list[SectionStain], model: str) -> list[str]:
    means = [section.mean(name) for section in sections]
    spread = FURTHER * max(section.spread(name) for section in sections)
    if min(means) - spread <= mean <= max(means) + spread:
        return []
    how = "weaker" if mean < min(means) else "stronger"
    return [
        f"The slide's {name} is {how} than in the training sections (optical density {mean:.2f}; there "
        f"{min(means):.2f} to {max(means):.2f}): expect less of {model} here."
    ]


def stained_like(slide: Slide, card: ModelCard, method: StainName) -> Slide:
    """Return the slide with the stain of the model's training sections; the slide itself for "none".

    Raises
    ------
    ModelError
        If the card does not say what that stain is.
    SlideError
        If the slide's own stain cannot be estimated.
    """
    if method == "none":
        return slide
    if method not in card.stain_methods() or card.domain.stain is None:
        raise ModelError(
            f"Model {card.name!r} does not say how its training sections were stained ({method}).",
            "Predict without stain normalisation (--stain none), or choose another model.",
        )
    from napari_tcgn.slide import NormalisedSlide, colour_change, fit_stain

    source = fit_stain(overview_of(slide).tissue_pixels, method, slide.name)
    return NormalisedSlide(slide, colour_change(method, source, card.domain.stain.targets[method]))
