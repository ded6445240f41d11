from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_tcgn.errors import DataError, OutputError, SettingsError
from napari_tcgn.exports.section_figure import RIM, _draw, gene_figure, round_length
from napari_tcgn.expression import to_anndata
from napari_tcgn.options import ExportSettings


def test_panels_say_gene_trust_unit_and_scale(prediction) -> None:
    figure = _draw(to_anndata(prediction), ["GNAS", "ACTB"], None)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles[:3] == ["C2 · H&E", "GNAS · held-out PCC 0.31 [0.21, 0.41]", "ACTB · held-out PCC unknown"]
    assert [axis.child_axes[0].get_ylabel() for axis in figure.axes[1:3]] == [
        "log10(1 + 1e4 * count / panel total)"
    ] * 2
    for axis in figure.axes[:3]:
        assert [t.get_text() for t in axis.texts] == ["200 µm"]
        bar = axis.lines[0].get_xdata()
        assert bar[1] - bar[0] == 200


def test_spots_are_discs_of_their_diameter_at_their_places(prediction) -> None:
    adata = to_anndata(prediction)
    figure = _draw(adata, ["GNAS"], None)
    discs = figure.axes[1].collections[0]
    np.testing.assert_allclose(discs.get_offsets(), adata.obsm["spatial"] * 0.688)
    np.testing.assert_allclose(discs.get_widths(), 100.0)
    np.testing.assert_array_equal(discs.get_array(), adata[:, "GNAS"].X.ravel())
    bottom, top = figure.axes[1].get_ylim()
    assert bottom > top, "y runs down as in the slide"


def test_written_picture_shows_the_values(tmp_path: Path, prediction) -> None:
    """The colour under each spot's centre is the colour map's at the spot's value."""
    from matplotlib import colormaps

    adata = to_anndata(prediction)
    figure = _draw(adata, ["IGKC"], None)
    figure.savefig(tmp_path / "map.png", dpi=100)
    drawn = np.asarray(Image.open(tmp_path / "map.png").convert("RGB")).astype(float)
    axis = figure.axes[1]
    columns, rows = axis.transData.transform(adata.obsm["spatial"] * 0.688).T
    values = adata[:, "IGKC"].X.ravel()
    low, high = np.percentile(values, [1, 99])
    expected = np.array(colormaps["viridis"](np.clip((values - low) / (high - low), 0, 1)))[:, :3] * 255
    found = drawn[drawn.shape[0] - 1 - rows.astype(int), columns.astype(int)]
    assert np.abs(found - expected).max() < 6


def test_pyplot_stays_untouched(tmp_path: Path, prediction) -> None:
    loaded = "matplotlib.pyplot" in sys.modules
    gene_figure(to_anndata(prediction), ["GNAS", "FASN"], tmp_path / "genes.png", ncols=2)
    assert ("matplotlib.pyplot" in sys.modules) == loaded
    with Image.open(tmp_path / "genes.png") as picture:
        assert picture.width > 900
        assert picture.height > 700


def test_constant_gene_can_be_drawn(tmp_path: Path, prediction) -> None:
    prediction.values[:, 1] = 2.0
    gene_figure(to_anndata(prediction), ["GNAS"], tmp_path / "genes.png")
    assert (tmp_path / "genes.png").stat().st_size > 10_000


def test_unknown_gene_names_its_neighbours(tmp_path: Path, prediction) -> None:
    with pytest.raises(DataError, match=r"'GNSA'.*Did you mean GNAS"):
        gene_figure(to_anndata(prediction), ["GNSA"], tmp_path / "genes.png")
    with pytest.raises(DataError, match="No gene"):
        gene_figure(to_anndata(prediction), [], tmp_path / "genes.png")
    assert list(tmp_path.iterdir()) == []


def test_targets_that_are_no_picture(tmp_path: Path, prediction) -> None:
    adata = to_anndata(prediction)
    with pytest.raises(OutputError, match="no picture"):
        gene_figure(adata, ["GNAS"], tmp_path / "genes.h5ad")
    (tmp_path / "genes.png").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        gene_figure(adata, ["GNAS"], tmp_path / "genes.png")
    assert (tmp_path / "genes.png").read_text() == "mine"


@pytest.mark.parametrize(("longest", "expected"), [(99, 50), (100, 100), (263, 200), (3000, 2000), (0.3, 0.2)])
def test_scale_bar_lengths_are_round(longest: float, expected: float) -> None:
    assert round_length(longest) == pytest.approx(expected)


def test_a_figure_is_drawn_as_it_was_seen(prediction) -> None:
    adata = to_anndata(prediction)
    seen = ExportSettings(colormap="magma", limits="0.5,2", style="rings", spot_size=50, dim=20)
    figure = _draw(adata, ["GNAS", "FASN"], None, settings=seen)
    for axis in figure.axes[1:3]:
        rings = axis.collections[0]
        assert rings.get_cmap().name == "magma"
        assert rings.get_clim() == (0.5, 2.0)
        figure.canvas.draw()
        assert rings.get_facecolor().size == 0 or (rings.get_facecolor()[:, 3] == 0).all()
        assert len(np.unique(rings.get_edgecolor(), axis=0)) > 2, "rings have the colours of the values"
        np.testing.assert_allclose(rings.get_widths(), 50.0 * (1 - RIM))
        assert axis.images[0].get_alpha() == pytest.approx(0.8)
    half = _draw(adata, ["GNAS"], None, settings=ExportSettings(style="half-transparent")).axes[1].collections[0]
    assert half.get_alpha() == 0.5


def test_a_surface_lies_on_its_spots(prediction) -> None:
    adata = to_anndata(prediction)
    figure = _draw(adata, ["GNAS"], None, settings=ExportSettings(style="surface", bandwidth=0.3))
    axis = figure.axes[1]
    surface = axis.images[-1]
    left, right, bottom, top = surface.get_extent()
    x, y = (adata.obsm["spatial"] * 0.688).T
    rows, columns = surface.get_array().shape
    column, row = (x - left) / (right - left) * columns, (y - top) / (bottom - top) * rows
    found = surface.get_array()[row.astype(int), column.astype(int)]
    assert np.corrcoef(found, adata[:, "GNAS"].X.ravel())[0, 1] > 0.95
    assert axis.get_xlim()[0] < x.min()
    assert axis.get_ylim()[0] > axis.get_ylim()[1], "y still runs down"


def test_a_colour_map_and_limits_that_cannot_be(tmp_path: Path, prediction) -> None:
    with pytest.raises(SettingsError, match="no colour map 'virids'"):
        gene_figure(to_anndata(prediction), ["GNAS"], tmp_path / "g.png", settings=ExportSettings(colormap="virids"))
    for limits in ("2,1", "1", "a,b", "1,1", "0,nan", "0,1,2"):
        with pytest.raises(SettingsError, match="two numbers with a comma"):
            ExportSettings(limits=limits)
    assert ExportSettings(limits="-1, 2.5").limits_of_figure() == (-1.0, 2.5)
