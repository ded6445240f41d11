"""Many slides: what is finished is skipped, what fails is noted, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from napari_tcgn.engine import Progress, choose_device, choose_precision, path_digest
from napari_tcgn.errors import OutputError, SettingsError, TcgnError
from napari_tcgn.expression import absolute_choice
from napari_tcgn.jobs.job import Job, JobResult, job_digest, made_from, run_job
from napari_tcgn.jobs.manifest import Entry, Manifest, State
from napari_tcgn.model import Predictor
from napari_tcgn.options import PredictSettings


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one of the jobs.

    Attributes
    ----------
    index : int
        Of the job.
    state : {"running", "done", "failed", "skipped"}
    step : Progress or None
        Of a running job.
    result : JobResult or None
        Of a finished job.
    error : str
        Of a failed one, as a sentence.
    """

    index: int
    state: State
    step: Progress | None = None
    result: JobResult | None = None
    error: str = ""


Runner = Callable[[Sequence[tuple[int, Job]]], Generator[Event, None, None]]


def run_cohort(
    jobs: Sequence[Job], folder: Path, runner: Runner | None = None, stop_on_error: bool = False
) -> Generator[Event, None, list[Entry]]:
    """Predict many slides into one folder, which keeps a manifest of their states.

    A slide whose result exists already, from the same pixels, spots, model and settings, is skipped; a slide that an
    interrupted call has begun goes on where it stopped. Closing the generator stops; the same call then goes on.

    Parameters
    ----------
    jobs : sequence of Job
        Their `out` is replaced by a file in `folder` (the slide's name, with its folders' names where two slides share
        one), and `resume` is set.
    folder : pathlib.Path
    runner : callable, optional
        Runs (index, job) pairs and yields their events: `run_here` (default), or one of `cluster_runner`.
    stop_on_error : bool
        End after the first slide that fails; the others stay "waiting".

    Yields
    ------
    Event

    Returns
    -------
    list of Entry
        Of the jobs, in their order.

    Raises
    ------
    SettingsError
        If a slide is named twice.
    OutputError
        If the folder cannot be written, or is being written by another process.
    ModelError
        If the model does not exist.
    """
    paths = [job.slide.absolute() for job in jobs]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise SettingsError(f"The slide {twice} is given twice.", "Give every slide once.")
    with Manifest(folder) as manifest:
        entries = manifest.enter(paths)
        jobs = [
            replace(_from_anywhere(job), out=folder.absolute() / entry.out, resume=True)
            for job, entry in zip(jobs, entries, strict=True)
        ]
        todo = []
        for index, (job, entry) in enumerate(zip(jobs, entries, strict=True)):
            event = _look(index, job, entry)
            if event is None:
                todo.append((index, job))
            else:
                yield event
        manifest.save()
        try:
            with closing((runner or run_here)(todo)) as events:
                for event in events:
                    if _note(entries[event.index], jobs[event.index], event):
                        manifest.save()
                    yield event
                    if event.state == "failed" and stop_on_error:
                        break
        finally:
            for entry in entries:
                if entry.state == "running":
                    entry.state = "waiting"
            manifest.save()
    return entries


def _from_anywhere(job: Job) -> Job:
    """Return the job with absolute paths: a worker need not run in this process's folder."""
    from napari_tcgn.model import from_anywhere

    genes = absolute_choice(job.settings.genes)
    return replace(
        job,
        slide=job.slide.absolute(),
        spots=None if job.spots is None else job.spots.absolute(),
        roi=None if job.roi is None else job.roi.absolute(),
        settings=replace(job.settings, model=from_anywhere(job.settings.model), genes=genes),
    )


def run_here(jobs: Sequence[tuple[int, Job]]) -> Generator[Event, None, None]:
    """Run jobs one after the other in this process, with the model loaded once."""
    predictor: Predictor | None = None
    for index, job in jobs:
        yield Event(index, "running")
        try:
            predictor = predictor or load_for(job.settings)
            steps = run_job(job, predictor)
            with closing(steps):
                result = yield from _as_events(index, steps)
        except Exception as error:
            yield Event(index, "failed", error=in_a_sentence(error))
        else:
            yield Event(index, "done", result=result)


def load_for(settings: PredictSettings) -> Predictor:
    """Return the model of settings on the device and in the precision that they name."""
    from napari_tcgn.model import load_model

    device = choose_device(settings.device)
    return load_model(settings.model, device, choose_precision(settings.precision, device))


def in_a_sentence(error: BaseException) -> str:
    """Say an error in one sentence for the manifest."""
    if isinstance(error, TcgnError):
        return str(error)
    reason = str(error).strip().splitlines()
    return f"Unexpected {type(error).__name__}{': ' + reason[0] if reason else ''}."


def _as_events(index: int, steps: Generator[Progress, None, JobResult]) -> Generator[Event, None, JobResult]:
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            result: JobResult = end.value
            return result
        yield Event(index, "running", step=step)


def _look(index: int, job: Job, entry: Entry) -> Event | None:
    """Return the event of a job that need not or cannot run, None for one that is to run."""
    try:
        if job.out.exists():
            if _is_finished(job, entry):
                entry.state, entry.error = "skipped", ""
                return Event(index, "skipped")
            if not job.overwrite:
                raise OutputError(
                    f"{job.out} exists already, but is not the result of this slide and these settings.",
                    "Allow overwriting (--overwrite), or choose another --out.",
                )
    except Exception as error:
        entry.state, entry.error = "failed", in_a_sentence(error)
        return Event(index, "failed", error=entry.error)
    entry.state, entry.error, entry.spots, entry.seconds, entry.warnings = "waiting", "", None, None, []
    return None


def _is_finished(job: Job, entry: Entry) -> bool:
    """Whether a result is there that comes from the slide as it is now and from these settings."""
    made = made_from(job.out)
    if made is None or made.job_sha256 != job_digest(job):
        return False
    record, stat = made.record, job.slide.stat()
    if record.slide.sha256 is None:
        return False
    if (stat.st_size, stat.st_mtime_ns, entry.slide_sha256) != (
        entry.slide_bytes, entry.slide_mtime_ns, record.slide.sha256,
    ) and path_digest(job.slide) != record.slide.sha256:  # fmt: skip
        return False
    _fill(entry, job, record.spots_done, record.seconds, record.warnings, record.slide.sha256)
    return True


def _fill(entry: Entry, job: Job, spots: int, seconds: float, warnings: list[str], slide_sha256: str | None) -> None:
    stat = job.slide.stat()
    entry.spots, entry.seconds, entry.warnings, entry.slide_sha256 = spots, seconds, warnings, slide_sha256 or ""
    entry.slide_bytes, entry.slide_mtime_ns = stat.st_size, stat.st_mtime_ns


def _note(entry: Entry, job: Job, event: Event) -> bool:
    """Bring an entry up to date; tells whether that is worth writing."""
    before, entry.state = entry.state, event.state
    if event.state == "failed":
        entry.error = event.error
    elif event.result is not None:
        made = event.result
        _fill(entry, job, made.spots, made.seconds, made.warnings, made.slide_sha256)
    return before != entry.state
