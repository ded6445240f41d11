"""One slide from file to .h5ad: opened, predicted into a work folder, written, tidied up."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tcgn.engine import Progress, RunRecord, WorkFolder, choose_precision, digest, model_identity, work_folder_of
from napari_tcgn.errors import DataError, OutputError, SettingsError
from napari_tcgn.expression import UNS_KEY, check_h5ad_target, genes_of, predict_steps, write_h5ad
from napari_tcgn.files import require_no_input, sha256_of
from napari_tcgn.h5ad import open_h5ad
from napari_tcgn.model import Predictor
from napari_tcgn.options import GridSettings, PredictSettings, SpotsSettings, to_record

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be predicted and where the result goes; small, so that it can be sent to another machine.

    Attributes
    ----------
    slide, out : pathlib.Path
        Slide file; result file ending in .h5ad.
    settings : PredictSettings
    mpp : float or None
        µm per px of the slide; None takes what its file says.
    grid : GridSettings or None
        Spots laid over the slide; None: those of the file `spots`.
    spots : pathlib.Path or None
        Spots of a measured section, or saved ones.
    overwrite : bool
        Whether a result that exists may be replaced.
    resume : bool
        Whether to go on with what an interrupted run has left beside `out`.
    roi : pathlib.Path or None
        GeoJSON: only spots inside its polygons.
    taken : SpotsSettings
        How the spots of the file are taken.
    """

    slide: Path
    out: Path
    settings: PredictSettings
    mpp: float | None = None
    grid: GridSettings | None = None
    spots: Path | None = None
    overwrite: bool = False
    resume: bool = False
    roi: Path | None = None
    taken: SpotsSettings = field(default_factory=SpotsSettings)


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job has made, for people and machines.

    Attributes
    ----------
    out : str
        Path of the result file.
    spots, genes : int
    model, output_scale, library_id : str
    mpp : float
        µm per full-resolution px.
    device : str
    seconds : float
        That the prediction took.
    spots_resumed : int
        Spots that an interrupted run had done.
    slide_sha256 : str or None
    warnings : list of str
    """

    out: str
    spots: int
    genes: int
    model: str
    output_scale: str
    library_id: str
    mpp: float
    device: str
    seconds: float
    spots_resumed: int
    slide_sha256: str | None
    warnings: list[str]

    @classmethod
    def of(cls, adata: AnnData, out: Path) -> JobResult:
        """Describe a prediction that was written to `out`."""
        record = RunRecord.from_json(adata.uns[UNS_KEY]["run_record"])
        return cls(
            out=str(out),
            spots=adata.n_obs,
            genes=adata.n_vars,
            model=record.model.name,
            output_scale=str(adata.uns[UNS_KEY]["output_scale"]),
            library_id=str(next(iter(adata.uns["spatial"]))),
            mpp=record.mpp,
            device=record.device,
            seconds=record.seconds,
            spots_resumed=record.spots_resumed,
            slide_sha256=record.slide.sha256,
            warnings=record.warnings,
        )

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return asdict(self)


def run_job(
    job: Job, predictor: Predictor | None = None, counted: Collection[str] | None = None
) -> Generator[Progress, None, JobResult]:
    """Predict a slide and write the result; what an interrupted run has done stays in a folder beside it.

    Parameters
    ----------
    job : Job
    predictor : Predictor, optional
        The model of the job's settings where it is loaded already.
    counted : collection of str, optional
        Names of the spots that have measured counts: the others are left out.

    Yields
    ------
    Progress

    Returns
    -------
    JobResult

    Raises
    ------
    TcgnError
        As `open_slide`, `choose_spots`, `predict` and `write_h5ad` do; OutputError also if an
        interrupted run has left its work folder and `job.resume` is not set.
    """
    from napari_tcgn.slide import open_slide, require_mpp
    from napari_tcgn.spots import choose_spots

    require_no_input([job.out], [job.slide, job.spots, job.roi])
    check_h5ad_target(job.out, job.overwrite)  # before minutes of work
    with WorkFolder(work_folder_of(job.out), job.resume) as work, closing(open_slide(job.slide, mpp=job.mpp)) as slide:
        require_mpp(slide)
        if job.grid is not None:
            yield Progress("find tissue", 0, 1)
        spots = choose_spots(slide, job.grid, job.spots, job.roi, counted, job.taken)
        settings = job.settings
        if predictor is not None:  # for the record: what is computed, not what was asked
            settings = replace(settings, precision=choose_precision(settings.precision, predictor.device))
        adata = yield from predict_steps(slide, spots, predictor, settings, work)
        adata.uns[UNS_KEY]["job_sha256"] = job_digest(job)
        yield Progress("write result", 0, 1)
        try:
            write_h5ad(adata, job.out, job.overwrite)
        except OutputError as error:
            raise OutputError(
                error.problem,
                f"{error.hint.rstrip('.')}; the same command with --resume then writes what is kept in "
                f"{work.path.name}.",
            ) from error
        made = JobResult.of(adata, job.out)
        work.remove()
    return made


def job_digest(job: Job) -> str:
    """Return the SHA-256 of everything but the slide that decides the numbers of a job's result.

    Raises
    ------
    ModelError, DataError
        If the model does not exist, or it has not the genes that are asked for.
    """
    from napari_tcgn.model import read_card

    card = read_card(job.settings.model)
    genes = genes_of(card, job.settings.genes)
    return digest(
        {
            "model": model_identity(card),
            "precision": job.settings.precision,
            "stain": job.settings.stain,
            "mpp": job.mpp,
            "grid": to_record(job.grid) if job.grid is not None else None,
            "spots": _digest_of(job.spots),
            "roi": _digest_of(job.roi),
        }
        | ({"library": job.taken.library} if job.taken.library is not None else {})
        | ({"genes": genes} if genes is not None else {})
    )


def _digest_of(path: Path | None) -> str | None:
    """Return the SHA-256 of a spots or region file, or of the positions in a Visium folder; the path of what is none.

    What else lies in a Visium folder (reads, matrices) can be large and decides nothing.
    """
    from napari_tcgn.spots import positions_file

    if path is None:
        return None
    file = path if path.is_file() else positions_file(path)
    return sha256_of(file) if file is not None else str(path)


@dataclass(frozen=True, slots=True)
class Made:
    """What a result file tells of its making: the `job_digest` and the run record."""

    job_sha256: str
    record: RunRecord


def made_from(out: Path) -> Made | None:
    """Return what a result file tells of its making, None if it is not the result of a job."""
    try:
        with open_h5ad(out) as file:
            kept = file["uns"][UNS_KEY]
            return Made(kept["job_sha256"][()].decode(), RunRecord.from_json(kept["run_record"][()].decode()))
    except (DataError, SettingsError):
        return None
