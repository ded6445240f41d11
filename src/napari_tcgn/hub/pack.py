"""A model's folder as it can be put on a hub: card, weights, README, and the entry for an index."""

from __future__ import annotations

import getpass
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from napari_tcgn.errors import ModelError
from napari_tcgn.files import sha256_of, write_text_whole, write_whole_folder
from napari_tcgn.hub.folder import files_of, require_whole
from napari_tcgn.hub.index import FileEntry, ModelEntry
from napari_tcgn.hub.licences import FREE, hub_licence
from napari_tcgn.model import CARD_NAME, ModelCard, describe, load_model, model_folder

README_NAME, ENTRY_NAME = "README.md", "entry.json"
# /home/me, C:\Users\me, \\server\share, file:///…, ~/…: a place on somebody's machine.
_PLACE = re.compile(
    r"(?:^|[\s\"'(=])(?:~[/\\]|/(?:home|Users|root|mnt|media|data|tmp|work|scratch|var|srv|opt)/|[A-Za-z]:[/\\]|\\\\\w|file://)"
)


def pack_model(
    name_or_path: str | Path, out: Path, *, licence: str = "", repo: str = "", overwrite: bool = False
) -> ModelEntry:
    """Write a folder that can be put on a hub as it is.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
        A model in a folder: one of the user's own, bundled, or by its path.
    out : pathlib.Path
        Gets card.json, the weights, what else the card names, README.md in the hub's form, and entry.json, the model's
        entry for an index (its commit is filled in once there is one).
    licence : str
        Of the model; by default what its card says.
    repo : str
        Where it will lie, as ORGANISATION/NAME; may be filled in later.
    overwrite : bool
        Whether a folder packed before may be replaced.

    Returns
    -------
    ModelEntry
        As written to entry.json.

    Raises
    ------
    ModelError
        If the model cannot be loaded, states no licence, or its card tells of the user's own machine.
    OutputError
        If the folder cannot be written.
    """
    folder = model_folder(name_or_path)
    card = ModelCard.read(folder / CARD_NAME)
    require_whole(folder, card)
    load_model(folder)  # weights that do not fit are no model
    card = replace(card, licence=licence or card.licence)
    if not card.licence.strip():
        raise ModelError(
            f"The card of model {card.name!r} states no licence, so nobody may use it.",
            "Name one (--licence 'CC BY 4.0'); that of the training data binds you, too.",
        )
    _require_free_encoder(card)
    _require_private(card)
    out = Path(out)
    with write_whole_folder(out, overwrite, marks=(ENTRY_NAME,)) as temporary:
        made = temporary / out.name
        made.mkdir()
        for name in files_of(card):
            if name != CARD_NAME:
                shutil.copyfile(folder / name, made / name)
        write_text_whole(made / CARD_NAME, card.to_json() + "\n")
        write_text_whole(made / README_NAME, _readme(card))
        entry = _entry(made, card, repo)
        write_text_whole(made / ENTRY_NAME, json.dumps(entry.to_record(), indent=1, ensure_ascii=False) + "\n")
    return entry


def _entry(folder: Path, card: ModelCard, repo: str) -> ModelEntry:
    files = [FileEntry(n, (folder / n).stat().st_size, sha256_of(folder / n)) for n in files_of(card)]
    return ModelEntry(
        name=card.name,
        version=card.version,
        repo=repo,
        commit="",
        files=tuple(files),
        organism=card.organism,
        tissue=card.tissue,
        genes=len(card.genes),
        licence=card.licence,
        median_pcc=card.metrics.median_pcc,
        protocol=card.metrics.protocol,
    )


def _readme(card: ModelCard) -> str:
    pages = Environment(
        loader=PackageLoader("napari_tcgn.hub", "templates"), autoescape=False, keep_trailing_newline=True
    )
    lines = {name: text.replace("|", "\\|").replace("\n", " ") for name, text in describe(card).items()}
    licence, other = hub_licence(card.licence)
    text = pages.get_template("README.md.jinja").render(card=card, lines=lines, licence=licence, other_licence=other)
    return re.sub(r"\n{3,}", "\n\n", text)


def _require_private(card: ModelCard) -> None:
    """Refuse a card that tells where on whose machine something lay."""
    home, user = str(Path.home()), _user()
    for entry, text in _texts({f.name: getattr(card, f.name) for f in fields(card) if f.name != "metrics"}):
        found = _PLACE.search(f" {text}")
        names_user = len(user) > 2 and user != "root" and re.search(rf"[/\\]{re.escape(user)}(?:[/\\]|$)", text)
        if found or names_user or (len(home) > 1 and home in text and home != "/root"):
            raise ModelError(
                f"The card of model {card.name!r} tells of a place on your machine ({entry}: {text[:80]!r}).",
                "Take it out of card.json before you share the model.",
            )


def _require_free_encoder(card: ModelCard) -> None:
    """Refuse to pack somebody's encoder whose licence has conditions: its weights are in the model's file."""
    origin = card.training.get("encoder")
    if not isinstance(origin, dict):
        return
    licence = str(origin.get("licence", ""))
    if licence and hub_licence(licence)[0] not in FREE:
        raise ModelError(
            f"The weights of model {card.name!r} hold those of {origin.get('name')}, whose licence is {licence}.",
            "They may not be passed on without its authors' word; share the recipe instead.",
        )


def _texts(value: Any, entry: str = "") -> Iterator[tuple[str, str]]:
    """Return every text of a nested record with the name of the entry it stands in."""
    if isinstance(value, str):
        yield entry, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield entry, str(name)
            yield from _texts(inner, f"{entry}.{name}" if entry else str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner, entry)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # none, in a container
        return ""
