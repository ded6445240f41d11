"""Make a synthetic whole-slide image: a pyramid of JPEG tiles, 60,000 x 60,000 px unless told otherwise.

    python scripts/make_big_slide.py big.tif
    python scripts/make_big_slide.py small.tif --side 8192 --mpp 0.25

Its texture is the drawn section of sample_data in ever other crops, orientations and strengths of stain, laid out as
pieces of tissue on glass. Only the crops are held in memory, at every level of the pyramid, so a slide of any size
needs a few hundred MB. Synthetic: for speed and memory, never for accuracy.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from napari_tcgn.files import write_whole
from napari_tcgn.sample import sample_section
from napari_tcgn.slide import open_slide

Picture = NDArray[np.uint8]

TILE = 256  # px
BLOCK = 1024  # px at level 0 of one crop of texture; a multiple of TILE
VARIANTS = 48
SMALLEST = 1024  # px; levels are added until one is no wider
GLASS = (236, 232, 238)
QUALITY = 75


def texture_blocks(rng: np.random.Generator) -> list[Picture]:
    """Cut and vary blocks [BLOCK, BLOCK, 3] of the drawn section; the last one is bare glass."""
    slide = open_slide(sample_section().image)
    width, height = slide.level_dimensions[0]
    middle = slide.read_region(width // 6, height // 6, 2 * width // 3, 2 * height // 3)
    slide.close()
    tall = -(-(BLOCK + 1) // middle.shape[0])  # the section may be smaller than a block
    wide = -(-(BLOCK + 1) // middle.shape[1])
    mirrored = np.concatenate([middle, middle[:, ::-1]] * wide, axis=1)
    mirrored = np.concatenate([mirrored, mirrored[::-1]] * tall, axis=0)
    blocks = []
    for _ in range(VARIANTS):
        top, left = rng.integers(0, mirrored.shape[0] - BLOCK), rng.integers(0, mirrored.shape[1] - BLOCK)
        crop = np.rot90(mirrored[top : top + BLOCK, left : left + BLOCK], rng.integers(4))
        strength = rng.normal(1.0, 0.08)  # of the stain: Beer and Lambert's law
        blocks.append(np.clip(255 * (crop / 255) ** strength, 0, 255).astype(np.uint8))
    blocks.append(np.full((BLOCK, BLOCK, 3), GLASS, np.uint8))
    return blocks


def lay_out(rng: np.random.Generator, count: int) -> NDArray[np.intp]:
    """Choose the block [count, count] of every place: tissue in pieces that cover about half of the slide."""
    fine = gaussian_filter(rng.standard_normal((count, count)), max(1.0, count / 10))
    y, x = (np.mgrid[:count, :count] + 0.5) / count - 0.5
    fine = fine / fine.std() - 14 * np.maximum(0, np.hypot(x, y) - 0.33)
    chosen = rng.integers(VARIANTS, size=(count, count))
    return np.where(fine > np.quantile(fine, 0.5), chosen, VARIANTS)


def level_tiles(blocks: list[Picture], layout: NDArray[np.intp], width: int, level: int) -> Iterator[Picture]:
    """Yield the tiles [TILE, TILE, 3] of one level of a square slide, row by row."""
    side = BLOCK >> level  # of a block at this level
    small = [np.array(Image.fromarray(b).reduce(2**level)) if level else b for b in blocks]
    per_tile = max(1, TILE // side)

    def tile(row: int, column: int) -> Picture:
        """Put a tile together from the blocks, or the part of one block, that it covers."""
        if side >= TILE:
            y, x = row * TILE, column * TILE
            block = small[layout[min(y // side, len(layout) - 1), min(x // side, len(layout) - 1)]]
            return block[y % side : y % side + TILE, x % side : x % side + TILE]
        rows = [min(row * per_tile + i, len(layout) - 1) for i in range(per_tile)]
        columns = [min(column * per_tile + i, len(layout) - 1) for i in range(per_tile)]
        return np.concatenate([np.concatenate([small[layout[r, c]] for c in columns], axis=1) for r in rows])

    across = -(-width // TILE)
    for row in range(across):
        for column in range(across):
            yield np.ascontiguousarray(tile(row, column))


def make_big_slide(path: Path, side: int, mpp: float, seed: int = 0, overwrite: bool = False) -> None:
    """Write the slide: BigTIFF, JPEG tiles, every level half as wide as the one before."""
    rng = np.random.default_rng(seed)
    blocks = texture_blocks(rng)
    layout = lay_out(rng, -(-side // BLOCK))
    widths = [side]
    while widths[-1] > SMALLEST and BLOCK >> len(widths) >= 1:
        widths.append(-(-side // 2 ** len(widths)))
    with (
        write_whole(path, overwrite) as temporary,
        tifffile.TiffWriter(temporary, bigtiff=True) as tif,
    ):
        for level, width in enumerate(widths):
            tif.write(
                level_tiles(blocks, layout, width, level),
                shape=(width, width, 3),
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": QUALITY},
                resolution=(1e4 / (mpp * 2**level),) * 2,
                resolutionunit="CENTIMETER",
                metadata=None,
                subifds=len(widths) - 1 if level == 0 else None,
                subfiletype=1 if level else 0,
                maxworkers=2,
            )
            print(f"level {level}: {width} px", file=sys.stderr, flush=True)


def main() -> None:
    """Read the command line and make the slide."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--side", type=int, default=60_000, help="px of the square slide")
    parser.add_argument("--mpp", type=float, default=0.5, help="µm per px")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--overwrite", action="store_true")
    options = parser.parse_args()
    make_big_slide(options.out, options.side, options.mpp, options.seed, options.overwrite)


if __name__ == "__main__":
    main()
