"""Licences of models and encoders: which bind nobody to anything but a citation, and which a user has accepted."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from napari_tcgn.errors import LicenceError
from napari_tcgn.files import mapping_of, read_json, text, write_text_whole

# Names of the hub, by what a card may begin with. https://huggingface.co/docs/hub/repositories-licenses
_HUB = {
    "CC BY-NC-ND 4.0": "cc-by-nc-nd-4.0",
    "CC BY-NC-SA 4.0": "cc-by-nc-sa-4.0",
    "CC BY-NC 4.0": "cc-by-nc-4.0",
    "CC BY-SA 4.0": "cc-by-sa-4.0",
    "CC BY-ND 4.0": "cc-by-nd-4.0",
    "CC BY 4.0": "cc-by-4.0",
    "CC0 1.0": "cc0-1.0",
    "CC0": "cc0-1.0",
    "Apache 2.0": "apache-2.0",
    "BSD 3-clause": "bsd-3-clause",
    "BSD-3-Clause": "bsd-3-clause",
    "MIT": "mit",
}
FREE = {"cc-by-4.0", "cc0-1.0", "apache-2.0", "bsd-3-clause", "mit"}


def hub_licence(licence: str) -> tuple[str, str]:
    """Return a licence by the hub's name for it, or "other" and the licence in words."""
    plain = licence.strip().lower()
    for words, name in _HUB.items():
        for beginning in (words.lower(), name):
            if plain == beginning or plain.startswith(f"{beginning} "):
                return name, ""
    return "other", licence


def require_accepted(name: str, licence: str, accept: bool) -> None:
    """Refuse what comes with conditions until the user has accepted them, which is remembered.

    Parameters
    ----------
    name : str
        Of the model or encoder, with the commit that the licence belongs to.
    licence : str
    accept : bool
        Whether the user accepts it now.

    Raises
    ------
    LicenceError
    """
    if hub_licence(licence)[0] in FREE:
        return
    accepted = _read()
    if accepted.get(name) == licence:
        return
    if not accept:
        raise LicenceError(
            f"{name} comes with conditions: {licence or 'its licence is not stated'}.",
            "Read them on its page; if you accept them, say so (--accept-licence).",
        )
    path = _accepted_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_whole(path, json.dumps(accepted | {name: licence}, indent=1, ensure_ascii=False), overwrite=True)


def _accepted_file() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("napari-tcgn", appauthor=False)) / "accepted_licences.json"


def _read() -> dict[str, str]:
    """Return what was accepted; nothing where the file is missing or no longer readable: the user is asked again."""
    path = _accepted_file()
    with suppress(LicenceError):
        found: dict[str, str] = read_json(path, str(path), LicenceError, "", mapping_of(text()))
        return found
    return {}
