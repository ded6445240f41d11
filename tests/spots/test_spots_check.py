"""Spots that do not belong to the slide are refused before anything is predicted."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tcgn.errors import SpotsError
from napari_tcgn.slide import ArraySlide, open_slide
from napari_tcgn.spots import Spots, check_on_slide, read_st_spots
from napari_tcgn.spots.source import StSource, read_source


def spots_at(x, y, **source) -> Spots:
    n = len(x)
    ids = np.array([f"{i}x0" for i in range(n)])
    return Spots(
        ids,
        np.array(x, float),
        np.array(y, float),
        np.zeros(n),
        np.arange(n),
        100.0,
        200.0,
        "st",
        source=read_source(source),
    )


def half_tissue() -> ArraySlide:
    """1000 x 800 px whose left half is tissue."""
    picture = np.full((800, 1000, 3), 245, np.uint8)
    picture[:, :500] = (150, 80, 150)
    return ArraySlide(picture, "half", mpp=2.0)


def test_spots_inside_pass():
    check_on_slide(spots_at([10, 400], [10, 790]), half_tissue())


def test_some_outside():
    with pytest.raises(SpotsError, match=r"1 of 2 spots lie outside slide half \(1000 x 800 px\).*same section"):
        check_on_slide(spots_at([10, 1001], [10, 790]), half_tissue())
    with pytest.raises(SpotsError, match="2 of 2"):
        check_on_slide(spots_at([-50, -3], [10, 790]), half_tissue())


def test_positions_of_a_larger_image():
    with pytest.raises(SpotsError, match=r"5\.0 times larger.*full-resolution"):
        check_on_slide(spots_at([100, 5000], [100, 3000]), half_tissue())


def test_a_table_whose_spots_are_off_the_tissue():
    on, off = spots_at([100, 200, 300], [400] * 3, kind=StSource.READS), range(700, 900, 20)
    np.testing.assert_allclose(check_on_slide(on, half_tissue()).tissue_fraction, 1, atol=1e-6)
    edge = spots_at([100, 200, 500], [400] * 3, kind=StSource.READS)  # the last one half on glass
    np.testing.assert_allclose(check_on_slide(edge, half_tissue()).tissue_fraction, [1, 1, 0.5], atol=0.1)
    with pytest.raises(SpotsError, match=r"None of 10 spots lies on tissue.*mirrored left to right"):
        check_on_slide(spots_at(off, [400] * 10, kind=StSource.READS), half_tissue())
    # Whoever placed them: a program, an .h5ad, a file of saved spots.
    for kind in ("", "h5ad", "saved spots", "Visium folder"):
        with pytest.raises(SpotsError, match=r"None of 10 spots lies on tissue.*mirrored left to.*--trust-spots"):
            check_on_slide(spots_at(off, [400] * 10, kind=kind), half_tissue())
    trusted = check_on_slide(spots_at(off, [400] * 10, kind="h5ad", trusted=True), half_tissue())
    assert [doubt[:47] for doubt in trusted.source.doubts] == ["None of 10 spots lies on tissue of slide half. "]


@pytest.mark.parametrize("n", [1, 9])
def test_a_few_spots_beside_the_tissue_say_nothing_of_their_table(n):
    found = check_on_slide(spots_at([700 + 10 * i for i in range(n)], [400] * n, kind=StSource.READS), half_tissue())
    np.testing.assert_allclose(found.tissue_fraction, 0, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ([1001.0, 798.5], None),
        ([1010.0, 800.0], "another section"),
        ([2000.0, 1600.0], "rescaled"),
        ([32.0, 3400.0], None),  # the table follows some other arithmetic
    ],
)
def test_size_that_the_table_was_made_for(size, message):
    spots = spots_at([100, 200, 300], [400] * 3, kind=StSource.READS, file="S.tsv", image_size=size)
    if message is None:
        check_on_slide(spots, half_tissue())
    else:
        with pytest.raises(SpotsError, match=message):
            check_on_slide(spots, half_tissue())


@pytest.mark.slow
def test_real_sections_are_told_apart(real_data):
    data = real_data / "her2st/data"
    slide = open_slide(data / "ST-imgs/C/C5/5714_HE_BT_E1.jpg", mpp=0.688)
    check_on_slide(read_st_spots(data / "ST-spotfiles/C5_selection.tsv"), slide)
    # C3 and C5 are neighbouring sections whose tissue overlaps by 85 %; only the size of the image gives them away.
    for other in ("C3", "C2", "B4"):
        with pytest.raises(SpotsError, match="another section"):
            check_on_slide(read_st_spots(data / f"ST-spotfiles/{other}_selection.tsv"), slide)


def test_real_mouse_section_passes(real_data):
    folder = real_data / "st_mouse_olfactory_bulb"
    check_on_slide(read_st_spots(folder / "alignment_table_MOB1.tsv"), open_slide(folder / "MOB1.jpg"))
