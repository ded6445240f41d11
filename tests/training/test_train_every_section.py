"""Fold none: a model of every section with the figures of its leave-one-section-out runs."""

import numpy as np
import pytest
from torch import nn

from napari_tcgn.engine import run_to_end
from napari_tcgn.errors import DataError, SettingsError
from napari_tcgn.model.card import ModelCard
from napari_tcgn.options import TrainSettings
from napari_tcgn.training import resolve_fold, train_steps

FAST = TrainSettings(epochs=2, batch_size=16, learning_rate=3e-3, val_fraction=0.25, device="cpu")


def small_net(num_genes):
    return nn.Sequential(nn.AvgPool2d(56), nn.Flatten(), nn.Linear(48, num_genes))


def fold(dataset, out, genes, name, settings=FAST, **options):
    return run_to_end(train_steps(dataset, name, out, settings, genes=genes, mpp=2.0, build_net=small_net, **options))


def test_every_section_trains_and_the_card_pools_the_runs(dataset, genes, tmp_path):
    b1 = fold(dataset, tmp_path / "b1", genes, "B1")
    c1 = fold(dataset, tmp_path / "c1", genes, "C1")
    every = fold(dataset, tmp_path / "all", genes, "none", held_out_runs=[b1.out, c1.out])
    card = ModelCard.read(every.model_folder / "card.json")
    assert every.held_out == []
    assert np.isnan(every.test_median_pcc)
    assert card.name == "tcgn-tiny-her2st"
    assert card.training["sections"] == ["B1", "B2", "C1"]
    both = np.stack([b1.test_pcc, c1.test_pcc])
    np.testing.assert_allclose(card.gene_metric("pcc"), np.nanmean(both, 0), atol=1e-5)
    assert card.metrics.n_spots == 96
    assert [f.median_pcc for f in card.metrics.folds] == [b1.test_median_pcc, c1.test_median_pcc]
    assert "not of these weights" in card.metrics.protocol


def test_without_runs_the_card_claims_nothing(dataset, genes, tmp_path):
    every = fold(dataset, tmp_path / "all", genes, "none")
    assert ModelCard.read(every.model_folder / "card.json").metrics == {}


def test_unfinished_runs_and_other_recipes_are_refused(dataset, genes, tmp_path):
    with pytest.raises(DataError, match="no finished run"):
        fold(dataset, tmp_path / "all", genes, "none", held_out_runs=[tmp_path / "nothing"])
    other = fold(dataset, tmp_path / "b1", genes, "B1", TrainSettings(epochs=1, batch_size=16, device="cpu"))
    with pytest.raises(DataError, match="epochs"):
        fold(dataset, tmp_path / "all", genes, "none", held_out_runs=[other.out])
    with pytest.raises(SettingsError, match="scored on B2"):
        fold(dataset, tmp_path / "b2", genes, "B2", held_out_runs=[other.out])
    with pytest.raises(SettingsError, match="no section to select on"):
        fold(dataset, tmp_path / "all", genes, "none", TrainSettings(select_on_test=True, device="cpu"))
    assert not (tmp_path / "all").exists()


def test_none_of_nothing_is_refused():
    assert resolve_fold("none", ["C2", "B4", "X9"]) == ([], ["B4", "C2"])
    with pytest.raises(DataError, match="None of the 32"):
        resolve_fold("none", ["X9"])
