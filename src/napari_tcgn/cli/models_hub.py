"""`napari-tcgn models search|get|update|remove|pack|check`: models that come from elsewhere, and go elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_tcgn.cli import options
from napari_tcgn.cli.console import say_json
from napari_tcgn.cli.models import models_app as models_app
from napari_tcgn.cli.report import ProgressReport
from napari_tcgn.cli.stop import when_stopped
from napari_tcgn.errors import SettingsError

if TYPE_CHECKING:
    from napari_tcgn.hub import ModelEntry

Index = Annotated[
    str | None,
    typer.Option(help="Another index of models: a file or an address; by default the one that comes with the program."),
]
AcceptLicence = Annotated[bool, typer.Option("--accept-licence", help="Accept the conditions of the model's licence.")]
ModelName = Annotated[str, typer.Argument(help="Name of a model, or path of a model folder.")]


@models_app.command("search")
def search(
    words: Annotated[list[str] | None, typer.Argument(help="Words that what is said of a model must hold.")] = None,
    index: Index = None,
    json: options.Json = False,
) -> None:
    """Show which models can be fetched: tissue, genes, held-out figure, licence and size.

    \b
    Examples:
      napari-tcgn models search breast
      napari-tcgn models search --index our_models.json
    """
    from napari_tcgn.hub import read_index

    every = read_index(index)
    found = [entry for entry in every if all(entry.matches(word) for word in words or [])]
    if json:
        say_json([entry.to_record() for entry in found])
        return
    if not every:
        typer.echo("The index that comes with this version lists no model yet; --index names another one.")
    elif not found:
        typer.echo(f"None of {len(every)} models has {' and '.join(words or [])} in what is said of it.")
    for entry in found:
        typer.echo(_line(entry))


@models_app.command("get")
def get(
    name: Annotated[str | None, typer.Argument(help="Name of a model in the index.")] = None,
    index: Index = None,
    to: Annotated[
        Path | None, typer.Option(help="Put it into this folder, to carry it to a machine without a network.")
    ] = None,
    from_: Annotated[
        Path | None, typer.Option("--from", help="Take it from this folder: fetched elsewhere, packed, or trained.")
    ] = None,
    accept_licence: AcceptLicence = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Fetch a model and keep it where it is found by name; every file is checked, a stopped download goes on.

    $HF_ENDPOINT names a mirror of the hub. Where a model needs a login, that of `hf auth login` or $HF_TOKEN is used.

    \b
    Examples:
      napari-tcgn models get NAME
      napari-tcgn models get NAME --to /media/stick
      napari-tcgn models get --from /media/stick/NAME
    """
    from napari_tcgn.engine import as_line, run_to_end
    from napari_tcgn.hub import get_model_from, get_model_steps

    if (name is None) == (from_ is None):
        raise SettingsError("A model is fetched by its name, or taken from a folder.", "Give NAME, or --from FOLDER.")
    if from_ is not None:
        if to is not None or index is not None:
            raise SettingsError("--from takes a folder that is at hand.", "Leave --to and --index away.")
        place = get_model_from(from_, accept_licence=accept_licence, overwrite=overwrite)
    else:
        assert name is not None
        with (
            when_stopped("Stopped; what has been fetched is kept. Go on with the same command."),
            ProgressReport("bytes") as report,
        ):
            steps = get_model_steps(name, index=index, to=to, accept_licence=accept_licence, overwrite=overwrite)
            place = run_to_end(steps, report)
    if to is not None:
        typer.echo(f"Whole in {place}.\nThere: {as_line(['napari-tcgn', 'models', 'get', '--from', str(place)])}")
    else:
        typer.echo(f"Whole in {place}.\n{as_line(['napari-tcgn', 'models', 'info', place.name])} shows its card.")


@models_app.command("update")
def update(index: Index = None, accept_licence: AcceptLicence = False) -> None:
    """Fetch the latest version of every model that was fetched before, where the index has another one.

    \b
    Example:
      napari-tcgn models update
    """
    from napari_tcgn.engine import run_to_end
    from napari_tcgn.hub import get_model_steps, outdated

    found = outdated(index)
    if not found:
        typer.echo("Every model that was fetched is as the index has it.")
    for old, new in found:
        with when_stopped("Stopped; what has been fetched is kept."), ProgressReport("bytes") as report:
            steps = get_model_steps(new.name, index=index, accept_licence=accept_licence, overwrite=True)
            run_to_end(steps, report)
        typer.echo(f"{new.name}: {old.version} ({old.commit[:7]}) → {new.version} ({new.commit[:7]})")


@models_app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Name of a model that was fetched or added.")]) -> None:
    """Remove one of your own models from the disk.

    \b
    Example:
      napari-tcgn models remove NAME
    """
    from napari_tcgn.hub import remove_model

    typer.echo(f"Removed {remove_model(name)}.")


@models_app.command("encoders")
def encoders() -> None:
    """List the published encoders that are known by name, for `fit` and `cross-validate --encoder`.

    \b
    Example:
      napari-tcgn models encoders
    """
    from napari_tcgn.hub import encoder_presets

    for one in encoder_presets().values():
        scale = f", {one.mpp:g} µm per px" if one.mpp else ""
        said = f"{one.parameters / 1e6:.0f} million weights, {one.input_px} px{scale}, {one.licence}"
        gate = ", its authors grant access" if one.gated else ""
        typer.echo(f"{one.name}: {one.of}; {said}{gate}; {one.repo} ({one.source})")
        if one.why_not:
            typer.echo(f"  Not usable here: {one.why_not}.")


@models_app.command("pack")
def pack(
    name: ModelName,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    licence: Annotated[str, typer.Option(help="Of the model; by default what its card says.")] = "",
    repo: Annotated[str, typer.Option(help="Where on the hub it will lie: ORGANISATION/NAME.")] = "",
    overwrite: options.Overwrite = False,
) -> None:
    """Write a folder that can be put on a hub: card, weights, README, index entry; nothing of your machine.

    \b
    Example:
      napari-tcgn models pack runs/cv/models/context-line-mine --licence "CC BY 4.0" --out packed
    """
    from napari_tcgn.hub import pack_model

    entry = pack_model(name, out, licence=licence, repo=repo, overwrite=overwrite)
    files = len(entry.files) + 2
    typer.echo(f"{entry.name} in {out}: {files} files, {_megabytes(entry.size)}. entry.json lacks only its commit.")


@models_app.command("check")
def check(
    name: ModelName,
    device: Annotated[str, typer.Option(help="Where it runs: cpu, cuda, mps.")] = "cpu",
    json: options.Json = False,
) -> None:
    """Try a model: what its card lacks, whether batches change its predictions, orientation, speed, memory.

    The exit code is 1 if something failed.

    \b
    Example:
      napari-tcgn models check runs/fold-0/model
    """
    from napari_tcgn.hub import check_model, require_usable

    found = check_model(name, device)
    if json:
        say_json(asdict(found) | {"passed": found.passed})
    else:
        for one in found.findings:
            typer.echo(f"{one.outcome:<7}{one.name}: {one.text}")
        typer.echo(f"{found.patches_per_second:g} patches/s on {device}, {found.memory_mb:g} MB more memory.")
    require_usable(found)


def _line(entry: ModelEntry) -> str:
    skill = "never evaluated" if entry.median_pcc is None else f"held-out median PCC {entry.median_pcc:.3f}"
    said: list[Any] = [entry.tissue or "tissue not stated", f"{entry.genes} genes", skill, entry.licence]
    return f"{entry.name} {entry.version}: {', '.join(map(str, said))}, {_megabytes(entry.size)}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
