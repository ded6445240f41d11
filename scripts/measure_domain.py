"""Measure what the domain of spots tells apart, on sections that it was not made from.

    python scripts/measure_domain.py DATA [--scales 112 250 700]

DATA holds her2st, st_mouse_olfactory_bulb and wsi_svs. Each section is left out in turn; the domain of the other three
says p-values of its spots as they are, and of the same spots spoilt. Printed: the share of spots with p up to 0.05, and
the AUROC of the distance, spoilt against as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import rankdata

from napari_tcgn.engine import choose_level, cut_patch, patch_side_px
from napari_tcgn.model import ModelCard, domain_features, feature_card, read_card
from napari_tcgn.options import GridSettings
from napari_tcgn.slide import Slide, open_slide
from napari_tcgn.spots import Spots, make_grid, read_st_spots, spot_distance_px
from napari_tcgn.training import find_sections, load_section
from napari_tcgn.trust import fit_domain

Patches = NDArray[np.uint8]
BLUR_PX, LEVEL, ST_PITCH_UM = 3.0, 0.05, 200.0


def blurred(patches: Patches) -> Patches:
    """Return patches out of focus."""
    return np.stack([ndimage.gaussian_filter(patch, (BLUR_PX, BLUR_PX, 0)) for patch in patches])


def inked(colour: tuple[int, int, int]) -> Callable[[Patches], Patches]:
    """Return what draws a stroke of a pen, a third of the patch wide, over every patch."""

    def draw(patches: Patches) -> Patches:
        rng, n = np.random.default_rng(0), patches.shape[1]
        down, across = np.mgrid[:n, :n]
        found = []
        for patch in patches:
            angle, (x, y) = rng.uniform(0, np.pi), rng.uniform(0.3, 0.7, 2) * n
            far = abs((across - x) * np.cos(angle) + (down - y) * np.sin(angle))
            cover = 0.8 * ndimage.gaussian_filter((far < 0.18 * n).astype(float), 2)[..., None]
            found.append((patch * (1 - cover) + np.array(colour) * cover).astype(np.uint8))
        return np.stack(found)

    return draw


def half_as_wide(patches: Patches) -> Patches:
    """Return patches that show half as much tissue twice as large, as a µm per pixel that is half too small does."""
    n = patches.shape[1]
    middle = patches[:, n // 4 : n // 4 + n // 2, n // 4 : n // 4 + n // 2]
    return np.stack([ndimage.zoom(patch, (2, 2, 1), order=1) for patch in middle])


SPOILT: dict[str, Callable[[Patches], Patches]] = {
    f"blur, {BLUR_PX:g} px": blurred,
    "pen, blue": inked((30, 40, 160)),
    "pen, green": inked((20, 120, 60)),
    "pen, black": inked((25, 25, 30)),
    "shown twice as large": half_as_wide,
}


def auroc(usual: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return the chance that one of the others is further than a usual one."""
    ranks = rankdata(np.concatenate([usual, other]))
    return float((ranks[len(usual) :].sum() - len(other) * (len(other) + 1) / 2) / (len(usual) * len(other)))


def patches_of(slide: Slide, spots: Spots, card: ModelCard) -> Patches:
    """Return a model's patches of a slide as the engine cuts them."""
    assert slide.mpp is not None
    side = patch_side_px(card, slide.mpp)
    level = choose_level(slide, side, card.input_px)
    return np.stack([cut_patch(slide, x, y, side, level) for x, y in zip(spots.x, spots.y, strict=True)])


def foreign(data: Path, card: ModelCard) -> dict[str, Patches]:
    """Return patches of a mouse's brain and of skin."""
    bulb = data / "st_mouse_olfactory_bulb"
    spots = read_st_spots(bulb / "alignment_table_MOB1.tsv")
    step = spot_distance_px(spots, max_residual=np.inf)
    assert step is not None
    with closing(open_slide(bulb / "MOB1.jpg", mpp=ST_PITCH_UM / step)) as slide:
        brain = patches_of(slide, spots, card)
    with closing(open_slide(data / "wsi_svs" / "CMU-1-Small-Region.svs")) as slide:
        skin = patches_of(slide, make_grid(slide, GridSettings(layout="square", pitch_um=100, diameter_um=100)), card)
    return {"mouse olfactory bulb": brain, "skin (.svs)": skin}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--scales", type=float, nargs="*", default=(), help="sides in µm, in place of the patch")
    options = parser.parse_args()
    card = feature_card(read_card("colour-texture-line-her2st"), "colour-texture", options.scales)
    wide = feature_card(card, "colour-texture", [2 * scale for scale in card.scales_um])
    extract = domain_features(card, "cpu")

    def features(patches: Patches) -> NDArray[np.float64]:
        parts = [extract(patches[i : i + 32]) for i in range(0, len(patches), 32)]
        return np.concatenate([part.double().numpy() for part in parts])

    plain, spoilt = {}, {}
    for files in find_sections(options.data / "her2st"):
        patches = load_section(files, card.genes, card).patches
        plain[files.name] = features(patches)
        spoilt[files.name] = {name: features(spoil(patches)) for name, spoil in SPOILT.items()}
        spoilt[files.name]["shown half as large"] = features(load_section(files, card.genes, wide).patches)
    others = {name: features(patches) for name, patches in foreign(options.data, card).items()}
    for name, mine in plain.items():
        domain = fit_domain({other: table for other, table in plain.items() if other != name})
        assert domain is not None
        usual = domain.distance(mine)
        print(f"\n{name} left out: {(domain.p_values(mine) <= LEVEL).mean():.1%} of {len(mine)} spots outside")
        for what, table in {**spoilt[name], **others}.items():
            outside = (domain.p_values(table) <= LEVEL).mean()
            print(f"  {what:<22} AUROC {auroc(usual, domain.distance(table)):.3f}, {outside:.0%} outside")
    only = fit_domain({other: table for other, table in plain.items() if other != "B4"})
    assert only is not None
    print(f"\ncomponents {only.directions.shape[1]}")


if __name__ == "__main__":
    main()
