"""What may stand in a card.json: a card comes with weights from anywhere, and is checked before anything uses it.

Version 1 of the schema. Entries are declared once, in `CARD` and what it is made of; entries of a model's own kind (in
`architecture`, `training`, and what later versions add to `domain` and `metrics`) are plain JSON, not deep nor long.
"""

from __future__ import annotations

from typing import Any

from napari_tcgn.errors import ModelError
from napari_tcgn.files import (
    MAX_ENTRIES as MAX_GENES,
    Check,
    anything,
    entries_of,
    list_of,
    mapping_of,
    matches,
    number,
    one_of,
    or_null,
    parse_json,
    plain,
    text,
)

MAX_BYTES = 256 * 2**20  # of card.json; 8,000 genes with all their figures take 1 MB


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
    raw: dict[str, Any] = parse_json(text, f"Model card {source}", ModelError, hint, entries_of({}, anything), True)
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


_UM = number(1e-3, 1e6)
_PCC = number(-1, 1)
_PER_GENE_PCC = or_null(list_of(or_null(_PCC)))
_SECTIONS = number(0, 1e6, whole=True)


def _counted(value: Any) -> str | None:
    """Significant and tested sections: two whole numbers, or "3 of 4" in cards of earlier versions."""
    if isinstance(value, str):
        return matches(r"\d+ of \d+", "two whole numbers")(value)
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
