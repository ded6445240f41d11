"""Our SpatialData opens in napari-spatialdata as it is: picture and spots in µm, genes that colour the spots."""

from __future__ import annotations

import anndata
import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_tcgn.exports.write import export

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
MPP = 0.5


@pytest.fixture
def main_thread_only():
    """Instead of the check of all other tests: napari-spatialdata makes its layers in a thread of its own."""


@pytest.fixture
def written(tmp_path):
    """A section of 20 spots in a picture of half the slide's px, as we write it."""
    rng = np.random.default_rng(0)
    adata = anndata.AnnData(rng.uniform(size=(20, 3)).astype(np.float32))
    adata.var_names, adata.obs_names = ["GNAS", "FASN", "IGKC"], [f"{i}x1" for i in range(20)]
    adata.obsm["spatial"] = rng.uniform(50, 350, (20, 2))
    adata.uns["spatial"] = {
        "C2": {
            "images": {"hires": rng.integers(0, 255, (200, 200, 3), dtype=np.uint8)},
            "scalefactors": {"tissue_hires_scalef": 0.5, "spot_diameter_fullres": 30.0},
            "metadata": {"mpp": MPP},
        }
    }
    export(adata, tmp_path / "t.zarr")
    return adata, tmp_path / "t.zarr"


def test_interactive_shows_the_store_and_colours_by_gene(written, make_napari_viewer_proxy, qtbot):
    import spatialdata
    from napari_spatialdata import Interactive
    from napari_spatialdata._view import QtAdataViewWidget

    adata, path = written
    viewer = make_napari_viewer_proxy()
    shown = Interactive(spatialdata.read_zarr(path), headless=True)
    shown.switch_coordinate_system("um")
    for element in ("image", "spots"):
        shown.add_element(element, "um")
        qtbot.waitUntil(lambda name=element: name in viewer.layers, timeout=60_000)
    spots, image = viewer.layers["spots"], viewer.layers["image"]
    world = np.array([spots.data_to_world(point) for point in spots.data])
    np.testing.assert_allclose(world, adata.obsm["spatial"][:, ::-1] * MPP)
    corners = np.array(image.extent.world)
    np.testing.assert_allclose(corners[1] - corners[0], 199 / 0.5 * MPP, atol=1)

    viewer.layers.selection.active = spots
    view = viewer.window._qt_window.findChild(QtAdataViewWidget)
    (item,) = view.var_widget.findItems("GNAS", Qt.MatchFlag.MatchExactly)
    view.var_widget.itemDoubleClicked.emit(item)
    values = spots.features["GNAS"].to_numpy()
    np.testing.assert_allclose(values, adata[:, "GNAS"].X.ravel())
    colours = np.asarray(spots.face_color)
    assert np.abs(colours[values.argmin()] - colours[values.argmax()]).max() > 0.3
