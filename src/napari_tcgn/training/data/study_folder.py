"""A folder of training data: its study, its sections, and the folds that they can be divided into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_tcgn.training.data.folds import fold_name, resolve_fold
from napari_tcgn.training.data.her2st import find_sections, study_of
from napari_tcgn.training.data.section import SectionFiles, Study


@dataclass(frozen=True, slots=True)
class Fold:
    """What is held out and what trains.

    Attributes
    ----------
    name : str
        As it was asked for (see `resolve_fold`).
    label : str
        What is held out, in short: a section, a patient, or "none".
    held_out, training : list of SectionFiles
        `held_out` is empty for fold "none".
    """

    name: str
    label: str
    held_out: list[SectionFiles]
    training: list[SectionFiles]

    @property
    def held_out_names(self) -> list[str]:
        """Names of the sections held out."""
        return [section.name for section in self.held_out]

    @property
    def training_names(self) -> list[str]:
        """Names of the sections that train."""
        return [section.name for section in self.training]


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """The sections of a folder and the study that they belong to.

    Attributes
    ----------
    study : Study
    sections : mapping of str to SectionFiles
        By name.
    """

    study: Study
    sections: Mapping[str, SectionFiles]

    @classmethod
    def open(cls, folder: Path) -> StudyFolder:
        """List what a folder holds (see `find_sections`)."""
        found = find_sections(Path(folder))
        return cls(study_of(folder, found), {section.name: section for section in found})

    def fold(self, name: str | int) -> Fold:
        """Return what a fold holds out and trains on (see `resolve_fold`)."""
        held_out, training = resolve_fold(name, self.sections, self.study.patients)
        return Fold(
            str(name),
            fold_name(held_out, self.study.patients),
            [self.sections[one] for one in held_out],
            [self.sections[one] for one in training],
        )
