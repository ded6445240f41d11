"""The slides of a cohort on several processes or machines, through dask.distributed.

Whole slides are sent, so that workers need nothing but the files: slides, spots, model and the folder of the results
must be reachable under the same paths everywhere.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from queue import Empty, Queue
from typing import Any
from uuid import uuid4

from napari_tcgn.engine import Progress, run_to_end
from napari_tcgn.errors import ClusterError, MissingDependencyError, SettingsError
from napari_tcgn.jobs.cohort import Event, Runner, in_a_sentence, load_for
from napari_tcgn.jobs.job import Job, JobResult, run_job
from napari_tcgn.model import Predictor
from napari_tcgn.options import PredictSettings

Client = Any  # distributed.Client and Future: that package is optional, and its methods are not typed
Future = Any

CONNECT_SECONDS = 10.0
LOST_SECONDS = 60.0  # without a connection
REPORT_SECONDS = 1.0  # between two counts of spots

# A worker of several threads would otherwise run as many models at once, each with all its own threads.
_one_slide_at_a_time = threading.Lock()


@contextmanager
def connected(scheduler: str) -> Iterator[Client]:
    """Connect to a running scheduler; the caller's own work with dask stays where it runs.

    Parameters
    ----------
    scheduler : str
        Its address, such as "tcp://10.0.0.5:8786".

    Raises
    ------
    MissingDependencyError
        If dask.distributed is not installed.
    ClusterError
        If nothing answers there.
    """
    try:
        client = _client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterError(
            f"No dask scheduler answers at {scheduler} within {CONNECT_SECONDS:g} s.",
            "Check the address and that `dask scheduler` is running there, or use --workers N on this machine.",
        ) from error
    with client:
        yield client


@contextmanager
def local_cluster(workers: int) -> Iterator[Client]:
    """Start worker processes on this machine, which end with the block.

    Raises
    ------
    MissingDependencyError
        If dask.distributed is not installed.
    SettingsError
        If `workers` is not positive.
    """
    if workers < 1:
        raise SettingsError(f"workers must be at least 1, found {workers}.", "Give --workers 2, for instance.")
    distributed = _distributed()
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, memory_limit=0, dashboard_address=None, silence_logs=logging.ERROR
        ) as cluster,
        _client(cluster) as client,
    ):
        yield client


def threads_per_worker(workers: int) -> int:
    """Return how many threads a model may use in each of several processes of this machine."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    together = int(given) if given.isdigit() and int(given) > 0 else (os.cpu_count() or 1)
    return max(1, together // workers)


def cluster_runner(client: Client, threads: int | None = None) -> Runner:
    """Return a runner for `run_cohort` that sends every slide to a worker.

    Parameters
    ----------
    client : distributed.Client
    threads : int, optional
        That torch may use in a worker; None leaves it to the worker's own settings.
    """

    def runner(jobs: Sequence[tuple[int, Job]]) -> Generator[Event, None, None]:
        topic = f"napari-tcgn-{uuid4().hex}"
        heard: Queue[tuple[int, Any]] = Queue()
        client.subscribe_topic(topic, lambda event: heard.put(_unpack(event)))
        futures: dict[int, Future] = {}
        try:
            for index, job in jobs:
                future = client.submit(_work, index, job, topic, threads, pure=False, key=f"{topic}-{index}")
                future.add_done_callback(lambda done, index=index: heard.put((index, done)))
                futures[index] = future
            yield from _events(client, heard, set(futures))
        finally:
            client.cancel(list(futures.values()))
            client.unsubscribe_topic(topic)

    return runner


def _events(client: Client, heard: Queue[tuple[int, Any]], open_jobs: set[int]) -> Iterator[Event]:
    """Yield what workers tell until every job has ended."""
    last_connected = time.monotonic()
    while open_jobs:
        if client.status == "running":
            last_connected = time.monotonic()
        elif time.monotonic() - last_connected > LOST_SECONDS or client.status == "closed":
            raise ClusterError(
                "The connection to the dask scheduler is lost.",
                "Start it again, then give the same command: finished slides are skipped.",
            )
        try:
            index, told = heard.get(timeout=0.5)
        except Empty:
            continue
        if index not in open_jobs:
            continue
        if isinstance(told, Event):
            yield told
        else:  # a future that has ended
            open_jobs.discard(index)
            yield _outcome(index, told)


def _outcome(index: int, future: Future) -> Event:
    if future.status == "finished":
        outcome: Event = future.result()
        return outcome
    if future.status == "error":  # the worker died, or has not this package
        return Event(index, "failed", error=in_a_sentence(future.exception()))
    return Event(index, "failed", error=f"The cluster gave the slide up ({future.status}).")


def _unpack(sent: Any) -> tuple[int, Event]:
    """Return (index, event) of what a worker has sent."""
    _, message = sent
    index, step = message["index"], message["step"]
    return index, Event(index, "running", step=None if step is None else Progress(**step))


def _work(index: int, job: Job, topic: str, threads: int | None) -> Event:
    """Run a job on a worker; returns its last event."""
    from distributed import get_worker

    def tell(step: Progress | None) -> None:
        short = None if step is None else {"stage": step.stage, "done": step.done, "total": step.total}
        get_worker().log_event(topic, {"index": index, "step": short})

    with _one_slide_at_a_time:
        tell(None)
        try:
            if threads is not None:
                import torch

                torch.set_num_threads(threads)
            return Event(index, "done", result=_run(job, tell))
        except Exception as error:  # as a sentence: not every error can be sent
            return Event(index, "failed", error=in_a_sentence(error))


def _run(job: Job, tell: Callable[[Progress], None]) -> JobResult:
    last, stage = 0.0, ""

    def now_and_then(step: Progress) -> None:
        nonlocal last, stage
        if step.stage != stage or time.monotonic() - last >= REPORT_SECONDS:
            stage, last = step.stage, time.monotonic()
            tell(step)

    return run_to_end(run_job(job, _model(job.settings)), now_and_then)


# Stays loaded for a worker's next slide.
_model: Callable[[PredictSettings], Predictor] = lru_cache(maxsize=1)(load_for)


def _client(of: Any, **more: Any) -> Client:
    """Return a client that only the calls on it use.

    By default a client makes its scheduler that of all dask work in the process. One that cannot connect would leave
    that set until it is collected, or for good where another client is open by then: later work would find no client.
    """
    return _distributed().Client(of, set_as_default=False, **more)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise MissingDependencyError(
            "dask.distributed is not installed.", 'Install it: pip install "napari-tcgn[cluster]".'
        ) from error
    return distributed
