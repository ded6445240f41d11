"""Gene sets: what is read, refused and scored."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tcgn.errors import DataError
from napari_tcgn.stats.gene_sets import GeneSet, nearest_names, parse_gene_names, read_gmt, score_gene_set

GENES = ("GNAS", "SCD", "FLAT", "HLA-DRB1", "KRT19")


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    table = rng.gamma(2, 1, (40, len(GENES))).astype(np.float32)
    table[:, 2] = 0.25
    return table


def test_pasted_names_in_any_form():
    assert parse_gene_names(' GNAS, SCD;\n"KRT19"\tGNAS\r\n') == ("GNAS", "SCD", "KRT19")
    assert parse_gene_names(" ,;\n") == ()


def test_gmt(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("HYPOXIA\thttp://x\tVEGFA\tCA9\t\tVEGFA\n\nKERATINS\t\tKRT8\tKRT19\n", encoding="utf-8")
    assert read_gmt(path) == [GeneSet("HYPOXIA", ("VEGFA", "CA9")), GeneSet("KERATINS", ("KRT8", "KRT19"))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A\tdescription only\n", "Line 1 of bad.gmt is not a gene set"),
        ("A,b,c\n", "is not a gene set"),
        ("A\t\tX\nA\t\tY\n", "names the set 'A' twice"),
        ("\n\n", "holds no gene set"),
        (b"A\t\x80\tB", "cannot be read: .utf-8. codec"),
    ],
)
def test_a_malformed_gmt_is_refused_with_its_line(tmp_path, text, said):
    path = tmp_path / "bad.gmt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=said):
        read_gmt(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_gmt(tmp_path / "absent.gmt")


def test_the_score_is_the_mean_of_z_scores(values):
    score = score_gene_set(values, GENES, GeneSet("S", ("SCD", "ABSENT", "KRT19", "FLAT")))
    z = (values - values.mean(axis=0)) / np.where(values.std(axis=0) > 0, values.std(axis=0), 1)
    np.testing.assert_allclose(score.values, z[:, [1, 4]].mean(axis=1), rtol=1e-4, atol=1e-6)
    assert (score.used, score.constant, score.missing) == (("SCD", "KRT19"), ("FLAT",), ("ABSENT",))
    assert score.values.mean() == pytest.approx(0, abs=1e-5)


def test_a_spot_without_a_value_has_no_score(values):
    values[3] = np.nan
    values[7, 1] = np.nan
    score = score_gene_set(values, GENES, GeneSet("S", ("SCD", "KRT19")))
    assert list(np.flatnonzero(np.isnan(score.values))) == [3, 7]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "is empty"),
        (("gnas", "XYZ"), "written as in the panel"),
        (("FLAT",), "No gene of 'S' varies"),
    ],
)
def test_a_set_that_cannot_be_scored_says_why(values, names, said):
    with pytest.raises(DataError, match=said):
        score_gene_set(values, GENES, GeneSet("S", names))


def test_no_spot_done_is_an_error_and_not_a_crash(values):
    with pytest.raises(DataError, match="values \\(0\\)"):
        score_gene_set(np.full_like(values, np.nan), GENES, GeneSet("S", ("SCD",)))


def test_nearest_names():
    assert nearest_names("gnas", GENES) == ["GNAS"]
    assert nearest_names("GNSA", GENES)[0] == "GNAS"
    assert nearest_names("HLADRB1", GENES)[0] == "HLA-DRB1"
    assert nearest_names("ZZZZZZ", GENES) == []
