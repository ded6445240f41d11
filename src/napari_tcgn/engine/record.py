"""The run record: everything needed to tell what a result is and to make it again."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from napari_tcgn.engine.device import precision_reason
from napari_tcgn.errors import DataError
from napari_tcgn.files import declared, entries_of, mapping_of, or_null, parse_json, plain, reading
from napari_tcgn.model import ModelCard
from napari_tcgn.options import PredictSettings, read_part, read_settings, to_record
from napari_tcgn.slide import Slide, SlideRecord, require_mpp, stored_orientation
from napari_tcgn.spots import Spots, SpotsRecord

PACKAGES = ("napari-tcgn", "numpy", "torch", "anndata", "tifffile", "pillow")
DAMAGED = 'Copy the file again, or remove uns["napari_tcgn"] from it: it is then read as one from elsewhere.'


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """Which model was run: name, version and SHA-256 of the weights."""

    name: str = ""
    version: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class PatchRecord:
    """How large patches are and how they were read.

    Attributes
    ----------
    um : float
        Side in µm.
    side_px : int
        Side in full-resolution px.
    level : int
        Of the slide, that they were read from.
    level_side_px : int
        Side as the model got it.
    shrink : int
        Px of the level along one px of the patch.
    """

    um: float = 0.0
    side_px: int = 0
    level: int = 0
    level_side_px: int = 0
    shrink: int = 1


@dataclass(frozen=True, slots=True)
class DomainRecord:
    """How many spots look unlike the training patches.

    Attributes
    ----------
    level : float
        p-values up to it are taken for unlike; as large a share of the spots is expected to be.
    spots : int
        That were looked at.
    outside : int
        Of them, the unlike ones.
    """

    level: float = 0.05
    spots: int = 0
    outside: int = 0

    @property
    def share(self) -> float:
        """Of the spots outside; NaN without any spot."""
        return self.outside / self.spots if self.spots else math.nan


@dataclass(slots=True, kw_only=True)
class RunRecord:
    """The record of a run; the engine keeps its counts up to date while it runs.

    Attributes
    ----------
    settings : PredictSettings
        With what was computed, not what was asked, where the two differ.
    model : ModelRecord
    device : str
    batch_size : int or None
        That fitted into memory.
    slide : SlideRecord
    mpp : float
        µm per full-resolution px; NaN where an incomplete record does not tell it.
    mpp_source : str
        Where it comes from, in words.
    spots : SpotsRecord
    versions : dict of str
        Of Python and of the packages that shape a prediction.
    started : str
        ISO 8601.
    seconds, spots_per_second : float, float or None
    spots_done, partial : int, bool
    precision_reason : str
        What "auto" takes for the precision on this device, and why.
    patch : PatchRecord
    stain : dict of float or None
        See `slide.StainStatistics.to_record`.
    warnings : list of str
    domain : DomainRecord or None
        None: unknown, the model has no training patches to compare with.
    spots_resumed : int
        Spots that an interrupted run had done.
    unknown_settings : dict
        Settings that this version does not know.
    other : dict
        Whatever else another version has recorded.
    """

    settings: PredictSettings = field(default_factory=PredictSettings)
    model: ModelRecord = field(default_factory=ModelRecord)
    device: str = ""
    batch_size: int | None = None
    slide: SlideRecord = field(default_factory=SlideRecord)
    mpp: float = math.nan
    mpp_source: str = ""
    spots: SpotsRecord = field(default_factory=SpotsRecord)
    versions: dict[str, str] = field(default_factory=dict)
    started: str = ""
    seconds: float = 0.0
    spots_per_second: float | None = None
    spots_done: int = 0
    partial: bool = True
    precision_reason: str = ""
    patch: PatchRecord = field(default_factory=PatchRecord)
    stain: dict[str, float] | None = None
    warnings: list[str] = field(default_factory=list)
    domain: DomainRecord | None = None
    spots_resumed: int = 0
    unknown_settings: dict[str, Any] = field(default_factory=dict)
    other: dict[str, Any] = field(default_factory=dict)

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON-able values; of the slide, an unknown SHA-256 and an upright orientation are left out."""
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        del plain["other"], plain["unknown_settings"]
        parts = {name: asdict(plain[name]) for name in ("model", "slide", "patch")}
        for name in ("sha256", "orientation"):
            if parts["slide"][name] is None:
                del parts["slide"][name]
        domain = {"domain": None if self.domain is None else asdict(self.domain)}
        settings = to_record(self.settings) | self.unknown_settings
        return plain | parts | domain | {"settings": settings, "spots": self.spots.to_record()} | self.other

    def to_json(self) -> str:
        """Return it as the text that is kept in `uns["napari_tcgn"]["run_record"]`."""
        return json.dumps(self.to_record(), ensure_ascii=False)

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> RunRecord:
        """Return what `to_record` has told, in this or another version; what it lacks has its default.

        Raises
        ------
        SettingsError
            If a setting has a value that it may not have.
        """
        names = {one.name for one in fields(cls)} - {"other", "unknown_settings"}
        known = {name: value for name, value in record.items() if name in names}
        settings, unknown = read_settings(PredictSettings, known.get("settings", {}))
        known |= {
            "settings": settings,
            "model": read_part(ModelRecord, known.get("model")),
            "slide": SlideRecord.read(known.get("slide") or {}),
            "patch": read_part(PatchRecord, known.get("patch")),
            "spots": SpotsRecord.read(known.get("spots", {})),
            "domain": read_part(DomainRecord, known["domain"]) if known.get("domain") else None,
        }
        other = {name: value for name, value in record.items() if name not in names}
        return cls(**known, unknown_settings=unknown, other=other)

    @classmethod
    def from_json(cls, text: str) -> RunRecord:
        """Return what `to_json` has written.

        Raises
        ------
        DataError
            If the text is no JSON object, or a part of it is no such part: the file that holds it is damaged.
        SettingsError
            If a setting has a value that it may not have.
        """
        what = "The run record of the result"
        found = parse_json(text, what, DataError, DAMAGED, entries_of(RECORD))
        with reading(what, DataError, DAMAGED):
            return cls.read(found)


# What may stand in a run record; of settings and the source of spots, their own rooms say.
RECORD = declared(
    RunRecord,
    settings=mapping_of(plain),
    spots=entries_of(declared(SpotsRecord, source=or_null(mapping_of(plain)))),
    slide=or_null(entries_of(declared(SlideRecord))),
    patch=or_null(entries_of(declared(PatchRecord))),
    model=or_null(entries_of(declared(ModelRecord))),
)


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that shape a prediction."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def start_record(
    slide: Slide, spots: Spots, card: ModelCard, settings: PredictSettings, device: str, batch_size: int
) -> RunRecord:
    """Return the record of a run that is about to start.

    The slide is named by its file name and size, not by its folder, so that a result can be handed on without telling
    where it was made.
    """
    width, height = slide.level_dimensions[0]
    is_file = slide.path is not None and slide.path.is_file()
    return RunRecord(
        settings=settings,
        model=ModelRecord(card.name, card.version, card.sha256),
        device=device,
        precision_reason=precision_reason(device),
        batch_size=batch_size,
        slide=SlideRecord(
            slide.name,
            slide.path.name if slide.path is not None else None,
            slide.path.stat().st_size if slide.path is not None and is_file else None,
            width,
            height,
            orientation=stored_orientation(slide),
        ),
        mpp=require_mpp(slide),
        mpp_source=slide.mpp_source,
        spots=SpotsRecord(len(spots), spots.layout, spots.diameter_um, spots.pitch_um, spots.source),
        versions=package_versions(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
