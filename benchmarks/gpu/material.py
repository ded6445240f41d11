"""Sections, panels and lines that every fit of the search shares: read once, kept in a folder."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from napari_tcgn.engine import to_the_end
from napari_tcgn.model import Line, feature_card
from napari_tcgn.options import TrainSettings
from napari_tcgn.training import MeasuredSection, PatchCache, load_section
from napari_tcgn.training.data.cut import cut_section
from napari_tcgn.training.data.dataset import Dataset
from napari_tcgn.training.data.panel import fold_panel, gene_table, given_panel
from napari_tcgn.training.data.spot_patches import SpotPatches
from napari_tcgn.training.data.study_folder import StudyFolder
from napari_tcgn.training.data.target import centred
from napari_tcgn.training.fit.card import draft_card
from napari_tcgn.training.fit.line import fit_line
from napari_tcgn.training.fit.wide_features import wide_features

SCALES_UM = (112.0, 250.0, 700.0)  # of the line that the network is measured against
BETWEEN = ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5))  # shares of the pitch: at the spots, and between them


class Material:
    """The data of a study.

    Parameters
    ----------
    data : pathlib.Path
    kept : pathlib.Path
        Folder for patches and features.
    """

    def __init__(self, data: Path, kept: Path) -> None:
        self.folder, self.kept = StudyFolder.open(data), kept
        self.names = list(self.folder.sections)
        self.sections = cache(self._sections)
        self.panel = cache(self._panel)
        self.line = cache(self._line)

    def _panel(self, training: tuple[str, ...], measurable: float) -> tuple[str, ...]:
        """Return the genes of a fit: the panel of 785, or those measurable in its training sections."""
        if not measurable:
            return tuple(given_panel(None).genes)
        settings = TrainSettings(measurable=measurable)
        tables = {name: pd.read_parquet(self.kept / f"genes-{name}.parquet") for name in training}
        files = [self.folder.sections[name] for name in training]
        return tuple(to_the_end(fold_panel, "panel")(files, settings, None, tables).genes)

    def _sections(self, genes: tuple[str, ...], patch_um: float, measurable: float) -> dict[str, MeasuredSection]:
        settings = TrainSettings(patch_um=patch_um, measurable=measurable)
        card = draft_card(settings, [], genes, self.folder.study)
        patches = PatchCache(self.kept / "patches")
        return {
            name: load_section(files, card.genes, card, None, patches) for name, files in self.folder.sections.items()
        }

    def features(self, name: str, shift: int = 0) -> NDArray[np.float64]:
        """Return the line's features of a section's spots, or of places between them, float64 [n, features]."""
        found: NDArray[np.float64] = np.load(self.kept / f"features-{name}-{shift}.npy")
        return found

    def _line(self, training: tuple[str, ...], genes: tuple[str, ...], measurable: float) -> Line:
        """Return the line through three squares, fitted on training sections."""
        sections = self.sections(genes, 154.0, measurable)
        return fit_line([self.features(name) for name in training], [sections[name] for name in training])

    def prepare(self, name: str, patch_um: float | None, shift: int | None) -> None:
        """Read what one section needs: its patches of a side, or (without one) its features and the genes it has."""
        files, genes = self.folder.sections[name], tuple(given_panel(None).genes)
        card = draft_card(TrainSettings(patch_um=patch_um or 154.0), [], genes, self.folder.study)
        if patch_um is not None and shift is None:
            load_section(files, genes, card, None, PatchCache(self.kept / "patches"))
            return
        if shift is None:
            gene_table(files, TrainSettings(measurable=0.05)).to_parquet(self.kept / f"genes-{name}.parquet")
            return
        section = load_section(files, genes, card)
        section = self.moved(section, shift)
        if patch_um is not None:
            cut = cut_section(files, section.spots, card, section.mpp, None)
            np.save(self.kept / f"patches-{name}-{patch_um:g}-{shift}.npy", cut.patches)
            return
        context = feature_card(card, "colour-texture", SCALES_UM)
        np.save(self.kept / f"features-{name}-{shift}.npy", wide_features(section, context).values)

    @staticmethod
    def moved(section: MeasuredSection, shift: int) -> MeasuredSection:
        """Return a section whose spots lie at other places; its counts are those of the old ones."""
        spots = section.spots
        across, down = (share * spots.pitch_um / section.mpp for share in BETWEEN[shift])
        return replace(section, spots=replace(spots, x=spots.x + across, y=spots.y + down))

    def taught_by_line(self, training: tuple[str, ...], settings: TrainSettings, device: str) -> Dataset:
        """Return a data set whose spots, and places between them, are taught what the line predicts there."""
        genes = self.panel(training, settings.measurable)
        sections = self.sections(genes, settings.patch_um, settings.measurable)
        line = self.line(training, genes, settings.measurable)
        patches, taught, section_of = [], [], []
        for number, name in enumerate(training):
            for shift in range(len(BETWEEN)):
                at = self.kept / f"patches-{name}-{settings.patch_um:g}-{shift}.npy"
                patches.append(np.load(at, mmap_mode="r"))
                taught.append(line(torch.from_numpy(self.features(name, shift)).float()).numpy())
                section_of.append(np.full(len(taught[-1]), number))
        numbers = np.concatenate(section_of)
        measured = np.stack([sections[name].measured for name in training])
        values = torch.from_numpy(centred(np.concatenate(taught), numbers, measured)).to(device)
        nothing = torch.empty(0, dtype=torch.int64, device=device)
        return Dataset(
            names=training,
            patches=SpotPatches(patches, device),
            counts=torch.empty((0, 0), device=device),
            target=values,
            taught=values,
            base=torch.zeros_like(values),
            measured=torch.from_numpy(measured).to(device),
            section_of=torch.from_numpy(numbers).to(device),
            train=torch.arange(len(numbers), device=device),
            validation=nothing,
            test=nothing,
        )
