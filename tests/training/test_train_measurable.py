"""Every gene that can be measured: chosen on the training sections, scaled by a spot's counts over all genes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_tcgn.cli.train import chosen_genes
from napari_tcgn.engine import run_to_end
from napari_tcgn.errors import DataError, SettingsError
from napari_tcgn.expression import OUTPUT_SCALE, TOTAL_SCALE, scale_counts
from napari_tcgn.options import TrainSettings
from napari_tcgn.spots import read_st_counts
from napari_tcgn.training.data.her2st import find_sections, load_section
from napari_tcgn.training.data.panel import fold_panel, measurable_panel, of_panel, seen
from napari_tcgn.training.data.section import HER2ST
from napari_tcgn.training.fit.card import draft_card

MEASURABLE = TrainSettings(measurable=0.1)


@pytest.fixture
def sections(own_dataset):
    """The drawn sections with a gene that only one of them shows, and one that every section shows at one spot."""
    found = find_sections(own_dataset)
    for section in found:
        table = read_st_counts(section.counts)
        table["ONLY_B1"] = 50 if section.name == "B1" else 0
        table["RARE"] = np.eye(1, len(table), dtype=int)[0] * 9
        table.to_csv(section.counts, sep="\t")
    return {section.name: section for section in found}


def panel_of(sections, *training: str) -> list[str]:
    return run_to_end(fold_panel([sections[name] for name in training], MEASURABLE, None)).genes


def test_genes_are_those_that_every_training_section_shows_often_enough(sections) -> None:
    assert panel_of(sections, "B1") == sorted([*(f"GENE{i}" for i in range(10)), "ONLY_B1"])
    assert panel_of(sections, "B1", "C1") == [f"GENE{i}" for i in range(10)]
    assert panel_of(sections, "B1", "B2") == [f"GENE{i}" for i in range(9)], "GENE9 is not in B2"


def test_seen_is_the_share_of_the_spots_that_have_counts(sections) -> None:
    table = read_st_counts(sections["C1"].counts)
    filled = table[table.sum(axis=1) > 0]
    assert len(filled) < len(table)
    found = seen(sections["C1"])["seen"]
    assert found["RARE"] == pytest.approx(1 / len(filled))
    pd.testing.assert_series_equal(found, (filled > 0).mean(), check_names=False)


def test_where_no_gene_is_seen_often_enough_it_is_said(sections) -> None:
    tables = {"B1": seen(sections["B1"])}
    assert measurable_panel(tables, 0.1, ["GENE3", "RARE"]).genes == ["GENE3"]
    with pytest.raises(DataError, match="No gene is seen in 10% of the spots"):
        measurable_panel(tables, 0.1, ["RARE"])


def test_counts_are_scaled_by_those_over_all_genes(sections) -> None:
    few = ["GENE1", "GENE2"]
    card = draft_card(MEASURABLE, [], few, HER2ST)
    assert card.output_scale == TOTAL_SCALE
    section = load_section(sections["B1"], few, card, mpp=2.0)
    total = read_st_counts(sections["B1"].counts).sum(axis=1).reindex(section.spots.ids).to_numpy()
    np.testing.assert_array_equal(section.total, total)
    np.testing.assert_allclose(section.target, scale_counts(section.counts, total), rtol=1e-6)
    one = of_panel(section, few, ["GENE2"])
    np.testing.assert_array_equal(one.target, section.target[:, 1:], "whatever else is predicted")
    plain = load_section(sections["B1"], few, replace(card, output_scale=OUTPUT_SCALE), mpp=2.0)
    np.testing.assert_array_equal(plain.total, plain.counts.sum(axis=1))
    assert (plain.target >= section.target).all()


def test_what_genes_means_on_the_command_line(tmp_path) -> None:
    plain = TrainSettings()
    assert chosen_genes(None, plain) == (plain, None)
    assert chosen_genes("measurable", plain) == (replace(plain, measurable=0.05), None)
    assert chosen_genes("measurable:0,2", plain) == (replace(plain, measurable=0.2), None)
    (tmp_path / "list.txt").write_text("ERBB2\nCD74\n")
    assert chosen_genes(str(tmp_path / "list.txt"), plain) == (plain, ["ERBB2", "CD74"])
    for wrong in ("measurable:", "measurable:often", "measurable:1.5"):
        with pytest.raises(SettingsError):
            chosen_genes(wrong, plain)


def test_settings_that_contradict_it_are_refused() -> None:
    with pytest.raises(SettingsError, match="measurable must be 0 where the most variable genes are chosen"):
        TrainSettings(measurable=0.05, top_genes=10)
    with pytest.raises(SettingsError, match="measurable must be off with the negative-binomial loss"):
        TrainSettings(measurable=0.05, loss="negative-binomial")
