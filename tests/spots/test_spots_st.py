"""Legacy ST tables: spots, counts, and what is wrong with them."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from napari_tcgn.errors import DataError, SpotsError
from napari_tcgn.spots import implied_mpp, read_st_counts, read_st_spots, same_section

ROWS = [  # x, y, new_x, new_y, pixel_x, pixel_y, selected
    (10.02, 3.0, 10.02, 3.01, 500.5, 120.25, 1),
    (9.4, 3.6, 9.4, 3.6, 450.0, 150.0, 1),
    (2.5, 3.5, 2.5, 3.5, 90.0, 140.0, 1),
    (7.0, 7.0, 7.0, 7.0, 300.0, 301.0, 0),
]
COLUMNS = ["x", "y", "new_x", "new_y", "pixel_x", "pixel_y", "selected"]


@pytest.fixture
def selection(tmp_path):
    def write(rows=ROWS, columns=COLUMNS):
        path = tmp_path / "S_selection.tsv"
        pd.DataFrame(rows, columns=COLUMNS)[columns].to_csv(path, sep="\t", index=False)
        return path

    return write


@pytest.fixture
def counts_file(tmp_path):
    def write(text, name="S.tsv"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


def test_spots_of_a_selection_table(selection):
    spots = read_st_spots(selection())
    # 2.5 and 3.5 both round to the even neighbour.
    assert spots.ids.tolist() == ["10x3", "9x4", "2x4"]
    assert spots.x.tolist() == [500.5, 450.0, 90.0]
    assert spots.y.tolist() == [120.25, 150.0, 140.0]
    assert spots.array_col.tolist() == [10, 9, 2]
    assert spots.array_row.tolist() == [3, 4, 4]
    assert (spots.layout, spots.pitch_um, spots.diameter_um) == ("st", 200.0, 100.0)
    assert spots.source.rows == 4
    assert spots.source.not_selected == 1
    assert spots.source.without_counts is None


def test_without_selected_column_every_row_is_kept(selection):
    columns = ["x", "y", "pixel_x", "pixel_y"]
    assert len(read_st_spots(selection(columns=columns))) == 4


def test_only_spots_with_counts_in_the_order_of_the_selection(selection):
    counts = pd.DataFrame({"A": [1, 2, 3]}, index=["2x4", "30x30", "10x3"])
    spots = read_st_spots(selection(), counts)
    assert spots.ids.tolist() == ["10x3", "2x4"]
    assert spots.source.without_counts == 1


def test_counts_of_another_section_are_refused(selection):
    counts = pd.DataFrame({"A": [1, 2]}, index=["10x3", "1x1"])
    with pytest.raises(SpotsError, match=r"Only 1 of the 3 spots.*another section"):
        read_st_spots(selection(), counts)


@pytest.mark.parametrize("column", [0, 4])
def test_coordinates_that_are_no_number_are_refused(selection, column):
    rows = [list(row) for row in ROWS]
    rows[1][column] = np.nan
    with pytest.raises(SpotsError, match="have no number"):
        read_st_spots(selection(rows))
    rows[1][column] = "left"
    with pytest.raises(SpotsError, match="left"):
        read_st_spots(selection(rows))


def test_repeated_spot_is_refused(selection):
    with pytest.raises(SpotsError, match="10x3"):
        read_st_spots(selection([ROWS[0], ROWS[0]]))


def test_nothing_selected_is_refused(selection):
    with pytest.raises(SpotsError, match="selects no spot"):
        read_st_spots(selection([ROWS[3]]))


def test_files_that_are_no_selection_table(tmp_path, selection):
    with pytest.raises(SpotsError, match="does not exist"):
        read_st_spots(tmp_path / "none.tsv")
    with pytest.raises(SpotsError, match="no column y, pixel_x, pixel_y"):
        read_st_spots(selection(columns=["x"]))
    (tmp_path / "b.tsv").write_bytes(b"\xff\xfe\x00\x81\x00")
    with pytest.raises(SpotsError, match="cannot be read"):
        read_st_spots(tmp_path / "b.tsv")


@pytest.mark.parametrize("name", ["S.tsv", "S.tsv.gz"])
def test_counts_plain_and_gzipped(counts_file, name):
    counts = read_st_counts(counts_file("\tA\tNA\tC-1\n3x4\t0\t1\t2\n10x20\t5\t0\t7\n", name))
    assert counts.index.tolist() == ["3x4", "10x20"]
    assert counts.columns.tolist() == ["A", "NA", "C-1"]
    assert counts.to_numpy().tolist() == [[0, 1, 2], [5, 0, 7]]


def test_a_gene_that_stands_twice_keeps_its_name_and_both_columns(counts_file):
    counts = read_st_counts(counts_file("\tA\tB\tA\n1x1\t0\t1\t5\n"))
    assert counts.columns.tolist() == ["A", "B", "A"]
    assert counts.to_numpy().tolist() == [[0, 1, 5]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\tA\tB\n1x1\t0\t-1\n", "negative or missing"),
        ("\tA\tB\n1x1\t0\t\n", "negative or missing"),
        ("\tA\tB\n1x1\t0\tinf\n", "negative or missing"),
        ("\tA\tB\n1x1\t0\tmany\n", "holds text"),
        ("\tA\tB\nspot1\t0\t1\n", "not an ST count table.*spot1"),
        ("gene A\n1x1 0\n", "it has no columns"),
        ("\tA\n", "not an ST count table"),
        ("\tA\n1x1\t0\n1x1\t3\n", "1x1' twice"),
        ("", "it has no columns"),
        ("\tA\n1x1\t0\t1\t2\n2x2\t1\n", "ST count table|cannot be read"),
    ],
)
def test_files_that_are_no_count_table(counts_file, text, message):
    with pytest.raises(DataError, match=message):
        read_st_counts(counts_file(text))


def test_missing_and_broken_count_files(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_st_counts(tmp_path / "none.tsv.gz")
    whole = gzip.compress(b"\tA\tB\n" + b"".join(b"%dx1\t%d\t1\n" % (i, i * i % 97) for i in range(20_000)))
    (tmp_path / "cut.tsv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be read"):
        read_st_counts(tmp_path / "cut.tsv.gz")
    (tmp_path / "plain.tsv.gz").write_text("\tA\n1x1\t0\n")
    assert read_st_counts(tmp_path / "plain.tsv.gz").loc["1x1", "A"] == 0  # what it is, not what it is called


@pytest.mark.parametrize(
    ("section", "rows", "without", "size"),
    [
        ("C2", 187, 0, (9274, 9911)),
        ("B4", 284, 1, (9272, 9923)),
        ("C3", 182, 2, (9270, 9936)),
        ("C5", 183, 2, (9272, 9901)),
    ],
)
def test_real_sections(real_data, section, rows, without, size):
    counts = read_st_counts(real_data / f"her2st/data/ST-cnts/{section}.tsv.gz")
    spots = read_st_spots(real_data / f"her2st/data/ST-spotfiles/{section}_selection.tsv", counts)
    assert len(spots) == rows - without
    assert spots.source.rows == rows
    assert spots.source.without_counts == without
    # Read again from the arithmetic of the table, without opening the image.
    assert spots.source.image_size == pytest.approx(size, abs=0.5)
    assert {"ERBB2", "COL1A1"} <= set(counts.columns)


def test_real_counts_of_another_section(real_data):
    counts = read_st_counts(real_data / "her2st/data/ST-cnts/B4.tsv.gz")
    counts = counts[counts.index.isin([f"{x}x{y}" for x in range(1, 12) for y in range(36)])]
    with pytest.raises(SpotsError, match="another section"):
        read_st_spots(real_data / "her2st/data/ST-spotfiles/C2_selection.tsv", counts)


def test_real_mouse_section_keeps_the_selected_spots(real_data):
    folder = real_data / "st_mouse_olfactory_bulb"
    counts = read_st_counts(folder / "MOB1.tsv")
    assert len(counts) == 1934
    spots = read_st_spots(folder / "alignment_table_MOB1.tsv", counts)
    assert len(spots) == 379
    assert spots.source.rows == 2068
    assert spots.source.image_size is None  # another arithmetic
    # One of the 1,934 spots: 63 x 60 steps over the 6.6 x 6.2 mm of the array are 147 µm across the corner.
    assert (spots.layout, spots.pitch_um, spots.diameter_um) == ("custom", 150.0, 110.0)
    nearest = np.hypot(spots.x[1:] - spots.x[0], spots.y[1:] - spots.y[0]).min()
    assert implied_mpp(spots) == pytest.approx(150 / nearest, rel=0.03)


def board(colour, n=8):
    """Rows of a table whose steps are 10 px; `colour` takes the fields of a chessboard."""
    return [
        (c, r, c, r, 100.0 + 10 * c, 200.0 + 10 * r, int(c < 4))
        for c in range(n) for r in range(n) if colour is None or (c + r) % 2 == colour
    ]  # fmt: skip


@pytest.mark.parametrize("colour", [0, 1])
def test_the_later_array_is_known_by_its_chessboard(selection, colour):
    spots = read_st_spots(selection(board(colour)))
    assert len(spots) == 16  # the whole table tells, whatever is selected
    assert (spots.layout, spots.pitch_um, spots.diameter_um) == ("custom", 150.0, 110.0)
    assert implied_mpp(spots) == pytest.approx(150 / (10 * 2**0.5))
    assert implied_mpp(spots.select(spots.array_col < 2)) == pytest.approx(150 / (10 * 2**0.5))


@pytest.mark.parametrize("rows", [board(None), board(0, n=4), [row for row in board(0) if row[1] % 2 == 0]])
def test_no_chessboard_is_seen_where_there_is_none(selection, rows):
    """A full array, too few spots to tell, and every second row and column of one."""
    spots = read_st_spots(selection(rows))
    assert (spots.layout, spots.pitch_um) == ("st", 200.0)
    assert implied_mpp(spots) == pytest.approx(20)


@pytest.mark.parametrize(("counts", "table"), [("C5", "C3"), ("C3", "C5"), ("C2", "B4"), ("B4", "C2"), ("C3", "C2")])
def test_counts_of_a_real_neighbour_are_refused(counts, table, real_data):
    """Sections of one patient have up to 84 % of their spots' names in common."""
    folder = real_data / "her2st/data"
    found = read_st_counts(folder / f"ST-cnts/{counts}.tsv.gz")
    with pytest.raises(SpotsError, match="belongs to another section"):
        read_st_spots(folder / f"ST-spotfiles/{table}_selection.tsv", found)


def test_a_table_that_holds_the_other_is_of_the_same_section():
    spots = [f"{c}x{r}" for c in range(20) for r in range(10)]
    assert same_section(spots, spots[:140]), "spots of poor quality left out"
    assert same_section(spots[:120], spots), "counts off the tissue too"
    assert not same_section(spots[:120], spots[40:]), "each has others"
    assert not same_section(spots, spots[:60]), "too few"
