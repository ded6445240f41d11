"""What may stand in a card.json: a card comes with weights from anywhere, and is checked before anything uses it.

Version 1 of the schema. Entries are declared once, in `CARD` and what it is made of; entries of a model's own kind (in
`architecture`, `training`, and what later versions add to `domain` and `metrics`) are plain JSON, not deep nor long.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from napari_tcgn.errors import ModelError

MAX_BYTES = 256 * 2**20  # of card.json; 8,000 genes with all their figures take 1 MB
MAX_GENES = 200_000
MAX_DEPTH = 8
MAX_NODES = 10_000  # of an entry that is plain JSON
SHOWN = 60  # characters of a wrong value

# What is wanted where a value is not that; None: it is.
Check: TypeAlias = Callable[[Any], str | None]


def parse_card(text: str, source: str) -> dict[str, Any]:
    """Parse the text of a card.json and check every entry.

    Raises
    ------
    ModelError
        Naming the entry, what was found and what is wanted.
    """
    hint = "Restore the card.json of the model."
    if len(text) > MAX_BYTES:
        raise ModelError(f"Model card {source} has {len(text):,} characters, too many for a card.", hint)
    try:
        raw = json.loads(text, parse_constant=_no_number)
    except RecursionError as error:
        raise ModelError(f"Model card {source} is nested too deeply.", hint) from error
    except ValueError as error:
        raise ModelError(f"Model card {source} is not JSON: {error}.", hint) from error
    if not isinstance(raw, dict):
        raise ModelError(f"Model card {source} is not a JSON object.", hint)
    unknown, missing = sorted(set(raw) - set(CARD)), sorted(REQUIRED - set(raw))
    if unknown or missing:
        raise ModelError(
            f"Model card {source}: unknown entries {unknown}, missing entries {missing}.",
            f"The entries are {sorted(CARD)}.",
        )
    found = entries_of(CARD)(raw)
    if found is None and raw.get("gene_ids") and len(raw["gene_ids"]) != len(raw["genes"]):
        found = f"gene_ids: has {len(raw['gene_ids'])} entries for {len(raw['genes'])} genes; wanted: one per gene"
    if found is not None:
        raise ModelError(f"Model card {source}: {found}.", "Correct this entry of card.json, or fetch the model again.")
    return raw


def _no_number(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no number")


# -- kinds of values ------------------------------------------------------------------------------------------------


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int) else None  # what cannot be looked up is none of them


def _is(right: bool, value: Any, wanted: str) -> str | None:
    return None if right else f"is {_shown(value)}; wanted: {wanted}"


def text(least: int = 0, most: int = 10_000) -> Check:
    """Text of so many characters, none of which is a control character but tab and newline."""

    def check(value: Any) -> str | None:
        right = isinstance(value, str) and least <= len(value) <= most
        right = right and not any(ord(letter) < 32 and letter not in "\t\n" for letter in value)
        return _is(right, value, f"text of {least} to {most} characters")

    return check


def number(least: float = -math.inf, most: float = math.inf, whole: bool = False) -> Check:
    """A finite number between two others; true and false are none."""

    def check(value: Any) -> str | None:
        kinds = int if whole else (int, float)
        right = isinstance(value, kinds) and not isinstance(value, bool)
        right = right and (whole or math.isfinite(value)) and least <= value <= most
        span = "" if math.isinf(least) and math.isinf(most) else f" from {least:g} to {most:g}"
        return _is(right, value, f"{'a whole' if whole else 'a'} number{span}")

    return check


def one_of(*values: str | int) -> Check:
    """One of some words or numbers."""
    right = {(type(one), one) for one in values}
    return lambda value: _is((type(value), _plain(value)) in right, value, " or ".join(map(str, values)))


def matches(pattern: str, wanted: str) -> Check:
    """Text that a regular expression describes as a whole."""
    whole = re.compile(pattern, re.ASCII)
    return lambda value: _is(isinstance(value, str) and whole.fullmatch(value) is not None, value, wanted)


def or_null(kind: Check) -> Check:
    """A value of a kind, or null."""

    def check(value: Any) -> str | None:
        found = None if value is None else kind(value)
        return None if found is None else f"{found}, or null"

    return check


def list_of(kind: Check, least: int = 0, most: int = MAX_GENES) -> Check:
    """A list of values of a kind, of so many entries."""

    def check(value: Any) -> str | None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            size = f"{least}" if least == most else f"{least} to {most}"
            return _is(False, value, f"a list of {size} entries")
        for place, entry in enumerate(value):
            if (found := kind(entry)) is not None:
                return f"[{place}] {found}"
        return None

    return check


def mapping_of(kind: Check, most: int = 10_000) -> Check:
    """An object whose entries are of a kind, whatever their names."""

    def check(value: Any) -> str | None:
        if not isinstance(value, Mapping) or len(value) > most:
            return _is(False, value, f"an object of at most {most} entries")
        for name, entry in value.items():
            if (found := kind(entry)) is not None:
                return f"[{_shown(name)}] {found}"
        return None

    return check


def plain(value: Any) -> str | None:
    """JSON of a limited depth and size."""
    left, level = MAX_NODES, [value]
    for _ in range(MAX_DEPTH):
        inner = [v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
        level = [entry for entries in inner for entry in entries]
        left -= len(level)
        if left < 0:
            return _is(False, value, f"at most {MAX_NODES} values")
    return _is(not level, value, f"JSON nested at most {MAX_DEPTH} deep")


def entries_of(declared: Mapping[str, Check], others: Check = plain) -> Check:
    """An object with declared entries; `others` is asked about the rest."""

    def check(value: Any) -> str | None:
        if not isinstance(value, Mapping):
            return _is(False, value, "an object")
        for name, entry in value.items():
            if (found := declared.get(name, others)(entry)) is not None:
                return f"{name}: {found}" if not found.startswith("[") else f"{name}{found}"
        return None

    return check


# -- the card -------------------------------------------------------------------------------------------------------

_UM = number(1e-3, 1e6)
_PCC = number(-1, 1)
_PER_GENE_PCC = or_null(list_of(or_null(_PCC)))
_SECTIONS = number(0, 1e6, whole=True)


def _counted(value: Any) -> str | None:
    """Significant and tested sections: two whole numbers, or "3 of 4" in cards of earlier versions."""
    if isinstance(value, str):
        parts = value.split(" of ")
        return _is(len(parts) == 2 and all(part.isdecimal() for part in parts), value, "two whole numbers")
    return list_of(_SECTIONS, 2, 2)(value)


METRICS: dict[str, Check] = {
    "protocol": text(),
    "n_spots": or_null(number(0, 1e12, whole=True)),
    "median_pcc": or_null(_PCC),
    "median_depth_pcc": or_null(_PCC),
    "median_pcc_interval": or_null(list_of(_PCC, 2, 2)),
    "median_depth_pcc_interval": or_null(list_of(_PCC, 2, 2)),
    "pcc": _PER_GENE_PCC,
    "pcc_low": _PER_GENE_PCC,
    "pcc_high": _PER_GENE_PCC,
    "depth_pcc": _PER_GENE_PCC,
    "ceiling_pcc": _PER_GENE_PCC,
    "depth_ceiling_pcc": _PER_GENE_PCC,
    "patient_pcc": _PER_GENE_PCC,
    "median_ceiling_pcc": or_null(_PCC),
    "median_depth_ceiling_pcc": or_null(_PCC),
    "sections_significant": or_null(list_of(or_null(_counted))),
    "better_simple": or_null(list_of(or_null(text(0, 200)))),
    "folds": list_of(
        entries_of({"protocol": text(), "n_spots": number(0, 1e12, whole=True), "median_pcc": or_null(_PCC)}), 0, 10_000
    ),
    "intervals": or_null(
        entries_of(
            {
                "file": text(1, 255),
                "sha256": text(64, 64),
                "level": number(0, 1),
                "coverage": mapping_of(number(0, 1)),
                "source": text(0, 1000),
            }
        )
    ),
}
_STAIN = entries_of(
    {
        "um_per_px": or_null(_UM),
        "sections": mapping_of(
            entries_of(
                {name: number(-100, 100) for name in ("haematoxylin_mean", "haematoxylin_sd", "eosin_mean", "eosin_sd")}
            )
        ),
    }
)
_PATCHES = entries_of(
    {
        "file": text(1, 255),
        "sha256": text(64, 64),
        "sections": list_of(text(1, 1000), 0, 100_000),
        "patches": number(1, 1e9, whole=True),
    }
)
DOMAIN: dict[str, Check] = {
    "mpp": or_null(list_of(_UM, 1, 10_000)),
    "stain": or_null(_STAIN),
    "patches": or_null(_PATCHES),
}
CARD: dict[str, Check] = {
    "name": text(1, 200),
    "version": text(0, 200),
    "architecture": entries_of(
        {
            "family": text(1, 200),
            "size": text(0, 200),
            "residual": text(0, 200),
            "beside": text(0, 200),  # the name of `residual` in earlier cards
            "features": text(1, 200),
            "encoder": text(1, 200),
            "encoder_args": mapping_of(plain, 32),
            "directions": number(0, MAX_GENES, whole=True),
            "scales_um": list_of(_UM, 1, 32),
        }
    ),
    "genes": list_of(text(1, 1000), 1),
    "gene_ids": list_of(text(0, 1000)),
    "patch_um": _UM,
    "organism": text(),
    "tissue": text(),
    "input_px": number(1, 8192, whole=True),
    "orientation": one_of("upright", "transposed"),
    "mean": list_of(number(-1000, 1000), 3, 3),
    "std": list_of(number(1e-6, 1000), 3, 3),
    "output_scale": text(),
    "training": entries_of({}),
    "domain": entries_of(DOMAIN),
    "metrics": entries_of(METRICS),
    "weights": text(0, 255),
    "sha256": text(0, 64),
    "licence": text(),
    "citation": text(0, 100_000),
    "caveats": list_of(text(), 0, 1000),
    "panel_genes": or_null(number(1, 1e9, whole=True)),
}
REQUIRED = {"name", "version", "architecture", "genes", "patch_um"}
