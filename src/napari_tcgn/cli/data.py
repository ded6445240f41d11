"""`napari-tcgn data`: get public data to train on, and look after the caches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_tcgn.cli.report import ProgressReport
from napari_tcgn.cli.stop import when_stopped
from napari_tcgn.cli.train_data import patch_folder, user_data_folder

data_app = typer.Typer(no_args_is_help=True, help="Get public data to train on; look after the caches.")


@data_app.command("fetch")
def fetch(
    name: Annotated[Literal["her2st"], typer.Argument(help="her2st: the HER2+ breast cancer study, 36 sections.")],
    section: Annotated[
        list[str] | None, typer.Option(help="Only this section (C2) or patient (C); may be given several times.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder; by default where `train` looks for it.")
    ] = None,
) -> None:
    """Download a data set from its public repository; every file is checked, a stopped download goes on.

    \b
    Examples:
      napari-tcgn data fetch her2st
      napari-tcgn data fetch her2st --section C --out her2st
    """
    from napari_tcgn.engine import as_line, run_to_end
    from napari_tcgn.training import fetch_her2st

    folder = out if out is not None else user_data_folder() / name
    with (
        when_stopped("Stopped; what has been fetched is kept. Go on with the same command."),
        ProgressReport("bytes") as report,
    ):
        files = run_to_end(fetch_her2st(folder, section or []), report)
    then = as_line(["napari-tcgn", "train", "--fold", "0", "--data", str(folder)])
    typer.echo(f"{len(files)} files are whole in {folder}.\nTrain on them: {then}")


@data_app.command("cache")
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all that is kept.")] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Only the patches in this folder, one that was given to `train --cache`.")
    ] = None,
) -> None:
    """Say how much room patches and features (of training) and pyramids (of large flat images) take, or remove them.

    Both lie in the user's cache folder, or in the one that NAPARI_TCGN_CACHE names; nothing is lost by removing them.

    \b
    Examples:
      napari-tcgn data cache
      napari-tcgn data cache --clear
    """
    from napari_tcgn.files import cache_folder
    from napari_tcgn.slide import clear_pyramids, kept_size
    from napari_tcgn.training import PatchCache

    patches = PatchCache(patch_folder(folder))
    found = [
        (
            "patches and encoders' features in",
            ("entry", "entries"),
            patches.clear() if clear else patches.size(),
            patches.folder,
        )
    ]
    if folder is None:
        pyramids = clear_pyramids() if clear else kept_size()
        found.append(("pyramids of", ("slide", "slides"), pyramids, cache_folder("pyramids")))
    for kind, of, size, place in found:
        what = f"{kind} {size.entries} {of[size.entries != 1]}, {size.bytes / 1e6:.1f} MB"
        typer.echo(f"Removed {what}, from {place}." if clear else f"{place}: {what}.")
