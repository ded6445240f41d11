"""The domain of a trained model, from the patches of its training sections."""

from __future__ import annotations

from collections.abc import Sequence

from napari_tcgn.model import ModelCard, SpotDomain, domain_features
from napari_tcgn.training.data.section import MeasuredSection
from napari_tcgn.training.fit.line import features_of
from napari_tcgn.training.fit.wide_features import wide_features
from napari_tcgn.trust import fit_domain


def domain_of_sections(sections: Sequence[MeasuredSection], card: ModelCard, device: str = "cpu") -> SpotDomain | None:
    """Return what the training sections say of which patches a model knows; None where they are too few.

    Parameters
    ----------
    sections : sequence of MeasuredSection
        With patches as the card wants them; those of several scales are read from the slides, as a prediction does.
    card : ModelCard
        Of the model, with the domain that its patches are prepared by.
    device : str
    """
    extract = domain_features(card, device)
    if len(card.scales_um) > 1:
        tables = [wide_features(section, extract.card, device).values for section in sections]
    else:
        tables = features_of(extract, sections)
    return fit_domain({section.name: table for section, table in zip(sections, tables, strict=True)})
