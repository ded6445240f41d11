"""The engine: reads patches ahead in threads, runs the model, yields progress and the live result."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from threading import Event

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.engine.device import default_batch_size, free_memory, is_out_of_memory
from napari_tcgn.engine.domain import domain_warnings, make_room_for_domain, note_domain, stained_like
from napari_tcgn.engine.identity import run_identity
from napari_tcgn.engine.memory import require_memory
from napari_tcgn.engine.patches import choose_patches, cut_batch, patch_source, reading_order
from napari_tcgn.engine.progress import Prediction, Progress
from napari_tcgn.engine.record import PatchRecord, RunRecord, start_record
from napari_tcgn.engine.work import WorkFolder
from napari_tcgn.errors import DeviceError, ModelError, SpotsError
from napari_tcgn.memory import give_back_freed
from napari_tcgn.model import ModelCard, Predictor, PredictsWithDomain, StartingPredictor, domain_of, intervals_of
from napari_tcgn.options import PredictSettings
from napari_tcgn.slide import Slide, overview_of, require_mpp
from napari_tcgn.spots import Spots, check_on_slide

MAX_BATCH_BYTES = 256 * 2**20  # of one batch of patches in host memory
RATE_SECONDS = 10.0  # the rate is measured over the latest ones: the first model calls are slow

Indices = NDArray[np.intp]
Patches = NDArray[np.uint8]
Values = NDArray[np.float32]
Both = tuple[Values, Values | None]  # float32 [B, genes], and p-values [B] of the patches


def run(
    slide: Slide,
    spots: Spots,
    predictor: Predictor,
    settings: PredictSettings | None = None,
    work: WorkFolder | None = None,
) -> Generator[Progress, None, Prediction]:
    """Predict the expression of every spot.

    Closing the generator (cancel) stops the reading threads; the `Prediction` of the last step then stays
    usable and says what is done. When memory runs out the batch is halved and the run goes on.

    Parameters
    ----------
    slide : Slide
        With known µm per px; must stay open until the generator has ended.
    spots : Spots
        At least one; their order is the order of the result.
    predictor : Predictor
    settings : PredictSettings, optional
        `batch_size`, `read_threads` and `stain` are used; model and device are those of `predictor`.
    work : WorkFolder, optional
        Entered: values go there as they come instead of into memory, and spots that an interrupted run has finished
        are not predicted again. `Prediction.values` then reads from it and needs it to stay.

    Yields
    ------
    Progress
        First of stage "read slide", then one "predict" step after every model call.

    Returns
    -------
    Prediction

    Raises
    ------
    PixelSizeUnknownError, SlideError, SpotsError
        Before anything is predicted, if slide and spots cannot be used, or so many values do not fit into memory.
    OutputError
        If `work` belongs to another run, or its disk is full.
    DeviceError
        If not even a single patch fits into memory.
    ModelError
        If the model's output has another shape than its card says, or is not finite.
    """
    settings = settings if settings is not None else PredictSettings()
    card = predictor.card
    patch = choose_patches(slide, card)
    _require_spots(spots)
    yield Progress("read slide", 0, 1)
    spots = check_on_slide(spots, slide)
    batch_size = _choose_batch_size(patch, predictor, settings, work)
    if work is None:
        require_memory(len(spots), len(card.genes))
    record = _describe(slide, spots, predictor, settings, patch, batch_size)
    prediction = _empty_prediction(slide, spots, predictor, record)
    order = reading_order(spots.x, spots.y, patch.side_px)
    _make_room_for_values(prediction, slide, settings, order, work)
    with_domain = settings.domain and domain_of(predictor) is not None
    if with_domain:
        make_room_for_domain(prediction, work)
    stained = stained_like(slide, card, settings.stain)  # after the work folder, which refuses another run
    source, level = patch_source(stained, card, patch)
    batches = _open_batches(order, batch_size, prediction.done)
    record.spots_resumed = int(prediction.done.sum())
    yield Progress("read slide", 1, 1, prediction=prediction)

    before = record.warnings
    note_domain(prediction, before)
    clock = _Clock(len(spots), record.spots_resumed)
    clock.note(record)
    try:
        with closing(_read_ahead(source, level, spots, patch, batches, settings.read_threads)) as patches:
            for new, values, domain_p in _predict_batches(predictor, patches, batch_size, record, with_domain):
                _check_values(values, spots, new, card)
                if domain_p is not None and prediction.domain_p is not None:
                    prediction.domain_p[new] = domain_p
                if work is None:
                    prediction.values[new] = values
                else:
                    work.add(new, values, domain_p)
                prediction.done[new] = True
                clock.count(len(new))
                clock.note(record)
                note_domain(prediction, before)
                yield Progress("predict", clock.done, clock.total, clock.rate, clock.eta, prediction, new)
    finally:
        give_back_freed()
        if work is not None:
            work.flush()
    return prediction


def _require_spots(spots: Spots) -> None:
    if len(spots) == 0:
        raise SpotsError(
            "There is no spot to predict.", "Lay spots on tissue: lower the tissue threshold or widen the region."
        )


def _choose_batch_size(
    patch: PatchRecord, predictor: Predictor, settings: PredictSettings, work: WorkFolder | None
) -> int:
    """Return the batch that was asked for, that of the interrupted run, or the device's, if it fits into memory."""
    wanted = settings.batch_size or (work and work.batch_size) or default_batch_size(predictor.device)
    return max(1, min(wanted, MAX_BATCH_BYTES // (3 * patch.level_side_px**2)))


def _describe(
    slide: Slide, spots: Spots, predictor: Predictor, settings: PredictSettings, patch: PatchRecord, batch_size: int
) -> RunRecord:
    """Return the record of the run, with how the slide is stained and in what it is unlike the training slides."""
    record = start_record(slide, spots, predictor.card, settings, predictor.device, batch_size)
    record.patch = patch
    stain = overview_of(slide).stain
    record.stain = stain.to_record() if stain is not None else None
    record.warnings = [*(spots.source.doubts or ()), *domain_warnings(predictor.card, slide, stain)]
    return record


def _make_room_for_values(
    prediction: Prediction, slide: Slide, settings: PredictSettings, order: Indices, work: WorkFolder | None
) -> None:
    """Give a prediction room for its values: in memory, or in the work folder with what is done there already."""
    spots, card, record = prediction.spots, prediction.card, prediction.record
    if work is None:
        prediction.values = np.full((len(spots), len(card.genes)), np.nan, dtype=np.float32)
        return
    identity = run_identity(slide, spots, card, settings, record.device, asdict(record.patch))
    record.slide.sha256 = identity["slide"]
    assert record.batch_size is not None, "a run that starts has one"
    prediction.values, prediction.done = work.begin(identity, order, len(card.genes), record.batch_size)


def _empty_prediction(slide: Slide, spots: Spots, predictor: Predictor, record: RunRecord) -> Prediction:
    """Return a prediction of no spot at all, without room for values."""
    overview = overview_of(slide)
    return Prediction(
        intervals=intervals_of(predictor),
        values=np.empty((0, len(predictor.card.genes)), dtype=np.float32),
        done=np.zeros(len(spots), dtype=bool),
        spots=spots,
        card=predictor.card,
        library_id=slide.name,
        mpp=require_mpp(slide),
        thumbnail=overview.picture,
        thumbnail_scale=overview.scale,
        record=record,
    )


def _open_batches(order: Indices, batch_size: int, done: NDArray[np.bool_]) -> Iterator[Indices]:
    """Yield the batches that are to be predicted; forgets in `done` what a batch of an interrupted run lacked.

    Batches are always cut at the same places, so that a resumed run computes the same batches as one that ran
    through: the last bits of a value may depend on how many patches share a batch.
    """
    starts = range(0, len(order), batch_size)
    for start in starts:
        batch = order[start : start + batch_size]
        if not done[batch].all():
            done[batch] = False
    return (batch for start in starts if not done[batch := order[start : start + batch_size]][0])


def _read_ahead(
    slide: Slide, level: int, spots: Spots, patch: PatchRecord, todo: Iterator[Indices], threads: int
) -> Generator[tuple[NDArray[np.intp], NDArray[np.uint8]], None, None]:
    """Yield (spot indices [B], patches uint8 [B, n, n, 3]), read by threads a few batches ahead.

    At most `threads + 1` batches are held, however many spots there are. Closing the iterator waits for no
    more than the one patch that each thread is reading.
    """
    stop = Event()
    waiting: deque[tuple[NDArray[np.intp], Future[NDArray[np.uint8]]]] = deque()
    readers = ThreadPoolExecutor(threads, thread_name_prefix="napari-tcgn-read")

    def submit_next() -> None:
        indices = next(todo, None)
        if indices is not None:
            x, y = spots.x[indices], spots.y[indices]
            waiting.append((indices, readers.submit(cut_batch, slide, x, y, patch.side_px, level, stop)))

    try:
        for _ in range(threads + 1):
            submit_next()
        while waiting:
            indices, future = waiting.popleft()
            patches = future.result()
            submit_next()
            yield indices, patches
    finally:
        stop.set()
        readers.shutdown(wait=True, cancel_futures=True)


def _predict_batches(
    predictor: Predictor,
    batches: Iterable[tuple[Indices, Patches]],
    batch_size: int,
    record: RunRecord,
    with_domain: bool,
) -> Generator[tuple[Indices, Values, Values | None], None, None]:
    """Yield (spot indices [B], values float32 [B, genes], p-values of their patches float32 [B] or None).

    Halves the batch, and notes it, when memory runs out. A predictor that can start a batch without waiting for it
    (`StartingPredictor`) always has the next one in hand before the last one is fetched, so that its device does not
    wait for this program.
    """
    ahead = 1 if isinstance(predictor, StartingPredictor) else 0
    started: deque[tuple[Indices, Patches, Callable[[], Both]]] = deque()
    again: deque[tuple[Indices, Patches]] = deque()  # what was started and did not end for want of memory
    alone = 0  # times in a row that one patch alone did not fit

    def shrink(tried: int) -> None:
        nonlocal batch_size, alone
        alone = alone + 1 if tried == 1 else 0
        batch_size = record.batch_size = _halve(tried, predictor, last=alone > 1)

    def fetch(keep: int) -> Generator[tuple[Indices, Values, Values | None], None, None]:
        nonlocal alone
        while len(started) > keep:
            new, part, wait = started.popleft()
            both = _unless_full(wait)
            if both is None:
                again.append((new, part))
                shrink(len(new))
            else:
                alone = 0
                yield new, *both

    def start(indices: Indices, patches: Patches) -> Generator[tuple[Indices, Values, Values | None], None, None]:
        done = 0
        while done < len(indices):
            new, part = indices[done : done + batch_size], patches[done : done + batch_size]
            wait = _try_start(predictor, part, with_domain)
            if wait is None:
                yield from fetch(keep=0)
                shrink(len(new))
                continue
            done += len(new)
            started.append((new, part, wait))
            yield from fetch(keep=ahead)

    for indices, patches in batches:
        yield from start(indices, patches)
    yield from fetch(keep=0)
    while again:
        yield from start(*again.popleft())
        yield from fetch(keep=0)


def _unless_full(compute: Callable[[], Both]) -> Both | None:
    """Return what is computed; None if memory ran out."""
    try:
        return compute()
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            return None
        raise


def _try_start(predictor: Predictor, patches: Patches, with_domain: bool) -> Callable[[], Both] | None:
    """Start the prediction of a batch and return the call that waits for the result, or None if memory ran out."""
    domain = domain_of(predictor) if with_domain else None
    try:
        if with_domain and isinstance(predictor, PredictsWithDomain):
            both = predictor.predict_with_domain(patches)
            return lambda: both
        if isinstance(predictor, StartingPredictor):
            wait = predictor.start(patches)
            p = None if domain is None else domain(patches)  # while the device is at work
            return lambda: (wait(), p)
        values = predictor.predict(patches)
        beside = values, None if domain is None else domain(patches)
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            return None
        raise
    return lambda: beside


def _halve(tried: int, predictor: Predictor, last: bool) -> int:
    """Return half of the batch that did not fit, once the memory it left behind is freed; one patch is tried twice."""
    free_memory(predictor.device)
    if tried == 1 and last:
        raise DeviceError(
            f"The memory of device {predictor.device!r} is full: not even one patch fits beside model "
            f"{predictor.card.name!r}.",
            "Close other programs that use it, or choose --device cpu.",
        )
    return max(1, tried // 2)


def _check_values(values: NDArray[np.float32], spots: Spots, new: NDArray[np.intp], card: ModelCard) -> None:
    expected = (len(new), len(card.genes))
    if values.shape != expected:
        raise ModelError(
            f"Model {card.name!r} returned an array of shape {values.shape} where its card promises {expected}.",
            "Use the card that belongs to these weights.",
        )
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise ModelError(
            f"Model {card.name!r} predicts values that are not finite at spot {str(spots.ids[new][bad][0])!r}.",
            "Check the model's weights and normalisation.",
        )


class _Clock:
    """Counts finished spots and estimates rate and remaining time from the latest steps."""

    def __init__(self, total: int, done: int = 0) -> None:
        self.total, self.done, self._before = total, done, done
        self._start = time.perf_counter()
        self._latest = deque([(self._start, done)])  # (time, spots done) of the latest steps

    def count(self, new: int) -> None:
        self.done += new
        now = time.perf_counter()
        self._latest.append((now, self.done))
        while len(self._latest) > 2 and self._latest[0][0] < now - RATE_SECONDS:
            self._latest.popleft()

    @property
    def rate(self) -> float:
        """Spots per second over the latest steps."""
        (earlier, done_then), (now, done_now) = self._latest[0], self._latest[-1]
        return (done_now - done_then) / max(now - earlier, 1e-9)

    @property
    def eta(self) -> float:
        """Seconds left at the present rate."""
        return (self.total - self.done) / self.rate

    def note(self, record: RunRecord) -> None:
        """Bring the counts of a run record up to date, so that a cancelled run has them too."""
        seconds = time.perf_counter() - self._start
        record.seconds = round(seconds, 3)
        record.spots_per_second = round((self.done - self._before) / max(seconds, 1e-9), 2)
        record.spots_done = self.done
        record.partial = self.done < self.total
