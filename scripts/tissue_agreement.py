"""Compare the tissue mask with the experimenters' own choice of spots on real legacy ST sections.

Run it as `.venv/bin/python scripts/tissue_agreement.py PATH/TO/her2st`; it writes benchmarks/results/tissue.json and,
with --pictures FOLDER, an overlay of each section to look at. docs/spots.md explains the figures.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.slide import Slide, TissueDensity, TissueMask, open_slide, overview_of
from napari_tcgn.spots import Spots, fit_lattice, read_st_spots

ROOT = Path(__file__).resolve().parents[1]
MPP = 0.688  # of the sections of patients B to H
COLUMNS, ROWS = range(1, 34), range(1, 36)  # array positions of legacy ST
SPOT_UM = 100.0
MIN_FRACTION = 0.5

Candidates = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]


def candidates(spots: Spots, slide: Slide) -> Candidates:
    """Return x, y and whether it was selected, of every array position inside the image.

    Selected positions are where the table says. The others are where the lattice is that fits the selected ones best.
    """
    col, row = (a.ravel() for a in np.meshgrid(COLUMNS, ROWS))
    x, y = fit_lattice(spots).place(row, col)
    index = {(r, c): i for i, (r, c) in enumerate(zip(row.tolist(), col.tolist(), strict=True))}
    selected = np.zeros(len(x), bool)
    at = [index[r, c] for r, c in zip(spots.array_row.tolist(), spots.array_col.tolist(), strict=True)]
    x[at], y[at], selected[at] = spots.x, spots.y, True
    width, height = slide.level_dimensions[0]
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return x[inside], y[inside], selected[inside]


def agreement(mask: TissueMask, places: Candidates) -> dict[str, Any]:
    """Return intersection over union of "tissue to at least half" and "selected"."""
    x, y, selected = places
    tissue = mask.fraction(x, y, SPOT_UM / MPP) >= MIN_FRACTION
    union = int((tissue | selected).sum())
    return {
        "iou": round(int((tissue & selected).sum()) / union, 4),
        "missed": int((selected & ~tissue).sum()),
        "extra": int((tissue & ~selected).sum()),
    }


def measure(image: Path, table: Path, pictures: Path | None) -> dict[str, Any]:
    """Measure one section."""
    slide = open_slide(image, mpp=MPP)
    places = candidates(read_st_spots(table), slide)
    start = time.perf_counter()
    density = overview_of(slide).density
    seconds = time.perf_counter() - start
    mask = density.mask()
    if pictures is not None:
        draw(slide, mask, places, pictures / f"{table.name.split('_')[0]}.png")
    around = {
        f"{factor:g}": agreement(density.mask(factor * density.threshold), places)["iou"] for factor in (0.8, 1.2)
    }
    return {
        "positions": len(places[0]),
        "selected": int(places[2].sum()),
        **agreement(mask, places),
        "threshold": round(density.threshold, 3),
        "iou_at_times_threshold": around,
        "ink_share": round(float(density.pen.mean()), 5),
        "seconds": round(seconds, 2),
        "mask_milliseconds": round(1000 * _seconds_of_a_mask(density)),
    }


def _seconds_of_a_mask(density: TissueDensity) -> float:
    start = time.perf_counter()
    density.mask(0.3)
    return time.perf_counter() - start


def draw(slide: Slide, mask: TissueMask, places: Candidates, path: Path) -> None:
    """Draw the mask's outline (green), missed spots (blue) and extra ones (red)."""
    from PIL import Image, ImageDraw
    from skimage.segmentation import find_boundaries

    from napari_tcgn.slide import thumbnail

    picture, scale = thumbnail(slide, max(mask.mask.shape))
    picture[find_boundaries(mask.mask)] = (0, 160, 0)
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    x, y, selected = places
    tissue = mask.fraction(x, y, SPOT_UM / MPP) >= MIN_FRACTION
    radius = SPOT_UM / MPP / 2 * scale
    for a, b, colour in [(*p, "red") for p in zip(x[tissue & ~selected], y[tissue & ~selected], strict=True)] + [
        (*p, "blue") for p in zip(x[selected & ~tissue], y[selected & ~tissue], strict=True)
    ]:
        box = [a * scale - radius, b * scale - radius, a * scale + radius, b * scale + radius]
        pen.ellipse(box, outline=colour, width=3)
    image.resize((image.width // 2, image.height // 2)).save(path)


def main() -> None:
    """Measure every section that has an image and a selection table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("her2st", type=Path, help="folder that holds data/")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "tissue.json")
    parser.add_argument("--pictures", type=Path, help="folder for overlays")
    options = parser.parse_args()
    results = {}
    for table in sorted((options.her2st / "data" / "ST-spotfiles").glob("*_selection.tsv")):
        name = table.name.split("_")[0]
        images = sorted((options.her2st / "data" / "ST-imgs" / name[0] / name).glob("*.jpg"))
        if images:
            results[name] = measure(images[0], table, options.pictures)
            print(name, results[name])
    options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
