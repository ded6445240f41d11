"""What a model card says of the slides that the model was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SectionStain:
    """Mean and standard deviation of both stains over the tissue of a training section, in optical density."""

    haematoxylin_mean: float
    haematoxylin_sd: float
    eosin_mean: float
    eosin_sd: float

    def mean(self, stain: str) -> float:
        """Return the mean of "haematoxylin" or "eosin"."""
        return self.haematoxylin_mean if stain == "haematoxylin" else self.eosin_mean

    def spread(self, stain: str) -> float:
        """Return the standard deviation of "haematoxylin" or "eosin"."""
        return self.haematoxylin_sd if stain == "haematoxylin" else self.eosin_sd


@dataclass(frozen=True, slots=True)
class TrainingStain:
    """The stain of the training sections.

    Attributes
    ----------
    um_per_px : float or None
        At which it was measured.
    sections : dict of str to SectionStain
    targets : dict of str to dict
        What stain normalisation aims at, by method ("reinhard", "macenko"), as `slide.fit_stain` returns it.
    """

    um_per_px: float | None = None
    sections: dict[str, SectionStain] = field(default_factory=dict)
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> TrainingStain:
        """Read `domain["stain"]` of a card.json, where the targets stand beside the sections."""
        sections = {name: SectionStain(**values) for name, values in record.get("sections", {}).items()}
        targets = {name: value for name, value in record.items() if name not in ("um_per_px", "sections")}
        return cls(record.get("um_per_px"), sections, targets)

    def to_record(self) -> dict[str, Any]:
        """Return what stands in card.json."""
        own: dict[str, Any] = {} if self.um_per_px is None else {"um_per_px": self.um_per_px}
        if self.sections:
            own["sections"] = {name: asdict(values) for name, values in self.sections.items()}
        return {**own, **self.targets}


@dataclass(frozen=True, slots=True)
class PatchDomain:
    """The file that says what the training patches looked like (`SpotDomain`).

    Attributes
    ----------
    file, sha256 : str
        Its name beside the card, and its hash.
    sections : list of str
        That it was made from.
    patches : int
        That it holds.
    """

    file: str
    sha256: str
    sections: list[str]
    patches: int


@dataclass(frozen=True, slots=True)
class TrainingDomain:
    """What the training slides were like.

    Attributes
    ----------
    mpp : (float, float) or None
        Smallest and largest µm per pixel; None: unknown.
    stain : TrainingStain or None
    patches : PatchDomain or None
        None: unknown.
    more : dict
        Other entries of the card, kept as they are.
    """

    mpp: tuple[float, float] | None = None
    stain: TrainingStain | None = None
    patches: PatchDomain | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> TrainingDomain:
        """Read the `domain` of a card.json."""
        mpp, stain, patches = record.get("mpp"), record.get("stain"), record.get("patches")
        return cls(
            mpp=(float(mpp[0]), float(mpp[-1])) if mpp else None,
            stain=TrainingStain.from_record(stain) if stain else None,
            patches=PatchDomain(**patches) if patches else None,
            more={name: value for name, value in record.items() if name not in ("mpp", "stain", "patches")},
        )

    def to_record(self) -> dict[str, Any]:
        """Return what stands in card.json."""
        own: dict[str, Any] = {} if self.mpp is None else {"mpp": list(self.mpp)}
        if self.stain is not None:
            own["stain"] = self.stain.to_record()
        if self.patches is not None:
            own["patches"] = asdict(self.patches)
        return {**own, **self.more}
