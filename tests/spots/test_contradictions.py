"""Spots that contradict the slide they are laid on: µm per pixel, handedness, tissue, the size of the image."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from napari_tcgn.errors import SpotsError
from napari_tcgn.options import GridSettings, SpotsSettings
from napari_tcgn.slide import ArraySlide
from napari_tcgn.spots import Spots, check_on_slide, contradicted_mpp, make_grid, read_spots, write_spots

MPP, WIDTH, HEIGHT = 2.0, 1400, 1000
COLUMNS = ["barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres"]
FACTORS = {"spot_diameter_fullres": 65 / MPP, "tissue_hires_scalef": 0.5, "tissue_lowres_scalef": 0.15}


def picture() -> np.ndarray:
    """Tissue in the upper left, and a tail to the right of it: no symmetry of the image maps it onto itself."""
    pixels = np.full((HEIGHT, WIDTH, 3), 245, np.uint8)
    pixels[80:620, 100:700] = pixels[420:620, 700:1150] = (150, 80, 150)
    return pixels


def slide(pixels: np.ndarray | None = None, mpp: float | None = MPP) -> ArraySlide:
    return ArraySlide(picture() if pixels is None else pixels, "S", mpp=mpp)


def table() -> pd.DataFrame:
    """A Visium array of 100 µm on the picture."""
    pixels, rows = picture(), []
    for r in range(22):
        for c in range(r % 2, 54, 2):
            x, y = 30 + 25.0 * c, 30 + 25 * np.sqrt(3) * r
            rows.append((f"B{r}C{c}-1", int(pixels[int(y), int(x), 1] < 200), r, c, y, x))
    return pd.DataFrame(rows, columns=COLUMNS)


def folder(path: Path, positions: pd.DataFrame, factors: dict[str, float] = FACTORS) -> Path:
    (path / "spatial").mkdir(parents=True)
    if "bin_size_um" in factors:
        positions.to_parquet(path / "spatial" / "tissue_positions.parquet")
    else:
        positions.to_csv(path / "spatial" / "tissue_positions.csv", index=False)
    (path / "spatial" / "scalefactors_json.json").write_text(json.dumps(factors))
    return path


def h5ad(path: Path, positions: pd.DataFrame, spatial: object = None, library: str = "s") -> Path:
    on = positions[positions["in_tissue"] == 1].set_index("barcode")
    adata = anndata.AnnData(np.zeros((len(on), 1), np.float32), obs=on[["in_tissue", "array_row", "array_col"]])
    own = on[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy()
    adata.obsm["spatial"] = own if spatial is None else spatial
    adata.uns["spatial"] = {library: {"images": {}, "scalefactors": FACTORS}}
    adata.write_h5ad(path)
    return path


def moved(x: object = None, y: object = None) -> pd.DataFrame:
    positions = table()
    was_x, was_y = positions["pxl_col_in_fullres"], positions["pxl_row_in_fullres"]
    return positions.assign(
        pxl_col_in_fullres=was_x if x is None else x(was_x, was_y),
        pxl_row_in_fullres=was_y if y is None else y(was_x, was_y),
    )


def test_right_spots_pass_without_a_doubt(tmp_path: Path) -> None:
    for path in (folder(tmp_path / "outs", table()), h5ad(tmp_path / "a.h5ad", table())):
        assert check_on_slide(read_spots(path), slide()).source.doubts is None


# -- µm per pixel ----------------------------------------------------------------------------------------------------


def test_a_typed_mpp_that_the_array_contradicts(tmp_path: Path) -> None:
    spots = read_spots(folder(tmp_path / "outs", table()))
    assert contradicted_mpp(spots, 0.5) == pytest.approx(2.0)
    assert contradicted_mpp(spots, 2.09) is None  # within 5 %
    assert contradicted_mpp(spots, 2.12) == pytest.approx(2.0)
    with pytest.raises(SpotsError, match=r"implies 2 µm per pixel \(its spots are 50 px apart\).*has 0\.5.*--mpp 2,"):
        check_on_slide(spots, ArraySlide(picture(), "S", mpp=0.5))
    # Where it can still be changed, it is not looked at.
    check_on_slide(spots, slide(mpp=1.0), scale=False)
    check_on_slide(spots, slide(mpp=None))


@pytest.mark.parametrize(("scale", "image"), [(0.5, "hires"), (0.15, "lowres")])
@pytest.mark.parametrize("of_h5ad", [False, True])
def test_positions_in_px_of_a_small_image(tmp_path: Path, scale: float, image: str, of_h5ad: bool) -> None:
    small = moved(lambda x, y: x * scale, lambda x, y: y * scale)
    path = h5ad(tmp_path / "a.h5ad", small) if of_h5ad else folder(tmp_path / "outs", small)
    with pytest.raises(SpotsError, match=rf"px of tissue_{image}_image\.png, {scale} times.*divide them by {scale}"):
        check_on_slide(read_spots(path), slide())


def test_the_scale_factors_tell_a_typed_mpp_from_positions_of_a_small_image(tmp_path: Path) -> None:
    """1.0 instead of 2.0 is also what positions in hires px would imply, but the spots' size agrees with the array."""
    with pytest.raises(SpotsError, match=r"has 1 \(given\)\. Give --mpp 2,"):
        check_on_slide(read_spots(folder(tmp_path / "outs", table())), slide(mpp=1.0))


def bins(scale: float = 1.0) -> pd.DataFrame:
    rows = [(f"s_{i}_{j}-1", 1, i, j, (100 + 4.0 * i) * scale, (120 + 4.0 * j) * scale)
            for i in range(40) for j in range(40)]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def test_bins_of_visium_hd(tmp_path: Path) -> None:
    factors = FACTORS | {"spot_diameter_fullres": 4.0, "bin_size_um": 8.0, "microns_per_pixel": 2.0}
    check_on_slide(read_spots(folder(tmp_path / "right", bins(), factors)), slide())
    with pytest.raises(SpotsError, match=r"implies 4 µm per pixel.*px of tissue_hires_image"):
        check_on_slide(read_spots(folder(tmp_path / "hires", bins(0.5), factors)), slide())
    stated = read_spots(folder(tmp_path / "stated", bins(), factors | {"microns_per_pixel": 0.25}))
    with pytest.raises(SpotsError, match=r"implies 0\.25 µm per pixel"):
        check_on_slide(stated, slide())


def test_saved_spots_of_another_scale(tmp_path: Path) -> None:
    grid = make_grid(slide(), GridSettings("visium"))
    write_spots(grid, tmp_path / "s.csv")
    assert check_on_slide(read_spots(tmp_path / "s.csv"), slide()).source.doubts is None
    with pytest.raises(SpotsError, match=r"array of s\.csv implies 2 µm per pixel.*has 1 "):
        check_on_slide(read_spots(tmp_path / "s.csv"), slide(mpp=1.0))


def test_a_few_badly_printed_spots_do_not_contradict() -> None:
    rows, cols = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    x, y = 300 + 100.0 * cols + [0, 18, -10, 12], 300 + 100.0 * rows + [10, -12, 14, 0]
    few = Spots(np.array(list("abcd")), x, y, rows, cols, 100.0, 200.0, "st")
    assert contradicted_mpp(few, 1.85) is None
    assert contradicted_mpp(few, 0.5) is not None


def test_what_was_trusted_becomes_a_doubt(tmp_path: Path) -> None:
    path = folder(tmp_path / "outs", table())
    spots = check_on_slide(read_spots(path, taken=SpotsSettings(trust_spots=True)), slide(mpp=1.0))
    assert spots.source.trusted
    assert len(spots.source.doubts) == 1
    assert "implies 2 µm per pixel" in spots.source.doubts[0]
    assert check_on_slide(spots, slide()).source.doubts is None  # none on the slide that they fit


# -- handedness ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [
        (lambda x, y: WIDTH - x, None, "mirrored left to right"),
        (None, lambda x, y: HEIGHT - y, r"mirrored top to bottom \(rows that grow upwards\)"),
    ],
)
@pytest.mark.parametrize("of_h5ad", [False, True])
def test_mirrored_positions(tmp_path: Path, x: object, y: object, told: str, of_h5ad: bool) -> None:
    wrong = moved(x, y)
    path = h5ad(tmp_path / "a.h5ad", wrong) if of_h5ad else folder(tmp_path / "outs", wrong)
    with pytest.raises(SpotsError, match=rf"is mirrored on slide S.*They seem to be {told}: on tissue lie 100%"):
        check_on_slide(read_spots(path), slide())
    trusted = check_on_slide(read_spots(path, taken=SpotsSettings(trust_spots=True)), slide())
    assert "is mirrored on slide S" in trusted.source.doubts[0]


def square_slide() -> ArraySlide:
    pixels = np.full((WIDTH, WIDTH, 3), 245, np.uint8)
    pixels[:HEIGHT] = picture()
    return slide(pixels)


def test_swapped_positions(tmp_path: Path) -> None:
    wrong = moved(lambda x, y: y, lambda x, y: x)
    with pytest.raises(SpotsError, match=r"They seem to be with x and y swapped: on tissue lie 100%"):
        check_on_slide(read_spots(folder(tmp_path / "outs", wrong)), square_slide())
    with pytest.raises(SpotsError, match=r"lie outside slide S.*All would lie on it with x and y swapped"):
        check_on_slide(read_spots(folder(tmp_path / "again", wrong)), slide())


@pytest.mark.parametrize("chessboard", [False, True])
def test_swapped_legacy_table(tmp_path: Path, chessboard: bool) -> None:
    """Columns of a legacy table are x: right tables pass, also those of the later arrays on a chessboard."""
    places = [(x, y) for x in range(1, 13) for y in range(1, 12) if not chessboard or (x + y) % 2 == 0]
    step = 50.0 if not chessboard else 75 / np.sqrt(2)
    pixel = [(80 + step * x, 40 + step * y) for x, y in places]
    right = pd.DataFrame([(x, y, *at) for (x, y), at in zip(places, pixel, strict=True)],
                         columns=["x", "y", "pixel_x", "pixel_y"])  # fmt: skip
    right.to_csv(tmp_path / "right.tsv", sep="\t", index=False)
    wrong = right.assign(pixel_x=right["pixel_y"], pixel_y=right["pixel_x"])
    wrong.to_csv(tmp_path / "wrong.tsv", sep="\t", index=False)
    glass = square_slide()
    glass.mpp = 4.0 if not chessboard else 2.0
    assert check_on_slide(read_spots(tmp_path / "right.tsv"), glass).source.doubts is None
    with pytest.raises(SpotsError, match=r"lattice of wrong\.tsv is mirrored"):
        check_on_slide(read_spots(tmp_path / "wrong.tsv"), glass)


@pytest.mark.parametrize("angle", [0, 17, 90, 180, 251])
def test_rotated_arrays_are_not_mirrored(tmp_path: Path, angle: float) -> None:
    pixels = np.full((WIDTH, WIDTH, 3), (150, 80, 150), np.uint8)
    turned, c, s = table().assign(in_tissue=1), np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    x, y = (turned[name] - turned[name].mean() for name in ("pxl_col_in_fullres", "pxl_row_in_fullres"))
    x, y = 0.6 * (c * x - s * y) + 700, 0.6 * (s * x + c * y) + 700
    spots = read_spots(folder(tmp_path / "outs", turned.assign(pxl_col_in_fullres=x, pxl_row_in_fullres=y)))
    assert check_on_slide(spots, slide(pixels, MPP / 0.6)).source.doubts is None


def test_a_mirrored_image_with_its_own_positions_passes_with_a_doubt(tmp_path: Path) -> None:
    """Space Ranger aligns mirrored images too: the tissue then clears the positions."""
    path = folder(tmp_path / "outs", moved(lambda x, y: WIDTH - 1 - x))
    spots = check_on_slide(read_spots(path), slide(np.ascontiguousarray(picture()[:, ::-1])))
    assert "On tissue lie 100% as they are" in spots.source.doubts[0]


def test_mirrored_bins_are_usual(tmp_path: Path) -> None:
    """The columns of a Visium HD array may run to the left: those of 10x Genomics' own data sets do."""
    factors = FACTORS | {"spot_diameter_fullres": 4.0, "bin_size_um": 8.0, "microns_per_pixel": 2.0}
    right = bins()
    right["array_col"] = 39 - right["array_col"]
    assert check_on_slide(read_spots(folder(tmp_path / "hd", right, factors)), slide()).source.doubts is None


@pytest.mark.parametrize("names", [("pxl_row_in_fullres", "pxl_col_in_fullres"), ("y", "x"), ("imagerow", "imagecol")])
def test_columns_of_positions_are_taken_by_name(tmp_path: Path, names: tuple[str, str]) -> None:
    on = table()[lambda t: t["in_tissue"] == 1].set_index("barcode")
    frame = on[["pxl_row_in_fullres", "pxl_col_in_fullres"]].set_axis(list(names), axis=1)
    spots = read_spots(h5ad(tmp_path / "a.h5ad", table(), frame))
    np.testing.assert_array_equal(spots.x, on["pxl_col_in_fullres"])
    np.testing.assert_array_equal(spots.y, on["pxl_row_in_fullres"])
    with pytest.raises(SpotsError, match="are called first, second, which does not tell which of them is x"):
        read_spots(h5ad(tmp_path / "b.h5ad", table(), frame.set_axis(["first", "second"], axis=1)))
    numbered = read_spots(h5ad(tmp_path / "c.h5ad", table(), frame.iloc[:, ::-1].set_axis(["s1", "s2"], axis=1)))
    np.testing.assert_array_equal(numbered.x, spots.x)


def test_an_image_that_was_turned_is_named(tmp_path: Path) -> None:
    write_spots(make_grid(slide(), GridSettings("visium")), tmp_path / "s.csv", slide=slide())
    turned = slide(np.ascontiguousarray(np.rot90(picture())))
    with pytest.raises(SpotsError, match=r"1400 x 1000 px, but slide S has 1000 x 1400 px: .* turned by 90°"):
        check_on_slide(read_spots(tmp_path / "s.csv"), turned)


# -- tissue ----------------------------------------------------------------------------------------------------------


def test_spots_of_every_source_that_miss_the_tissue(tmp_path: Path) -> None:
    glass = slide(np.full((HEIGHT, WIDTH, 3), 245, np.uint8))
    visium = folder(tmp_path / "outs", table())
    no_array = table().drop(columns=["array_row"]).assign(array_row=0)
    write_spots(read_spots(visium), tmp_path / "s.csv")
    for path in (visium, tmp_path / "s.csv", h5ad(tmp_path / "a.h5ad", table()), h5ad(tmp_path / "b.h5ad", no_array)):
        with pytest.raises(SpotsError, match=r"None of \d+ spots lies on tissue of slide S.*--trust-spots"):
            check_on_slide(read_spots(path, MPP), glass)


def test_a_grid_on_glass_was_asked_for(tmp_path: Path) -> None:
    glass = slide(np.full((HEIGHT, WIDTH, 3), 245, np.uint8))
    grid = make_grid(glass, GridSettings("visium", tissue_only=False))
    check_on_slide(grid, glass)
    write_spots(grid, tmp_path / "whole.csv")
    check_on_slide(read_spots(tmp_path / "whole.csv"), glass)
    # One that was to keep to the tissue was not.
    write_spots(make_grid(slide(), GridSettings("visium")), tmp_path / "tissue.csv")
    with pytest.raises(SpotsError, match="None of 186 spots lies"):
        check_on_slide(read_spots(tmp_path / "tissue.csv"), glass)


def test_a_handful_of_spots_on_glass_is_told() -> None:
    glass = slide(np.full((HEIGHT, WIDTH, 3), 245, np.uint8))
    few = Spots(np.array(["a", "b"]), [400, 500], [400, 400], [0, 0], [0, 1], 100.0, 200.0, "st")
    with pytest.raises(SpotsError, match="there is no tissue on slide S"):
        check_on_slide(few, glass)
    beside = replace(few, x=np.array([20.0, 60.0]), y=np.array([20.0, 20.0]))
    assert check_on_slide(beside, slide()).source.doubts == ("None of 2 spots lies on tissue of slide S.",)


def test_spots_without_an_array_that_would_lie_better_mirrored(tmp_path: Path) -> None:
    wrong = moved(lambda x, y: WIDTH - x)
    on = wrong[wrong["in_tissue"] == 1]
    n = len(on)
    spots = Spots(on["barcode"].to_numpy(str), on["pxl_col_in_fullres"], on["pxl_row_in_fullres"],
                  np.arange(n), np.zeros(n), 55.0, 100.0, "custom")  # fmt: skip
    with pytest.raises(SpotsError, match=r"Only 44% of .*100% would if they were mirrored left to right"):
        check_on_slide(spots, slide())
    right = replace(spots, x=WIDTH - spots.x)
    assert check_on_slide(right, slide()).source.doubts is None


@pytest.mark.parametrize(("factor", "refused"), [(0.5, True), (0.15, True), (1.0, False)])
def test_positions_of_a_small_image_without_an_array(tmp_path: Path, factor: float, refused: bool) -> None:
    """Nothing implies a µm per pixel then, but spots of the stated diameter would overlap."""
    path = h5ad(tmp_path / "a.h5ad", table())
    adata = anndata.read_h5ad(path)
    del adata.obs["array_row"], adata.obs["array_col"]
    adata.obsm["spatial"] = adata.obsm["spatial"] * factor + 100 * (1 - factor)
    adata.write_h5ad(path)
    spots = read_spots(path, MPP)
    if not refused:
        assert check_on_slide(spots, slide()).source.doubts is None
        return
    with pytest.raises(SpotsError, match=r"spots of a\.h5ad overlap: spot_diameter_fullres is 32\.5 px.*--trust-spots"):
        check_on_slide(spots, slide())
    trusted = read_spots(path, MPP, taken=SpotsSettings(trust_spots=True))
    assert "overlap" in check_on_slide(trusted, slide()).source.doubts[0]


@pytest.mark.parametrize("of_h5ad", [True, False])
def test_exchanged_rows_and_columns_of_the_array(tmp_path: Path, of_h5ad: bool) -> None:
    """The positions are right, but who is whose neighbour is not."""
    exchanged = table().rename(columns={"array_row": "array_col", "array_col": "array_row"})
    path = h5ad(tmp_path / "a.h5ad", exchanged) if of_h5ad else folder(tmp_path / "outs", exchanged)
    with pytest.raises(
        SpotsError, match=r"array_row and array_col of .* are exchanged: its columns are 43\.3 px apart"
    ):
        check_on_slide(read_spots(path, MPP), slide())


def test_columns_that_are_no_plane(tmp_path: Path) -> None:
    def third(change: object) -> Path:
        path = h5ad(tmp_path / "a.h5ad", table())
        adata = anndata.read_h5ad(path)
        adata.obsm["spatial"] = change(adata.obsm["spatial"])
        adata.write_h5ad(path)
        return path

    flat = read_spots(third(lambda own: np.column_stack([own, np.full(len(own), 7)])), MPP)
    np.testing.assert_array_equal(flat.x, read_spots(h5ad(tmp_path / "b.h5ad", table())).x)
    for change in (
        lambda own: np.column_stack([np.zeros(len(own)), own]),
        lambda own: np.column_stack([own, np.arange(len(own))]),
    ):
        with pytest.raises(SpotsError, match="3 columns that vary: which of them are x and y is open"):
            read_spots(third(change), MPP)


@pytest.mark.parametrize(
    "names", [("x_um", "y_um"), ("X (µm)", "Y (µm)"), ("x_centroid", "y_centroid"), ("x_microns", "y_microns")]
)
def test_columns_in_um_are_not_taken_for_px(tmp_path: Path, names: tuple[str, str]) -> None:
    on = table()[lambda t: t["in_tissue"] == 1]
    um = pd.DataFrame(on[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy() * 0.4, index=on["barcode"])
    um.columns = list(names)
    with pytest.raises(SpotsError, match=r"they are µm, not px\. Divide them by the µm per pixel"):
        read_spots(h5ad(tmp_path / "a.h5ad", table(), um))


def test_spots_in_one_place(tmp_path: Path) -> None:
    path = h5ad(tmp_path / "a.h5ad", table(), np.full(((table()["in_tissue"] == 1).sum(), 2), 300.0))
    with pytest.raises(SpotsError, match=r"Most spots of a\.h5ad lie in the same place"):
        read_spots(path, MPP)


def test_spots_that_half_miss_the_tissue_are_told_and_how_they_would_lie(tmp_path: Path) -> None:
    turned = moved(lambda x, y: WIDTH - x, lambda x, y: HEIGHT - y)
    with pytest.raises(
        SpotsError, match=r"Only 72 of 180 spots lie on .* seem to be rotated by 180°: 100%.*as it was then"
    ):
        check_on_slide(read_spots(folder(tmp_path / "turned", turned)), slide())
    everywhere = table().assign(in_tissue=1)
    doubts = check_on_slide(read_spots(folder(tmp_path / "all", everywhere)), slide()).source.doubts
    assert doubts == ("Only 189 of 594 spots lie on tissue of slide S.",)


def legacy(path: Path, step_px: float, columns: int = 20) -> Path:
    """A legacy ST array as an .h5ad whose positions jitter as printed spots do; its diameter is stated in px."""
    rows, cols = (part.ravel() for part in np.mgrid[0:columns, 0:columns])
    jitter = np.random.default_rng(3).normal(0, 0.04 * step_px, (len(rows), 2))
    obs = pd.DataFrame(
        {"array_row": rows, "array_col": cols}, index=[f"{c}x{r}" for r, c in zip(rows, cols, strict=True)]
    )
    adata = anndata.AnnData(np.zeros((len(rows), 1), np.float32), obs=obs)
    adata.obsm["spatial"] = 200 + step_px * np.column_stack([cols, rows]) + jitter
    adata.uns["spatial"] = {"a": {"scalefactors": {"spot_diameter_fullres": step_px / 2}, "images": {}}}
    adata.write_h5ad(path)
    return path


def test_a_printed_array_of_legacy_st_in_an_h5ad(tmp_path: Path) -> None:
    """The nearest spot of a printed array is nearer than a step: that implies no other µm per px."""
    tissue = np.full((2800, 2800, 3), (150, 80, 150), np.uint8)
    path = legacy(tmp_path / "a.h5ad", step_px=100)
    right = read_spots(path, mpp=2.0)
    assert right.pitch_um < 0.96 * 200
    assert check_on_slide(right, slide(tissue, 2.0)).source.doubts is None
    # Its size is told in px only, so that a mistyped µm per px changes the array with it.
    (doubt,) = check_on_slide(read_spots(path, mpp=0.5), slide(tissue, 0.5)).source.doubts
    assert "25 µm wide and 50 µm apart" in doubt
    assert doubt.endswith("that would be 2 µm per pixel.")
    # Saved spots keep their pitch in µm, and contradict another µm per px.
    write_spots(right, tmp_path / "saved.csv")
    with pytest.raises(SpotsError, match=r"has 1 \(given\)"):
        check_on_slide(read_spots(tmp_path / "saved.csv"), slide(tissue, 1.0))


@pytest.mark.parametrize("grey", [0, 128, 245])
def test_an_even_grey_picture_has_no_tissue(grey: int) -> None:
    blank = slide(np.full((HEIGHT, WIDTH, 3), grey, np.uint8))
    with pytest.raises(SpotsError):
        make_grid(blank, GridSettings("visium"))


def test_positions_far_off_are_not_blamed_on_the_mpp_alone(tmp_path: Path) -> None:
    small = moved(lambda x, y: x / 5 + 100, lambda x, y: y / 5 + 100)
    path = folder(tmp_path / "outs", small)
    for factors in path.rglob("scalefactors_json.json"):  # that do not tell the scales of smaller images
        factors.write_text('{"spot_diameter_fullres": 32.5}')
    with pytest.raises(SpotsError, match=r"5 times off: the positions .* px of an image that is 5 times smaller"):
        check_on_slide(read_spots(path), slide())


def test_an_array_of_unknown_kind_with_x_and_y_exchanged_is_told(tmp_path: Path) -> None:
    path = legacy(tmp_path / "a.h5ad", step_px=100)
    tissue = slide(np.full((2800, 2800, 3), (150, 80, 150), np.uint8), 2.0)
    adata = anndata.read_h5ad(path)
    adata.obsm["spatial"] = adata.obsm["spatial"][:, ::-1]
    adata.write_h5ad(path)
    (doubt,) = check_on_slide(read_spots(path, mpp=2.0), tissue).source.doubts
    assert "run to the left where its rows run down" in doubt
    assert "x and y may be exchanged" in doubt
    # Where the tissue says the same, it is refused.
    pixels = np.full((2800, 2800, 3), 245, np.uint8)
    pixels[100:2300, 100:1800] = (150, 80, 150)
    narrow = adata[adata.obs["array_col"] < 15].copy()
    narrow.write_h5ad(path)
    with pytest.raises(SpotsError, match=r"100% if they were with x and y swapped"):
        check_on_slide(read_spots(path, mpp=2.0), slide(pixels, 2.0))
