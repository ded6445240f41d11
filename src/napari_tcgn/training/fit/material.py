"""What a training run learns from and is scored on, made ready: sections, genes, the data set, the line below it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from napari_tcgn.engine import Progress
from napari_tcgn.model import ModelCard
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.data.dataset import Dataset, build_dataset
from napari_tcgn.training.data.her2st import load_section
from napari_tcgn.training.data.panel import Panel
from napari_tcgn.training.data.patch_cache import PatchCache
from napari_tcgn.training.data.section import MeasuredSection, SectionFiles, Study
from napari_tcgn.training.data.study_folder import Fold
from napari_tcgn.training.fit.card import draft_card
from napari_tcgn.training.fit.residual import ResidualBase, fit_residual_base
from napari_tcgn.training.fit.run_record import SpotCounts


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """All data of a run.

    Attributes
    ----------
    study : Study
    panel : Panel
    card : ModelCard
        The draft of the model's card.
    training, test : list of MeasuredSection
        Sections that train, and those held out.
    dataset : Dataset
        Both, the ones held out last; what the network adds to is its base.
    line : ResidualBase or None
        That base, where the network learns the residual of a line.
    """

    study: Study
    panel: Panel
    card: ModelCard
    training: list[MeasuredSection]
    test: list[MeasuredSection]
    dataset: Dataset
    line: ResidualBase | None

    @property
    def sections(self) -> list[MeasuredSection]:
        """All of them, the ones held out last."""
        return [*self.training, *self.test]

    @property
    def spot_counts(self) -> SpotCounts:
        """How many spots do what."""
        data = self.dataset
        train, validation, test = len(data.train), len(data.validation), len(data.test)
        return SpotCounts(train, validation, test, sum(map(len, self.sections)) - train - validation - test)


def prepare(
    fold: Fold,
    study: Study,
    panel: Panel,
    settings: TrainSettings,
    device: str,
    mpp: float | None,
    cache: PatchCache | None,
) -> Generator[Progress, None, Material]:
    """Load the sections of a fold and make the data set of them.

    Raises
    ------
    DataError, PixelSizeUnknownError, SlideError, SpotsError
        See `load_section` and `build_dataset`.
    """
    card = draft_card(settings, fold.held_out_names, panel.genes, study)
    sections = yield from read_sections([*fold.training, *fold.held_out], card, mpp, cache)
    dataset = build_dataset(sections, settings, device, held_out=len(fold.held_out))
    line = None
    if settings.residual != "none":
        line = fit_residual_base(sections, dataset, card, settings.residual)
        dataset = line.added_to(dataset)
    count = len(fold.training)
    return Material(study, panel, card, sections[:count], sections[count:], dataset, line)


def read_sections(
    found: Sequence[SectionFiles], card: ModelCard, mpp: float | None, cache: PatchCache | None
) -> Generator[Progress, None, list[MeasuredSection]]:
    """Load sections for the genes and patches of a card; what the patch cache has to say is told as a stage."""
    sections: list[MeasuredSection] = []
    told = 0
    for section in found:
        yield Progress("read sections", len(sections), len(found))
        sections.append(load_section(section, card.genes, card, mpp, cache))
        for note in [] if cache is None else cache.notes[told:]:
            yield Progress(f"patch cache: {note}", 0, 1)
            told += 1
    return sections
