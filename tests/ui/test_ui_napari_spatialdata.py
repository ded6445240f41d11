"""Our SpatialData opens in napari-spatialdata as it is: picture and spots in µm, genes that colour the spots."""

from __future__ import annotations

from importlib.metadata import version

import anndata
import numpy as np
import pytest
from packaging.version import Version
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


@pytest.fixture
def opened(written, make_napari_viewer_proxy, qtbot):
    """The store in napari-spatialdata's window: layers of picture and spots, and its list of genes for the spots."""
    import spatialdata
    from napari_spatialdata import Interactive
    from napari_spatialdata._view import QtAdataViewWidget

    viewer = make_napari_viewer_proxy()
    shown = Interactive(spatialdata.read_zarr(written[1]), headless=True)
    shown.switch_coordinate_system("um")
    for element in ("image", "spots"):
        shown.add_element(element, "um")
        qtbot.waitUntil(lambda name=element: name in viewer.layers, timeout=60_000)
    viewer.layers.selection.active = viewer.layers["spots"]
    return viewer.layers, viewer.window._qt_window.findChild(QtAdataViewWidget).var_widget


def test_interactive_shows_the_store(written, opened):
    adata, (layers, genes) = written[0], opened
    spots, image = layers["spots"], layers["image"]
    world = np.array([spots.data_to_world(point) for point in spots.data])
    np.testing.assert_allclose(world, adata.obsm["spatial"][:, ::-1] * MPP)
    corners = np.array(image.extent.world)
    np.testing.assert_allclose(corners[1] - corners[0], 199 / 0.5 * MPP, atol=1)
    assert [genes.item(row).text() for row in range(genes.count())] == list(adata.var_names)


@pytest.mark.skipif(
    Version(version("napari-spatialdata")) <= Version("0.7.2") and Version(version("anndata")) >= Version("0.13"),
    reason="napari-spatialdata up to 0.7.2 takes a gene by AnnData._get_X, gone in anndata 0.13 (its issue 400)",
)
def test_interactive_colours_by_gene(written, opened):
    adata, (layers, genes) = written[0], opened
    spots = layers["spots"]
    (item,) = genes.findItems("GNAS", Qt.MatchFlag.MatchExactly)
    genes.itemDoubleClicked.emit(item)
    values = spots.features["GNAS"].to_numpy()
    np.testing.assert_allclose(values, adata[:, "GNAS"].X.ravel())
    colours = np.asarray(spots.face_color)
    assert np.abs(colours[values.argmin()] - colours[values.argmax()]).max() > 0.3
