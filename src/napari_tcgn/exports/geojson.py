"""A result as GeoJSON detections for QuPath (0.4 and later), in px of the full-resolution image.

One feature per spot: a polygon (GeoJSON has no circles), the object type "detection", and the chosen genes as
measurements, an object of names and numbers as QuPath writes it itself since 0.4.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import OutputError
from napari_tcgn.exports.genes import TRUSTED, choose_genes
from napari_tcgn.expression import BOUNDS, DOMAIN_P, Library, block, bounds_by_gene, domain_p_of, library_of
from napari_tcgn.files import check_target, write_whole

if TYPE_CHECKING:
    from anndata import AnnData

SUFFIXES = (".geojson",)
CORNERS = 32  # of the polygon that stands for a disc
ROWS = 1000  # spots at a time
COLOUR = [68, 140, 200]


def write_geojson(
    adata: AnnData,
    path: str | Path,
    genes: str | Sequence[str] = TRUSTED,
    library_id: str | None = None,
    overwrite: bool = False,
    top: int = 50,
    level: float = 0.0,
) -> None:
    """Write the spots as a GeoJSON FeatureCollection that QuPath imports as detections.

    Measurements are named "GENE (predicted)". Values that are missing are left out. The class of a detection is
    "Spot", or "Spot (partial result)" where the run was stopped.

    Parameters
    ----------
    adata : anndata.AnnData
    path : str or pathlib.Path
        .geojson.
    genes : str or sequence of str
        As in `choose_genes`; the file grows with every gene.
    library_id : str, optional
        As in `library_of`.
    overwrite : bool
        Whether an existing file may be replaced.
    top : int
        Largest number of "trusted" genes.
    level : float
        Of intervals, whose bounds are written as "GENE (predicted) low" and "… high"; 0: none.

    Raises
    ------
    OutputError
        If the path has another suffix, exists, or cannot be written.
    DataError
        If the size of the spots is unknown; as `library_of` and `choose_genes` do.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise OutputError(f"{path.name} does not end in .geojson.", "Name the result like prediction.geojson.")
    check_target(path, overwrite)
    library = library_of(adata, library_id)
    chosen = choose_genes(library, genes, top)
    outline = _outline(library)
    with write_whole(path, overwrite) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for number, feature in enumerate(_features(library, chosen, outline, level)):
            file.write(",\n" if number else "\n")
            json.dump(feature, file, ensure_ascii=False, allow_nan=False)
        file.write("\n]}\n")


def _outline(library: Library) -> NDArray[np.float64]:
    """Return the closed outline of a spot around its centre (float64 [corners + 1, 2]), in px."""
    half = library.require_diameter() / 2
    if library.bins:
        return half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1.0]])
    angle = np.linspace(0, 2 * np.pi, CORNERS + 1)
    # The polygon covers the area of the disc.
    radius = half * np.sqrt(2 * np.pi / CORNERS / np.sin(2 * np.pi / CORNERS))
    ring: NDArray[np.float64] = radius * np.column_stack([np.cos(angle), np.sin(angle)])
    return ring


def _features(
    library: Library, genes: list[str], outline: NDArray[np.float64], level: float
) -> Iterator[dict[str, Any]]:
    names = library.adata.obs_names
    measured = [f"{gene} ({library.kind})" for gene in genes]
    bounds_of = bounds_by_gene(library.adata, genes, level)
    if level:
        measured += [f"{name} {bound}" for bound in BOUNDS for name in measured[: len(genes)]]
    spot_class = {"name": "Spot (partial result)" if library.partial else "Spot", "color": COLOUR}
    usual = domain_p_of(library.adata)
    made = library.record.started if library.record is not None else library.kind
    # The same result has the same ids in every export; another run has others.
    run = uuid.uuid5(uuid.NAMESPACE_OID, f"{library.library_id} {made}")
    for start in range(0, len(names), ROWS):
        values = block(library.adata, slice(start, start + ROWS), genes)
        values = np.concatenate([values, *bounds_of(values).values()], axis=1)
        for i, row in enumerate(values, start):
            ring = np.round(library.centres[i] + outline, 2)
            ring[-1] = ring[0]
            known = np.isfinite(row)
            yield {
                "type": "Feature",
                "id": str(uuid.uuid5(run, str(names[i]))),
                "geometry": {"type": "Polygon", "coordinates": [ring.tolist()]},
                "properties": {
                    "objectType": "detection",
                    "name": str(names[i]),
                    "classification": spot_class,
                    # Seven digits are all that float32 has.
                    "measurements": {
                        name: float(f"{value:.7g}") for name, value, k in zip(measured, row, known, strict=True) if k
                    }
                    | ({DOMAIN_P: float(f"{usual[i]:.7g}")} if np.isfinite(usual[i]) else {}),
                },
            }
