"""What can go wrong with a run: each ends in a sentence, and nothing good is lost."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from napari_tcgn.errors import DataError, DeviceError, OutputError, TcgnError
from napari_tcgn.options import TrainSettings
from napari_tcgn.slide import open_slide, overview_of
from napari_tcgn.spots import read_st_counts, read_st_spots
from napari_tcgn.training.data.her2st import find_sections
from napari_tcgn.training.evaluate.crossval import cross_validate_steps
from napari_tcgn.training.fit.record import EpochReport
from support.runs import FAST, finish, last_state, small_net, start, stop_after_an_epoch


def test_out_folder_in_use(dataset, tmp_path_factory, tmp_path, genes):
    used = tmp_path_factory.mktemp("used") / "run"
    stop_after_an_epoch(start(dataset, used, genes))
    with pytest.raises(OutputError, match="--resume"):
        finish(start(dataset, used, genes))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="no training run"):
        finish(start(dataset, tmp_path, genes))
    with pytest.raises(OutputError, match="is a file"):
        finish(start(dataset, tmp_path / "notes.txt", genes))
    with pytest.raises(OutputError, match="no training run to resume"):
        finish(start(dataset, tmp_path / "new", genes, resume=True))
    with pytest.raises(OutputError, match="cannot be made"):
        finish(start(dataset, tmp_path / "notes.txt" / "run", genes))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_nothing_is_written_when_the_data_is_refused(dataset, tmp_path, genes):
    out = tmp_path / "run"
    with pytest.raises(DataError, match="5 \\(B1\\), 6 \\(B2\\), 11 \\(C1\\)"):
        finish(start(dataset, out, genes, fold=0))
    with pytest.raises(DataError, match="one batch of 96"):
        finish(start(dataset, out, genes, TrainSettings(batch_size=96)))
    with pytest.raises(DataError):
        finish(start(tmp_path, out, genes))
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError):
            finish(start(dataset, out, genes, TrainSettings(device="cuda")))
    assert not out.exists()


class BreaksInEpoch(nn.Module):
    """Turns to NaN after some training steps."""

    def __init__(self, num_genes, good_steps):
        super().__init__()
        self.net, self.good_steps = small_net(num_genes), good_steps

    def forward(self, x):
        self.good_steps -= self.training
        return self.net(x) * (float("nan") if self.good_steps < 0 else 1.0)


def test_nan_stops_and_keeps_the_last_good_checkpoint(dataset, tmp_path, genes):
    out = tmp_path / "run"
    steps = 72 // 16
    run = start(dataset, out, genes, build_net=lambda n: BreaksInEpoch(n, good_steps=steps + 1))
    with pytest.raises(TcgnError, match=r"nan in epoch 2.*checkpoint of epoch 1 is kept"):
        finish(run)
    state = last_state(out)
    assert len(state["history"]) == 1
    assert all(torch.isfinite(v).all() for v in state["net"].values())
    assert not (out / "model").exists()


def test_nan_in_the_first_epoch(dataset, tmp_path, genes):
    run = start(dataset, tmp_path / "run", genes, build_net=lambda n: BreaksInEpoch(n, good_steps=0))
    with pytest.raises(TcgnError, match="No epoch was finished"):
        finish(run)
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_full_disk_keeps_the_last_checkpoint(dataset, tmp_path, genes):
    resource = pytest.importorskip("resource", reason="file size limits are a thing of Unix")

    class Large(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.net, self.ballast = small_net(n), nn.Parameter(torch.zeros(60_000))

        def forward(self, x):
            return self.net(x) + self.ballast.sum()

    out = tmp_path / "run"
    run = start(dataset, out, genes, build_net=Large)
    while not isinstance(next(run), EpochReport):
        pass
    before = (out / "checkpoint.pt").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            finish(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (out / "checkpoint.pt").read_bytes() == before
    assert not list(out.glob(".*"))
    finish(start(dataset, out, genes, resume=True, build_net=Large))


def test_out_of_memory_is_told(dataset, tmp_path, genes):
    class Hungry(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.net = small_net(n)

        def forward(self, x):
            return self.net(x) + torch.zeros(2**50)[0]  # a petabyte: what torch itself says of it

    with pytest.raises(DeviceError, match=r"batch of 16.*--batch-size"):
        finish(start(dataset, tmp_path / "run", genes, build_net=Hungry))


def test_other_errors_of_a_step_are_not_called_out_of_memory(dataset, tmp_path, genes):
    with pytest.raises(RuntimeError, match="shape"):
        finish(start(dataset, tmp_path / "run", genes, build_net=lambda n: nn.Sequential(nn.Linear(7, n))))


def one_spot(section):
    """Leave one spot of a drawn section, on its tissue."""
    tissue = overview_of(open_slide(section.image)).tissue()
    table, spots = read_st_counts(section.counts), read_st_spots(section.spots)
    spots = spots.select(np.isin(spots.ids, table.index))
    name = str(spots.ids[np.argmax(tissue.fraction(spots.x, spots.y, 100.0))])
    table.loc[[name]].to_csv(section.counts, sep="\t")
    head, *rows = section.spots.read_text().splitlines()
    kept = [row for row in rows if row.split("\t")[2:4] == name.split("x")]
    section.spots.write_text("\n".join([head, *kept]) + "\n")


@pytest.mark.parametrize("loss", ["mse", "correlation", "negative-binomial"])
def test_a_section_of_one_spot_trains_along(own_dataset, tmp_path, genes, loss):
    one_spot(find_sections(own_dataset)[1])
    settings = replace(FAST, batch_size=8, epochs=1, loss=loss, start_from_mean=True)
    _, result = finish(start(own_dataset, tmp_path / "run", genes, settings))
    assert np.isfinite(result.history[0].train_loss)
    assert np.isfinite(result.test_loss)


def test_a_section_of_one_spot_held_out_has_a_loss_and_no_correlation(own_dataset, tmp_path, genes):
    one_spot(find_sections(own_dataset)[0])
    _, result = finish(start(own_dataset, tmp_path / "run", genes, replace(FAST, epochs=1)))
    assert np.isfinite(result.test_loss)
    assert np.isnan(result.test_pcc).all()
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["result"]["test_median_pcc"] is None
    card = json.loads((tmp_path / "run" / "model" / "card.json").read_text())
    assert set(card["metrics"]["pcc"]) == {None}


def test_a_section_of_one_spot_is_refused_in_words_where_it_must_be_scored(own_dataset, tmp_path, genes):
    one_spot(find_sections(own_dataset)[2])
    with pytest.raises(DataError, match="C1 has 1 spot"):
        finish(cross_validate_steps(own_dataset, tmp_path / "cv", FAST, genes=genes, mpp=2.0))
    assert not (tmp_path / "cv").exists()
