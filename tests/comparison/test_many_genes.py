"""Tables of thousands of genes are compared in parts, and large sections by the few components that are wanted."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pandas as pd

from napari_tcgn.comparison import domains, tables
from napari_tcgn.comparison.steps import compare
from napari_tcgn.options import CompareSettings


def test_figures_do_not_depend_on_how_many_genes_are_computed_at_once(make_pair, monkeypatch) -> None:
    predicted, measured = make_pair("st")
    settings = CompareSettings(draws=30, permutations=20, domains=False)
    at_once = compare(predicted, measured, settings)
    sizes = []
    figures = tables._figures
    monkeypatch.setattr(
        tables, "_figures", lambda paired, genes, *rest: sizes.append(genes) or figures(paired, genes, *rest)
    )
    monkeypatch.setattr(tables, "VALUES_AT_ONCE", 3 * len(predicted))
    in_parts = compare(predicted, measured, settings)
    assert len(sizes) == -(-len(at_once.genes) // 3) > 2
    pd.testing.assert_frame_equal(in_parts.genes, at_once.genes, rtol=1e-9)
    pd.testing.assert_frame_equal(in_parts.baselines, at_once.baselines, rtol=1e-9)
    for name, median in at_once.overall.medians.items():
        here, there = (np.array(astuple(one), dtype=float) for one in (in_parts.overall.medians[name], median))
        np.testing.assert_allclose(here, there, rtol=1e-9, err_msg=name)


def test_the_few_components_are_those_of_all(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    for shape in ((90, 400), (400, 90)):  # genes by spots either way
        values = rng.normal(size=(shape[0], 35)) @ rng.normal(size=(35, shape[1])) + rng.normal(size=shape)
        monkeypatch.setattr(domains, "MANY", 10_000)
        every = domains._components(values)
        monkeypatch.setattr(domains, "MANY", 50)
        few = domains._components(values)
        assert few.shape == every.shape == (shape[0], domains.COMPONENTS)
        signs = np.sign((few * every).sum(axis=0))
        np.testing.assert_allclose(few * signs, every, atol=1e-7 * np.abs(every).max())
    flat = rng.normal(size=(90, 2)) @ rng.normal(size=(2, 400))  # of a model with two directions
    assert np.linalg.matrix_rank(domains._components(flat), tol=1e-5) == 2
