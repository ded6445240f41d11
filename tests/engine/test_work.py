"""Values on disk as they come: the same numbers, nothing predicted twice, nothing lost, nothing mixed up."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_tcgn.engine import WorkFolder, memory as memory_module, run, run_to_end, work_folder_of
from napari_tcgn.errors import OutputError, SpotsError
from napari_tcgn.model import TrainingDomain, TrainingStain
from napari_tcgn.options import PredictSettings

SMALL = PredictSettings(batch_size=4, read_threads=2)


def stop_after(steps, spots: int):
    """Take steps until so many spots are done, then stop; returns the last step."""
    for step in steps:
        if step.stage == "predict" and step.done >= spots:
            steps.close()
            return step
    raise AssertionError("ended before")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return work_folder_of(tmp_path / "result.h5ad")


def test_values_on_disk_are_those_in_memory(slide, spots, predictor, folder: Path) -> None:
    expected = run_to_end(run(slide, spots, predictor, SMALL))
    with WorkFolder(folder) as work:
        found = run_to_end(run(slide, spots, predictor, SMALL, work))
        assert found.values.shape == expected.values.shape
        np.testing.assert_array_equal(found.values[np.arange(37)], expected.values)
        np.testing.assert_array_equal(found.values[3], expected.values[3])
        np.testing.assert_array_equal(found.values[:, 2], expected.values[:, 2])
        np.testing.assert_array_equal(found.values[5:9, 1:3], expected.values[5:9, 1:3])
        np.testing.assert_array_equal(found.values.as_dask(np.array([30, 2, 7])).compute(), expected.values[[30, 2, 7]])
        assert found.done.all()
        work.remove()
    assert not folder.exists()


def test_live_values_follow_the_run(slide, spots, predictor, folder: Path) -> None:
    with WorkFolder(folder) as work:
        for step in run(slide, spots, predictor, SMALL, work):
            if step.stage == "predict":
                live = step.prediction
                assert np.isfinite(live.values[live.done]).all()
                assert np.isnan(live.values[~live.done]).all()


def test_a_stopped_run_goes_on_where_it_stopped(slide, spots, new_predictor, folder: Path) -> None:
    expected = run_to_end(run(slide, spots, new_predictor(), SMALL))
    with WorkFolder(folder) as work:
        kept = stop_after(run(slide, spots, new_predictor(), SMALL, work), 12)
    done = kept.prediction.done.copy()
    predictor = new_predictor()
    with WorkFolder(folder, resume=True) as work:
        found = run_to_end(run(slide, spots, predictor, SMALL, work))
        np.testing.assert_array_equal(found.values[np.arange(37)], expected.values)
    assert sum(predictor.batches) == 37 - done.sum() == 25
    assert (found.record.spots_resumed, found.record.spots_done, found.record.partial) == (12, 37, False)


def test_progress_of_a_resumed_run_counts_what_was_there(slide, spots, predictor, folder: Path) -> None:
    with WorkFolder(folder) as work:
        stop_after(run(slide, spots, predictor, SMALL, work), 12)
    with WorkFolder(folder, resume=True) as work:
        steps = [step for step in run(slide, spots, predictor, SMALL, work) if step.stage == "predict"]
    assert [step.done for step in steps] == [16, 20, 24, 28, 32, 36, 37]
    assert steps[0].total == 37


def test_batches_are_cut_as_in_the_interrupted_run(slide, spots, new_predictor, folder: Path) -> None:
    with WorkFolder(folder) as work:
        stop_after(run(slide, spots, new_predictor(), SMALL, work), 12)
    predictor = new_predictor()
    with WorkFolder(folder, resume=True) as work:
        run_to_end(run(slide, spots, predictor, PredictSettings(batch_size=None), work))
    assert predictor.batches == [4] * 6 + [1]


def test_another_batch_size_is_taken_if_asked_for(slide, spots, predictor, folder: Path) -> None:
    expected = run_to_end(run(slide, spots, predictor, SMALL))
    with WorkFolder(folder) as work:
        stop_after(run(slide, spots, predictor, SMALL, work), 12)
    with WorkFolder(folder, resume=True) as work:
        found = run_to_end(run(slide, spots, predictor, PredictSettings(batch_size=5), work))
        np.testing.assert_array_equal(found.values[np.arange(37)], expected.values)


def test_a_finished_run_predicts_nothing_again(slide, spots, new_predictor, folder: Path) -> None:
    with WorkFolder(folder) as work:
        run_to_end(run(slide, spots, new_predictor(), SMALL, work))
    predictor = new_predictor()
    with WorkFolder(folder, resume=True) as work:
        assert run_to_end(run(slide, spots, predictor, SMALL, work)).done.all()
    assert predictor.batches == []


def test_a_folder_that_is_left_over_is_named_and_kept(slide, spots, predictor, folder: Path) -> None:
    with WorkFolder(folder) as work:
        stop_after(run(slide, spots, predictor, SMALL, work), 12)
    with (
        pytest.raises(OutputError, match=r"result.h5ad.partial.zarr holds 12 of 37 spots.*--resume"),
        WorkFolder(folder),
    ):
        pass
    with WorkFolder(folder, resume=True) as work:
        assert work.batch_size == 4


@pytest.mark.parametrize("what", ["slide", "spots", "model", "mpp", "stain target"])
def test_the_folder_of_another_run_is_refused(
    slide, pixels, pyramid, spots, new_predictor, folder: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WorkFolder(folder) as work:
        stop_after(run(slide, spots, new_predictor(), SMALL, work), 12)
    predictor, settings = new_predictor(), SMALL
    if what == "slide":
        slide = pyramid([255 - pixels])
    elif what == "spots":
        spots = spots.select(np.arange(37)[::-1])
    elif what == "model":
        object.__setattr__(predictor.card, "sha256", "cd" * 32)
    elif what == "mpp":
        slide.mpp = 0.4
    else:
        settings = PredictSettings(batch_size=4, stain="reinhard")
        monkeypatch.setattr("napari_tcgn.engine.loop.stained_like", lambda slide, *_: slide)
        target = TrainingStain(targets={"reinhard": {"mu": [1, 2, 3]}})
        object.__setattr__(predictor.card, "domain", TrainingDomain(stain=target))
    with (
        pytest.raises(OutputError, match=f"belongs to another run, with a difference in: .*{what}"),
        WorkFolder(folder, resume=True) as work,
    ):
        run_to_end(run(slide, spots, predictor, settings, work))
    with WorkFolder(folder, resume=True) as work:
        assert work.batch_size == 4, "it is kept"


def test_nothing_is_left_of_a_run_that_predicted_nothing(slide, spots, predictor, folder: Path) -> None:
    predictor.weights[0, 0] = np.nan
    with pytest.raises(Exception, match="not finite"), WorkFolder(folder) as work:
        run_to_end(run(slide, spots, predictor, SMALL, work))
    assert not folder.exists()


def test_two_processes_do_not_share_a_folder(slide, spots, predictor, folder: Path) -> None:
    with (
        WorkFolder(folder) as work,
        pytest.raises(OutputError, match=r"Another process is writing result.h5ad"),
        WorkFolder(folder, resume=True),
    ):
        pass
    assert work is not None


def test_a_full_disk_keeps_what_is_done(
    slide, spots, new_predictor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_tcgn.engine.disk_rows import DiskRows

    monkeypatch.setattr("napari_tcgn.engine.work.FLUSH_SECONDS", 0.0)
    expected = run_to_end(run(slide, spots, new_predictor(), SMALL))
    flush, count = DiskRows.flush, 0

    def full(self: DiskRows) -> None:
        nonlocal count
        count += self._changed
        if count > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(self)

    with monkeypatch.context() as patch:
        patch.setattr(DiskRows, "flush", full)
        with pytest.raises(OutputError, match=r"No space left.*--resume"), WorkFolder(folder) as work:
            run_to_end(run(slide, spots, new_predictor(), SMALL, work))
    predictor = new_predictor()
    with WorkFolder(folder, resume=True) as work:
        found = run_to_end(run(slide, spots, predictor, SMALL, work))
        np.testing.assert_array_equal(found.values[np.arange(37)], expected.values)
    assert sum(predictor.batches) == 37 - 12


def test_a_disk_without_room_is_told_before_the_run(slide, spots, predictor, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(OutputError, match=r"0 MB free.*fewer spots"), WorkFolder(folder) as work:
        run_to_end(run(slide, spots, predictor, SMALL, work))
    assert predictor.batches == []
    assert not folder.exists()


def test_a_chunk_that_a_crash_cut_short_is_predicted_again(slide, spots, new_predictor, folder: Path) -> None:
    expected = run_to_end(run(slide, spots, new_predictor(), SMALL))
    with WorkFolder(folder) as work:
        stop_after(run(slide, spots, new_predictor(), SMALL, work), 12)
    (chunk,) = (path for path in (folder / "values" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:50])
    with WorkFolder(folder, resume=True) as work:
        found = run_to_end(run(slide, spots, new_predictor(), SMALL, work))
        np.testing.assert_array_equal(found.values[np.arange(37)], expected.values)
    assert found.record.spots_resumed == 0


def test_a_folder_that_is_none_of_ours(folder: Path) -> None:
    folder.mkdir()
    (folder / "zarr.json").write_text("{}")
    with pytest.raises(OutputError, match="no work folder"), WorkFolder(folder, resume=True):
        pass
    assert (folder / "zarr.json").read_text() == "{}"
    (folder / "zarr.json").rename(folder / "notes.txt")
    with pytest.raises(OutputError, match=r"holds notes\.txt"), WorkFolder(folder):
        pass
    assert (folder / "notes.txt").read_text() == "{}", "not removed as an empty run's folder would be"


def test_more_spots_than_memory(slide, spots, predictor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "available_memory", lambda: 1000)
    with pytest.raises(SpotsError, match=r"37 spots and 5 genes.*keeps them on disk"):
        run_to_end(run(slide, spots, predictor, SMALL))
    with WorkFolder(folder) as work:
        assert run_to_end(run(slide, spots, predictor, SMALL, work)).done.all()


def test_memory_that_is_free_is_known_here() -> None:
    assert memory_module.available_memory() > 2**20


def test_memory_that_nobody_tells_forbids_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden() -> None:
        raise FileNotFoundError("/proc/meminfo")

    monkeypatch.setattr("psutil.virtual_memory", hidden)
    assert memory_module.available_memory() is None
    memory_module.require_memory(10**9, 10**6)
