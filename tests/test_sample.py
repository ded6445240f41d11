"""The sample data: complete, small, made by its script, and with expression that follows what is drawn."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_tcgn import sample
from napari_tcgn.errors import DataError
from napari_tcgn.sample import sample_folder, sample_section, training_sample
from napari_tcgn.slide import open_slide, overview_of
from napari_tcgn.spots import check_on_slide, read_st_counts, read_st_spots

PANEL = Path(sample.__file__).parent / "model" / "panels" / "her2st_785.txt"


@pytest.fixture(scope="module")
def make_sample():
    """The script that makes the sample, imported as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(sample_folder())
        yield importlib.import_module("make_sample")
    for name in ("make_sample", "draw_section", "count_genes"):
        sys.modules.pop(name, None)


def test_everything_together_is_small():
    folder = sample_folder()
    files = [path for path in folder.rglob("*") if path.is_file()]
    # Left aside: what Python and the checkers leave beside the scripts, which git ignores.
    own = [path for path in files if not any(part[0] in "._" for part in path.relative_to(folder).parts)]
    assert len(own) >= 20
    assert sum(path.stat().st_size for path in own) < 4e6


def test_section_opens_and_its_spots_lie_on_tissue():
    files = sample_section()
    slide = open_slide(files.image)
    assert slide.mpp == 0.688
    assert slide.level_dimensions == ((2880, 2880), (1440, 1440), (720, 720))
    spots = read_st_spots(files.spots, read_st_counts(files.counts))
    check_on_slide(spots, slide)
    assert len(spots) == 79
    # Fat is pale: the mask misses some of it, as on real tissue.
    assert (overview_of(slide).tissue().fraction(spots.x, spots.y, 100 / 0.688) >= 0.5).mean() > 0.7


def test_tables_and_h5ad_hold_the_same():
    import anndata as ad

    files = sample_section()
    counts = read_st_counts(files.counts)
    spots = read_st_spots(files.spots, counts)
    adata = ad.read_h5ad(files.measured)
    assert adata.obs_names.tolist() == counts.index.tolist() == spots.ids.tolist()
    assert adata.var_names.tolist() == counts.columns.tolist()
    np.testing.assert_array_equal(adata.X.toarray(), counts.to_numpy())
    np.testing.assert_allclose(adata.obsm["spatial"], np.stack([spots.x, spots.y], axis=1))
    assert adata.obs["array_row"].tolist() == spots.array_row.tolist()
    library = adata.uns["spatial"]["section"]
    assert library["scalefactors"]["spot_diameter_fullres"] == pytest.approx(100 / 0.688)
    assert set(PANEL.read_text().split()) | {"ERBB2", "COL1A1"} <= set(counts.columns)


def test_expression_follows_the_picture():
    """Markers are where their tissue was drawn, and dark, nucleus-rich places express the epithelium's."""
    import anndata as ad

    adata = ad.read_h5ad(sample_section().measured)
    table = pd.DataFrame(adata.X.toarray(), index=adata.obs_names, columns=adata.var_names)
    share = table.div(table.sum(axis=1), axis=0)
    drawn = adata.obs["drawn_as"].to_numpy()
    for kind, genes in {
        "epithelium": ["KRT8", "ERBB2", "GNAS"],
        "stroma": ["COL1A1", "SPARC"],
        "fat": ["FABP4"],
    }.items():
        for gene in genes:
            means = share[gene].groupby(drawn).mean()
            assert means.idxmax() == kind
            assert means[kind] > 1.5 * means.drop(kind).max(), gene
    slide = open_slide(sample_section().image)
    side = 100
    redness = [
        slide.read_region(int(x) - side // 2, int(y) - side // 2, side, side)[..., 0].mean()
        for x, y in adata.obsm["spatial"]
    ]
    assert np.corrcoef(redness, share["KRT8"])[0, 1] < -0.5


@pytest.mark.parametrize("name", ["A2", "B1", "C1", "D1"])
def test_mini_sections_are_complete(name):
    data = training_sample() / "data"
    (image,) = (data / "ST-imgs" / name[0] / name).glob("*.jpg")
    slide = open_slide(image)
    assert slide.mpp == pytest.approx(0.688, rel=1e-4)
    counts = read_st_counts(data / "ST-cnts" / f"{name}.tsv.gz")
    spots = read_st_spots(data / "ST-spotfiles" / f"{name}_selection.tsv", counts)
    check_on_slide(spots, slide)
    assert 20 <= len(spots) == len(counts) <= 30


def test_script_makes_what_is_there(make_sample, tmp_path):
    plan = make_sample.MINI["B1"]
    section = make_sample.draw_section(plan)
    spots = make_sample.make_spots(plan, section)
    counts = make_sample.make_counts(plan, spots)
    data = training_sample() / "data"
    stored = np.asarray(Image.open(data / "ST-imgs/B/B1/B1_HE.jpg")).astype(int)
    # A JPEG is not exact; another drawing would differ by tens of grey values.
    assert np.abs(stored - section.picture).mean() < 6
    make_sample.write_tables(spots, counts, tmp_path / "B1_selection.tsv", tmp_path / "B1.tsv.gz")
    pd.testing.assert_frame_equal(read_st_counts(tmp_path / "B1.tsv.gz"), read_st_counts(data / "ST-cnts/B1.tsv.gz"))
    assert (tmp_path / "B1_selection.tsv").read_text() == (data / "ST-spotfiles/B1_selection.tsv").read_text()


def test_another_seed_draws_another_section(make_sample):
    from dataclasses import replace

    plan = replace(make_sample.MINI["B1"], side=512)
    one, same = make_sample.draw_section(plan), make_sample.draw_section(plan)
    other = make_sample.draw_section(replace(plan, seed=99))
    np.testing.assert_array_equal(one.picture, same.picture)
    assert np.abs(one.picture.astype(int) - other.picture).mean() > 10


def test_installation_without_sample_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(sample, "__file__", str(tmp_path / "a" / "b" / "sample.py"))
    with pytest.raises(DataError, match="no sample data"):
        sample_folder()
    (tmp_path / "a" / "b" / "sample_data").mkdir(parents=True)
    with pytest.raises(DataError, match="lack"):
        sample_section()
