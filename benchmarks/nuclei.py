"""Do numbers of nuclei help the line? Compared on inner folds only.

    python benchmarks/nuclei.py her2st --out benchmarks/results/nuclei.json

Nuclei are segmented in the haematoxylin of squares of 250 µm (Otsu's threshold of the section, watershed of the
distance to the edge); density, size, shape, staining and distance to the next one, in the whole square and in its
inner 112 µm.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.color import rgb2hed
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import regionprops_table
from skimage.segmentation import watershed

from napari_tcgn.model import feature_card
from napari_tcgn.options import TrainSettings
from napari_tcgn.training import MeasuredSection, find_sections, load_section
from napari_tcgn.training.data.panel import given_panel
from napari_tcgn.training.data.section import HER2ST
from napari_tcgn.training.fit.card import draft_card
from napari_tcgn.training.fit.line import choose_strength
from napari_tcgn.training.fit.wide_features import wide_features

SCALES_UM = (112.0, 250.0, 700.0)
SQUARE_UM, INNER_UM = 250.0, 112.0
MIN_UM2, RADIUS_UM = 8.0, 2.5
SHAPE = ("area", "eccentricity", "solidity", "intensity_mean")


def nuclei_of(section: MeasuredSection) -> NDArray[np.float64]:
    """Return numbers of the nuclei around every spot, float64 [n, 20]."""
    stain = [gaussian(rgb2hed(patch)[..., 0], 1) for patch in section.patches]
    threshold = float(threshold_otsu(np.concatenate([one[::4, ::4].ravel() for one in stain])))
    return np.stack([_square(one, threshold, section.mpp) for one in stain])


def _square(stain: NDArray[np.float64], threshold: float, mpp: float) -> NDArray[np.float64]:
    mask = ndimage.binary_opening(stain > threshold)
    depth = ndimage.distance_transform_edt(mask)
    seeds = np.zeros(mask.shape, dtype=np.int32)
    at = peak_local_max(depth, min_distance=max(1, round(RADIUS_UM / mpp)), labels=mask.astype(int))
    seeds[tuple(at.T)] = np.arange(1, len(at) + 1)
    labels = watershed(-depth, seeds, mask=mask)
    found = regionprops_table(labels, stain, properties=("centroid", *SHAPE))
    large = found["area"] * mpp**2 >= MIN_UM2
    place = np.column_stack([found["centroid-0"], found["centroid-1"]])[large] * mpp
    shape = np.column_stack([found[name] for name in SHAPE])[large]
    middle = len(stain) * mpp / 2
    inner = (np.abs(place - middle) < INNER_UM / 2).all(axis=1)
    return np.concatenate([_numbers(place, shape, SQUARE_UM), _numbers(place[inner], shape[inner], INNER_UM)])


def _numbers(place: NDArray[np.float64], shape: NDArray[np.float64], side: float) -> NDArray[np.float64]:
    """Density, mean and spread of shape and staining, distance to the next nucleus: 10 numbers."""
    if len(place) < 3:
        return np.concatenate([[len(place) / side**2], np.zeros(9)])
    near = cKDTree(place).query(place, 2)[0][:, 1].mean()
    return np.concatenate([[len(place) / side**2], shape.mean(axis=0), shape.std(axis=0), [near]])


def main() -> None:
    """Compare the line with and without them."""
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("data", type=Path)
    args.add_argument("--out", type=Path, required=True)
    chosen = args.parse_args()
    genes = given_panel(None).genes
    card = draft_card(TrainSettings(patch_um=SQUARE_UM), [], genes, HER2ST)
    context = feature_card(card, "colour-texture", SCALES_UM)
    sections = {files.name: load_section(files, genes, card) for files in find_sections(chosen.data)}
    plain = {name: wide_features(section, context).values for name, section in sections.items()}
    nuclei = {name: nuclei_of(section) for name, section in sections.items()}
    sets = {
        "112 + 250 + 700 µm": plain,
        "the same and nuclei": {name: np.hstack([plain[name], nuclei[name]]) for name in plain},
        "nuclei alone": nuclei,
    }
    rows = {}
    training = [[n for n in sections if n != out] for out in sections] + [["B4"], list(sections)]
    for names in training:
        row = {}
        for label, features in sets.items():
            best = choose_strength([features[n] for n in names], [sections[n] for n in names])
            row[label] = round(best.score, 4)
        rows[", ".join(names)] = row
        print(names, row, flush=True)
    chosen.out.write_text(json.dumps({"inner median PCC of the best strength, 785 genes": rows}, indent=1))


if __name__ == "__main__":
    main()
