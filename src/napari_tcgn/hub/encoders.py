"""Encoders of others, frozen: those that are known by name, and any timm model on the hub, pinned to a commit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from napari_tcgn.errors import DataError, ModelError
from napari_tcgn.files import reading
from napari_tcgn.hub.get import endpoint
from napari_tcgn.hub.licences import require_accepted
from napari_tcgn.model import check_encoder_args

HUB_PREFIX = "hf-hub:"
_PRESETS = Path(__file__).with_name("encoders.json")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True, slots=True)
class EncoderPreset:
    """A published encoder.

    Attributes
    ----------
    name : str
    architecture : str or None
        timm's name of it; None where its weights have another form (`why_not`).
    args : mapping
        What distinguishes it from timm's own model of that name.
    repo : str
        On the hub.
    input_px : int
    mpp : float or None
        µm per px that it was trained at.
    mean, std : list of float
    parameters : int
        Without a classifier.
    licence : str
    gated : bool
        Whether the hub wants a login, and its authors a word.
    of : str
        What it has seen.
    source : str
    why_not : str
    """

    name: str
    architecture: str | None
    args: Mapping[str, Any]
    repo: str
    input_px: int
    mpp: float | None
    mean: list[float]
    std: list[float]
    parameters: int
    licence: str
    gated: bool
    of: str
    source: str
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class EncoderFiles:
    """What an encoder is built from.

    Attributes
    ----------
    name : str
        For people: what was asked for.
    architecture : str
        timm's name.
    args : mapping
    prepare : mapping
        `input_size`, `mean` and `std` where they are known (`timm`'s own names).
    weights : pathlib.Path
    licence : str
        "" where it is not known.
    """

    name: str
    architecture: str
    args: Mapping[str, Any]
    prepare: Mapping[str, Any]
    weights: Path
    licence: str = field(default="")


@cache
def encoder_presets() -> dict[str, EncoderPreset]:
    """Return the encoders that are known by name."""
    found = json.loads(_PRESETS.read_text(encoding="utf-8"))
    return {name: EncoderPreset(name, **entry) for name, entry in found.items()}


def find_preset(name: str) -> EncoderPreset | None:
    """Return a known encoder by its name in any case; None for another name.

    Raises
    ------
    ModelError
        If it is known, but cannot be built with timm.
    """
    found = next((one for one in encoder_presets().values() if one.name.casefold() == name.casefold()), None)
    if found is not None and found.architecture is None:
        raise ModelError(
            f"The encoder {found.name} cannot be used here: {found.why_not}.",
            f"Known that can: {', '.join(one.name for one in encoder_presets().values() if one.architecture)}.",
        )
    return found


def is_on_hub(name: str) -> bool:
    """Tell whether a name is that of an encoder on the hub: hf-hub:ORGANISATION/NAME@COMMIT, or PRESET@COMMIT."""
    return name.startswith(HUB_PREFIX) or (
        "@" in name and name.partition("@")[0].casefold() in map(str.casefold, encoder_presets())
    )


def fetch_encoder(name: str, *, accept_licence: bool = False) -> EncoderFiles:
    """Fetch an encoder from the hub through its own client, which keeps it in its cache and knows the user's login.

    Parameters
    ----------
    name : str
        hf-hub:ORGANISATION/NAME@COMMIT of a timm model, or a known one as PRESET@COMMIT.
    accept_licence : bool
        Whether the conditions of its licence are accepted; once is enough for a commit.

    Raises
    ------
    ModelError
        If the name has no commit, or what lies there is no timm model.
    LicenceError
        If its conditions are not accepted.
    DataError
        If the hub cannot be reached, or wants a login.
    """
    place, _, commit = name.removeprefix(HUB_PREFIX).partition("@")
    preset = None if name.startswith(HUB_PREFIX) else find_preset(place)
    repo = preset.repo if preset else place
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repo, re.ASCII):
        raise ModelError(f"{name!r} names no repository.", f"Write {HUB_PREFIX}ORGANISATION/NAME@COMMIT.")
    if not _COMMIT.fullmatch(commit):
        found = f"{commit!r} is a branch or tag, which may move" if commit else "no commit is named"
        raise ModelError(
            f"{name!r}: {found}.",
            f"Add @ and the 40 digits of a commit, as https://huggingface.co/{repo}/commits/main shows them.",
        )
    get = _getter(repo, commit)
    licence = preset.licence if preset else _licence(get("README.md"))
    require_accepted(f"{repo}@{commit}", licence, accept_licence)
    if preset:
        prepare = {"input_size": (3, preset.input_px, preset.input_px), "mean": preset.mean, "std": preset.std}
        architecture, args = str(preset.architecture), preset.args
    else:
        architecture, args, prepare = _config(get("config.json"), repo)
    weights = next((path for path in map(get, _WEIGHTS) if path is not None), None)
    if weights is None:
        raise ModelError(f"{repo} holds neither {' nor '.join(_WEIGHTS)}.", "Name a repository of a timm model.")
    return EncoderFiles(f"{repo}@{commit[:12]}", architecture, args, prepare, weights, licence)


def _getter(repo: str, commit: str) -> Callable[[str], Path | None]:
    """Return what fetches a file of a commit, or None where there is no such file."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    def get(file: str) -> Path | None:
        try:
            return Path(hf_hub_download(repo, file, revision=commit, endpoint=endpoint()))
        except GatedRepoError as error:
            raise DataError(
                f"{repo} is not open to everybody.",
                f"Ask for access on https://huggingface.co/{repo}, then log in (hf auth login) or set HF_TOKEN.",
            ) from error
        except LocalEntryNotFoundError as error:  # neither a connection nor a copy
            raise _out_of_reach(repo, error) from error
        except EntryNotFoundError:
            return None
        except RepositoryNotFoundError as error:
            raise ModelError(
                f"The hub has no {repo} at this commit, or hides it.",
                "Check the name and the commit; where it needs a login: hf auth login, or HF_TOKEN.",
            ) from error
        except (HfHubHTTPError, OSError) as error:
            raise _out_of_reach(repo, error) from error

    return get


def _out_of_reach(repo: str, error: Exception) -> DataError:
    reason = str(error).strip().splitlines()
    return DataError(
        f"{repo} cannot be fetched from {endpoint()}: {reason[0] if reason else type(error).__name__}",
        "Check the connection, or give a file (--encoder-weights FILE).",
    )


def _licence(readme: Path | None) -> str:
    """Return the licence that the front matter of a README states."""
    text = "" if readme is None else readme.read_text(encoding="utf-8", errors="replace")
    head = re.match(r"---\r?\n(.*?)\r?\n---", text, re.DOTALL)
    found = re.search(r"^license(?:_name)?:\s*[\"']?([\w .-]+)", head[1] if head else "", re.MULTILINE)
    return found[1].strip() if found else ""


def _config(path: Path | None, repo: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Read architecture, arguments and preparation from the config.json of a timm model."""
    if path is None:
        raise ModelError(f"{repo} holds no config.json of a timm model.", "Name a repository of a timm model.")
    with reading(f"The config.json of {repo}", ModelError, "Name a repository of a timm model."):
        told = json.loads(path.read_text(encoding="utf-8"))
        architecture, settings = told["architecture"], told.get("pretrained_cfg", {})
        prepare = {key: settings[key] for key in ("input_size", "mean", "std") if key in settings}
        args = {key: value for key, value in told.get("model_args", {}).items() if key != "num_classes"}
    check_encoder_args(args)
    return str(architecture), args, prepare
