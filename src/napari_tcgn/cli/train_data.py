"""Where `napari-tcgn train` finds its sections when it is not told."""

from __future__ import annotations

import os
from pathlib import Path

from napari_tcgn.errors import DataError
from napari_tcgn.files import cache_folder

ENVIRONMENT = "NAPARI_TCGN_HER2ST"
HOW_TO_GET = (
    "Get it with `napari-tcgn data fetch her2st`, or give its folder with --data or "
    f"{ENVIRONMENT}; to try training without it, use --data sample."
)


def user_data_folder() -> Path:
    """Return the folder where this package keeps data of the user."""
    from platformdirs import user_data_path

    return user_data_path("napari-tcgn", appauthor=False)


def patch_folder(given: Path | None = None) -> Path:
    """Return the folder of the patch cache: the one given, else the usual one."""
    return given if given is not None else cache_folder("patches")


def places() -> list[Path]:
    """Return the folders that are looked at, the first one first."""
    given = os.environ.get(ENVIRONMENT)
    return [*([Path(given)] if given else []), Path("her2st"), user_data_folder() / "her2st"]


def find_her2st() -> Path:
    """Return the folder of the her2st data.

    Raises
    ------
    DataError
        If it is nowhere, or NAPARI_TCGN_HER2ST names something that is no folder.
    """
    given = os.environ.get(ENVIRONMENT)
    if given and not Path(given).is_dir():
        raise DataError(f"{ENVIRONMENT} names {given}, which is no folder.", HOW_TO_GET)
    for folder in places():
        if os.path.isdir(folder):  # and not where it is forbidden to look
            return folder
    raise DataError("The her2st training data was not found.", HOW_TO_GET)


def training_folder(data: str | None) -> Path:
    """Return the folder that --data means: a path, "sample", or the her2st data where it is found.

    Raises
    ------
    DataError
        If there is no such folder.
    """
    if data is None:
        return find_her2st()
    if data == "sample":
        from napari_tcgn.sample import training_sample

        return training_sample()
    folder = Path(data)
    if folder.is_file() and folder.name == "sections.csv":
        return folder.parent
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder.", "Give the folder of the sections, or --data sample.")
    return folder
