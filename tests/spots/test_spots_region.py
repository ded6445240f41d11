"""Regions of interest: from polygons, from GeoJSON, as a filter of grids and of measured spots."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_tcgn.errors import SettingsError, SpotsError
from napari_tcgn.options import GridSettings
from napari_tcgn.slide import ArraySlide
from napari_tcgn.spots import Spots, keep_inside, make_grid, read_region, region_of_polygons
from napari_tcgn.spots.grid import MAX_SPOTS, count_spots
from napari_tcgn.spots.source import H5adSource, RegionRecord

GLASS = ArraySlide(np.full((1500, 2000, 3), 250, np.uint8), mpp=2.0)  # 4000 x 3000 µm
TRIANGLE = np.array([(100.0, 100.0), (900.0, 100.0), (100.0, 900.0)])
SQUARE = [[0, 0], [0, 400], [400, 400], [400, 0], [0, 0]]


def grid(**options) -> GridSettings:
    return GridSettings(**{"layout": "square", "pitch_um": 100, "diameter_um": 50, "tissue_only": False} | options)


def geojson(tmp_path, content, name="annotations.geojson"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def feature(geometry):
    """As QuPath exports an annotation."""
    return {
        "type": "Feature",
        "id": "e6a2",
        "geometry": geometry,
        "properties": {"objectType": "annotation", "classification": {"name": "Tumor", "color": [200, 0, 0]}},
    }


@pytest.mark.parametrize("rotation", [0.0, 33.0])
def test_grid_in_a_polygon(rotation):
    region = region_of_polygons([TRIANGLE])
    everywhere = make_grid(GLASS, grid(rotation_deg=rotation))
    spots = make_grid(GLASS, grid(rotation_deg=rotation), region=region)
    inside = (everywhere.x >= 100) & (everywhere.y >= 100) & (everywhere.x + everywhere.y <= 1000)
    np.testing.assert_array_equal(spots.ids, everywhere.ids[inside])
    np.testing.assert_allclose(spots.x, everywhere.x[inside])
    assert count_spots(GLASS, grid(rotation_deg=rotation), region=region) == len(spots)
    record = spots.source.region
    assert record.polygons == 1
    assert json.loads(json.dumps(record.to_record()))["outline_px"]["type"] == "MultiPolygon"


def test_polygons_in_micrometres_and_several_of_them():
    um = region_of_polygons([TRIANGLE * 2.0], unit="um", mpp=2.0)
    assert um.bounds == (100, 100, 900, 900)
    with pytest.raises(SpotsError, match="µm per pixel"):
        region_of_polygons([TRIANGLE], unit="um")
    both = region_of_polygons([TRIANGLE, TRIANGLE + 1000])
    assert both.contains(np.array([150.0, 950.0, 1150.0]), np.array([150.0, 950.0, 1150.0])).tolist() == [1, 0, 1]


def test_qupath_annotations_with_holes(tmp_path):
    hole = [[100, 100], [100, 300], [300, 300], [300, 100], [100, 100]]
    content = {
        "type": "FeatureCollection",
        "features": [
            feature({"type": "Polygon", "coordinates": [SQUARE, hole]}),
            feature({"type": "MultiPolygon", "coordinates": [[[[600, 0], [700, 0], [700, 90], [600, 0]]]]}),
            feature({"type": "Point", "coordinates": [5, 5]}),
        ],
    }
    region = read_region(geojson(tmp_path, content))
    x, y = np.array([50.0, 200.0, 690.0, 500.0]), np.array([50.0, 200.0, 40.0, 50.0])
    assert region.contains(x, y).tolist() == [True, False, True, False]
    assert region.source == RegionRecord(file="annotations.geojson", not_polygons=1)
    # The other wrappings: a list of features, one feature, a bare geometry.
    for wrapped in (content["features"][:1], content["features"][0], content["features"][0]["geometry"]):
        assert read_region(geojson(tmp_path, wrapped)).contains(x, y).tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as GeoJSON"),
        ({"type": "Polygon", "coordinates": "none"}, "Geometry 1 of annotations.geojson cannot be read"),
        ([1, 2], "Geometry 1 of annotations.geojson cannot be read"),
        ({"type": "FeatureCollection", "features": []}, "holds no polygon"),
        (feature({"type": "LineString", "coordinates": [[0, 0], [5, 5]]}), "holds no polygon"),
        (
            feature({"type": "Polygon", "coordinates": [[[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]]]}),
            r"Self-intersection\[5 5\]",
        ),
    ],
)
def test_bad_geojson(tmp_path, content, message):
    with pytest.raises(SpotsError, match=message):
        read_region(geojson(tmp_path, content))


def test_bad_polygons(tmp_path):
    with pytest.raises(SpotsError, match="does not exist"):
        read_region(tmp_path / "none.geojson")
    with pytest.raises(SpotsError, match="no polygon"):
        region_of_polygons([])
    with pytest.raises(SpotsError, match="three corners"):
        region_of_polygons([TRIANGLE[:2]])
    with pytest.raises(SpotsError, match="three corners"):
        region_of_polygons([TRIANGLE * np.nan])


def test_region_without_spots_or_off_the_slide():
    between = region_of_polygons([np.array([(30.0, 30.0), (40.0, 30.0), (40.0, 40.0)])])
    with pytest.raises(SpotsError, match=r"inside the region.*larger region"):
        make_grid(GLASS, grid(), region=between)
    with pytest.raises(SpotsError, match=r"outside slide slide \(2000 x 1500 px\)"):
        make_grid(GLASS, grid(), region=region_of_polygons([TRIANGLE + 5000]))


def test_measured_spots_in_a_region():
    ids = np.array(["a", "b", "c"])
    spots = Spots(ids, [150.0, 800.0, 300.0], [150.0, 800.0, 100.0], [0, 1, 2], [0, 1, 2], 55, 100, "visium",
                  source=H5adSource())  # fmt: skip
    kept = keep_inside(spots, region_of_polygons([TRIANGLE]))
    assert kept.ids.tolist() == ["a", "c"]  # the one on the border counts
    assert kept.source.region.left_out == 1
    assert spots.source.region is None
    with pytest.raises(SpotsError, match="None of the 3 spots"):
        keep_inside(spots, region_of_polygons([TRIANGLE + 1000]))


def test_too_many_spots_are_counted_before_memory_is_used():
    import tracemalloc

    # A slide of 60,000 px that holds nothing: its level is never read without tissue.
    class Wide(ArraySlide):
        def __init__(self):
            self.name, self.mpp, self.mpp_source = "wide", 0.25, "given"
            self.level_dimensions = ((60_000, 60_000),)

    tracemalloc.start()
    with pytest.raises(SettingsError, match=r"56,250,000 spots; 2,000,000 are the most"):
        make_grid(Wide(), GridSettings("visium-hd", pitch_um=2.0, tissue_only=False))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 2**20
    # In a region they can be laid.
    region = region_of_polygons([np.array([(0.0, 0.0), (4000.0, 0.0), (4000.0, 4000.0), (0.0, 4000.0)])])
    assert count_spots(Wide(), GridSettings("visium-hd", pitch_um=2.0, tissue_only=False), region=region) == 500**2
    assert MAX_SPOTS == 2_000_000
    with pytest.raises(SettingsError, match=r"0\.2 µm is less than one pixel"):
        make_grid(Wide(), grid(pitch_um=0.2, diameter_um=0.1))


@pytest.mark.parametrize("layout", ["square", "hex"])
@pytest.mark.parametrize("rotation", [0.0, 90.0, 45.0, -171.3])
def test_every_position_on_the_slide_is_found(layout, rotation):
    """Against a lattice laid far beyond the slide and cut."""
    settings = grid(
        layout=layout, pitch_um=170, rotation_deg=rotation, origin_x_um=1234.0, origin_y_um=-77.0, diameter_um=9
    )
    spots = make_grid(GLASS, settings)
    row, col = np.mgrid[-90:91, -90:91].reshape(2, -1)
    if layout == "hex":
        row, col = row[row % 2 == col % 2], col[row % 2 == col % 2]
        u, v = col * 85.0, row * 170 * np.sqrt(3) / 2
    else:
        u, v = col * 170.0, row * 170.0
    angle = np.radians(rotation)
    x = (1234 + u * np.cos(angle) - v * np.sin(angle)) / 2
    y = (-77 + u * np.sin(angle) + v * np.cos(angle)) / 2
    on = (x >= 0) & (y >= 0) & (x < 2000) & (y < 1500)
    assert sorted(spots.ids) == sorted(f"{c}x{r}" for c, r in zip(col[on], row[on], strict=True))


def test_bins_of_visium_hd():
    spots = make_grid(GLASS, GridSettings("visium-hd", pitch_um=16.0, tissue_only=False))
    assert (spots.shape, spots.pitch_um, spots.diameter_um, spots.layout) == ("square", 16.0, 16.0, "visium-hd")
    assert len(spots) == (4000 // 16) * (3000 // 16)
    assert GridSettings("visium-hd").pitch == 8.0
    with pytest.raises(SettingsError, match="2, 8 or 16"):
        GridSettings("visium-hd", pitch_um=4.0)
    with pytest.raises(SettingsError, match="side of the bin"):
        GridSettings("visium-hd", pitch_um=8.0, diameter_um=5.0)
    with pytest.raises(SettingsError, match="tissue_threshold"):
        GridSettings(tissue_threshold=0.0)
