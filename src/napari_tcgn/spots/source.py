"""Where spots come from, as the run record and saved spots tell it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from napari_tcgn.options import GridSettings, read_settings, to_record

_TOLD = "told"


def _told() -> Any:
    """Declare a fact that is only told: it does not decide which spots they are."""
    return field(default=None, metadata={_TOLD: True})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRecord:
    """A region that spots were kept to.

    Attributes
    ----------
    file, layer : str or None
        Name of the GeoJSON or of the layer that it comes from.
    not_polygons : int or None
        Points and lines of the file that were left out.
    polygons : int or None
    outline_px : dict or None
        A GeoJSON geometry.
    left_out : int or None
        Spots that lay outside.
    other : dict
        What another version has told.
    """

    file: str | None = None
    layer: str | None = None
    not_polygons: int | None = None
    polygons: int | None = None
    outline_px: dict[str, Any] | None = None
    left_out: int | None = None
    other: dict[str, Any] = field(default_factory=dict)

    def to_record(self) -> dict[str, Any]:
        """Return what is known as JSON-able values."""
        return _known(self) | self.other

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> RegionRecord:
        """Return what `to_record` has told."""
        known, other = _split(cls, record)
        return cls(**known, other=other)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotsSource:
    """Where spots come from; this class stands for a kind that nobody reads, such as spots made by a program.

    A field is either only told, or decides which spots they are; of the latter a command that makes the same spots
    must know every one that is set (see `deciding`).

    Attributes
    ----------
    kind : str
    file : str or None
        Name of the file or folder, without where it lies.
    region : RegionRecord or None
        Only the spots in it.
    without_counts : int or None
        Spots that were left out for want of counts.
    deleted : int or None
        Spots that were deleted by hand.
    image_size : (float, float) or None
        Width and height in px of the image that the positions refer to.
    image_size_tolerance : float or None
        How far the size is known, in px.
    implied_mpp : float or None
        µm per px that the array implies, or that the file states.
    scalefactors : dict of str to float or None
        Of Space Ranger, by their names: diameter of a spot in px, scales of the small images.
    trusted : bool or None
        True: the spots are taken as they are, though they contradict the slide (`SpotsSettings.trust_spots`).
    doubts : tuple of str or None
        What contradicts the slide and was not refused, in sentences.
    recorded : SpotsSource or None
        Of a file that spots were kept in: where they came from before.
    other : dict
        What another version has told; it may decide which spots they are.
    """

    READS: ClassVar[str] = ""  # the `kind` that a class stands for

    kind: str = ""
    file: str | None = None
    region: RegionRecord | None = None
    without_counts: int | None = None
    deleted: int | None = None
    image_size: tuple[float, float] | None = _told()
    image_size_tolerance: float | None = _told()
    implied_mpp: float | None = _told()
    scalefactors: dict[str, float] | None = _told()
    trusted: bool | None = None
    doubts: tuple[str, ...] | None = _told()
    recorded: SpotsSource | None = _told()
    other: dict[str, Any] = field(default_factory=dict)

    @property
    def is_grid(self) -> bool:
        """Whether the spots were laid as a grid, also where they were saved and read again since."""
        return self.recorded.is_grid if self.recorded is not None else isinstance(self, GridSource)

    def deciding(self) -> set[str]:
        """Return the names of what decides which spots they are, as far as it is set."""
        names = {one.name for one in fields(self) if _TOLD not in one.metadata} - {"kind", "other"}
        return {name for name in names if getattr(self, name) is not None} | set(self.other)

    def to_record(self) -> dict[str, Any]:
        """Return what is known as JSON-able values."""
        record = _known(self)
        if not self.kind:
            del record["kind"]
        for name in ("region", "recorded"):
            if name in record:
                record[name] = record[name].to_record()
        if self.image_size is not None:
            record["image_size"] = list(self.image_size)
        if self.doubts is not None:
            record["doubts"] = list(self.doubts)
        return record | self.other


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSource(SpotsSource):
    """A grid.

    Attributes
    ----------
    settings : GridSettings or None
        None where an incomplete record does not tell them.
    tissue_threshold : float or None
        Optical density above which a pixel was tissue.
    """

    READS: ClassVar[str] = "grid"

    kind: str = READS
    settings: GridSettings | None = None
    tissue_threshold: float | None = _told()

    def to_record(self) -> dict[str, Any]:
        """Return what is known as JSON-able values."""
        # super() does not know the class that `slots` has made anew.
        record = SpotsSource.to_record(self)
        return record | ({} if self.settings is None else {"settings": to_record(self.settings)})


@dataclass(frozen=True, slots=True, kw_only=True)
class StSource(SpotsSource):
    """An ST selection table: its rows, and how many of them it does not select."""

    READS: ClassVar[str] = "ST selection table"

    kind: str = READS
    rows: int | None = _told()
    not_selected: int | None = _told()


@dataclass(frozen=True, slots=True, kw_only=True)
class VisiumSource(SpotsSource):
    """A Visium folder: its table of positions, and how many spots of it do not lie on tissue."""

    READS: ClassVar[str] = "Visium folder"

    kind: str = READS
    positions: str | None = _told()
    not_in_tissue: int | None = _told()


@dataclass(frozen=True, slots=True, kw_only=True)
class H5adSource(SpotsSource):
    """An .h5ad: its section that was chosen, and how many spots of it do not lie on tissue.

    `recorded` where a run has written it.
    """

    READS: ClassVar[str] = "h5ad"

    kind: str = READS
    library: str | None = None
    not_in_tissue: int | None = _told()


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSource(SpotsSource):
    """Spots that were saved here; `recorded` is where they came from then."""

    READS: ClassVar[str] = "saved spots"

    kind: str = READS


_KINDS = {one.READS: one for one in (GridSource, StSource, VisiumSource, H5adSource, SavedSource)}


def read_source(record: Mapping[str, Any]) -> SpotsSource:
    """Return the source that `to_record` has told, in this or another version.

    Raises
    ------
    SettingsError
        If the settings of a grid are not ones that it may have.
    """
    kind: type[SpotsSource] = _KINDS.get(str(record.get("kind")), SpotsSource)
    known, other = _split(kind, record)
    if known.get("region") is not None:
        known["region"] = RegionRecord.read(known["region"])
    if known.get("recorded") is not None:
        known["recorded"] = read_source(known["recorded"])
    if known.get("image_size") is not None:
        known["image_size"] = tuple(float(side) for side in known["image_size"])
    if known.get("doubts") is not None:
        known["doubts"] = tuple(str(doubt) for doubt in known["doubts"])
    if known.get("settings") is not None:
        known["settings"], unknown = read_settings(GridSettings, known["settings"])
        other |= {f"settings.{name}": value for name, value in unknown.items()}
    return kind(**known, other=other)


@dataclass(frozen=True, slots=True)
class SpotsRecord:
    """The spots of a run in short.

    Attributes
    ----------
    count : int or None
        Spots that the run was meant to predict.
    layout : str
    diameter_um, pitch_um : float
        NaN where an incomplete record does not tell them.
    source : SpotsSource
    """

    count: int | None = None
    layout: str = "custom"
    diameter_um: float = math.nan
    pitch_um: float = math.nan
    source: SpotsSource = field(default_factory=SpotsSource)

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {one.name: getattr(self, one.name) for one in fields(self)} | {"source": self.source.to_record()}

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> SpotsRecord:
        """Return what `to_record` has told, as far as it goes."""
        known, _ = _split(cls, record)
        return cls(**known | {"source": read_source(known.get("source") or {})})


def _known(told: Any) -> dict[str, Any]:
    values = {one.name: getattr(told, one.name) for one in fields(told) if one.name != "other"}
    return {name: value for name, value in values.items() if value is not None}


def _split(kind: type, record: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the fields of a class hold of a record, and the rest."""
    names = {one.name for one in fields(kind)} - {"other"}
    known = {name: value for name, value in record.items() if name in names}
    return known, {name: value for name, value in record.items() if name not in names}
