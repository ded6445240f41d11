"""Make everything in this folder anew: `python sample_data/make_sample.py`. The same seeds give the same data."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import tifffile
from count_genes import SPOT_UM, draw_counts, spot_shares
from draw_section import KINDS, MPP, Plan, Section, draw_section
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import csr_matrix

from napari_tcgn.files import write_whole

HERE = Path(__file__).resolve().parent
PITCH_PX = 200.0 / MPP
PANEL = HERE.parent / "src" / "napari_tcgn" / "model" / "panels" / "her2st_785.txt"

SECTION = Plan(
    seed=7,
    side=2880,
    outline=((0.03, 0.07), (0.70, 0.03), (0.97, 0.34), (0.94, 0.95), (0.22, 0.97), (0.03, 0.72)),
    tumour=(0.34, 0.40, 0.42),
    fat=(0.78, 0.76, 0.30),
    aggregates=10,
)
# The mini data set: four small pieces, each with its own mixture.
_PIECE = ((0.05, 0.06), (0.90, 0.04), (0.96, 0.60), (0.93, 0.96), (0.06, 0.94))
MINI = {
    "A2": Plan(21, 1472, _PIECE, (0.30, 0.35, 0.50), (0.85, 0.80, 0.30), 4),
    "B1": Plan(22, 1472, _PIECE, (0.65, 0.30, 0.50), (0.20, 0.85, 0.35), 4),
    "C1": Plan(23, 1472, _PIECE, (0.50, 0.70, 0.45), (0.80, 0.15, 0.35), 5),
    "D1": Plan(24, 1472, _PIECE, (0.25, 0.70, 0.45), (0.75, 0.80, 0.28), 3),
}
MIN_TISSUE = 0.6  # of a spot's disc


def make_spots(plan: Plan, section: Section) -> pd.DataFrame:
    """Lay the array's spots over a section as a selection table; the printed grid is not quite regular.

    `shares` of the tissue under every spot are added as one column per kind, which the written table leaves out.
    """
    rng = np.random.default_rng(plan.seed + 1000)
    steps = int((plan.side - SPOT_UM / MPP) // PITCH_PX) + 1
    margin = (plan.side - (steps - 1) * PITCH_PX) / 2
    row, column = np.mgrid[:steps, :steps].reshape(2, -1)
    # Array positions start at 5, as if the piece lay in the middle of a larger array.
    table = pd.DataFrame({"x": column + 5, "y": row + 5})
    for axis, index in (("x", column), ("y", row)):
        shift = rng.uniform(-0.06, 0.06, len(index)).round(3)
        table[f"new_{axis}"] = (index + 5 + shift).round(3)
        table[f"pixel_{axis}"] = (margin + (index + shift) * PITCH_PX).round(2)
    shares = spot_shares(section.shares, table["pixel_x"].to_numpy(), table["pixel_y"].to_numpy())
    table["selected"] = (shares.sum(axis=1) >= MIN_TISSUE).astype(int)
    table[list(KINDS)] = shares
    return table


def make_counts(plan: Plan, spots: pd.DataFrame) -> pd.DataFrame:
    """Draw the counts of the selected spots of `make_spots`."""
    chosen = spots[spots["selected"] == 1]
    ids = [f"{x}x{y}" for x, y in zip(chosen["x"], chosen["y"], strict=True)]
    return draw_counts(plan.seed + 2000, chosen[list(KINDS)].to_numpy(), ids, PANEL.read_text().split())


def write_tables(spots: pd.DataFrame, counts: pd.DataFrame, selection_path: Path, counts_path: Path) -> None:
    """Write a selection table and a gzipped count table as the her2st data has them."""
    columns = ["x", "y", "new_x", "new_y", "pixel_x", "pixel_y", "selected"]
    with write_whole(selection_path, overwrite=True) as path:
        spots[columns].to_csv(path, sep="\t", index=False, lineterminator="\n")
    text = io.StringIO()
    counts.to_csv(text, sep="\t", lineterminator="\n")
    with write_whole(counts_path, overwrite=True) as path:
        path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))  # no time: the same bytes every time


def write_pyramid(picture: NDArray[np.uint8], path: Path) -> None:
    """Write a tiled OME-TIFF with JPEG tiles and two smaller levels."""
    levels = [picture]
    for _ in range(2):
        levels.append(np.array(Image.fromarray(levels[-1]).reduce(2)))
    tiles: dict[str, Any] = {
        "tile": (256, 256),
        "photometric": "rgb",
        "compression": "jpeg",
        "compressionargs": {"level": 70},
        "resolutionunit": "CENTIMETER",
    }
    metadata = {"axes": "YXS", "PhysicalSizeX": MPP, "PhysicalSizeXUnit": "µm"}
    metadata |= {"PhysicalSizeY": MPP, "PhysicalSizeYUnit": "µm"}
    metadata["UUID"] = "00000000-0000-5000-8000-000000000007"  # fixed, so that the file is the same every time
    with write_whole(path, overwrite=True) as temporary, tifffile.TiffWriter(temporary, ome=True) as tif:
        tif.write(levels[0], subifds=2, resolution=(1e4 / MPP, 1e4 / MPP), metadata=metadata, **tiles)
        for step, level in enumerate(levels[1:], start=1):
            tif.write(level, subfiletype=1, resolution=(1e4 / MPP / 2**step,) * 2, **tiles)


def write_measured(name: str, section: Section, spots: pd.DataFrame, counts: pd.DataFrame, path: Path) -> None:
    """Write the counts as AnnData with positions, a small picture and scale factors."""
    chosen = spots[spots["selected"] == 1]
    kinds = chosen[list(KINDS)].to_numpy()
    obs = pd.DataFrame(
        {
            "array_row": chosen["y"].to_numpy(),
            "array_col": chosen["x"].to_numpy(),
            "in_tissue": 1,
            "drawn_as": pd.Categorical(np.array(KINDS)[kinds.argmax(axis=1)]),
        },
        index=counts.index,
    )
    adata = ad.AnnData(csr_matrix(counts.to_numpy(np.float32)), obs=obs, var=pd.DataFrame(index=counts.columns))
    adata.obsm["spatial"] = chosen[["pixel_x", "pixel_y"]].to_numpy()
    side = 288
    picture = np.array(Image.fromarray(section.picture).resize((side, side), Image.Resampling.BOX))
    factors = {"spot_diameter_fullres": SPOT_UM / MPP, "tissue_hires_scalef": side / len(section.picture)}
    adata.uns["spatial"] = {name: {"images": {"hires": picture}, "scalefactors": factors}}
    with write_whole(path, overwrite=True) as temporary:
        adata.write_h5ad(temporary, compression="gzip")


def main() -> None:
    """Write the section and the mini data set."""
    section = draw_section(SECTION)
    spots = make_spots(SECTION, section)
    counts = make_counts(SECTION, spots)
    write_pyramid(section.picture, HERE / "section.ome.tif")
    write_tables(spots, counts, HERE / "section_selection.tsv", HERE / "section.tsv.gz")
    write_measured("section", section, spots, counts, HERE / "section.h5ad")

    data = HERE / "her2st_mini" / "data"
    for name, plan in MINI.items():
        piece = draw_section(plan)
        images = data / "ST-imgs" / name[0] / name
        for folder in (data / "ST-cnts", data / "ST-spotfiles", images):
            folder.mkdir(parents=True, exist_ok=True)
        spots = make_spots(plan, piece)
        tables = (data / "ST-spotfiles" / f"{name}_selection.tsv", data / "ST-cnts" / f"{name}.tsv.gz")
        write_tables(spots, make_counts(plan, spots), *tables)
        with write_whole(images / f"{name}_HE.jpg", overwrite=True) as path:
            dpi = round(25_400 / MPP)  # µm in an inch over µm per px: how a JPEG can say its scale
            Image.fromarray(piece.picture).save(path, quality=60, optimize=True, dpi=(dpi, dpi))


if __name__ == "__main__":
    main()
