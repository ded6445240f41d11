"""Fetch a model of the index, from the hub or a folder, and keep it where it is found by name."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote

from napari_tcgn.download import RemoteFile, fetch_file
from napari_tcgn.engine import Progress
from napari_tcgn.errors import ModelError
from napari_tcgn.files import (
    check_folder,
    make_folder,
    mapping_of,
    plain,
    read_json,
    sha256_of,
    write_text_whole,
    write_whole_folder,
)
from napari_tcgn.hub.folder import ORIGIN_NAME, files_of, require_whole
from napari_tcgn.hub.index import ModelEntry, find_entry, read_index
from napari_tcgn.hub.licences import require_accepted
from napari_tcgn.model import CARD_NAME, ModelCard, load_model, user_models_folder
from napari_tcgn.paths import portable_name

HUB, ENDPOINT_VARIABLE = "https://huggingface.co", "HF_ENDPOINT"


def endpoint() -> str:
    """Return the address of the hub, or of the mirror that $HF_ENDPOINT names."""
    return os.environ.get(ENDPOINT_VARIABLE, "").strip().rstrip("/") or HUB


def get_model_steps(
    name: str,
    *,
    index: str | Path | None = None,
    to: Path | None = None,
    accept_licence: bool = False,
    overwrite: bool = False,
) -> Generator[Progress, None, Path]:
    """Fetch a model of the index; what is there already and whole is not fetched again.

    Parameters
    ----------
    name : str
        As in the index.
    index : str or pathlib.Path, optional
        See `read_index`.
    to : pathlib.Path, optional
        A folder to put it into, to be carried to a machine without a network; by default the user's models.
    accept_licence : bool
        Whether conditions of its licence are accepted.
    overwrite : bool
        Whether a model of this name that is there may be replaced.

    Yields
    ------
    Progress
        In bytes.

    Returns
    -------
    pathlib.Path
        The folder of the model.

    Raises
    ------
    ModelError
        If the index has no such model, or what was fetched is none.
    LicenceError
        If its conditions are not accepted.
    DataError
        If the hub cannot be reached, breaks off, or sends something else.
    OutputError
        If the folder cannot be written.
    """
    entry = find_entry(name, read_index(index))
    require_accepted(f"{entry.repo}@{entry.commit}", entry.licence, accept_licence)
    place = (user_models_folder() if to is None else Path(to)) / portable_name(entry.name)
    _require_free(place, overwrite)
    # Named by the commit: parts of another one are never gone on with.
    fetching = place.with_name(f".{place.name}.{entry.commit[:12]}.fetching")
    headers, done = _headers(), 0
    for file in entry.files:
        url = f"{endpoint()}/{quote(entry.repo)}/resolve/{entry.commit}/{quote(file.name)}"
        remote = RemoteFile(url, file.bytes, file.sha256, headers=headers)
        if not remote.lies_at(fetching / file.name):
            for got in fetch_file(remote, fetching / file.name):
                yield Progress(f"fetch {file.name}", done + got, entry.size)
        done += file.bytes
        yield Progress(f"fetch {file.name}", done, entry.size)
    _keep(fetching, place, entry, overwrite)
    shutil.rmtree(fetching, ignore_errors=True)
    return place


def get_model_from(folder: Path, *, accept_licence: bool = False, overwrite: bool = False) -> Path:
    """Take over a model from a folder that was carried over: fetched elsewhere, packed, or trained.

    Parameters
    ----------
    folder : pathlib.Path
        The model's own.
    accept_licence, overwrite
        See `get_model_steps`.

    Returns
    -------
    pathlib.Path
        The folder of the model among the user's own.

    Raises
    ------
    ModelError, LicenceError, OutputError
        As `get_model_steps`; a file that does not have the hash that was written down with it is refused.
    """
    folder = Path(folder)
    card = ModelCard.read(folder / CARD_NAME)
    require_whole(folder, card)
    entry = origin_of(folder)
    named = f"{entry.repo}@{entry.commit}" if entry else f"{card.name} {card.sha256[:12]}"
    require_accepted(named, entry.licence if entry else card.licence, accept_licence)
    place = user_models_folder() / portable_name(card.name)
    _require_free(place, overwrite)
    _keep(folder, place, entry, overwrite)
    return place


def origin_of(folder: Path) -> ModelEntry | None:
    """Return the entry of the index that a model was fetched by; None for one that was not.

    Raises
    ------
    ModelError
        If what stands there is no such entry.
    """
    path = folder / ORIGIN_NAME
    if not path.is_file():
        return None
    record = read_json(path, str(path), ModelError, "Fetch the model again.", mapping_of(plain))
    return ModelEntry.from_record(record, str(path))


def outdated(index: str | Path | None = None) -> list[tuple[ModelEntry, ModelEntry]]:
    """Return the user's fetched models of which the index has another commit: what they are, and what it has.

    Raises
    ------
    ModelError, DataError
        See `read_index`.
    """
    latest = {entry.name: entry for entry in read_index(index)}
    found = []
    for path in sorted(user_models_folder().glob(f"*/{ORIGIN_NAME}")):
        entry = origin_of(path.parent)
        if entry is not None and entry.name in latest and latest[entry.name].commit != entry.commit:
            found.append((entry, latest[entry.name]))
    return found


def _headers() -> dict[str, str]:
    """Return what a hub is to be told: who asks, where the user has logged in; never written down."""
    from huggingface_hub import get_token

    token = get_token()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _require_free(place: Path, overwrite: bool) -> None:
    check_folder(place.parent)
    if place.exists() and not overwrite:
        raise ModelError(
            f"There is a model in {place} already.", "Remove it first, or allow replacing it (--overwrite)."
        )


def _keep(source: Path, place: Path, entry: ModelEntry | None, overwrite: bool) -> None:
    """Check that the files of a folder are a model, and put them where models are kept."""
    if entry is not None:
        for file in entry.files:
            if not (source / file.name).is_file() or sha256_of(source / file.name) != file.sha256:
                raise ModelError(
                    f"{source / file.name} is not the file that the index names.", "Fetch the model again."
                )
    load_model(source)
    card = ModelCard.read(source / CARD_NAME)
    if entry is not None and card.name != entry.name:
        raise ModelError(
            f"The index calls this model {entry.name!r}, its card {card.name!r}.", "Tell who keeps the index."
        )
    make_folder(place.parent)
    with write_whole_folder(place, overwrite, marks=(CARD_NAME,)) as temporary:
        made = temporary / place.name
        made.mkdir()
        for name in files_of(card):
            shutil.copyfile(source / name, made / name)
        if entry is not None:
            write_text_whole(made / ORIGIN_NAME, json.dumps(entry.to_record(), indent=1, ensure_ascii=False) + "\n")
