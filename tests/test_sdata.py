"""SpatialData wherever a slide, spots or counts are asked for; its transformations are honoured."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import spatialdata
from anndata import AnnData
from shapely.geometry import Point, box
from spatialdata import SpatialData
from spatialdata.models import Image2DModel, ShapesModel, TableModel
from spatialdata.transformations import Affine, Identity, Scale

from napari_tcgn.errors import DataError, SlideError, SpotsError
from napari_tcgn.expression import read_measured
from napari_tcgn.sdata import element_at
from napari_tcgn.slide import open_slide
from napari_tcgn.spots import read_spots

pytestmark = pytest.mark.filterwarnings("ignore")  # of spatialdata's own dependencies
SIDE, PITCH = 600, 60.0


def grid(n: int = 6) -> np.ndarray:
    rows, cols = np.mgrid[0:n, 0:n]
    return np.column_stack([100 + PITCH * cols.ravel(), 140 + PITCH * rows.ravel()]).astype(float)


def made(
    places: np.ndarray | None = None, name: str = "spots", image_steps: dict[str, Any] | None = None,
    shape_steps: dict[str, Any] | None = None, squares: bool = False, images: tuple[str, ...] = ("he",),
) -> SpatialData:  # fmt: skip
    """Return a section: spots 30 px across, and one image per name, each half as large as the one before."""
    places = grid() if places is None else places
    rng = np.random.default_rng(0)
    ids = [f"s{number}" for number in range(len(places))]
    outlines = [box(x - 15, y - 15, x + 15, y + 15) if squares else Point(x, y) for x, y in places]
    frame = geopandas.GeoDataFrame(geometry=outlines, index=pd.Index(ids))
    if not squares:
        frame["radius"] = 15.0
    shapes = ShapesModel.parse(frame, transformations=shape_steps or {"global": Identity()})
    table = AnnData(
        X=rng.poisson(3, (len(ids), 4)).astype(np.float32),
        obs=pd.DataFrame({"region": pd.Categorical([name] * len(ids)), "spot": ids}, index=[f"row-{i}" for i in ids]),
        var=pd.DataFrame(index=["ACTB", "CD74", "GNAS", "EPCAM"]),
    )[::-1].copy()  # the table need not have the order of the shapes
    table.obs["array_row"], table.obs["array_col"] = (np.array([1, 2])[:, None] * np.arange(len(ids))).tolist()
    table = TableModel.parse(table, region=name, region_key="region", instance_key="spot")
    found = {}
    for number, image in enumerate(images):
        pixels = rng.integers(120, 250, (3, SIDE >> number, SIDE >> number), dtype=np.uint8)
        steps = image_steps or {"global": Scale([2.0**number] * 2, axes=("x", "y")) if number else Identity()}
        found[image] = Image2DModel.parse(
            pixels, dims=("c", "y", "x"), c_coords=["r", "g", "b"], transformations=steps, chunks=(3, 128, 128)
        )
    return SpatialData(images=found, shapes={name: shapes}, tables={"table": table})


def written(data: SpatialData, folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data.write(folder)
    return folder


def positions(path: Path) -> np.ndarray:
    spots = read_spots(path, mpp=0.5)
    order = np.argsort([int(one.removeprefix("row-s")) for one in spots.ids])
    return np.column_stack([spots.x, spots.y])[order]


def test_one_folder_is_slide_spots_and_counts(tmp_path):
    path = written(made(), tmp_path / "section.zarr")
    slide = open_slide(path, mpp=0.5)
    assert slide.level_dimensions[0] == (SIDE, SIDE)
    np.testing.assert_allclose(positions(path), grid())
    spots, measured = read_spots(path, mpp=0.5), read_measured(path)
    assert spots.source.image_size == (SIDE, SIDE)
    assert spots.diameter_um == pytest.approx(15.0)
    assert spots.pitch_um == pytest.approx(PITCH / 2)
    assert measured.uns["napari_tcgn_measured"] == {"kind": "SpatialData", "file": "section.zarr"}
    np.testing.assert_allclose(measured.obsm["spatial"][measured.obs_names.get_loc("row-s7")], grid()[7])
    assert measured.X.sum() == spatialdata.read_zarr(path).tables["table"].X.sum()


def test_transformations_of_spots_and_image_are_honoured(tmp_path):
    """Spots in mm turned by a right angle, an image that begins elsewhere: both in one coordinate system."""
    turned = np.column_stack([grid()[:, 1], -grid()[:, 0]]) / 1000
    shapes = {
        "tissue": Affine([[0, -1000, 40], [1000, 0, -20], [0, 0, 1]], input_axes=("x", "y"), output_axes=("x", "y"))
    }
    image = {"tissue": Affine([[2, 0, 40], [0, 2, -20], [0, 0, 1]], input_axes=("x", "y"), output_axes=("x", "y"))}
    path = written(made(turned, image_steps=image, shape_steps=shapes), tmp_path / "section.zarr")
    np.testing.assert_allclose(positions(path), grid() / 2)


def test_squares_are_bins_and_the_larger_image_counts(tmp_path):
    path = written(made(squares=True, images=("a_full", "lowres")), tmp_path / "section.zarr")
    np.testing.assert_allclose(positions(path), grid())
    assert read_spots(path, mpp=0.5).diameter_um == pytest.approx(15.0)
    assert read_spots(path, mpp=0.5).source.image_size == (SIDE, SIDE)
    with pytest.raises(SlideError, match=r"has 2 images \(a_full, lowres\)\. Name one of them by its path"):
        open_slide(path)
    assert open_slide(path / "images" / "lowres", mpp=1).level_dimensions[0] == (SIDE // 2, SIDE // 2)


def test_coordinate_systems_that_contradict_each_other_are_not_used(tmp_path):
    steps = {"global": Identity(), "aligned": Scale([2.0, 2.0], axes=("x", "y"))}
    path = written(made(image_steps=steps, shape_steps=steps), tmp_path / "same.zarr")
    np.testing.assert_allclose(positions(path), grid())
    other = {"global": Identity(), "aligned": Scale([2.1, 2.1], axes=("x", "y"))}
    path = written(made(image_steps=steps, shape_steps=other), tmp_path / "other.zarr")
    with pytest.raises(SpotsError, match=r"in different ways in the coordinate systems 'aligned', 'global'"):
        read_spots(path, mpp=0.5)


def test_um_per_px_of_a_coordinate_system_that_is_called_so(tmp_path):
    steps = {"global": Identity(), "um": Scale([0.5, 0.5], axes=("x", "y"))}
    slide = open_slide(written(made(image_steps=steps), tmp_path / "section.zarr"))
    assert slide.mpp == pytest.approx(0.5)
    assert "µm" in slide.mpp_source
    nothing = open_slide(written(made(), tmp_path / "unknown.zarr"))
    assert nothing.mpp is None


def test_several_sections_are_named_by_their_path(tmp_path):
    one, two = made(name="left"), made(grid() + 7, name="right")
    table = AnnData(
        X=np.concatenate([one.tables["table"].X, two.tables["table"].X]),
        obs=pd.concat([one.tables["table"].obs, two.tables["table"].obs.rename(index=lambda name: f"{name}-2")]),
        var=one.tables["table"].var,
    )
    table.obs["region"] = table.obs["region"].astype("category")
    both = TableModel.parse(table, region=["left", "right"], region_key="region", instance_key="spot")
    data = SpatialData(images=one.images, shapes=dict(one.shapes) | dict(two.shapes), tables={"table": both})
    path = written(data, tmp_path / "both.zarr")
    with pytest.raises(DataError, match=r"has 2 shapes \(left, right\)\. Name one of them by its path"):
        read_measured(path)
    found = read_spots(path / "shapes" / "right", mpp=0.5)
    assert found.x.min() == pytest.approx(grid()[:, 0].min() + 7)
    assert read_measured(path / "shapes" / "left").n_obs == len(grid())


@pytest.mark.parametrize("kind", ["no table", "no shapes", "other spots", "damaged"])
def test_what_is_no_section(tmp_path, kind):
    data = made()
    if kind == "no table":
        del data.tables["table"]
    if kind == "other spots":
        data.tables["table"].obs["spot"] = [f"x{number}" for number in range(len(grid()))]
    path = written(data, tmp_path / "section.zarr")
    if kind == "no shapes":
        shutil.rmtree(path / "shapes" / "spots")
    if kind == "damaged":
        next((path / "shapes").rglob("*.parquet")).write_bytes(b"PAR1")
    words = {
        "no table": "has no tables", "no shapes": "not among its shapes|cannot be read",
        "other spots": "36 of 36 spots of section.zarr have no shape", "damaged": "cannot be read as SpatialData",
    }  # fmt: skip
    with pytest.raises(SpotsError, match=words[kind]):
        read_spots(path, mpp=0.5)
    with pytest.raises(DataError, match=words[kind]):
        read_measured(path)


def test_only_spatialdata_is_taken_for_it(tmp_path):
    path = written(made(), tmp_path / "section.zarr")
    assert element_at(path / "images" / "he").kind == "images"
    assert element_at(path / "images") is None
    assert element_at(tmp_path) is None
    assert element_at(tmp_path / "nothing.zarr") is None


def test_from_the_command_line_as_from_files(tmp_path):
    """The sample section as SpatialData: predicted and compared from that folder alone, with the same figures."""
    import json

    import anndata
    from typer.testing import CliRunner

    from napari_tcgn.cli.app import app
    from napari_tcgn.exports.spatialdata import write_spatialdata

    sample = Path(__file__).parents[1] / "sample_data"
    slide, section = sample / "section.ome.tif", sample / "section.h5ad"
    path = tmp_path / "section.zarr"
    opened = open_slide(slide)
    write_spatialdata(read_measured(section), path, opened, mpp=opened.mpp)

    def run(*arguments: str) -> None:
        found = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        assert found.exit_code == 0, found.output

    told = {}
    for name, picture, spots in (("files", slide, section), ("zarr", path, path)):
        out = tmp_path / f"{name}.h5ad"
        run("predict", str(picture), "--spots", str(spots), "--model", "haematoxylin-her2st", "--out", str(out))
        run("compare", str(out), str(spots), "--out", str(tmp_path / name))
        told[name] = json.loads((tmp_path / name / "overall.json").read_text(encoding="utf-8"))
    files, zarr = (anndata.read_h5ad(tmp_path / f"{name}.h5ad") for name in ("files", "zarr"))
    # The coarser levels of the two pictures were shrunk by different programs.
    assert np.abs(zarr[files.obs_names].X - files.X).mean() < 0.01
    medians = {name: found["overall"]["medians"]["pcc"]["median"] for name, found in told.items()}
    assert medians["zarr"] == pytest.approx(medians["files"], abs=0.01)
