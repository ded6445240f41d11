"""The record of a training run, run.json: what was trained on what, and what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from napari_tcgn.files import anything, declared, entries_of, mapping_of, plain
from napari_tcgn.options import TrainSettings, read_part, read_settings, to_record
from napari_tcgn.training.data.panel import Panel
from napari_tcgn.training.data.patch_cache import PatchCache
from napari_tcgn.training.data.section import MeasuredSection
from napari_tcgn.training.fit.warm_start import WarmStart

RUN_FORMAT = "napari-tcgn training run 1"
FEW_COUNTS = "left out for few counts"  # among the spots, in run.json


@dataclass(frozen=True, slots=True)
class PanelDigest:
    """Number of the genes, and the SHA-256 of their names in output order."""

    genes: int = 0
    sha256: str = ""

    @classmethod
    def of(cls, genes: Sequence[str]) -> PanelDigest:
        """Return the digest of a panel."""
        return cls(len(genes), hashlib.sha256("\n".join(genes).encode()).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIdentity:
    """Everything that must be equal for a run to be continued; the device may change.

    Attributes
    ----------
    settings : TrainSettings
    held_out, training : list of str
        Names of sections.
    panel : PanelDigest
    spots : dict of str to int
        Of every section.
    mpp : dict of str to float
        µm per pixel of every section.
    init : str or None
        SHA-256 of the weights that it started from.
    unknown_settings : dict
        Settings that this version does not know.
    """

    settings: TrainSettings = field(default_factory=TrainSettings)
    held_out: list[str] = field(default_factory=list)
    training: list[str] = field(default_factory=list)
    panel: PanelDigest = field(default_factory=PanelDigest)
    spots: dict[str, int] = field(default_factory=dict)
    mpp: dict[str, float] = field(default_factory=dict)
    init: str | None = None
    unknown_settings: dict[str, Any] = field(default_factory=dict)

    def to_record(self) -> dict[str, Any]:
        """Return what stands in run.json."""
        found = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "unknown_settings"}
        settings = to_record(self.settings) | self.unknown_settings
        del settings["device"]
        return found | {"settings": settings, "panel": asdict(self.panel)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> RunIdentity:
        """Read the `identity` of a run.json; a setting that came later has the default, which was done before it."""
        settings, unknown = read_settings(TrainSettings, record.get("settings", {}))
        known = {one.name: record[one.name] for one in fields(cls) if one.name in record}
        panel = read_part(PanelDigest, record.get("panel"))
        return cls(**known | {"settings": settings, "panel": panel, "unknown_settings": unknown})

    def differences(self, other: RunIdentity) -> list[str]:
        """Name everything in which another identity differs from this one."""
        return _differences(self.to_record(), other.to_record())


@dataclass(frozen=True, slots=True)
class SectionRecord:
    """What was read of a section, with whatever was left out or filled up (see `MeasuredSection`)."""

    spots: int = 0
    spots_without_position: list[str] = field(default_factory=list)
    genes_summed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    spots_without_counts: list[str] = field(default_factory=list)
    empty_spots: int = 0
    patches_over_the_edge: int = 0
    genes_missing: list[str] = field(default_factory=list)
    patch_px: int = 0
    mpp: float | None = None
    mpp_source: str = ""

    @classmethod
    def of(cls, section: MeasuredSection, genes: Sequence[str]) -> SectionRecord:
        """Return the record of a section that was loaded for these genes."""
        return cls(
            spots=len(section),
            spots_without_position=list(section.only_counts),
            genes_summed=list(section.summed),
            notes=list(section.notes),
            spots_without_counts=list(section.only_spots),
            empty_spots=int((section.counts.sum(axis=1) == 0).sum()),
            patches_over_the_edge=section.padded,
            genes_missing=[str(gene) for gene in np.asarray(genes, dtype=str)[~section.measured]],
            patch_px=section.patches.shape[1],
            mpp=section.mpp,
            mpp_source=section.mpp_source,
        )


@dataclass(frozen=True, slots=True)
class SpotCounts:
    """How many spots train, choose the epoch and test, and how many have too few counts to train."""

    train: int = 0
    validation: int = 0
    test: int = 0
    few_counts: int = 0

    def to_record(self) -> dict[str, int]:
        """Return what stands in run.json."""
        parts = {name: value for name, value in asdict(self).items() if name != "few_counts"}
        return {**parts, FEW_COUNTS: self.few_counts}

    @classmethod
    def from_record(cls, record: Mapping[str, int]) -> SpotCounts:
        """Read the `spots` of a run.json."""
        return read_part(cls, {**record, "few_counts": record.get(FEW_COUNTS, 0)})


@dataclass(frozen=True, slots=True)
class CacheRecord:
    """How many sections the patch cache had and got, and what went wrong with it."""

    read: int = 0
    written: int = 0
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, cache: PatchCache) -> CacheRecord:
        """Return what a patch cache has done so far."""
        return cls(cache.read, cache.written, list(cache.notes))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a finished run; None where there is no figure."""

    held_out: list[str] = field(default_factory=list)
    best_epoch: int = 0
    n_spots: int = 0
    test_loss: float | None = None
    test_median_pcc: float | None = None
    protocol: str = ""


@dataclass(slots=True, kw_only=True)
class TrainingRecord:
    """Everything needed to tell what a run is, to go on with it and to make it again.

    Attributes
    ----------
    identity : RunIdentity
    status : {"running", "finished"}
    selection : str
        How the epoch is chosen, in words.
    panel : Panel
    data : dict of str to SectionRecord
        By name of the section.
    spots : SpotCounts
    patch_cache : CacheRecord or None
    processes : int
    device : str
    versions : dict of str to str
    started : str
        ISO 8601.
    init : WarmStart or None
    resumed : list of str
        When the run was taken up again.
    finished : str or None
    result : Outcome or None
    other : dict
        Whatever else another version has recorded.
    """

    identity: RunIdentity = field(default_factory=RunIdentity)
    status: str = "running"
    selection: str = ""
    panel: Panel = field(default_factory=lambda: Panel([], ""))
    data: dict[str, SectionRecord] = field(default_factory=dict)
    spots: SpotCounts = field(default_factory=SpotCounts)
    patch_cache: CacheRecord | None = None
    processes: int = 1
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    started: str = ""
    init: WarmStart | None = None
    resumed: list[str] = field(default_factory=list)
    finished: str | None = None
    result: Outcome | None = None
    other: dict[str, Any] = field(default_factory=dict)

    def continuing(self, before: TrainingRecord) -> TrainingRecord:
        """Return this record of a run taken up again, as the continuation of the one it had before."""
        return replace(
            self,
            started=before.started,
            resumed=[*before.resumed, self.started],
            finished=before.finished,
            result=before.result,
            other=before.other,
        )

    def to_record(self) -> dict[str, Any]:
        """Return the content of run.json; what a run does not have yet is left out."""
        later = {
            "resumed": self.resumed or None,
            "finished": self.finished,
            "result": None if self.result is None else asdict(self.result),
        }
        return {
            "format": RUN_FORMAT,
            "identity": self.identity.to_record(),
            "status": self.status,
            "selection": self.selection,
            "panel": asdict(self.panel),
            "data": {name: asdict(section) for name, section in self.data.items()},
            "spots": self.spots.to_record(),
            "patch_cache": None if self.patch_cache is None else asdict(self.patch_cache),
            "processes": self.processes,
            "device": self.device,
            "versions": self.versions,
            "started": self.started,
            "init": None if self.init is None else asdict(self.init),
            **{name: value for name, value in later.items() if value is not None},
            **self.other,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> TrainingRecord:
        """Read the content of a run.json of this or an earlier version; what it lacks has its default.

        Raises
        ------
        SettingsError
            If a setting has a value that it may not have.
        """
        names = {one.name for one in fields(cls)} - {"other"}
        found = {name: value for name, value in record.items() if name in names}
        cache, init, result = (found.get(name) for name in ("patch_cache", "init", "result"))
        found |= {
            "identity": RunIdentity.from_record(found.get("identity", {})),
            "panel": Panel(**found.get("panel", {"genes": [], "source": ""})),
            "data": {name: read_part(SectionRecord, one) for name, one in found.get("data", {}).items()},
            "spots": SpotCounts.from_record(found.get("spots", {})),
            "patch_cache": None if cache is None else read_part(CacheRecord, cache),
            "init": None if init is None else read_part(WarmStart, init),
            "result": None if result is None else read_part(Outcome, result),
        }
        return cls(**found, other={name: value for name, value in record.items() if name not in {*names, "format"}})


# What may stand in run.json; of the settings, `TrainSettings` says.
_SETTINGS = mapping_of(plain)
_IDENTITY = entries_of(declared(RunIdentity, settings=_SETTINGS, unknown_settings=anything))
_SPOTS = entries_of({**declared(SpotCounts), FEW_COUNTS: declared(SpotCounts)["few_counts"]})
RUN = declared(TrainingRecord, identity=_IDENTITY, spots=_SPOTS, other=plain)


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """Name every entry in which two nested dicts differ."""
    found: list[str] = []
    for key in sorted({*old, *new}):
        before, now = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            found += _differences(before, now, f"{prefix}{key}.")
        elif before != now:
            found.append(f"{prefix}{key} was {before!r}, now {now!r}")
    return found
