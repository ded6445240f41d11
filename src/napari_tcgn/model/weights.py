"""Checkpoints: read without running any code in them, written in half precision."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_tcgn.errors import CheckpointError, OutputError
from napari_tcgn.files import sha256_of, write_text_whole, write_whole
from napari_tcgn.model.card import ModelCard

WEIGHTS_NAME = "model.safetensors"
CARD_NAME = "card.json"


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read a flat state_dict from safetensors or from a torch file that holds tensors only.

    Raises
    ------
    CheckpointError
        If the file is missing, corrupt, holds anything but tensors, or would have to be unpickled.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.", "Check the path.")
    if path.suffix.lower() == ".safetensors":
        from safetensors import SafetensorError

        try:
            found = read_tensors(path)
            _require_plain(path, found)
            return found
        except (SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(f"{path} is not a readable safetensors file: {error}.", "Fetch it again.") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds something other than tensors, which could run code when loaded; it was not loaded.",
            "Ask its author for a safetensors file or a plain state_dict.",
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is not a readable checkpoint: {error}.", "Fetch it again.") from error
    for wrapper in ("model", "state_dict"):  # common ways to nest a state_dict
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(f"{path} is not a state_dict of tensors.", "Save model.state_dict() and use that file.")
    _require_plain(path, state)
    return state


def _require_plain(path: Path, state: dict[str, Tensor]) -> None:
    """Refuse tensors that are no plain table of real numbers: sparse, complex, quantised, or one number repeated."""
    for name, tensor in state.items():
        plain = tensor.layout == torch.strided and not tensor.is_complex() and not tensor.is_quantized
        if not plain or (0 in tensor.stride() and tensor.numel() > 1):
            raise CheckpointError(
                f"{path}: {name} is no plain tensor of real numbers ({tensor.dtype}, {tensor.layout}).",
                "Save model.state_dict() and use that file.",
            )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file into memory.

    `load_file` alone maps it, and Windows replaces no mapped file: a run that writes its model, reads it back and then
    writes it with its figures would fail at its very end.

    Raises
    ------
    OSError, ValueError, safetensors.SafetensorError
        If the file is missing or damaged.
    """
    from safetensors.torch import load_file

    return {name: tensor.clone() for name, tensor in load_file(path).items()}


def load_into(net: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Load a state_dict strictly.

    Raises
    ------
    CheckpointError
        If an entry is missing, unknown, of another shape, or not finite.
    """
    own = net.state_dict()
    missing, unknown = sorted(set(own) - set(state)), sorted(set(state) - set(own))
    if missing or unknown:
        raise CheckpointError(
            f"{source} does not fit the network: {len(missing)} entries are missing (first {missing[:1]}), "
            f"{len(unknown)} are unknown (first {unknown[:1]}).",
            "Use the checkpoint of this architecture and size.",
        )
    for key, tensor in state.items():
        if tensor.shape != own[key].shape:
            hint = "it has another number of genes" if key.startswith("head.2.") else "it is of another size"
            raise CheckpointError(
                f"{source}: {key} has shape {list(tensor.shape)}, the network wants {list(own[key].shape)}; {hint}.",
                "Use the card that belongs to this checkpoint.",
            )
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(f"{source}: {key} holds values that are not finite.", "Use another checkpoint.")
    net.load_state_dict({k: v.to(own[k].dtype) for k, v in state.items()}, strict=True)


def save_model(folder: Path, state: dict[str, Tensor], card: ModelCard) -> ModelCard:
    """Write `model.safetensors` (matrices in float16, vectors in float32) and `card.json` into a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Made if absent; files of these names in it are replaced.
    state : dict of str to Tensor
    card : ModelCard
        `weights` and `sha256` are filled in.

    Returns
    -------
    ModelCard
        As written.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    CheckpointError
        If a value does not fit in float16.
    """
    from safetensors.torch import save_file

    def compact(key: str, value: Tensor) -> Tensor:
        if value.ndim < 2 or not value.is_floating_point():
            return value.detach().cpu().contiguous()
        half = value.detach().cpu().half().contiguous()
        if not torch.isfinite(half).all():
            raise CheckpointError(f"{key} does not fit in half precision.", "Train with a smaller learning rate.")
        return half

    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error}.", "Choose another folder.") from error
    with write_whole(folder / WEIGHTS_NAME, overwrite=True) as temporary:
        save_file({key: compact(key, value) for key, value in state.items()}, temporary)
    card = replace(card, weights=WEIGHTS_NAME, sha256=sha256_of(folder / WEIGHTS_NAME))
    write_text_whole(folder / CARD_NAME, card.to_json() + "\n", overwrite=True)
    return card
