"""Records of a comparison: numbers in the object, and in the file the layout that overall.json has always had."""

from __future__ import annotations

from dataclasses import replace

from napari_tcgn.comparison.records import (
    BootstrapRecord,
    CountsRecord,
    Median,
    NullRecord,
    Overall,
    PositionFit,
    ScaleRecord,
    SpotMatch,
)
from napari_tcgn.expression import OUTPUT_SCALE, TOTAL_SCALE, MeasuredSource

SPOTS = SpotMatch(
    orientation="upright",
    tolerance_um=50.0,
    way="ids",
    matched=3,
    predicted=4,
    measured=3,
    share=1.0,
    distance_um=0.5,
    positions=PositionFit("upright", 1.0, None),
    predicted_without_partner=("1x1",),
)
OVERALL = Overall(
    n_spots=9,
    n_genes=2,
    genes_constant_in_measurement=1,
    medians={"pcc": Median(0.5, None, None)},
    bootstrap=BootstrapRecord(100, 9),
    null=NullRecord("all-shifts", 19, 0.05),
    genes_significant=2,
    genes_significant_depth_controlled=None,
    domains=None,
)


def test_the_match_of_spots_says_in_words_how_they_were_matched() -> None:
    record = SPOTS.to_record()
    assert list(record) == [
        "orientation", "tolerance_um", "matched", "predicted", "measured", "share", "distance_um", "positions", "way",
        "way_in_words", "predicted_without_partner",
    ]  # fmt: skip
    assert (record["way"], record["way_in_words"]) == ("ids", "name")
    assert record["positions"] == {"orientation": "upright", "scale": 1.0, "residual_um": None}
    assert record["predicted_without_partner"] == ["1x1"]


def test_unknown_positions_are_said_to_be_unknown() -> None:
    record = replace(SPOTS, way="array", distance_um=None, positions=None).to_record()
    assert record["positions"] == "not given on both sides; matched by name or array position alone"
    assert "distance_um" not in record
    assert record["way_in_words"] == "array position"


def test_what_was_not_asked_for_is_left_out() -> None:
    record = OVERALL.to_record()
    assert "domains" not in record
    assert "genes_significant_depth_controlled" not in record
    assert record["medians"] == {"pcc": {"median": 0.5, "low": None, "high": None}}
    assert replace(OVERALL, genes_significant_depth_controlled=0).to_record()["genes_significant_depth_controlled"] == 0


def test_the_null_is_named_alike_in_file_and_sentence() -> None:
    assert OVERALL.to_record()["null"] == {"kind": "all toroidal shifts", "shifts": 19, "smallest_p": 0.05}
    assert OVERALL.null.shifts_text == "toroidal shifts"
    random = NullRecord("random-shifts", 99, 0.01)
    assert random.to_record()["kind"] == random.shifts_text == "random toroidal shifts"


def test_the_scale_counts_genes_only_where_there_were_counts() -> None:
    given = ScaleRecord(OUTPUT_SCALE, "log", None).to_record()
    assert given["values"] == "on the model's scale as given"
    assert set(given) == {"values", "scale", "layer"}
    counted = ScaleRecord(OUTPUT_SCALE, None, CountsRecord(21, 24, 1, 1595.0)).to_record()
    assert counted["panel_total_over"] == "21 of 24 genes"
    of_all = ScaleRecord(TOTAL_SCALE, None, CountsRecord(900, 24, 1, 1595.0)).to_record()
    assert (of_all["scale"], of_all["total_over"]) == (TOTAL_SCALE, "all 900 measured genes")
    assert "panel_total_over" not in of_all
    assert (counted["spots_without_counts"], counted["median_counts_per_spot"]) == (1, 1595.0)


def test_the_source_names_a_selection_table_only_where_there_is_one() -> None:
    assert MeasuredSource("h5ad", "m.h5ad", None, 3, 2).to_record() == {
        "kind": "h5ad", "file": "m.h5ad", "spots": 3, "genes": 2,
    }  # fmt: skip
    assert MeasuredSource("ST count table", "a.tsv", "s.tsv", 3, 2).to_record()["spots_file"] == "s.tsv"
