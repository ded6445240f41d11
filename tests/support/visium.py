"""A small folder of Space Ranger."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def visium_folder(folder: Path, width: int, height: int, pitch_px: float) -> Path:
    """A Space Ranger 2 folder of a few spots on the left of an image of that size."""
    from PIL import Image

    spatial = folder / "spatial"
    spatial.mkdir(parents=True)
    lines = ["barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres"]
    for row in range(4):
        for col in range(row % 2, 8, 2):
            y, x = 100 + row * pitch_px * np.sqrt(3) / 2, 60 + col * pitch_px / 2
            lines.append(f"B{row}-{col},{int(col < 6)},{row},{col},{y},{x}")
    (spatial / "tissue_positions.csv").write_text("\n".join(lines) + "\n")
    factors = {"spot_diameter_fullres": 0.65 * pitch_px, "tissue_lowres_scalef": 0.1}
    (spatial / "scalefactors_json.json").write_text(json.dumps(factors))
    Image.new("RGB", (width // 10, height // 10)).save(spatial / "tissue_lowres_image.png")
    return folder
