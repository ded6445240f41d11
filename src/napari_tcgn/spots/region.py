"""Regions of interest: polygons that say where spots may lie."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import SpotsError
from napari_tcgn.files import open_text, reading, write_text_whole
from napari_tcgn.spots.source import RegionRecord
from napari_tcgn.spots.table import Spots

OUTLINE_STEP = 0.01  # px, to which corners are rounded
_EXPORT = "Export the annotations of QuPath as GeoJSON (File ▸ Export objects as GeoJSON)."
_POLYGON_HINT = "Draw it anew, without crossing lines."


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """One or more polygons, with holes where they have them.

    Attributes
    ----------
    geometry : shapely.MultiPolygon
        In px of the full-resolution image: x to the right, y down.
    source : RegionRecord
        Where it comes from.
    """

    geometry: Any
    source: RegionRecord = field(default_factory=RegionRecord)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom in px."""
        left, top, right, bottom = self.geometry.bounds
        return float(left), float(top), float(right), float(bottom)

    def contains(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Mark the points (px) that lie inside or on the border (bool [n])."""
        import shapely

        shapely.prepare(self.geometry)
        return np.asarray(shapely.intersects_xy(self.geometry, x, y), dtype=bool)

    def recorded(self) -> RegionRecord:
        """Return source and outline (a GeoJSON geometry, in px), for the run record."""
        import shapely

        outline = json.loads(shapely.to_geojson(self.geometry))
        return replace(self.source, polygons=len(self.geometry.geoms), outline_px=outline)


def region_of_polygons(
    polygons: Sequence[NDArray[np.float64]],
    unit: Literal["px", "um"] = "px",
    mpp: float | None = None,
    source: RegionRecord | None = None,
) -> Region:
    """Return the region that polygons enclose together.

    Parameters
    ----------
    polygons : sequence of float64 [vertices, 2]
        (x, y) of the corners.
    unit : {"px", "um"}
        What the corners count; "um" needs `mpp`, the µm per full-resolution px.
    source : RegionRecord, optional
        Where they come from.

    Raises
    ------
    SpotsError
        If there is no polygon, or one has fewer than three corners, crosses itself or encloses nothing.
    """
    import shapely

    if unit == "um":
        if mpp is None or not (math.isfinite(mpp) and mpp > 0):
            raise SpotsError("A region in µm needs the µm per pixel of the slide.", "Give it.")
        polygons = [np.asarray(polygon, np.float64) / mpp for polygon in polygons]
    shapes = []
    for number, corners in enumerate(polygons, start=1):
        corners = np.asarray(corners, np.float64)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
            raise SpotsError(
                f"Polygon {number} of the region is no outline: it needs at least three corners (x, y).",
                "Draw it with more corners.",
            )
        shapes.append(shapely.Polygon(corners))
    return _checked(shapes, source or RegionRecord())


def read_region(path: str | Path) -> Region:
    """Read the polygons of a GeoJSON file, as QuPath exports its annotations.

    Parameters
    ----------
    path : str or pathlib.Path
        FeatureCollection, list of features, feature or geometry; coordinates in px of the full-resolution image.
        Points, lines and features without a geometry (RFC 7946 allows them) are left out and counted in `source`.

    Raises
    ------
    SpotsError
        If the file is missing, no GeoJSON, holds no polygon, or a polygon crosses itself.
    """
    import shapely

    path = Path(path)
    if not path.exists():
        raise SpotsError(f"The region file {path} does not exist.", "Check its name and folder.")
    with reading(path.name, SpotsError, _EXPORT, "GeoJSON"), open_text(path) as file:
        geometries = _geometries(json.load(file))
    shapes, others = [], 0
    for number, geometry in enumerate(geometries, start=1):
        if geometry is None:
            others += 1
            continue
        with reading(f"Geometry {number} of {path.name}", SpotsError, _EXPORT):
            shape = shapely.geometry.shape(geometry)
        if isinstance(shape, shapely.Polygon | shapely.MultiPolygon):
            shapes.extend(shapely.get_parts(shape))
        else:
            others += 1
    if not shapes:
        raise SpotsError(
            f"{path.name} holds no polygon ({others} points, lines or other geometries).",
            "Export polygon, rectangle, ellipse or brush annotations as GeoJSON.",
        )
    return _checked(shapes, RegionRecord(file=path.name, not_polygons=others or None))


def write_region(record: RegionRecord, path: str | Path, overwrite: bool = False) -> None:
    """Write the outline of a region as GeoJSON, so that `read_region` and QuPath read the same one.

    Parameters
    ----------
    record : RegionRecord
        With an outline, as `Region.recorded` returns it.
    path : str or pathlib.Path
        By custom ending in .geojson.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    SpotsError
        If the record holds no outline.
    OutputError
        If the path exists or cannot be written.
    """
    if record.outline_px is None:
        raise SpotsError("The outline of the region is not recorded.", "Draw it again.")
    feature = {"type": "Feature", "geometry": record.outline_px, "properties": {"objectType": "annotation"}}
    text = json.dumps({"type": "FeatureCollection", "features": [feature]}, ensure_ascii=False)
    write_text_whole(Path(path), text + "\n", overwrite)


def keep_inside(spots: Spots, region: Region) -> Spots:
    """Return the spots whose centre lies in a region; `source.region` records it.

    Raises
    ------
    SpotsError
        If there is none.
    """
    inside = region.contains(spots.x, spots.y)
    if not inside.any():
        left, top, right, bottom = region.bounds
        raise SpotsError(
            f"None of the {len(spots)} spots lies inside the region "
            f"(from ({left:.0f}, {top:.0f}) to ({right:.0f}, {bottom:.0f}) px).",
            "Draw the region over the spots, or leave it out.",
        )
    kept = spots.select(inside)
    record = replace(region.recorded(), left_out=int((~inside).sum()))
    return replace(kept, source=replace(spots.source, region=record))


def _geometries(found: Any) -> list[Any]:
    """Return the geometries in any of GeoJSON's wrappings."""
    if isinstance(found, list):
        return [geometry for item in found for geometry in _geometries(item)]
    if not isinstance(found, dict):
        return [found]
    kind = found.get("type")
    if kind == "FeatureCollection":
        return _geometries(found.get("features", []))
    if kind == "Feature":
        return [found.get("geometry")]
    if kind == "GeometryCollection":
        return _geometries(found.get("geometries", []))
    return [found]


def _checked(shapes: list[Any], source: RegionRecord) -> Region:
    import shapely

    if not shapes:
        raise SpotsError("The region has no polygon.", "Draw a polygon, rectangle or ellipse.")
    for number, shape in enumerate(shapes, start=1):
        if not shape.is_valid:
            raise SpotsError(
                f"Polygon {number} of the region is not simple: {shapely.is_valid_reason(shape)} (px).", _POLYGON_HINT
            )
    # On the grid of what is recorded and saved, so that a saved region has the same spots to the last one.
    union = shapely.set_precision(shapely.union_all(shapes), OUTLINE_STEP)
    geometry = shapely.MultiPolygon([part for part in shapely.get_parts(union) if isinstance(part, shapely.Polygon)])
    if not geometry.area > 0:
        raise SpotsError("The region encloses nothing.", "Draw a polygon with an area.")
    return Region(geometry, source)
