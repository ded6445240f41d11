"""Write the domain of spots beside models that were trained on her2st, and what could be reached into their cards.

    python scripts/add_trust_to_cards.py DATA src/napari_tcgn/model/bundled/*

DATA holds the sections in her2st layout. Weights and held-out figures stay as they are: each folder gets a new
domain.safetensors, and its card the entry that names it (`domain["patches"]`) and the ceilings of its genes
(`metrics["ceiling_pcc"]` and so on), the mean over the sections that it was evaluated on. A line is also fitted with
every patient held out in turn, for `metrics["patient_pcc"]`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_tcgn.files import write_text_whole
from napari_tcgn.model import CARD_NAME, HeldOut, ModelCard, feature_card, save_domain
from napari_tcgn.stats import pearson_per_gene
from napari_tcgn.training import MeasuredSection, find_sections, load_section
from napari_tcgn.training.evaluate.scored import reachable_in
from napari_tcgn.training.fit.domain import domain_of_sections
from napari_tcgn.training.fit.line import fit_line, section_features
from napari_tcgn.training.fit.wide_features import wide_features


def read_sections(data: Path, card: ModelCard) -> list[MeasuredSection]:
    """Return a model's training sections with its own genes and, of a single scale, its own patches."""
    names = card.training["sections"]
    patches = card if len(card.scales_um) == 1 else feature_card(card, "colour-texture", card.scales_um[:1])
    found = [load_section(files, card.genes, patches) for files in find_sections(data) if files.name in names]
    missing = sorted(set(names) - {section.name for section in found})
    if missing:
        raise SystemExit(f"{data} lacks the sections {', '.join(missing)}.")
    return found


def with_ceilings(metrics: HeldOut, sections: Sequence[MeasuredSection]) -> HeldOut:
    """Return held-out figures with what could be reached: the mean over the sections where a gene varies."""
    limits = [reachable_in(section) for section in sections]
    own: dict[str, Any] = {}
    for name, tables in (
        ("ceiling_pcc", [limit.plain for limit in limits]),
        ("depth_ceiling_pcc", [limit.depth for limit in limits]),
    ):
        table = np.stack([np.where(s.measured, values, np.nan) for s, values in zip(sections, tables, strict=True)])
        known = ~np.isnan(table)
        mean = np.where(known, table, 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
        own[name] = [None if np.isnan(v) else round(float(v), 4) for v in mean]
        own[f"median_{name}"] = round(float(np.nanmedian(mean)), 4)
    return replace(metrics, **own)


def with_patients_out(metrics: HeldOut, card: ModelCard, sections: Sequence[MeasuredSection]) -> HeldOut:
    """Return held-out figures with those of lines that had seen no section of the patient; a network is not trained."""
    if card.architecture["family"] != "ridge":
        return metrics
    scales = card.scales_um if len(card.scales_um) > 1 else ()
    own = feature_card(card, str(card.architecture["features"]), scales)
    features = [wide_features(s, own).values for s in sections] if scales else section_features(sections, own)
    scored = []
    for patient in dict.fromkeys(s.files.patient for s in sections):
        inside = [i for i, s in enumerate(sections) if s.files.patient != patient]
        line = fit_line([features[i] for i in inside], [sections[i] for i in inside])
        for i, section in enumerate(sections):
            if section.files.patient == patient:
                values = line(torch.from_numpy(features[i]).float()).numpy()
                pcc = pearson_per_gene(values.astype(np.float64), section.target.astype(np.float64))
                scored.append(np.where(section.measured & (section.target.std(axis=0) > 0), np.nan_to_num(pcc), np.nan))
    known = ~np.isnan(table := np.stack(scored))
    mean = np.where(known, table, 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    return replace(metrics, patient_pcc=[None if np.isnan(v) else round(float(v), 4) for v in mean])


def main() -> None:
    """Bring cards and domains up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", type=Path, nargs="+", help="model folders")
    options = parser.parse_args()
    for folder in options.models:
        path = folder / CARD_NAME
        card, text = ModelCard.read(path), path.read_text(encoding="utf-8")
        sections = read_sections(options.data, card)
        card = save_domain(folder, domain_of_sections(sections, card), card)
        card = replace(card, metrics=with_patients_out(with_ceilings(card.metrics, sections), card, sections))
        write_text_whole(path, card.to_json() + ("\n" if text.endswith("\n") else ""), overwrite=True)
        print(folder.name, card.domain.patches, card.metrics.median_ceiling_pcc, card.metrics.median_depth_ceiling_pcc)


if __name__ == "__main__":
    main()
