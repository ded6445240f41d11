"""Write the stain of the training sections into the cards of models that were trained on them.

    python scripts/add_stain_to_cards.py DATA src/napari_tcgn/model/bundled/*

DATA holds the sections in her2st layout. Only `domain["stain"]` of each card.json changes, never the weights: mean and
spread of haematoxylin and eosin over the tissue of every training section, for the out-of-domain warning, and the stain
of all of them together (Reinhard, Macenko), for stain normalisation.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_tcgn.files import write_whole
from napari_tcgn.model import ModelCard, TrainingStain
from napari_tcgn.slide import open_slide
from napari_tcgn.slide.normalise import fit_stain
from napari_tcgn.slide.stain import STAIN_UM, stain_statistics, tissue_pixels
from napari_tcgn.training.data.her2st import find_sections


def stain_of(data: Path, names: tuple[str, ...], mpp: float) -> dict[str, Any]:
    """Return the stain of sections, as a card's `domain["stain"]`."""
    pixels = {}
    for section in find_sections(data):
        if section.name in names:
            with closing(open_slide(section.image, mpp=mpp)) as slide:
                pixels[section.name] = tissue_pixels(slide)
    missing = sorted(set(names) - set(pixels))
    if missing:
        raise SystemExit(f"{data} lacks the sections {', '.join(missing)}.")
    # Every section counts alike, however large it is.
    least = min(map(len, pixels.values()))
    rng = np.random.default_rng(0)
    together = np.concatenate([part[rng.choice(len(part), least, replace=False)] for part in pixels.values()])
    return {
        "um_per_px": STAIN_UM,
        "sections": {name: stain_statistics(part).to_record() for name, part in sorted(pixels.items())},
        "reinhard": fit_stain(together, "reinhard"),
        "macenko": fit_stain(together, "macenko"),
    }


def main() -> None:
    """Bring the cards up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", type=Path, nargs="+", help="model folders")
    options = parser.parse_args()
    known: dict[Any, dict[str, Any]] = {}
    for folder in options.models:
        path = folder / "card.json"
        card = ModelCard.read(path)
        key = (tuple(card.training["sections"]), card.domain.mpp[0])
        known[key] = known[key] if key in known else stain_of(options.data, *key)
        text = path.read_text(encoding="utf-8")
        changed = replace(card, domain=replace(card.domain, stain=TrainingStain.from_record(known[key]))).to_json()
        with write_whole(path, overwrite=True) as temporary:
            temporary.write_text(changed + ("\n" if text.endswith("\n") else ""), encoding="utf-8")
        print(folder.name, known[key]["sections"])


if __name__ == "__main__":
    main()
