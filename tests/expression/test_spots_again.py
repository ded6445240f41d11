"""The spots of a written prediction are read again: the same ones, on the same slide only."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tcgn.errors import SpotsError
from napari_tcgn.expression import to_anndata, write_h5ad
from napari_tcgn.slide import ArraySlide
from napari_tcgn.spots import check_on_slide, read_spots


def test_the_spots_of_a_prediction(prediction, slide, spots, tmp_path):
    path = tmp_path / "C2.h5ad"
    write_h5ad(to_anndata(prediction), path)
    again = read_spots(path)
    for name in ("ids", "x", "y", "array_row", "array_col", "in_tissue", "tissue_fraction"):
        np.testing.assert_array_equal(getattr(again, name), getattr(spots, name), err_msg=name)
    assert (again.layout, again.pitch_um, again.diameter_um) == ("st", 150.0, 100.0)
    assert again.source.recorded == spots.source
    check_on_slide(again, slide)
    with pytest.raises(SpotsError, match="1600 x 1200 px"):
        check_on_slide(again, ArraySlide(np.zeros((1200, 1599 - 10, 3), np.uint8)))


def test_a_damaged_record_is_said(prediction, tmp_path):
    adata = to_anndata(prediction)
    adata.uns["napari_tcgn"]["run_record"] = "{"
    write_h5ad(adata, tmp_path / "C2.h5ad")
    with pytest.raises(SpotsError, match=r"cannot be read as \.h5ad"):
        read_spots(tmp_path / "C2.h5ad")
