"""Spots of files and folders of every kind, told apart by content; what is wrong with them."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_tcgn.errors import OutputError, SpotsError
from napari_tcgn.options import GridSettings
from napari_tcgn.slide import ArraySlide, open_slide
from napari_tcgn.spots import (
    Spots,
    check_on_slide,
    fit_lattice,
    implied_mpp,
    make_grid,
    read_spots,
    read_st_spots,
    write_spots,
)
from napari_tcgn.spots.saved import read_saved_spots
from napari_tcgn.spots.source import GridSource, SavedSource

GLASS = ArraySlide(np.full((1500, 2000, 3), 250, np.uint8), mpp=2.0)
COLUMNS = ["barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres"]


def odd_spots(n=50) -> Spots:
    """Spots whose names and numbers do not survive careless writing."""
    rng = np.random.default_rng(0)
    ids = np.array([f"s{i}" for i in range(n)], dtype="U12")
    ids[:5] = ["007", "NA", 'a,"b"', "µm", ""]
    fraction = rng.uniform(size=n)
    fraction[::3] = np.nan
    return Spots(
        ids, rng.uniform(-1e-300, 1e5, n), rng.uniform(0, 1 / 3, n), rng.integers(-9, 9, n), rng.integers(0, 9, n),
        1 / 3, 100.1, "hex", rng.uniform(size=n) > 0.3, fraction, GridSource(settings=GridSettings(pitch_um=0.1)),
    )  # fmt: skip


def assert_same(got: Spots, expected: Spots) -> None:
    for name in ("ids", "x", "y", "array_row", "array_col", "in_tissue", "tissue_fraction"):
        a, b = getattr(got, name), getattr(expected, name)
        assert a.dtype.kind == b.dtype.kind
        np.testing.assert_array_equal(a, b, err_msg=name)
    for name in ("diameter_um", "pitch_um", "layout", "source"):
        assert getattr(got, name) == getattr(expected, name)


@pytest.mark.parametrize("name", ["spots.csv", "spots.csv.gz"])
def test_saved_spots_come_back_to_the_last_digit(tmp_path, name):
    spots = odd_spots()
    write_spots(spots, tmp_path / name)
    assert_same(read_saved_spots(tmp_path / name), spots)
    source = SavedSource(file=name, recorded=spots.source)
    assert_same(read_spots(tmp_path / name), replace(spots, source=source))
    with pytest.raises(OutputError, match="exists already"):
        write_spots(spots, tmp_path / name)
    write_spots(spots.select(np.arange(3)), tmp_path / name, overwrite=True)
    assert len(read_spots(tmp_path / name)) == 3
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_saved_spots_know_their_slide(tmp_path):
    spots = make_grid(GLASS, GridSettings(tissue_only=False))
    write_spots(spots, tmp_path / "s.csv", slide=GLASS)
    again = read_spots(tmp_path / "s.csv")
    np.testing.assert_array_equal(check_on_slide(again, GLASS).x, spots.x)
    with pytest.raises(
        SpotsError, match=r"image of 2000 x 1500 px, but slide slide has 1000 x 750 px.*2 times smaller"
    ):
        check_on_slide(again, ArraySlide(np.zeros((750, 1000, 3), np.uint8)))
    with pytest.raises(SpotsError, match=r"2001 x 1600 px\. Give the image and the spot table"):
        check_on_slide(again, ArraySlide(np.zeros((1600, 2001, 3), np.uint8)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace('"version": 1', '"version": 9'), "newer version"),
        (lambda t: t.replace("array_row", "rows"), "its columns are"),
        (lambda t: t.replace("pitch_um", "pitch"), "cannot be read"),
        (lambda t: t[:-4] + "x\n", "cannot be read"),
        (lambda t: t.replace("{", "", 1), "cannot be read"),
    ],
)
def test_damaged_saved_spots(tmp_path, change, message):
    path = tmp_path / "s.csv"
    write_spots(odd_spots(), path)
    path.write_text(change(path.read_text()))
    with pytest.raises(SpotsError, match=message):
        read_spots(path)


def positions(n_rows=6, n_cols=8, step=40.0, hd=False) -> pd.DataFrame:
    """A turned Visium array (or bins), whose last row is off the tissue."""
    rows = []
    for r in range(n_rows):
        for c in range(n_cols) if hd else range(r % 2, n_cols, 2):
            u, v = (c * step, r * step) if hd else (c * step / 2, r * step * np.sqrt(3) / 2)
            y, x = 100 + 0.6 * u + 0.8 * v, 300 + 0.8 * u - 0.6 * v  # a turn of 37 degrees
            rows.append((f"BC{r}x{c}-1", int(r < n_rows - 1), r, c, y, x))
    return pd.DataFrame(rows, columns=COLUMNS)


def visium(folder, version=2, factors=None, image=None, table=None):
    spatial = folder / "spatial"
    spatial.mkdir(parents=True)
    table = positions() if table is None else table
    if version == 1:
        table.to_csv(spatial / "tissue_positions_list.csv", index=False, header=False)
    elif version == 2:
        table.to_csv(spatial / "tissue_positions.csv", index=False)
    else:
        table.to_parquet(spatial / "tissue_positions.parquet")
    factors = factors or {"spot_diameter_fullres": 26.0, "tissue_lowres_scalef": 0.1}
    (spatial / "scalefactors_json.json").write_text(json.dumps(factors))
    if image:
        Image.new("RGB", image).save(spatial / "tissue_lowres_image.png")
    return folder


@pytest.mark.parametrize("version", [1, 2])
def test_visium_folders(tmp_path, version):
    folder = visium(tmp_path / "V10", version, image=(60, 50))
    spots = read_spots(folder)
    table = positions()
    table = table[table["in_tissue"] == 1]
    assert spots.ids.tolist() == table["barcode"].tolist()
    np.testing.assert_allclose(spots.x, table["pxl_col_in_fullres"])
    np.testing.assert_allclose(spots.y, table["pxl_row_in_fullres"])
    assert (spots.layout, spots.pitch_um, spots.diameter_um, spots.shape) == ("visium", 100.0, 55.0, "disc")
    assert spots.source.file == "V10"
    assert spots.source.not_in_tissue == 4
    assert spots.source.image_size == (600.0, 500.0)
    # 40 px between neighbours are 100 µm, turned or not.
    assert spots.source.implied_mpp == pytest.approx(2.5)
    for inner in ("spatial", f"spatial/{spots.source.positions}"):
        assert_same(read_spots(folder / inner), spots)


def test_bins_of_visium_hd(tmp_path):
    factors = {"spot_diameter_fullres": 29.2, "bin_size_um": 8.0, "microns_per_pixel": 0.2738}
    folder = visium(tmp_path / "binned_outputs" / "square_008um", 3, factors, table=positions(step=29.2, hd=True))
    spots = read_spots(folder)
    assert (spots.layout, spots.pitch_um, spots.diameter_um, spots.shape) == ("visium-hd", 8.0, 8.0, "square")
    assert spots.source.implied_mpp == pytest.approx(0.2738)
    assert implied_mpp(spots) == pytest.approx(8 / 29.2)
    assert_same(read_spots(folder / "spatial" / "tissue_positions.parquet"), spots)
    assert_same(read_spots(tmp_path), spots)  # outs with one size of bins
    assert_same(read_spots(tmp_path / "binned_outputs"), spots)
    (tmp_path / "binned_outputs" / "square_016um").mkdir()
    with pytest.raises(SpotsError, match=r"bin sizes: square_008um, square_016um\. Choose one of them, .*016um"):
        read_spots(tmp_path)


def test_bad_visium_folders(tmp_path):
    with pytest.raises(SpotsError, match="no Visium folder"):
        read_spots(tmp_path)
    folder = visium(tmp_path / "a")
    (folder / "spatial" / "scalefactors_json.json").write_text("{}")
    with pytest.raises(SpotsError, match="does not tell spot_diameter_fullres"):
        read_spots(folder)
    (folder / "spatial" / "scalefactors_json.json").write_text("[")
    with pytest.raises(SpotsError, match=r"scalefactors_json\.json cannot be read"):
        read_spots(folder)
    (folder / "spatial" / "scalefactors_json.json").unlink()
    with pytest.raises(SpotsError, match=r"has no scalefactors_json\.json"):
        read_spots(folder)
    empty = positions().assign(in_tissue=0)
    with pytest.raises(SpotsError, match=r"None of the 24 spots in tissue_positions\.csv lies on tissue"):
        read_spots(visium(tmp_path / "b", table=empty))
    text = positions().astype(object)
    text.loc[3, "array_row"] = "three"
    with pytest.raises(SpotsError, match="cannot be read"):
        read_spots(visium(tmp_path / "c", table=text))
    gap = positions()
    gap.loc[3, "pxl_row_in_fullres"] = np.nan
    with pytest.raises(SpotsError, match="gaps"):
        read_spots(visium(tmp_path / "d", table=gap))
    with pytest.raises(SpotsError, match="has no column in_tissue"):
        read_spots(visium(tmp_path / "e", table=positions().drop(columns="in_tissue")))


def test_visium_on_images_of_other_sizes(tmp_path):
    spots = read_spots(visium(tmp_path / "V", image=(60, 50)))
    tissue = np.full((500, 600, 3), (150, 80, 150), np.uint8)
    check_on_slide(spots, ArraySlide(tissue, mpp=2.5))
    with pytest.raises(SpotsError, match=r"600 x 500 px.*60 x 50 px.*10 times smaller.*full-resolution"):
        check_on_slide(spots, ArraySlide(tissue[:50, :60].copy(), mpp=25.0))
    blank = np.full((500, 600, 3), 245, np.uint8)
    with pytest.raises(SpotsError, match="None of 20 spots lies on tissue"):
        check_on_slide(spots, ArraySlide(blank, mpp=2.5))


def squidpy_like(tmp_path, name="a.h5ad", **changes):
    import anndata

    table = positions()
    obs = table.set_index("barcode")[["in_tissue", "array_row", "array_col"]]
    adata = anndata.AnnData(np.zeros((len(obs), 2), np.float32), obs=obs)
    adata.obsm["spatial"] = table[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy()
    scales = {"spot_diameter_fullres": 26.0, "tissue_hires_scalef": 0.1}
    adata.uns["spatial"] = {"lib": {"images": {"hires": np.zeros((50, 60, 3), np.uint8)}, "scalefactors": scales}}
    for change in changes.values():
        change(adata)
    adata.write_h5ad(tmp_path / name)
    return tmp_path / name


def drop_array(adata):
    adata.obs = adata.obs.drop(columns=["array_row", "array_col"])


def test_h5ad_of_visium(tmp_path):
    spots = read_spots(squidpy_like(tmp_path))
    assert len(spots) == 20
    assert (spots.layout, spots.pitch_um, spots.diameter_um) == ("visium", 100.0, 55.0)
    assert spots.source.image_size == (600.0, 500.0)
    assert spots.source.implied_mpp == pytest.approx(2.5)
    np.testing.assert_allclose(spots.x, positions()["pxl_col_in_fullres"][:20])
    with pytest.raises(SpotsError, match="600 x 500 px"):
        check_on_slide(spots, GLASS)


def test_h5ad_of_another_technique_needs_the_mpp(tmp_path):
    path = squidpy_like(tmp_path, change=drop_array)
    with pytest.raises(SpotsError, match=r"how large its spots are.*--mpp"):
        read_spots(path)
    spots = read_spots(path, mpp=2.5)
    assert spots.layout == "custom"
    assert spots.diameter_um == pytest.approx(65)
    assert spots.pitch_um == pytest.approx(100)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.obsm.clear(), "holds no positions"),
        (lambda a: a.uns["spatial"].update(second=dict(a.uns["spatial"]["lib"])), "2 sections"),
        (lambda a: a.obs.update(pd.DataFrame({"in_tissue": 0}, index=a.obs_names)), "No spot"),
        (lambda a: a.obsm.update(spatial=a.obsm["spatial"] * 10), "px of another image"),
        (lambda a: a.obsm.update(spatial=a.obsm["spatial"] * np.nan), "not a finite number"),
    ],
)
def test_bad_h5ad(tmp_path, change, message):
    with pytest.raises(SpotsError, match=message):
        read_spots(squidpy_like(tmp_path, change=change))


def test_damaged_h5ad(tmp_path):
    path = squidpy_like(tmp_path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(SpotsError, match=r"cannot be read as \.h5ad"):
        read_spots(path)


def test_what_is_no_spots_file(tmp_path):
    for name, content in {
        "a.tsv": b"spot\tGENE1\n1x2\t3\n",
        "b.csv": b"x,y\n1,2\n",
        "c.bin": bytes(range(256)),
        "d.csv": b"",
        "e.gz": gzip.compress(b"nothing"),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SpotsError, match="no spots of a known kind"):
            read_spots(tmp_path / name)
    (tmp_path / "f.gz").write_bytes(gzip.compress(b"much" * 9999)[:12])
    with pytest.raises(SpotsError, match="cannot be read"):
        read_spots(tmp_path / "f.gz")
    with pytest.raises(SpotsError, match="does not exist"):
        read_spots(tmp_path / "none.csv")


def test_st_tables_are_known_by_their_columns(tmp_path):
    path = tmp_path / "table.anything"
    path.write_text("x\ty\tpixel_x\tpixel_y\n1\t2\t30\t60\n")
    assert_same(read_spots(path), read_st_spots(path))
    path.write_text("x\ty\tpixel_x\n1\t2\t30\n")
    with pytest.raises(SpotsError, match="no column pixel_y"):
        read_spots(path)


def test_lattices():
    grid = make_grid(GLASS, GridSettings("visium", tissue_only=False, rotation_deg=20.0))
    lattice = fit_lattice(grid)
    assert lattice.residual < 1e-6
    x, y = lattice.place(grid.array_row, grid.array_col)
    np.testing.assert_allclose([x, y], [grid.x, grid.y], atol=1e-6)
    assert implied_mpp(grid) == pytest.approx(2.0)
    one_row = grid.select(grid.array_row == grid.array_row[0])
    with pytest.raises(SpotsError, match="one row or column"):
        fit_lattice(one_row)
    assert implied_mpp(one_row) is None
    swapped = Spots(grid.ids, grid.x, grid.y, np.roll(grid.array_row, 7), grid.array_col, 55, 100, "visium")
    with pytest.raises(SpotsError, match="regular lattice"):
        fit_lattice(swapped)


def test_real_visium_folder(real_data):
    folder = real_data / "visium_v1_tiny"
    spots = read_spots(folder)
    assert len(spots) == 4235
    assert spots.source.implied_mpp == pytest.approx(0.725, abs=0.002)
    assert spots.source.image_size == (13332.0, 13332.0)
    # Only small images are there: refused, with what is needed.
    with pytest.raises(SpotsError, match=r"13332 x 13332 px.*600 x 600 px.*smaller.*full-resolution image"):
        check_on_slide(spots, open_slide(folder / "spatial" / "tissue_lowres_image.png"))


def test_real_legacy_tables(real_data):
    mouse = read_spots(real_data / "st_mouse_olfactory_bulb" / "alignment_table_MOB1.tsv")
    assert len(mouse) == 379
    assert implied_mpp(mouse) == pytest.approx(150 / 32.3, rel=0.01)  # its spots are 32.3 px apart across the corner
    section = read_spots(real_data / "her2st/data/ST-spotfiles/C2_selection.tsv")
    assert implied_mpp(section) == pytest.approx(0.688, abs=0.003)
    with pytest.raises(SpotsError, match="no spots of a known kind"):
        read_spots(real_data / "her2st/data/ST-cnts/C2.tsv.gz")
