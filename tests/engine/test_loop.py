from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_tcgn.engine import cut_patch, loop as engine_loop, run, run_to_end
from napari_tcgn.engine.loop import _Clock
from napari_tcgn.engine.record import PatchRecord
from napari_tcgn.errors import DeviceError, ModelError, PixelSizeUnknownError, SlideError, SpotsError
from napari_tcgn.options import PredictSettings

SMALL = PredictSettings(batch_size=4, read_threads=2)


def readers() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("napari-tcgn-read")]


def test_values_are_in_spot_order(slide, spots, predictor) -> None:
    prediction = run_to_end(run(slide, spots, predictor, SMALL))
    patches = np.stack([cut_patch(slide, x, y, 32) for x, y in zip(spots.x, spots.y, strict=True)])
    np.testing.assert_allclose(prediction.values, predictor.predict(patches), atol=1e-6)
    assert prediction.values.dtype == np.float32
    assert prediction.done.all()
    assert not prediction.partial
    assert readers() == []


def test_progress_tells_the_truth(slide, spots, predictor) -> None:
    seen: list[int] = []
    stages: list[str] = []
    for step in run(slide, spots, predictor, SMALL):
        stages.append(step.stage)
        if step.stage != "predict":
            continue
        live = step.prediction
        seen.extend(step.new)
        assert step.done == len(seen) == live.done.sum()
        assert step.total == len(spots)
        assert set(np.flatnonzero(live.done)) == set(seen)
        assert np.isfinite(live.values[live.done]).all()
        assert np.isnan(live.values[~live.done]).all()
        assert step.rate > 0
        assert step.eta_seconds == pytest.approx((step.total - step.done) / step.rate)
        assert live.record.spots_done == step.done
        assert live.record.partial is (step.done < step.total)
    assert stages == ["read slide", "read slide"] + ["predict"] * 10
    assert sorted(seen) == list(range(37))


def test_remaining_time_follows_the_latest_rate(monkeypatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    clock = _Clock(total=1000)
    for seconds in [60.0] + [1.0] * 30:  # a slow start, then 8 spots a second
        now += seconds
        clock.count(8)
    assert clock.rate == pytest.approx(8)
    assert clock.eta == pytest.approx((1000 - 31 * 8) / 8)


def test_twice_gives_the_same_bytes(slide, spots, predictor) -> None:
    first, second = (run_to_end(run(slide, spots, predictor, SMALL)).values for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_run_record(slide, spots, predictor) -> None:
    record = run_to_end(run(slide, spots, predictor, SMALL)).record.to_record()
    assert json.loads(json.dumps(record)) == record
    assert record["settings"]["batch_size"] == 4
    assert record["model"] == {"name": "colours", "version": "1", "sha256": "ab" * 32}
    assert record["patch"] == {"um": 16.0, "side_px": 32, "level": 0, "level_side_px": 32, "shrink": 1}
    assert (record["slide"]["width_px"], record["slide"]["height_px"]) == (320, 240)
    assert (record["mpp"], record["mpp_source"], record["device"]) == (0.5, "given", "cpu")
    assert record["spots"]["source"] == {"kind": "test"}
    assert record["versions"]["torch"] == torch.__version__.partition("+")[0] or "+" in record["versions"]["torch"]
    assert record["started"].endswith("+00:00")
    assert (record["spots_done"], record["partial"]) == (37, False)


def test_slide_file_is_recorded_without_its_folder(tmp_path, slide, spots, predictor) -> None:
    slide.path = tmp_path / "C2.tif"
    slide.path.write_bytes(b"x" * 123)
    record = run_to_end(run(slide, spots, predictor, SMALL)).record.to_record()
    assert (record["slide"]["file"], record["slide"]["bytes"]) == ("C2.tif", 123)
    assert str(tmp_path) not in json.dumps(record)


def test_cancel_stops_the_threads_and_keeps_what_is_done(pyramid, pixels, spots, predictor, monkeypatch) -> None:
    slide = pyramid([pixels])
    permits = threading.Semaphore(8)

    class ReleasesReads(threading.Event):
        """Tells the reader to stop while it reads the first patch of a batch, then lets it read on."""

        def set(self) -> None:
            super().set()
            permits.release(100)

    monkeypatch.setattr(engine_loop, "Event", ReleasesReads)
    steps = run(slide, spots, predictor, replace(SMALL, read_threads=1))
    for step in steps:
        if step.stage == "read slide" and step.done == 1:
            slide.permits, before = permits, slide.reads
        elif step.done == 8:
            break
    assert slide.held.wait(30)
    steps.close()
    assert slide.reads - before == 9, "waits for a single patch, not for the batch"
    assert readers() == []
    kept = step.prediction
    assert kept.partial
    assert kept.done.sum() == 8
    assert np.isfinite(kept.values[kept.done]).all()
    assert (kept.record.spots_done, kept.record.partial) == (8, True)


def test_reading_stays_a_few_batches_ahead(slide, new_spots, predictor) -> None:
    rng = np.random.default_rng(3)
    spots = new_spots(rng.uniform(0, 320, 200), rng.uniform(0, 240, 200))
    ahead = [slide.reads - step.done for step in run(slide, spots, predictor, SMALL) if step.stage == "predict"]
    assert max(ahead) <= (SMALL.read_threads + 1) * 4 + 4  # and the thumbnail's reads


class Full:
    """A model on a device whose memory holds no more than `room` patches."""

    def __init__(self, predictor, room: int, error: Exception) -> None:
        self.card, self.device, self.predictor, self.room, self.error = predictor.card, "cpu", predictor, room, error

    def predict(self, patches: np.ndarray) -> np.ndarray:
        if len(patches) > self.room:
            raise self.error
        return self.predictor.predict(patches)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_out_of_memory_halves_the_batch_and_goes_on(slide, spots, predictor, error: Exception) -> None:
    settings = PredictSettings(batch_size=16)
    expected = run_to_end(run(slide, spots, predictor, settings))
    predictor.batches.clear()
    prediction = run_to_end(run(slide, spots, Full(predictor, 5, error), settings))
    assert prediction.done.all()
    np.testing.assert_allclose(prediction.values, expected.values, atol=1e-6)
    assert max(predictor.batches) == 4
    assert prediction.record.batch_size == 4


class FullAt:
    """A model whose memory runs out once, at one of its batches: as it is started, or as its values are fetched."""

    def __init__(self, predictor, batch: int, fetched: bool) -> None:
        self.card, self.device, self.predict = predictor.card, "cpu", predictor.predict
        self.batch, self.fetched, self.count = batch, fetched, 0

    def start(self, patches: np.ndarray):
        number, self.count = self.count, self.count + 1
        if number == self.batch and not self.fetched:
            raise torch.OutOfMemoryError("CUDA out of memory.")

        def wait() -> np.ndarray:
            if number == self.batch and self.fetched:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return self.predict(patches)

        return wait


@pytest.mark.parametrize("fetched", [False, True])
def test_out_of_memory_at_every_batch(slide, spots, predictor, fetched: bool) -> None:
    settings = PredictSettings(batch_size=2)
    counting = FullAt(predictor, -1, fetched)
    expected = run_to_end(run(slide, spots, counting, settings))
    assert counting.count >= 10
    for batch in range(counting.count):
        found = run_to_end(run(slide, spots, FullAt(predictor, batch, fetched), settings))
        assert found.done.all(), batch
        np.testing.assert_allclose(found.values, expected.values, atol=1e-6, err_msg=str(batch))
        assert found.record.batch_size == 1
    assert readers() == []


def test_memory_for_not_even_one_patch(slide, spots, predictor) -> None:
    with pytest.raises(DeviceError, match=r"not even one patch.*--device cpu"):
        run_to_end(run(slide, spots, Full(predictor, 0, torch.OutOfMemoryError("full")), SMALL))
    assert readers() == []


def test_other_errors_of_the_model_are_not_swallowed(slide, spots, predictor) -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        run_to_end(run(slide, spots, Full(predictor, 0, RuntimeError("shapes differ")), SMALL))
    assert readers() == []


def test_batches_of_huge_patches_are_cut_down(pyramid, new_spots, new_predictor, monkeypatch) -> None:
    monkeypatch.setattr("napari_tcgn.engine.loop.MAX_BATCH_BYTES", 3 * 32 * 32 * 2)
    predictor = new_predictor()
    slide = pyramid([np.full((100, 100, 3), (150, 80, 150), np.uint8)])
    run_to_end(run(slide, new_spots(np.full(7, 50.0), np.full(7, 50.0)), predictor, SMALL))
    assert predictor.batches == [2, 2, 2, 1]


def test_unknown_pixel_size(pyramid, pixels, spots, predictor) -> None:
    with pytest.raises(PixelSizeUnknownError, match="--mpp"):
        next(run(pyramid([pixels], mpp=None), spots, predictor))


def test_no_spots(slide, spots, predictor) -> None:
    with pytest.raises(SpotsError, match="no spot"):
        next(run(slide, spots.select(np.zeros(37, bool)), predictor))


def test_spots_of_another_section(slide, new_spots, predictor) -> None:
    with pytest.raises(SpotsError):
        run_to_end(run(slide, new_spots(np.array([5000.0, 6000.0]), np.array([10.0, 20.0])), predictor))


def test_output_that_does_not_fit_the_card(slide, spots, predictor) -> None:
    predictor.weights = predictor.weights[:, :4]
    with pytest.raises(ModelError, match=r"\(4, 4\).*\(4, 5\)"):
        run_to_end(run(slide, spots, predictor, SMALL))


def test_output_that_is_not_finite(slide, spots, predictor) -> None:
    predictor.weights[0, 0] = np.nan
    with pytest.raises(ModelError, match="not finite at spot 's"):
        run_to_end(run(slide, spots, predictor, SMALL))


def test_failing_read_ends_the_run(slide, spots, predictor) -> None:
    steps = run(slide, spots, predictor, SMALL)
    while next(steps).stage != "predict":
        pass

    def fail(*_: int) -> None:
        raise SlideError("The slide went away.", "Connect the drive.")

    slide.read_region = fail
    with pytest.raises(SlideError, match="went away"):
        run_to_end(steps)
    assert readers() == []


def test_failing_listener_closes_the_run(slide, spots, predictor) -> None:
    def interrupt(step) -> None:
        if step.stage == "predict":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_to_end(run(slide, spots, predictor, SMALL), interrupt)
    assert readers() == []


def test_coarser_level_is_read_where_it_is_enough(pyramid, pixels, spots, new_predictor) -> None:
    slide = pyramid([pixels, pixels.reshape(120, 2, 160, 2, 3).mean(axis=(1, 3)).astype(np.uint8)])
    prediction = run_to_end(run(slide, spots, new_predictor(input_px=16), SMALL))
    assert prediction.record.patch == PatchRecord(um=16.0, side_px=32, level=1, level_side_px=16)
    assert prediction.done.all()


def test_importing_the_rooms_is_light() -> None:
    heavy = {"torch", "anndata", "matplotlib", "qtpy"}
    code = f"import sys, napari_tcgn.engine, napari_tcgn.expression; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


class Starting:
    """A predictor that computes a batch when it is fetched, and tells what it was asked for in which order."""

    def __init__(self, predictor, room: int = 100) -> None:
        self.card, self.device, self.predict, self.room = predictor.card, "cpu", predictor.predict, room
        self.told: list[str] = []
        self.count = 0

    def start(self, patches: np.ndarray):
        if len(patches) > self.room:
            self.told.append("full")
            raise torch.OutOfMemoryError("CUDA out of memory.")
        number, self.count = self.count, self.count + 1
        self.told.append(f"start {number}")

        def wait() -> np.ndarray:
            self.told.append(f"wait {number}")
            return self.predict(patches)

        return wait


def test_next_batch_is_started_before_the_last_is_fetched(slide, spots, predictor) -> None:
    expected = run_to_end(run(slide, spots, predictor, PredictSettings(batch_size=10)))
    starting = Starting(predictor)
    found = run_to_end(run(slide, spots, starting, PredictSettings(batch_size=10)))
    assert starting.told == ["start 0", "start 1", "wait 0", "start 2", "wait 1", "start 3", "wait 2", "wait 3"]
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.done.all()


def test_memory_that_runs_out_between_started_batches(slide, spots, predictor) -> None:
    expected = run_to_end(run(slide, spots, predictor))
    starting = Starting(predictor)
    steps = run(slide, spots, starting, PredictSettings(batch_size=8))
    for step in steps:
        if step.done >= 8 and step.stage == "predict":
            break
    starting.room = 3
    found = run_to_end(steps)
    after = starting.told[starting.told.index("full") :]
    assert after[1].startswith("wait"), "what is in hand is fetched before memory is freed"
    assert found.record.batch_size == 2
    np.testing.assert_array_equal(found.values, expected.values)


def test_freed_memory_is_given_back_at_the_end_of_a_run(slide, spots, predictor, monkeypatch) -> None:
    called = []
    monkeypatch.setattr("napari_tcgn.engine.loop.give_back_freed", lambda: called.append(True))
    run_to_end(run(slide, spots, predictor, SMALL))
    assert called == [True]


def test_freed_memory_can_be_given_back() -> None:
    from napari_tcgn.memory import give_back_freed

    give_back_freed()
