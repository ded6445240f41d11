"""SpatialData as input: which part of a .zarr is meant, and its spots and counts as an AnnData in px of the image.

Everything that reads an .h5ad then reads this, with the same checks. Elements are named by their path in the folder:
SECTION.zarr/images/NAME, SECTION.zarr/shapes/NAME, SECTION.zarr/tables/NAME.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import DataError, TcgnError
from napari_tcgn.files import reading

if TYPE_CHECKING:
    from anndata import AnnData
    from spatialdata import SpatialData

KINDS = ("images", "shapes", "tables", "labels", "points")
SMALL_PX = 200  # of the picture that tells the size of the image: it is empty
MOST_PX_APART = 1.0  # between the ways that several coordinate systems lay shapes on the image
_MICROMETRES = ("um", "µm", "μm", "micrometer", "micrometers", "micron", "microns")
_HINT = "Name one of them by its path, as in {example}."


@dataclass(frozen=True, slots=True)
class Element:
    """A part of a SpatialData folder.

    Attributes
    ----------
    store : pathlib.Path
    kind : str
        One of `KINDS`; "" for the whole folder.
    name : str
    """

    store: Path
    kind: str = ""
    name: str = ""


def element_at(path: Path) -> Element | None:
    """Return what a path means in a SpatialData folder; None where it leads into none."""
    if is_spatialdata(path):
        return Element(path)
    store = path.parent.parent
    if path.parent.name in KINDS and path.is_dir() and is_spatialdata(store):
        return Element(store, path.parent.name, path.name)
    return None


def is_spatialdata(folder: Path) -> bool:
    """Tell whether a folder is a SpatialData's; its elements, which say the same of themselves, are none."""
    for name in ("zarr.json", ".zattrs"):
        file = folder / name
        if file.is_file() and any((folder / kind).is_dir() for kind in KINDS):
            return "spatialdata_attrs" in file.read_text(encoding="utf-8", errors="replace")
    return False


def only_image(store: Path, error: type[TcgnError]) -> Path:
    """Return the folder of the one image of a SpatialData folder.

    Raises
    ------
    TcgnError
        Of the given type, if it has none or several.
    """
    images = store / "images"
    found = sorted(path for path in images.iterdir() if path.is_dir()) if images.is_dir() else []
    if len(found) != 1:
        raise _not_one(store, "images", [path.name for path in found], error)
    return found[0]


@contextmanager
def as_h5ad(path: Path, error: type[TcgnError] = DataError) -> Iterator[Path]:
    """Give a section of a SpatialData folder as an .h5ad that lasts as long as the block.

    Positions are those of the shapes that the table annotates, brought to px of the image by the transformations of
    both; with several images, of the largest one that shares a coordinate system with the shapes. Without an image they
    are as they lie in the first coordinate system of the shapes.

    Parameters
    ----------
    path : pathlib.Path
        The folder, or in it shapes/NAME or tables/NAME.
    error : type of TcgnError

    Yields
    ------
    pathlib.Path
        Of the folder's name, in a folder of its own.

    Raises
    ------
    TcgnError
        Of the given type, if the folder is damaged, has several tables or shapes and none is named, or the table does
        not say where its spots are.
    """
    element = element_at(path)
    assert element is not None
    with reading(element.store.name, error, kind="SpatialData"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of spatialdata's own dependencies
        import spatialdata

        data = spatialdata.read_zarr(element.store, selection=("images", "shapes", "tables"))
        section = _section(data, element, error)
        with tempfile.TemporaryDirectory(prefix="napari-tcgn-") as folder:
            target = Path(folder) / element.store.name
            section.write_h5ad(target)
            del section, data
            yield target


def _section(data: SpatialData, element: Element, error: type[TcgnError]) -> AnnData:
    """Return the table of one section, with positions in px of the image and the size of spots and image."""
    from spatialdata.models import get_table_keys

    tables = {name: table for name, table in data.tables.items() if "spatialdata_attrs" in table.uns}
    wanted = element.name if element.kind == "tables" else None
    if element.kind == "shapes":
        tables = {name: table for name, table in tables.items() if element.name in _regions(table)}
    if wanted is not None:
        tables = {name: table for name, table in tables.items() if name == wanted}
    if len(tables) != 1:
        raise _not_one(element.store, "tables", sorted(tables), error)
    ((name, table),) = tables.items()
    regions = [region for region in _regions(table) if element.kind != "shapes" or region == element.name]
    if len(regions) != 1:
        raise _not_one(element.store, "shapes", regions, error)
    region = regions[0]
    if region not in data.shapes:
        raise error(
            f"The table {name!r} of {element.store.name} is of {region!r}, which is not among its shapes "
            f"({', '.join(sorted(data.shapes)) or 'none'}).",
            "Give a SpatialData folder with the shapes of its spots.",
        )
    _, region_key, instance_key = get_table_keys(table)
    section = table[(table.obs[region_key] == region).to_numpy()].copy()
    places, diameter = _places(data, region, element, error)
    rows = _rows(section.obs[instance_key].to_numpy(), data.shapes[region].index.to_numpy(), region, element, error)
    section.obsm["spatial"] = places[rows]
    library: dict[str, Any] = {"scalefactors": {"spot_diameter_fullres": diameter}, "images": {}}
    image = _image_for(data, region)
    if image is not None:
        size = _size(data, image)
        scale = min(1.0, SMALL_PX / max(size))
        library["scalefactors"]["tissue_lowres_scalef"] = scale
        height, width = (round(side * scale) for side in size)
        library["images"]["lowres"] = np.zeros((height, width, 3), np.uint8)
    section.uns["spatial"] = {region: library}
    return section


def _regions(table: AnnData) -> list[str]:
    region = table.uns["spatialdata_attrs"].get("region")
    return [region] if isinstance(region, str) else [str(one) for one in np.ravel(region if region is not None else [])]


def _rows(
    wanted: NDArray[Any], there: NDArray[Any], region: str, element: Element, error: type[TcgnError]
) -> NDArray[np.intp]:
    """Return where the spots of the table stand among the shapes."""
    place = {key: row for row, key in enumerate(there.tolist())}
    missing = [key for key in wanted.tolist() if key not in place]
    if missing:
        raise error(
            f"{len(missing)} of {len(wanted)} spots of {element.store.name} have no shape in {region!r} "
            f"(first: {missing[0]!r}).",
            "Give table and shapes of the same section.",
        )
    return np.array([place[key] for key in wanted.tolist()], dtype=np.intp)


def _places(
    data: SpatialData, region: str, element: Element, error: type[TcgnError]
) -> tuple[NDArray[np.float64], float]:
    """Return the centres of the shapes in px of the image, float64 [n, 2] (x, y), and the median diameter in px."""
    shapes = data.shapes[region]
    image = _image_for(data, region)
    matrix = _to_image(data, region, image, element.store, error)
    centres = shapes.geometry.centroid
    flat = np.column_stack([centres.x.to_numpy(), centres.y.to_numpy(), np.ones(len(shapes))])
    found: NDArray[np.float64] = (flat @ matrix.T)[:, :2]
    size = abs(float(np.linalg.det(matrix[:2, :2]))) ** 0.5
    if not (np.isfinite(found).all() and np.isfinite(size) and size > 0):
        raise error(f"The transformation of {region!r} in {element.store.name} gives no places.", "Check it.")
    across = 2 * shapes["radius"] if "radius" in shapes else np.sqrt(shapes.geometry.area)
    return found, float(np.median(across)) * size


def _to_image(
    data: SpatialData, region: str, image: str | None, store: Path, error: type[TcgnError]
) -> NDArray[np.float64]:
    """Return the 3 x 3 matrix that brings places of the shapes to px of the image, or to their coordinate system."""
    shapes = _matrices(data.shapes[region])
    if image is None:
        return shapes[min(shapes, key=lambda name: (name != "global", name))]
    pixels = _matrices(data.images[image])
    ways = {name: np.linalg.inv(pixels[name]) @ shapes[name] for name in sorted(set(shapes) & set(pixels))}
    first, *others = ways.values()
    left, top, right, bottom = data.shapes[region].total_bounds
    corners = np.array([[x, y, 1.0] for x in (left, right) for y in (top, bottom)])
    if any(np.abs((corners @ (first - other).T)[:, :2]).max() > MOST_PX_APART for other in others):
        raise error(
            f"{region!r} lies on {image!r} of {store.name} in different ways in the coordinate systems "
            f"{', '.join(map(repr, ways))}.",
            "Correct the transformations, or leave the wrong coordinate system out.",
        )
    return first


def _matrices(element: Any) -> dict[str, NDArray[np.float64]]:
    """Return how an element lies in each of its coordinate systems, as 3 x 3 matrices for (x, y, 1)."""
    from spatialdata.transformations import get_transformation

    every = get_transformation(element, get_all=True)
    axes = ("x", "y")
    return {name: step.to_affine_matrix(input_axes=axes, output_axes=axes) for name, step in every.items()}


def _image_for(data: SpatialData, region: str) -> str | None:
    """Return the largest image that lies in a coordinate system of the shapes; None without one."""
    own = set(_matrices(data.shapes[region]))
    sharing = [name for name, image in data.images.items() if own & set(_matrices(image))]
    return max(sharing, key=lambda name: (np.prod(_size(data, name)), name), default=None)


def _size(data: SpatialData, image: str) -> tuple[int, int]:
    """Return height and width of an image's finest level."""
    from spatialdata import get_pyramid_levels
    from xarray import DataTree

    found = data.images[image]
    level = next(iter(get_pyramid_levels(found))) if isinstance(found, DataTree) else found
    return int(level.sizes["y"]), int(level.sizes["x"])


def _not_one(store: Path, kind: str, names: list[str], error: type[TcgnError]) -> TcgnError:
    what = f"has {len(names)} {kind} ({', '.join(names[:8])})" if names else f"has no {kind} of measured spots"
    if kind == "images" and not names:
        what = "has no image"
    hint = _HINT.format(example=store / kind / names[0]) if names else "Give another folder, or the parts as files."
    return error(f"{store.name} {what}.", hint)


def um_per_px(multiscale: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return µm per px across and down of a SpatialData image, where one of its coordinate systems is called µm.

    Parameters
    ----------
    multiscale : mapping
        `multiscales[0]` of its metadata.
    """
    for step in multiscale.get("coordinateTransformations") or []:
        output = step.get("output", {}) if isinstance(step, dict) else {}
        if str(output.get("name", "")).lower() not in (
            "um",
            "µm",
            "μm",
            "micrometer",
            "micrometers",
            "micron",
            "microns",
        ):
            continue
        names = [axis["name"] for axis in step["input"]["axes"]]
        if step.get("type") == "scale":
            return float(step["scale"][names.index("x")]), float(step["scale"][names.index("y")])
        if step.get("type") == "affine":
            matrix = np.asarray(step["affine"], float)
            x, y = names.index("x"), names.index("y")
            if matrix.shape[0] > max(x, y) and not matrix[x, y] and not matrix[y, x]:
                return abs(float(matrix[x, x])), abs(float(matrix[y, y]))
    return None
