"""What drives a gene, on a drawn section whose nuclei are counted."""

from __future__ import annotations

import anndata
import numpy as np
import pytest
from anndata import AnnData

from napari_tcgn.errors import DataError, SlideError, SpotsError
from napari_tcgn.explanation import gene_drivers, gene_drivers_steps
from napari_tcgn.explanation.drivers import IN_A_BLOCK, pick
from napari_tcgn.explanation.morphology import _threshold, count_nuclei
from napari_tcgn.expression import library_of, section_anndata
from napari_tcgn.slide import ArraySlide
from napari_tcgn.spots import Spots

SIDE, PITCH, ROWS = 100, 100, 12  # px, at 1 µm per px
PINK, BLUE = (225, 170, 205), (80, 50, 140)


def draw(counts: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw tissue with so many nuclei, 7 px across, in each of the squares [rows, columns], away from their borders."""
    rows, columns = counts.shape
    image = np.full(((rows + 2) * PITCH, (columns + 2) * PITCH, 3), 245, np.uint8)
    image[PITCH // 2 : -PITCH // 2, PITCH // 2 : -PITCH // 2] = PINK
    down, right = np.mgrid[-3:4, -3:4]
    disc = down**2 + right**2 <= 12
    for row in range(rows):
        for column in range(columns):
            places = random.permutation(64)[: counts[row, column]]
            stain = np.clip(np.array(BLUE) * random.uniform(0.6, 1.6), 0, 255)  # darker nuclei here, paler ones there
            for y, x in zip(*np.divmod(places, 8), strict=True):
                top = (row + 1) * PITCH - SIDE // 2 + 8 + 11 * y
                left = (column + 1) * PITCH - SIDE // 2 + 8 + 11 * x
                image[top : top + 7, left : left + 7][disc] = stain
    noise = random.normal(0, 4, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def section() -> tuple[ArraySlide, AnnData, np.ndarray]:
    """Nuclei in patches of several squares each, as tissue has them; GENE follows their number."""
    random = np.random.default_rng(3)
    smooth = random.normal(size=(ROWS // 2, ROWS // 2)).repeat(2, axis=0).repeat(2, axis=1)
    counts = np.clip(20 + 12 * smooth, 2, 60).astype(int)
    slide = ArraySlide(draw(counts, random), "drawn", 1.0)
    row, column = (v.ravel() for v in np.mgrid[:ROWS, :ROWS])
    spots = Spots(
        np.array([f"{c}x{r}" for r, c in zip(row, column, strict=True)]),
        PITCH * (column + 1.0), PITCH * (row + 1.0), row, column, float(SIDE), float(PITCH), "square",
    )  # fmt: skip
    planted = random.poisson(counts.ravel())
    values = np.column_stack([planted, random.permutation(planted), np.full(len(row), 3.0)])
    adata = section_anndata(values, ["GENE", "SHUFFLED", "SAME"], spots, 1.0, "drawn", "counts", "drawn")
    return slide, adata, counts.ravel()


def test_nuclei_are_counted_and_measured() -> None:
    random = np.random.default_rng(0)
    image = draw(np.array([[23]]), random)[50:250, 50:250]
    threshold = _threshold(image[None], 1.0)
    density, size = count_nuclei(image, 1.0, threshold)
    assert density == pytest.approx(23 / 0.04, rel=0.05)  # 200 x 200 µm are 0.04 mm²
    assert size == pytest.approx(37, rel=0.5)
    none, nothing = count_nuclei(np.full((50, 50, 3), 240, np.uint8), 1.0, threshold)
    assert none == 0
    assert np.isnan(nothing)


def test_a_gene_made_of_the_number_of_nuclei_has_their_density_first(section) -> None:
    slide, adata, counts = section
    found = gene_drivers(adata, slide, "GENE")
    assert found.drivers[0].feature == "density of nuclei"
    assert found.drivers[0].rho > 0.8
    assert found.drivers[0].q < 0.05
    assert found.drivers[0].unit == "1/mm²"
    measured = found.morphology.values[:, found.morphology.names.index("density of nuclei")]
    assert np.corrcoef(measured, counts)[0, 1] > 0.98
    assert [abs(one.rho) for one in found.drivers] == sorted((abs(one.rho) for one in found.drivers), reverse=True)


def test_a_shuffled_gene_shows_nothing(section) -> None:
    slide, adata, _ = section
    found = gene_drivers(adata, slide, "SHUFFLED")
    assert min(one.q for one in found.drivers) >= 0.05


def test_a_constant_gene_has_no_correlation(section) -> None:
    slide, adata, _ = section
    found = gene_drivers(adata, slide, "SAME")
    assert all(np.isnan(one.rho) and np.isnan(one.q) for one in found.drivers)


def test_the_gallery_shows_both_ends_with_few_of_a_neighbourhood(section) -> None:
    slide, adata, _ = section
    found = gene_drivers(adata, slide, "GENE")
    block_of = dict(zip(adata.obs_names, library_of(adata).spots().lattice.blocks().tolist(), strict=True))
    for gallery, order in ((found.highest, -1), (found.lowest, 1)):
        assert len(gallery.spots) == len(set(gallery.spots)) == 24
        assert (np.diff(order * gallery.values) >= 0).all()
        blocks = dict.fromkeys(block_of.values(), 0)
        for name, (x, y), patch in zip(gallery.spots, gallery.xy, gallery.patches, strict=True):
            column, row = map(int, name.split("x"))
            assert (x, y) == (PITCH * (column + 1), PITCH * (row + 1))
            blocks[block_of[name]] += 1
            assert (patch == slide.read_region(int(x) - 50, int(y) - 50, 100, 100)).all()
        assert max(blocks.values()) == IN_A_BLOCK
    assert found.lowest.values.max() < found.highest.values.min()


def test_picking_takes_the_next_one_where_a_neighbourhood_is_full() -> None:
    values = np.array([0.0, 1, 2, 3, 4, 5])
    assert pick(values, np.array([0, 0, 0, 0, 1, 1]), 4).tolist() == [0, 1, 2, 4]
    assert pick(values, np.zeros(6, np.intp), 4).tolist() == [0, 1, 2]


def test_spots_without_a_value_or_a_whole_patch_are_left_out_and_said(section) -> None:
    slide, adata, _ = section
    adata = adata.copy()
    adata.X[:3, 0] = np.nan
    adata.obsm["spatial"][10] = [20, 20]
    found = gene_drivers(adata, slide, "GENE")
    assert len(found.spots) == 140
    assert found.notes == (
        "3 of 144 spots have no value and are left out.",
        "1 patches reach over the edge of the slide and are left out.",
    )
    adata.X[19:, 0] = np.nan
    with pytest.raises(DataError, match="15 spots have a value of GENE and a whole patch: too few"):
        gene_drivers(adata, slide, "GENE")


def test_a_gene_that_is_not_there_is_a_sentence(section) -> None:
    slide, adata, _ = section
    with pytest.raises(DataError, match="Gene 'GENES' is not among the 3 genes of the result"):
        gene_drivers(adata, slide, "GENES")
    with pytest.raises(DataError, match="'all' stands for 3 genes"):
        gene_drivers(adata, slide, "all")


def test_another_slide_than_that_of_the_result_is_refused(slide, spots) -> None:
    from napari_tcgn import predict
    from support.explaining import colour_predictor

    adata = predict(slide, spots, colour_predictor())
    with pytest.raises(SlideError, match="made on a slide of 480 x 400 px, other has 90 x 80"):
        gene_drivers(adata, ArraySlide(np.zeros((80, 90, 3), np.uint8), "other", 0.5), "RED")


def test_a_slide_at_another_scale_or_mirrored_is_refused(section) -> None:
    slide, adata, _ = section
    other = ArraySlide(np.asarray(slide.read_region(0, 0, *slide.level_dimensions[0])), "drawn", 0.5)
    with pytest.raises(SlideError, match=r"made at 1 µm per px, drawn is opened at 0.5"):
        gene_drivers(adata, other, "GENE")
    glass = np.full_like(np.asarray(slide.read_region(0, 0, *slide.level_dimensions[0])), 245)
    glass[:, : 2 * PITCH] = PINK  # the tissue lies elsewhere
    with pytest.raises(SpotsError, match="lie on tissue"):
        gene_drivers(adata, ArraySlide(glass, "drawn", 1.0), "GENE")


def test_sections_that_were_put_together_are_refused(section) -> None:
    slide, adata, _ = section
    two = anndata.concat({"a": adata, "b": adata}, label="which", index_unique="-", uns_merge="same", merge="same")
    with pytest.raises(DataError, match=r"spots of several sections: 288 spots have 144 array positions.*'which'"):
        gene_drivers(two, slide, "GENE")


def test_closing_the_steps_ends_the_work(section) -> None:
    slide, adata, _ = section
    steps = gene_drivers_steps(adata, slide, "GENE")
    told = []
    for step in steps:
        told.append((step.stage, step.done, step.total))
        if step.done == 64:
            steps.close()
    assert told[-2:] == [("morphology", 32, 144), ("morphology", 64, 144)]
