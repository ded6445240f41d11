"""The gene table says of every gene what is known of it."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_tcgn.model import HeldOut, ModelCard, describe
from napari_tcgn.ui.sections.model import card_lines
from napari_tcgn.ui.widgets.gene_model import DEPTH, GENE, MORAN, PCC, SD, VERDICT
from napari_tcgn.ui.widgets.gene_table import GeneTable

METRICS = {
    "pcc": [0.3, None, 0.5], "pcc_low": [0.2, None, 0.4], "pcc_high": [0.41, None, 0.6],
    "depth_pcc": [0.11, None, -0.02], "better_simple": ["haematoxylin", None, None],
}  # fmt: skip
TIP, SHOWN = Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.DisplayRole


@pytest.fixture
def table(qtbot):
    table = GeneTable()
    qtbot.addWidget(table)
    table.set_card(ModelCard("m", "1", {}, ["A", "B", "C"], 77.0, metrics=HeldOut.from_record(METRICS)))
    return table


def cells(table: GeneTable) -> list[list[str]]:
    model = table.genes
    return [[model.data(model.index(r, c), SHOWN) for c in range(6)] for r in range(model.rowCount())]


def test_figures_intervals_verdicts_and_better_simple_models(table) -> None:
    assert cells(table) == [
        ["C", "✗", ".50 (.40–.60)", "-0.02", "–", "–"],
        ["A", "(✓)", ".30 (.20–.41)", "0.11", "–", "–"],
        ["B", "?", "–", "–", "–", "–"],
    ]
    model = table.genes
    assert [model.data(model.index(row, 0), TIP) for row in range(3)] == [
        "C is not trusted: held-out PCC 0.50 (0.40 to 0.60), but -0.02 with sequencing depth taken out.",
        "A is trusted: held-out PCC 0.30 (0.20 to 0.41), not tested on a new patient; the simple model haematoxylin "
        "does better.",
        "B is unknown: it was not measured on held-out sections.",
    ]
    assert "a simple model" in model.headerData(VERDICT, Qt.Orientation.Horizontal, TIP)
    assert "depth" in model.headerData(DEPTH, Qt.Orientation.Horizontal, TIP)
    table.set_card(None)
    assert table.visible_genes() == []


def test_sorting_by_every_column_keeps_unknown_last_and_the_mark(table) -> None:
    table.set_statistics(np.array([0.1, 0.3, 0.2]), np.array([np.nan, -0.5, 0.9]))
    table.show_gene("A")
    down, up = Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder
    for column, order, genes in (
        (GENE, up, "ABC"), (GENE, down, "CBA"), (VERDICT, down, "ACB"), (PCC, up, "ACB"), (DEPTH, down, "ACB"),
        (SD, down, "BCA"), (SD, up, "ACB"), (MORAN, down, "CBA"), (MORAN, up, "BCA"),
    ):  # fmt: skip
        table.sortByColumn(column, order)
        assert table.visible_genes() == list(genes), (column, order)
        assert table.current_gene() == "A"
        assert table.selectionModel().selectedRows()[0].row() == genes.index("A")


def test_without_a_card_there_are_no_trust_columns(table) -> None:
    table.set_genes(("X", "Y"), None)
    assert [table.isColumnHidden(c) for c in range(6)] == [False, True, True, True, False, False]
    table.set_statistics(np.array([0.5, np.nan]), None)
    assert [row[SD] for row in cells(table)] == ["0.50", "–"]
    table.set_card(ModelCard("m", "1", {}, ["A"], 77.0))
    assert not table.isColumnHidden(PCC)


def test_a_card_may_know_other_genes_than_the_result(table) -> None:
    table.set_genes(("C", "Z"), ModelCard("m", "1", {}, ["A", "B", "C"], 77.0, metrics=HeldOut.from_record(METRICS)))
    assert [row[:3] for row in cells(table)] == [["C", "✗", ".50 (.40–.60)"], ["Z", "", "–"]]


def test_arrow_keys_pick_and_the_filter_keeps_the_mark(table, qtbot) -> None:
    picked = []
    table.picked.connect(picked.append)
    table.show_gene("C")
    assert picked == [], "marking is not picking"
    qtbot.keyClick(table, Qt.Key.Key_Down)
    qtbot.keyClick(table, Qt.Key.Key_Down)
    assert picked == ["A", "B"]
    table.set_filter("b")
    assert table.visible_genes() == ["B"]
    assert table.current_gene() == "B"
    table.set_filter("zz")
    assert table.visible_genes() == []
    table.set_filter("")
    assert table.visible_genes() == ["C", "A", "B"]
    assert picked == ["A", "B"]


def test_the_card_says_where_a_simple_model_does_better() -> None:
    metrics = {
        "protocol": "leave one section out, mean over C2, C3; the figures are those of other models",
        "median_pcc": 0.2, "median_depth_pcc": 0.111, "better_simple": ["haematoxylin", None],
    }  # fmt: skip
    held_out = HeldOut.from_record(metrics)
    card = ModelCard("m", "1", {}, ["A", "B"], 154.0, tissue="breast", metrics=held_out)
    assert card_lines(card).splitlines() == [
        "breast · 2 genes, 0 trusted",
        "held-out median PCC 0.200, sequencing depth taken out: median PCC 0.111",
    ]
    assert describe(card)["Simple models"] == "one does better for 1 of 2 genes"
