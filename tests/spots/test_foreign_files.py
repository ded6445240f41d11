"""Tables, regions and .h5ad as Excel, Windows, QuPath, GEO and older programs write them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from napari_tcgn.errors import SpotsError
from napari_tcgn.options import SpotsSettings
from napari_tcgn.spots import Spots, read_region, read_spots, write_spots
from napari_tcgn.spots.text import as_flags, as_numbers

COLUMNS = ["barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres"]
FACTORS = json.dumps({"spot_diameter_fullres": 26.0, "tissue_hires_scalef": 0.5}).encode()
BOM = b"\xef\xbb\xbf"


def positions() -> pd.DataFrame:
    rows = [(f"B{r}C{c}-1", int(r < 5), r, c, 100.5 + 35 * r, 300.25 + 20 * c)
            for r in range(6) for c in range(r % 2, 10, 2)]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def outs(path: Path, files: dict[str, bytes]) -> Path:
    (path / "spatial").mkdir(parents=True)
    for name, data in files.items():
        (path / "spatial" / name).write_bytes(data)
    return path


def csv(sep: str = ",", decimal: str = ".", header: bool = True, end: str = "\n") -> bytes:
    return positions().to_csv(index=False, sep=sep, decimal=decimal, header=header).replace("\n", end).encode()


def assert_positions(spots: Spots) -> None:
    on = positions()[lambda t: t["in_tissue"] == 1]
    assert spots.ids.tolist() == on["barcode"].tolist()
    np.testing.assert_array_equal(spots.x, on["pxl_col_in_fullres"])
    np.testing.assert_array_equal(spots.y, on["pxl_row_in_fullres"])
    np.testing.assert_array_equal(spots.array_row, on["array_row"])


@pytest.mark.parametrize(
    "files",
    [
        {"tissue_positions.csv": BOM + csv(end="\r\n"), "scalefactors_json.json": BOM + FACTORS},
        {"tissue_positions.csv": BOM + csv(";", ",", end="\r\n"), "scalefactors_json.json": FACTORS},
        {"tissue_positions_list.csv": BOM + csv(";", ",", header=False), "scalefactors_json.json": FACTORS},
        {"tissue_positions_list.csv": BOM + csv(header=False), "scalefactors_json.json": FACTORS},
        {"tissue_positions.csv": csv().decode().encode("utf-16"), "scalefactors_json.json": FACTORS},
        {
            "GSM1_S1_tissue_positions_list.csv.gz": gzip.compress(csv(header=False)),
            "GSM1_S1_scalefactors_json.json.gz": gzip.compress(FACTORS),
        },
        {"GSM1_tissue_positions.csv": csv(), "GSM1_scalefactors_json.json": FACTORS},
        {"tissue_positions.csv.gz": gzip.compress(csv()), "scalefactors_json.json": FACTORS},
    ],
)
def test_visium_folders_of_spreadsheets_and_geo(tmp_path: Path, files: dict[str, bytes]) -> None:
    folder = outs(tmp_path / "outs", files)
    assert_positions(read_spots(folder))
    assert_positions(read_spots(folder / "spatial" / next(iter(files))))


def test_a_geo_folder_of_several_sections(tmp_path: Path) -> None:
    files = {f"GSM{n}_tissue_positions_list.csv.gz": gzip.compress(csv(header=False)) for n in (1, 2)}
    files |= {f"GSM{n}_scalefactors_json.json.gz": gzip.compress(FACTORS) for n in (1, 2)}
    folder = outs(tmp_path / "outs", files)
    with pytest.raises(SpotsError, match=r"positions of 2 sections: GSM1_tissue_positions_list\.csv\.gz, GSM2"):
        read_spots(folder)
    assert_positions(read_spots(folder / "spatial" / "GSM2_tissue_positions_list.csv.gz"))


@pytest.mark.parametrize("words", [("True", "False"), ("TRUE", "FALSE"), ("yes", "no"), (True, False), (1.0, 0.0)])
def test_flags_in_words(tmp_path: Path, words: tuple[object, object]) -> None:
    told = positions().assign(in_tissue=[words[0] if one else words[1] for one in positions()["in_tissue"]])
    files = {"tissue_positions.csv": told.to_csv(index=False).encode(), "scalefactors_json.json": FACTORS}
    assert_positions(read_spots(outs(tmp_path / "outs", files)))
    assert_positions(read_spots(h5ad(tmp_path / "a.h5ad", told)))


def test_flags_and_numbers() -> None:
    assert as_flags(["1", "0", "True", "nan", "y", ""]).tolist() == [True, False, True, False, True, False]
    words = ["WAHR", "FALSCH", "VRAI", "FAUX", "1,0", "0,0", "ja"]
    assert as_flags(words).tolist() == [True, False, True, False, True, False, True]
    with pytest.raises(ValueError, match="'perhaps' says neither yes"):
        as_flags(["yes", "perhaps"])
    np.testing.assert_array_equal(as_numbers(pd.Series(["1,5", "-2,25", None, "3"])), [1.5, -2.25, np.nan, 3])
    np.testing.assert_array_equal(as_numbers(pd.Series(["1,500", "2"])), [np.nan, 2])  # or is it 1500?


def test_a_gap_is_named(tmp_path: Path) -> None:
    gap = positions()
    gap.loc[3, "array_row"] = np.nan
    files = {"tissue_positions.csv": gap.to_csv(index=False).encode(), "scalefactors_json.json": FACTORS}
    with pytest.raises(SpotsError, match=rf"gaps in its positions \(first: spot '{gap['barcode'][3]}'\)"):
        read_spots(outs(tmp_path / "outs", files))


@pytest.mark.parametrize(
    ("sep", "decimal", "encoding"),
    [(";", ",", "utf-8-sig"), (",", ".", "utf-8-sig"), ("\t", ",", "utf-8"), ("\t", ".", "utf-8-sig"),
     ("\t", ",", "utf-16")],
)  # fmt: skip
def test_legacy_tables_of_spreadsheets(tmp_path: Path, sep: str, decimal: str, encoding: str) -> None:
    rows = [(x, y, 100.25 * x, 99.5 * y, x > 1) for x in range(1, 6) for y in range(1, 5)]
    table = pd.DataFrame(rows, columns=["x", "y", "pixel_x", "pixel_y", "selected"])
    table.to_csv(tmp_path / "t.txt", sep=sep, decimal=decimal, encoding=encoding, index=False, lineterminator="\r\n")
    spots = read_spots(tmp_path / "t.txt")
    assert spots.ids.tolist() == [f"{x}x{y}" for x in range(2, 6) for y in range(1, 5)]
    np.testing.assert_array_equal(spots.x, table["pixel_x"][table["selected"]])


@pytest.mark.parametrize("words", [("1,0", "0,0"), ("WAHR", "FALSCH"), ("VRAI", "FAUX")])
def test_selected_as_a_spreadsheet_in_another_language_writes_it(tmp_path: Path, words: tuple[str, str]) -> None:
    rows = [f"{x},0;{y},0;{300 * x},5;{300 * y},5;{words[y > 4]}" for x in range(1, 5) for y in range(1, 6)]
    (tmp_path / "t.csv").write_text("\n".join(["x;y;pixel_x;pixel_y;selected", *rows]))
    spots = read_spots(tmp_path / "t.csv")
    assert len(spots) == 16
    assert spots.source.not_selected == 4


def test_saved_spots_with_a_byte_order_mark(tmp_path: Path) -> None:
    spots = Spots(np.array(["a", "b"]), [1.5, 2], [3, 4], [0, 0], [0, 1], 55.0, 100.0, "visium")
    write_spots(spots, tmp_path / "s.csv")
    text = (tmp_path / "s.csv").read_bytes()
    (tmp_path / "s.csv").write_bytes(BOM + text.replace(b"\n", b"\r\n"))
    assert read_spots(tmp_path / "s.csv").x.tolist() == [1.5, 2]
    (tmp_path / "s.csv").write_bytes(text.replace(b"b,2.0,4.0,0,", b"b,2.0,4.0,nan,"))
    with pytest.raises(SpotsError, match=r"1 of 2 spots have no whole number as array_row|cannot be read"):
        read_spots(tmp_path / "s.csv")


def test_array_positions_are_never_cast_from_what_is_none() -> None:
    for bad in (np.nan, np.inf, 0.5):
        with pytest.raises(SpotsError, match=r"1 of 2 spots have no whole number as array_row \(first: 'b'"):
            Spots(np.array(["a", "b"]), [1, 2], [3, 4], np.array([0.0, bad]), [0, 1], 55.0, 100.0, "visium")


def test_array_positions_that_no_array_has(tmp_path: Path) -> None:
    """1e30 has no whole number of 64 bits: it became the smallest there is."""
    table = positions()
    table["array_row"] = np.where(table.index == 3, 1e30, table["array_row"])
    with pytest.raises(SpotsError, match=r"1 of 30 spots have no whole number of an array as array_row \(.*: 1e\+30\)"):
        read_spots(h5ad(tmp_path / "m.h5ad", table))
    data = table.to_csv(index=False).encode()
    folder = outs(tmp_path / "outs", {"tissue_positions.csv": data, "scalefactors_json.json": FACTORS})
    with pytest.raises(SpotsError, match=r"cannot be read: 1e\+30 in column array_row is no position on an array"):
        read_spots(folder)
    (tmp_path / "t.tsv").write_text("x\ty\tpixel_x\tpixel_y\n1\t2\t30\t60\n1e30\t2\t60\t60\n")
    with pytest.raises(SpotsError, match=r"1 of 2 spots have no number in column x \(first: data row 2, found 1e\+30"):
        read_spots(tmp_path / "t.tsv")


def test_regions_with_a_byte_order_mark_and_without_a_geometry(tmp_path: Path) -> None:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]]}
    features = [{"type": "Feature", "geometry": square}, {"type": "Feature", "geometry": None}]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    for name, data in (("a", BOM + text.encode()), ("b", text.encode("utf-16")), ("c", gzip.compress(text.encode()))):
        (tmp_path / name).write_bytes(data)
        region = read_region(tmp_path / name)
        assert region.geometry.area == 100
        assert region.source.not_polygons == 1
    (tmp_path / "none").write_text(json.dumps({"type": "FeatureCollection", "features": features[1:]}))
    with pytest.raises(SpotsError, match="no polygon"):
        read_region(tmp_path / "none")


# -- AnnData ---------------------------------------------------------------------------------------------------------


def h5ad(path: Path, table: pd.DataFrame, libraries: tuple[str, ...] = ("s",), **columns: object) -> Path:
    obs = table.set_index("barcode")[["in_tissue", "array_row", "array_col"]].assign(**columns)
    obs.index.name = None
    adata = anndata.AnnData(np.zeros((len(obs), 1), np.float32), obs=obs)
    adata.obsm["spatial"] = table[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy()
    one = {"images": {}, "scalefactors": {"spot_diameter_fullres": 26.0}}
    adata.uns["spatial"] = dict.fromkeys(libraries, one)
    adata.write_h5ad(path)
    return path


def test_a_section_cut_out_of_a_merged_object(tmp_path: Path) -> None:
    for column in ("library_id", "sample"):
        path = h5ad(tmp_path / f"{column}.h5ad", positions(), ("s1", "s2"), **{column: pd.Categorical(["s1"] * 30)})
        assert_positions(read_spots(path))
    with pytest.raises(SpotsError, match=r"holds 2 sections \(s1, s2\), but does not tell|spots of 2 sections"):
        read_spots(h5ad(tmp_path / "none.h5ad", positions(), ("s1", "s2")))


def test_a_section_of_a_merged_object_is_chosen(tmp_path: Path) -> None:
    half = ["s1" if r < 3 else "s2" for r in positions()["array_row"]]
    path = h5ad(tmp_path / "m.h5ad", positions(), ("s1", "s2"), library_id=half)
    with pytest.raises(SpotsError, match=r"spots of 2 sections \(s1, s2\).*--library s1"):
        read_spots(path)
    spots = read_spots(path, taken=SpotsSettings(library="s2"))
    assert spots.array_row.min() == 3
    assert spots.source.library == "s2"
    with pytest.raises(SpotsError, match=r"no section 's3'; it holds s1, s2"):
        read_spots(path, taken=SpotsSettings(library="s3"))
    (tmp_path / "t.tsv").write_text("x\ty\tpixel_x\tpixel_y\n1\t2\t30\t60\n")
    with pytest.raises(SpotsError, match=r"t\.tsv is no \.h5ad"):
        read_spots(tmp_path / "t.tsv", taken=SpotsSettings(library="s2"))


def test_sections_that_lie_over_each_other(tmp_path: Path) -> None:
    """scanpy's concat keeps the pictures of one section only: places that occur twice tell that there are two."""
    one = positions()
    other = one.assign(barcode=one["barcode"] + "-b", pxl_row_in_fullres=one["pxl_row_in_fullres"] + 900)
    both = pd.concat([one, other], ignore_index=True)
    batch = pd.Categorical(["0"] * 30 + ["1"] * 30)
    cluster = pd.Categorical(np.arange(60) // 2 % 3)
    path = h5ad(tmp_path / "m.h5ad", both, ("0",), cluster=cluster.astype(str), batch=batch)
    said = r"2 sections \(0, 1\): 50 spots have 25 array positions, and obs\['batch'\] tells.*--library 0"
    with pytest.raises(SpotsError, match=said):
        read_spots(path)
    assert_positions(read_spots(path, taken=SpotsSettings(library="0")))
    spots = read_spots(path, taken=SpotsSettings(library="1"))
    assert spots.y.min() == 1000.5
    assert spots.source.scalefactors is None, "those of the file are the other section's"
    with pytest.raises(SpotsError, match=r"no section 's'; it holds 0, 1"):
        read_spots(path, taken=SpotsSettings(library="s"))
    path = h5ad(tmp_path / "none.h5ad", both, ("0",), cluster=cluster.astype(str))
    with pytest.raises(SpotsError, match=r"several sections: 50 spots have 25 array positions, and no column"):
        read_spots(path)


def test_sections_without_an_array_that_lie_over_each_other(tmp_path: Path) -> None:
    one = positions()
    both = pd.concat([one, one.assign(barcode=one["barcode"] + "-b")], ignore_index=True)
    path = h5ad(tmp_path / "m.h5ad", both, sample=["a"] * 30 + ["b"] * 30)
    adata = anndata.read_h5ad(path)
    del adata.obs["array_row"]
    adata.write_h5ad(path)
    with pytest.raises(SpotsError, match=r"2 sections \(a, b\): 50 spots have 25 positions, and obs\['sample'\]"):
        read_spots(path, 0.5)


def test_a_missing_array_position_is_named(tmp_path: Path) -> None:
    for number, bad in enumerate((np.nan, "unknown")):
        table = positions().astype({"array_row": object})
        table.loc[7, "array_row"] = bad
        table["array_row"] = table["array_row"].astype(float if number == 0 else str)
        with pytest.raises(SpotsError, match=rf"have no number in obs\['array_row'\] \(first: '{table['barcode'][7]}'"):
            read_spots(h5ad(tmp_path / f"{number}.h5ad", table))
    off = positions().astype({"array_row": float})
    off.loc[29, "array_row"] = np.nan  # not on tissue
    assert_positions(read_spots(h5ad(tmp_path / "off.h5ad", off)))


def test_an_h5ad_of_anndata_0_6(tmp_path: Path) -> None:
    """Obs as one array of records, its categories in uns."""
    table = positions()
    with h5py.File(tmp_path / "old.h5ad", "w") as file:
        kinds = [("index", "S24"), ("in_tissue", "i8"), ("array_row", "i8"), ("array_col", "i8"), ("library_id", "i1")]
        obs = np.zeros(len(table), dtype=kinds)
        obs["index"] = table["barcode"].to_numpy("S24")
        for name in ("in_tissue", "array_row", "array_col"):
            obs[name] = table[name]
        obsm = np.zeros(len(table), dtype=[("spatial", "f8", (2,))])
        obsm["spatial"] = table[["pxl_col_in_fullres", "pxl_row_in_fullres"]]
        file["X"], file["obs"], file["obsm"] = np.zeros((len(table), 1)), obs, obsm
        file["var"] = np.zeros(1, dtype=[("index", "S24")])
        file["uns/library_id_categories"] = np.array([b"s1", b"s2"])
        for library in ("s1", "s2"):
            file[f"uns/spatial/{library}/scalefactors/spot_diameter_fullres"] = 26.0
    assert_positions(read_spots(tmp_path / "old.h5ad"))


def _lines(change: object) -> bytes:
    return "".join(change(line) + "\n" for line in csv().decode().splitlines()).encode()


@pytest.mark.parametrize(
    "data",
    [
        csv() + b",,,,,\n,,,,,\n",
        _lines(lambda line: line + ","),
        _lines(lambda line: ",".join(f'"{cell}"' for cell in line.split(","))),
        _lines(lambda line: line.replace(",", ", ")),
        csv("\t"),
        csv("\t", ",").decode().encode("utf-16"),
        b"sep=;\r\n" + csv(";", ","),
        csv().upper().replace(b"B", b"B"),
        positions().to_csv().encode(),  # pandas' index before it
        positions()[COLUMNS[::-1]].to_csv(index=False).encode(),
    ],
    ids=[
        "empty rows",
        "ends in commas",
        "quoted",
        "spaces",
        "tabs",
        "Unicode text",
        "sep=",
        "capitals",
        "index",
        "order",
    ],
)
def test_positions_as_programs_write_them(tmp_path: Path, data: bytes) -> None:
    files = {"tissue_positions.csv": data, "scalefactors_json.json": FACTORS}
    folder = outs(tmp_path / "outs", files)
    assert_positions(read_spots(folder))
    assert_positions(read_spots(folder / "spatial" / "tissue_positions.csv"))


@pytest.mark.parametrize(
    "text",
    [
        '"x"\t"y"\t"pixel_x"\t"pixel_y"\n1\t2\t3\t4\n2\t2\t5\t4\n',
        "x\ty\tpixel_x\tpixel_y\t\n1\t2\t3\t4\t\n2\t2\t5\t4\t\n\t\t\t\t\n",
        " x \t y \t pixel_x \t pixel_y\n1\t2\t3\t4\n2\t2\t5\t4\n",
        "X\tY\tPixel_X\tPIXEL_Y\n1\t2\t3\t4\n2\t2\t5\t4\n",
        "\tx\ty\tpixel_x\tpixel_y\n0\t1\t2\t3\t4\n1\t2\t2\t5\t4\n",
        '"x"\t"y"\t"pixel_x"\t"pixel_y"\n"1"\t1\t2\t3\t4\n"2"\t2\t2\t5\t4\n',  # R's write.table
        '"x";"y";"pixel_x";"pixel_y"\r\n"1";"2";"3,0";"4,0"\r\n"2";"2";"5,0";"4,0"\r\n',
    ],
)
def test_selection_tables_as_programs_write_them(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.tsv").write_bytes(text.encode("utf-8-sig"))
    spots = read_spots(tmp_path / "t.tsv")
    assert spots.ids.tolist() == ["1x2", "2x2"]
    assert spots.x.tolist() == [3, 5]
    assert spots.y.tolist() == [4, 4]


def test_a_cell_without_a_number_is_shown(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("x\ty\tpixel_x\tpixel_y\n1\t2\t\t4\n2\t2\t5\t4\n")
    with pytest.raises(SpotsError, match=r"column pixel_x \(first: data row 1, found nothing\)"):
        read_spots(tmp_path / "t.tsv")
