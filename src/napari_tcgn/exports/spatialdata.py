"""A result as SpatialData: picture, spots as shapes and the table of genes, linked.

Two coordinate systems: "global" counts px of the full-resolution image, "um" µm (only where they are known).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import OutputError, SpotsError
from napari_tcgn.exports.inner_names import make_inner_names_valid, renamed_inside
from napari_tcgn.expression import Library, library_of, require_storable, writable_strings
from napari_tcgn.files import write_whole_folder
from napari_tcgn.sdata import is_spatialdata
from napari_tcgn.slide import Slide

if TYPE_CHECKING:
    from anndata import AnnData
    from spatialdata import SpatialData

IMAGE, SHAPES, TABLE = "image", "spots", "table"
# The columns of obs that link the table to the shapes; where the user has columns of these names, others are taken.
REGION_KEYS, INSTANCE_KEYS = ("region", "spatialdata_region"), ("spot", "spatialdata_spot")
PIXELS, MICROMETRES = "global", "um"
CHUNK = 1024  # px a side
COARSEST = 1024  # px: no further level below this size


def to_spatialdata(
    adata: AnnData, slide: Slide | None = None, library_id: str | None = None, mpp: float | None = None
) -> SpatialData:
    """Return a section of an AnnData as SpatialData.

    Parameters
    ----------
    adata : anndata.AnnData
        From `to_anndata` or `read_section`.
    slide : Slide, optional
        The slide of the section: it becomes the image, at full resolution and with coarser levels, read when it is
        written. Without it the small picture of the AnnData is the image, if there is one.
    library_id : str, optional
        Needed where the AnnData holds several sections.
    mpp : float, optional
        µm per full-resolution px; wins over what the AnnData says.

    Returns
    -------
    spatialdata.SpatialData
        images["image"]: uint8 (c, y, x); shapes["spots"]: circles of the spots' radius, or squares for bins, indexed by
        spot; tables["table"]: the AnnData with obs["region"] and obs["spot"] added, which link it to the shapes
        (obs["spatialdata_region"] and obs["spatialdata_spot"] where these are the user's own columns). Names that
        SpatialData forbids are made valid (`renamed` tells which).
        All elements lie in "global" (px of the full-resolution image) and, where µm per px is known, in "um".

    Raises
    ------
    DataError
        If there are no positions or the size of the spots is unknown.
    SpotsError
        If the slide is too small for the spots.
    """
    from spatialdata import SpatialData, sanitize_table
    from spatialdata.models import TableModel

    library = library_of(adata, library_id, mpp)
    table = library.adata.copy()
    region_key, instance_key = _free_keys(table)
    table.obs[region_key] = SHAPES
    table.obs[region_key] = table.obs[region_key].astype("category")
    table.obs[instance_key] = table.obs_names.to_numpy(dtype=object)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of spatialdata's own dependencies
        make_inner_names_valid(table)
        sanitize_table(table)
        table = TableModel.parse(
            table, region=SHAPES, region_key=region_key, instance_key=instance_key, overwrite_metadata=True
        )
        image = _image(library, slide)
        return SpatialData(
            images={IMAGE: image} if image is not None else {}, shapes={SHAPES: _shapes(library)}, tables={TABLE: table}
        )


def _free_keys(table: AnnData) -> tuple[str, str]:
    """Return the names of the linking columns: those of an earlier export are its own, all others the user's."""
    earlier = table.uns.get("spatialdata_attrs", {})
    found = []
    for keys, entry in ((REGION_KEYS, "region_key"), (INSTANCE_KEYS, "instance_key")):
        own = earlier.get(entry) if isinstance(earlier, dict) else None
        free = [key for key in keys if key == own or key not in table.obs]
        if not free:
            raise OutputError(
                f"The spots have columns of the names {' and '.join(keys)}, which SpatialData's links need.",
                f"Rename the column {keys[-1]}.",
            )
        found.append(free[0])
    return found[0], found[1]


def renamed(adata: AnnData) -> dict[str, str]:
    """Return which names of an AnnData SpatialData forbids, and what they become: {"obs[cell type]": "cell_type"}."""
    from anndata import AnnData
    from spatialdata import sanitize_table

    # The names alone are looked at, not what stands under them.
    empty = AnnData(obs=adata.obs.iloc[:0].copy(), var=adata.var.iloc[:0].copy(), uns=dict.fromkeys(adata.uns, 0))
    for part in ("obsm", "varm", "layers"):
        rows = np.zeros((0, 0)) if part == "layers" else np.zeros((0, 1))
        getattr(empty, part).update(dict.fromkeys(getattr(adata, part), rows))
    parts = ("obs", "var", "uns", "obsm", "varm", "layers")
    before = {part: list(getattr(empty, part).keys()) for part in parts}
    valid = sanitize_table(empty, inplace=False)
    after = {part: list(getattr(valid, part).keys()) for part in before}
    return {
        f"{part}[{old}]": new
        for part in before
        for old, new in zip(before[part], after[part], strict=True)
        if old != new
    }


def write_spatialdata(
    adata: AnnData,
    path: str | Path,
    slide: Slide | None = None,
    library_id: str | None = None,
    mpp: float | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Write a section as a SpatialData .zarr folder, whole or not at all; see `to_spatialdata`.

    Returns
    -------
    list of str
        What was changed to fit the format, a sentence each.

    Raises
    ------
    OutputError
        If the path has another suffix, exists, or cannot be written.
    """
    path = Path(path)
    if path.suffix != ".zarr":
        raise OutputError(f"{path.name} does not end in .zarr.", "Name the result like prediction.zarr.")
    if overwrite and path.is_dir() and not is_spatialdata(path):
        raise OutputError(
            f"The folder {path} holds something else, no SpatialData, and is not replaced.", "Choose another name."
        )
    require_storable(adata, slashes=True)
    with write_whole_folder(path, overwrite, marks=("zarr.json", ".zgroup")) as temporary:
        data = to_spatialdata(adata, slide, library_id, mpp)
        with warnings.catch_warnings(), writable_strings():
            warnings.simplefilter("ignore")
            data.write(temporary / path.name, update_sdata_path=False)
    return _notes(adata, data)


def _notes(adata: AnnData, data: SpatialData) -> list[str]:
    notes = []
    names = renamed(adata) | renamed_inside(adata)
    if names:
        told = ", ".join(f"{old} is {new}" for old, new in sorted(names.items()))
        notes.append(f"SpatialData forbids some names of this file; in it {told}.")
    attributes = data.tables[TABLE].uns["spatialdata_attrs"]
    keys = (attributes["region_key"], attributes["instance_key"])
    if keys != (REGION_KEYS[0], INSTANCE_KEYS[0]):
        notes.append(f"The columns {keys[0]} and {keys[1]} link spots and shapes; those of your own are kept.")
    return notes


def _transformations(library: Library, px_per_element_px: float) -> dict[str, Any]:
    """From an element's own px to full-resolution px and to µm."""
    from spatialdata.transformations import Identity, Scale

    def scaled(factor: float) -> Any:
        return Identity() if factor == 1 else Scale([factor, factor], axes=("x", "y"))

    to = {PIXELS: scaled(px_per_element_px)}
    if library.mpp is not None:
        to[MICROMETRES] = scaled(px_per_element_px * library.mpp)
    return to


def _shapes(library: Library) -> Any:
    import geopandas
    import shapely
    from spatialdata.models import ShapesModel

    half = library.require_diameter() / 2
    names = library.adata.obs_names.to_numpy(dtype=object)
    to = _transformations(library, 1.0)
    if not library.bins:
        return ShapesModel.parse(library.centres, geometry=0, radius=half, index=names, transformations=to)
    x, y = library.centres.T
    squares = geopandas.GeoDataFrame(geometry=shapely.box(x - half, y - half, x + half, y + half), index=names)
    return ShapesModel.parse(squares, transformations=to)


def _image(library: Library, slide: Slide | None) -> Any:
    import dask.array as da
    from spatialdata.models import Image2DModel

    if slide is None:
        if library.picture is None:
            return None
        return Image2DModel.parse(
            np.moveaxis(library.picture, 2, 0),
            dims=("c", "y", "x"),
            c_coords=["r", "g", "b"],
            transformations=_transformations(library, 1 / library.picture_scale),
        )
    width, height = slide.level_dimensions[0]
    if (library.centres > (width, height)).any():
        raise SpotsError(
            f"Slide {slide.name!r} is {width} x {height} px, and spots of {library.library_id!r} lie outside of it.",
            "Give the slide that the result was predicted from.",
        )
    whole: Any = _ChannelsFirst(slide)
    pixels = da.from_array(whole, chunks=(3, CHUNK, CHUNK), name=False, asarray=False)  # type: ignore[no-untyped-call]
    halvings = max(0, int(np.ceil(np.log2(max(width, height) / COARSEST))))
    return Image2DModel.parse(
        pixels,
        dims=("c", "y", "x"),
        c_coords=["r", "g", "b"],
        scale_factors=[2] * halvings or None,
        chunks=(3, CHUNK, CHUNK),
        transformations=_transformations(library, 1.0),
    )


class _ChannelsFirst:
    """Level 0 of a slide as uint8 [3, height, width], read when it is sliced."""

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, slide: Slide) -> None:
        self._slide = slide
        width, height = slide.level_dimensions[0]
        self.shape = (3, height, width)

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.uint8]:
        channels, rows, columns = key
        top, bottom, _ = rows.indices(self.shape[1])
        left, right, _ = columns.indices(self.shape[2])
        if bottom <= top or right <= left:  # dask asks for an empty corner to learn the type
            return np.empty((3, max(0, bottom - top), max(0, right - left)), np.uint8)[channels]
        return np.moveaxis(self._slide.read_region(left, top, right - left, bottom - top), 2, 0)[channels]
