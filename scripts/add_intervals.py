"""Write intervals of predicted values beside models that were trained on her2st.

    python scripts/add_intervals.py DATA src/napari_tcgn/model/bundled/* [--factors FOLDER]

A line is fitted with every section held out in turn, as cross-validation does. A network is not trained again: FOLDER
holds `search.json` and `factors.npz` of benchmarks/gpu/search.py, whose fits of the bundled recipe on pairs of sections
predict the other two; of every section the mean over the fits that had not seen it is taken, and half of it and half of
the line make the sum that is bundled. Weights and held-out figures stay as they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from add_trust_to_cards import read_sections
from numpy.typing import NDArray

from napari_tcgn.files import write_text_whole
from napari_tcgn.model import CARD_NAME, ModelCard, feature_card, save_intervals
from napari_tcgn.options import with_new_names
from napari_tcgn.training import MeasuredSection
from napari_tcgn.training.fit.line import fit_line, section_features
from napari_tcgn.training.fit.wide_features import wide_features
from napari_tcgn.trust import HeldOutSection, fit_intervals

RECIPE = "k3-154um"
SOURCE = (
    "networks of the same recipe, trained on two of the four sections instead of three (mean of those that had not "
    "seen the section), and the line of the fold"
)


def lines_held_out(card: ModelCard, features: str, sections: Sequence[MeasuredSection]) -> list[NDArray[np.float32]]:
    """Return what a line that has not seen a section predicts of it, float32 [n, genes] each."""
    scales = card.scales_um if len(card.scales_um) > 1 else ()
    own = feature_card(card, features, scales)
    tables = [wide_features(s, own).values for s in sections] if scales else section_features(sections, own)
    found = []
    for i, table in enumerate(tables):
        others = [k for k in range(len(sections)) if k != i]
        line = fit_line([tables[k] for k in others], [sections[k] for k in others])
        found.append(line(torch.from_numpy(table).float()).numpy())
    return found


def networks_held_out(factors: Path, names: Sequence[str]) -> list[NDArray[np.float32]]:
    """Return the mean of what the fits that have not seen a section predict of it."""
    fits = [fit for fit in json.loads((factors / "search.json").read_text())["inner"] if fit["recipe"] == RECIPE]
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    with np.load(factors / "factors.npz") as parts:
        for fit in fits:
            key, others = fit["job"], [name for name in names if name not in fit["training"]]
            loadings = parts[f"{key}/loadings"].astype(np.float32)
            values = parts[f"{key}/scores"] @ loadings + parts[f"{key}/centre"].astype(np.float32)
            for number, name in enumerate(others):
                found[name].append(values[parts[f"{key}/section_of"] == number])
    return [np.mean(found[name], axis=0, dtype=np.float32) for name in names]


def main() -> None:
    """Bring the intervals of some models up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", type=Path, nargs="+", help="model folders")
    parser.add_argument("--factors", type=Path, help="what benchmarks/gpu/search.py has written")
    options = parser.parse_args()
    for folder in options.models:
        path = folder / CARD_NAME
        card, text = ModelCard.read(path), path.read_text(encoding="utf-8")
        sections, source = read_sections(options.data, card), ""
        architecture = with_new_names(card.architecture)
        features = str(architecture.get("features") or architecture.get("residual"))
        predicted = lines_held_out(card, features, sections)
        if card.architecture["family"] == "tcgn":
            if options.factors is None:
                print(folder.name, "left as it is: no predictions of networks")
                continue
            networks = networks_held_out(options.factors, [s.name for s in sections])
            predicted = [(a + b) / 2 for a, b in zip(networks, predicted, strict=True)]
            source = SOURCE
        found = fit_intervals(
            {
                s.name: HeldOutSection(values, np.where(s.measured, s.target, np.float32(np.nan)))
                for s, values in zip(sections, predicted, strict=True)
            }
        )
        assert found is not None
        card = save_intervals(folder, found[0], card, found[1], source)
        write_text_whole(path, card.to_json() + ("\n" if text.endswith("\n") else ""), overwrite=True)
        print(folder.name, found[1])


if __name__ == "__main__":
    main()
