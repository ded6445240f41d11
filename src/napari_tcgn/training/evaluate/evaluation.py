"""What a cross-validation found, and its files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from napari_tcgn.files import without_formulas, write_text_whole, write_whole
from napari_tcgn.options import TrainSettings, to_record
from napari_tcgn.training.data.panel import Panel
from napari_tcgn.training.evaluate.scored import Scored

EVALUATION_FORMAT = "napari-tcgn evaluation 1"


@dataclass(frozen=True, slots=True)
class SectionSize:
    """How many spots a section has, its µm per pixel, and for how many of them a scale's square leaves the image."""

    spots: int
    mpp: float
    padded: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoldRecord:
    """What a fold held out: by section or patient, its name, and whether its patient is also in training."""

    by: str
    held_out: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRecord:
    """How a cross-validation was done.

    Attributes
    ----------
    settings : TrainSettings
    sections : dict of str to SectionSize
        By name.
    folds : list of FoldRecord
    genes : int
        That any fold needs.
    panels : dict of str to Panel, or None
        Of every fold, where each chose its own.
    scales_um : dict of str to list of float
        Of the lines that read other squares than the sections' patches, by method.
    encoder : dict of str or None
        What the baseline's encoder is (see `Encoder.origin`).
    finished : str
        ISO 8601.
    versions : dict of str to str
    """

    settings: TrainSettings
    sections: dict[str, SectionSize]
    folds: list[FoldRecord]
    genes: int
    panels: dict[str, Panel] | None
    scales_um: dict[str, list[float]]
    encoder: dict[str, str] | None
    finished: str
    versions: dict[str, str]

    def to_record(self) -> dict[str, Any]:
        """Return what stands in evaluation.json beside the tables."""
        return {
            "format": EVALUATION_FORMAT,
            "settings": to_record(self.settings),
            "patch_um": self.settings.patch_um,
            "sections": {name: asdict(size) for name, size in self.sections.items()},
            "folds": [asdict(fold) for fold in self.folds],
            "genes": self.genes,
            "panels": None
            if self.panels is None
            else {name: self._panel(panel) for name, panel in self.panels.items()},
            "scales_um": self.scales_um,
            "encoder": self.encoder,
            "finished": self.finished,
            "versions": self.versions,
        }

    def _panel(self, panel: Panel) -> dict[str, Any]:
        """Return a fold's panel; of thousands of genes their number, for the list follows from the sections."""
        return asdict(panel) | ({"genes": len(panel.genes)} if self.settings.measurable else {})


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a cross-validation found.

    Attributes
    ----------
    out : pathlib.Path
    lead : str
        The method that the others are compared with.
    scored : list of Scored
        Every method on every held-out section.
    summary, differences, genes : pandas.DataFrame
        As written to summary.csv, differences.csv and genes.csv.
    models : dict of str to pathlib.Path
        Folders of the models trained on every section, if asked for.
    record : EvaluationRecord
    """

    out: Path
    lead: str
    scored: list[Scored]
    summary: pd.DataFrame
    differences: pd.DataFrame
    genes: pd.DataFrame
    models: dict[str, Path]
    record: EvaluationRecord

    def write(self) -> None:
        """Write the tables, and the record with the short ones in it."""
        frames = {"summary": self.summary, "differences": self.differences, "genes": self.genes}
        for name, frame in frames.items():
            with write_whole(self.out / f"{name}.csv", overwrite=True) as temporary:
                without_formulas(frame).to_csv(temporary, index=False, float_format="%.5f", lineterminator="\n")
        tables = {name: json.loads(frames[name].to_json(orient="records")) for name in ("summary", "differences")}
        text = json.dumps({**self.record.to_record(), **tables}, indent=1, ensure_ascii=False)
        write_text_whole(self.out / "evaluation.json", text, overwrite=True)
