"""The gene table says of every gene what is known of it."""

from __future__ import annotations

from qtpy.QtCore import Qt

from napari_tcgn.model.card import ModelCard
from napari_tcgn.ui.gene_table import GeneTable
from napari_tcgn.ui.sections.model import card_in_words


def test_figures_intervals_and_better_simple_models(qtbot) -> None:
    metrics = {
        "pcc": [0.3, None, 0.5], "pcc_low": [0.2, None, 0.4], "pcc_high": [0.41, None, 0.6],
        "depth_pcc": [0.11, None, -0.02], "better_simple": ["haematoxylin", None, None],
    }  # fmt: skip
    table = GeneTable()
    qtbot.addWidget(table)
    table.set_card(ModelCard("m", "1", {}, ["A", "B", "C"], 77.0, metrics=metrics))
    model = table.genes
    tip, shown = Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.DisplayRole
    assert [[model.data(model.index(row, c), shown) for c in range(3)] for row in range(3)] == [
        ["A", "0.30", "0.11"], ["B", "unknown", "unknown"], ["C", "0.50", "-0.02"],
    ]  # fmt: skip
    assert model.data(model.index(0, 0), tip) == (
        "A: held-out PCC between 0.20 and 0.41 (95 %). The simple model haematoxylin does better."
    )
    assert model.data(model.index(1, 1), tip) == "B"
    assert model.data(model.index(2, 2), tip) == "C: held-out PCC between 0.40 and 0.60 (95 %)"
    table.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    assert table.visible_genes() == ["A", "C", "B"], "unknown last"
    assert "depth" in model.headerData(2, Qt.Orientation.Horizontal, tip)
    table.set_card(None)
    assert table.visible_genes() == []


def test_the_card_says_where_a_simple_model_does_better() -> None:
    metrics = {
        "protocol": "leave one section out, mean over C2, C3; the figures are those of other models",
        "median_pcc": 0.2, "median_depth_pcc": 0.111, "better_simple": ["haematoxylin", None],
    }  # fmt: skip
    said = card_in_words(ModelCard("m", "1", {}, ["A", "B"], 154.0, tissue="breast", metrics=metrics)).splitlines()
    assert said[:4] == [
        "breast · 2 genes · patches of 154 µm",
        "held-out median PCC 0.20 (leave one section out, mean over C2, C3)",
        "sequencing depth taken out: 0.11",
        "a simple model does better for 1 of 2 genes (see their tooltips)",
    ]
