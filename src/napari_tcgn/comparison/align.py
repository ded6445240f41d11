"""Which measured spot is which predicted spot, and whether the two belong to one section at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.comparison.orientation import (
    DESCRIPTIONS,
    NUMBERED,
    SYMMETRIES,
    common_positions,
    fit,
    turned_array,
    undo,
)
from napari_tcgn.comparison.places import Pairs, Places, nearest_pairs, places_of, record_of, same_keys
from napari_tcgn.comparison.records import MATCHED_BY, PositionFit, SpotMatch
from napari_tcgn.engine import RunRecord
from napari_tcgn.errors import DataError
from napari_tcgn.options import CompareSettings, MatchName
from napari_tcgn.spots import same_names

if TYPE_CHECKING:
    from anndata import AnnData

Floats = NDArray[np.float64]

MIN_SPOTS = 8  # fewer say nothing
# Names and array positions recur on every array: two sections share many of them, one section shares nearly all.
MIN_MATCHED = {"ids": 0.9, "array": 0.9, "nearest": 0.5}
NEARLY_ALL = 0.95
MOSTLY = 0.5  # of the predicted spots
_IF_TURNED = (
    "Look at what made the file, and say it if it is so; otherwise give the measurement of the predicted section."
)
JITTER = 0.02  # printed spots lie off the perfect array, differently on every slide; share of the pitch

_IF_TURNED = "Look at what made the file and say it if it is so, or give the measurement of the predicted section."


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Pairs of spots: `predicted[k]` and `measured[k]` are the same spot.

    Attributes
    ----------
    predicted, measured : intp [matched]
        In the order of the prediction.
    manifest : SpotMatch
    warnings : list of str
    """

    predicted: NDArray[np.intp]
    measured: NDArray[np.intp]
    manifest: SpotMatch
    warnings: list[str]


def align(predicted: AnnData, measured: AnnData, settings: CompareSettings) -> Alignment:
    """Pair predicted and measured spots one to one.

    By name, else by array position, else by nearest centre within the tolerance. Where positions are known they have
    to agree: transposed, mirrored or shifted ones, or those of another section, are named and refused, or named as a
    warning if the way of matching was asked for.

    Raises
    ------
    DataError
        If too few spots match, or positions contradict the names.
    """
    record = record_of(predicted)
    work = _Work(places_of(predicted, "The prediction"), places_of(measured, "The measurement"), record, settings)
    way, pairs = work.pair()
    work.require_enough(way, pairs)
    work.check_positions(way, pairs)
    return work.result(way, pairs)


class _Work:
    """One alignment: what is known of the two sets of spots, and what was found so far."""

    def __init__(self, predicted: Places, measured: Places, record: RunRecord, settings: CompareSettings) -> None:
        self.settings, self.predicted = settings, predicted
        self.mpp = record.mpp
        self.pitch_um = record.spots.pitch_um
        self.size = np.array([record.slide.width_px, record.slide.height_px], dtype=np.float64)
        # The names and array positions of a grid are its own, not those of an array on which something was measured.
        self.on_a_grid = record.spots.source.is_grid
        self.tolerance_um = settings.tolerance_um if settings.tolerance_um is not None else self.pitch_um / 4
        ids, note = same_names(measured.ids, predicted.ids)
        self.measured = self._upright(replace(measured, ids=ids), settings.orientation)
        self.warnings: list[str] = [note] if note and not self.on_a_grid else []
        self.distance_um: float | None = None
        self.positions: PositionFit | None = None

    def _upright(self, measured: Places, name: str) -> Places:
        """Undo what the settings say was done to the measured positions."""
        if name == "upright":
            return measured
        pixels = None if measured.pixels is None else undo(name, measured.pixels, self.size / 2)
        array = measured.array
        if array is not None and self.predicted.array is not None:
            array = turned_array(name, self.predicted.array, array)
        return replace(measured, pixels=pixels, array=array)

    def pair(self) -> tuple[MatchName, Pairs]:
        """Return the first way that applies and its pairs; a way that fails is not papered over by the next."""
        asked = self.settings.match
        if asked != "auto":
            return asked, self._pairs(asked)
        ways: tuple[MatchName, ...] = ("nearest",) if self.on_a_grid else ("ids", "array", "nearest")
        for way in ways:
            pairs = self._pairs(way, needed=False)
            if len(pairs[0]):
                return way, pairs
        if self.on_a_grid and self.measured.pixels is None:
            raise DataError(
                "The prediction was made on a grid, and the measurement does not say where in the image its spots lie.",
                "Predict at the measured spots (--spots), or give the measured spots' positions in px.",
            )
        raise DataError(
            f"Predicted and measured spots have nothing in common: {len(self.predicted.ids)} spots such as "
            f"{self.predicted.ids[0]!r}, and {len(self.measured.ids)} such as {self.measured.ids[0]!r}."
            f"{(named := self._named_orientation())}",
            _IF_TURNED if named else "Give the measurement of the section that was predicted.",
        )

    def _pairs(self, way: str, needed: bool = True) -> Pairs:
        p, m = self.predicted, self.measured
        if way == "ids":
            return same_keys(p.ids.tolist(), m.ids.tolist())
        if way == "array":
            if p.array is not None and m.array is not None:
                return same_keys(list(map(tuple, p.array)), list(map(tuple, m.array)))
        elif p.pixels is not None and m.pixels is not None:
            return nearest_pairs(p.pixels, m.pixels, self.tolerance_um / self.mpp)
        if needed:
            columns = "obs array_row and array_col" if way == "array" else 'obsm["spatial"] in full-resolution px'
            raise DataError(
                f"Spots cannot be matched by {MATCHED_BY[way]}: one of the two has no {columns}.", "Add them."
            )
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)

    def require_enough(self, way: str, pairs: Pairs) -> None:
        """Refuse pairs that are too few for one and the same section."""
        counts, share = self._counts(), self._share(pairs)
        least = self.settings.min_matched if self.settings.min_matched is not None else MIN_MATCHED[way]
        found = f"{len(pairs[0])} of {counts[0]} predicted and {counts[1]} measured spots match by {MATCHED_BY[way]}"
        if share < least:
            raise DataError(
                f"Only {found} ({share:.0%} of the smaller set, needed {least:.0%}): the measurement is probably of "
                f"another section{', or turned' if (named := self._named_orientation()) else ''}.{named}",
                _IF_TURNED
                if named
                else "Give the measurement of the predicted section; --match and --min-matched overrule this.",
            )
        if len(pairs[0]) < MIN_SPOTS:
            raise DataError(f"Only {found}: too few to compare.", f"Give at least {MIN_SPOTS} common spots.")
        if share < NEARLY_ALL:
            self.warnings.append(f"Only {found}: make sure that both are of the same section.")
        without = counts[0] - len(pairs[0])
        if without > MOSTLY * counts[0]:
            self.warnings.append(
                f"{without} of {counts[0]} predicted spots have no counts: the figures are of the other "
                f"{len(pairs[0])} alone. Make sure that the counts are whole and of the same section."
            )

    def _counts(self) -> tuple[int, int]:
        return len(self.predicted.ids), len(self.measured.ids)

    def _share(self, pairs: Pairs) -> float:
        """Return the share of the smaller set of spots that matches."""
        return len(pairs[0]) / max(1, min(self._counts()))

    def check_positions(self, way: str, pairs: Pairs) -> None:
        """Hold the positions of matched spots against each other, where both are known."""
        p, m = self.predicted.pixels, self.measured.pixels
        if p is None or m is None:
            return
        p, m = p[pairs[0]], m[pairs[1]]
        distance = float(np.median(np.linalg.norm(p - m, axis=1))) * self.mpp
        found = fit(p, m)
        residual_um = None if np.isnan(found.residual) else round(found.residual * self.mpp, 3)
        self.distance_um = round(distance, 3)
        self.positions = PositionFit(found.name, round(found.scale, 5), residual_um)
        if way == "nearest":
            self._check_turned_nearest(len(pairs[0]))
            return
        problem, hint = None, "Give the measurement of the predicted section"
        if distance <= self.tolerance_um:
            if found.residual * self.mpp > JITTER * self.pitch_um:
                problem = (
                    f"same-named spots lie {found.residual * self.mpp:.1f} µm apart (median) beyond any shift or turn, "
                    "as printed spots of two arrays do: the measurement is probably of another section"
                )
        elif np.isnan(found.residual) or found.residual * self.mpp > self.tolerance_um:
            problem = (
                f"same-named spots lie {distance:.0f} µm apart (median): the measurement is probably of another section"
            )
        elif found.name != "upright":
            problem = f"the measured positions are {DESCRIPTIONS[found.name]} (if so, say --orientation {found.name})"
            hint = _IF_TURNED
        elif abs(found.scale - 1) > 0.02:
            problem = (
                f"the measured positions are {found.scale:.3g} times the predicted ones: px of another image, not of "
                "the full-resolution slide"
            )
        else:
            shift = np.median(m - p, axis=0) * self.mpp
            problem = f"the measured positions are shifted by {shift[0]:.0f} µm in x and {shift[1]:.0f} µm in y"
        if problem is not None:
            self._object(problem, way, hint)

    def _check_turned_nearest(self, matched: int) -> None:
        """Any arrangement of a lattice meets another somewhere: does a turned one meet it better?"""
        name, count = self._best_turn()
        if name != "upright" and count > 1.1 * matched:
            self._object(
                f"{count} spots match when the measured positions are taken as {DESCRIPTIONS[name]}, {matched} as they "
                f"are (if so, say --orientation {name})",
                "nearest",
                _IF_TURNED,
            )

    def _best_turn(self) -> tuple[str, int]:
        p, m = self.predicted.pixels, self.measured.pixels
        if p is None or m is None:
            return "upright", 0
        found = {"upright": len(nearest_pairs(p, m, self.tolerance_um / self.mpp)[0])}
        for name in SYMMETRIES:
            for turned in (undo(name, m, self.size / 2), undo(name, m, _middle(p), _middle(m))):
                count = len(nearest_pairs(p, turned, self.tolerance_um / self.mpp)[0])
                found[name] = max(found.get(name, 0), count if name != "upright" else found["upright"])
        best = max(found, key=lambda name: (found[name], name == "upright"))
        return best, found[best]

    def _named_orientation(self) -> str:
        """Say it, if the measured spots would match in another orientation."""
        name, count = self._best_turn()
        smaller = min(len(self.predicted.ids), len(self.measured.ids))
        if name != "upright" and count >= MIN_MATCHED["array"] * smaller:
            return f" Its positions would match if they are {DESCRIPTIONS[name]}: if so, say --orientation {name}."
        p, m = self.predicted.array, self.measured.array
        if p is None or m is None:
            return ""
        found = {name: common_positions(p, m if name == "upright" else turned_array(name, p, m)) for name in SYMMETRIES}
        name = max(found, key=lambda one: (found[one], one == "upright", one == "transposed"))
        if name == "upright" or found[name] < MIN_MATCHED["array"] * smaller:
            return ""
        numbered = f" ({NUMBERED[name]})" if name in NUMBERED else ""
        return (
            f" {found[name]} of its array positions would match {DESCRIPTIONS[name]}{numbered}: if so, say "
            f"--orientation {name} --match array."
        )

    def _object(self, problem: str, way: str, hint: str) -> None:
        """Refuse, or warn where the user has asked for this way of matching."""
        sentence = f"{MATCHED_BY[way].capitalize()}s match, but {problem}." if way != "nearest" else f"{problem}."
        if self.settings.match == "auto":
            raise DataError(
                sentence[0].upper() + sentence[1:],
                f"{hint.rstrip('.')}; --match {way} compares all the same.",
            )
        self.warnings.append(sentence)

    def result(self, way: MatchName, pairs: Pairs) -> Alignment:
        """Return the pairs with all that was found out about them."""
        lost = np.setdiff1d(np.arange(len(self.predicted.ids)), pairs[0])
        predicted, measured = self._counts()
        manifest = SpotMatch(
            orientation=self.settings.orientation,
            tolerance_um=self.tolerance_um,
            way=way,
            matched=len(pairs[0]),
            predicted=predicted,
            measured=measured,
            share=self._share(pairs),
            distance_um=self.distance_um,
            positions=self.positions,
            predicted_without_partner=tuple(str(i) for i in self.predicted.ids[lost][:100]),
        )
        if self.settings.orientation != "upright":
            self.warnings.append(f"The measured positions were taken as {DESCRIPTIONS[self.settings.orientation]}.")
        return Alignment(*pairs, manifest, self.warnings)


def _middle(xy: NDArray[Any]) -> Floats:
    middle: Floats = (xy.min(axis=0) + xy.max(axis=0)) / 2
    return middle
