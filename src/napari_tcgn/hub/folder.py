"""A model's folder as files: which belong to it, and what it came from."""

from __future__ import annotations

from pathlib import Path

from napari_tcgn.errors import ModelError
from napari_tcgn.model import BUNDLED, CARD_NAME, ModelCard, installed_name, user_models_folder
from napari_tcgn.moves import remove_folder

ORIGIN_NAME = "origin.json"  # beside a card: the entry of the index that the model was fetched by


def files_of(card: ModelCard) -> list[str]:
    """Return the names of the files that a card names: its own, the weights', and those of what is known of it."""
    known = (card.domain.patches, card.metrics.intervals)
    named = [CARD_NAME, card.weights, *(one.file for one in known if one is not None)]
    return [name for name in named if name]


def require_whole(folder: Path, card: ModelCard) -> None:
    """Refuse a folder that lacks one of its model's files, or whose card names one that lies elsewhere.

    Raises
    ------
    ModelError
    """
    for name in files_of(card):
        if name != Path(name).name:
            raise ModelError(
                f"The card of model {card.name!r} names a file outside its folder ({name!r}).", "Remove it."
            )
        if not (folder / name).is_file():
            raise ModelError(f"{folder} lacks {name}, which its card names.", "Restore the file.")


def own_folder(name: str) -> Path:
    """Return the folder of one of the user's own models.

    Raises
    ------
    ModelError
        If there is no such model, or it is bundled or of another package.
    """
    for path in sorted(user_models_folder().glob(f"*/{CARD_NAME}")):
        if installed_name(path.parent) == name:
            return path.parent
    if any(ModelCard.read(path).name == name for path in BUNDLED.glob(f"*/{CARD_NAME}")):
        raise ModelError(
            f"The model {name!r} is bundled with napari-tcgn.", "Only models that were added can be removed."
        )
    raise ModelError(f"There is no model {name!r} in {user_models_folder()}.", "`napari-tcgn models list` shows them.")


def remove_model(name: str) -> Path:
    """Remove one of the user's own models from the disk, and return where it was.

    Raises
    ------
    ModelError
        If there is no such model, or it cannot be removed.
    """
    folder = own_folder(name)
    try:
        if folder.is_symlink():  # what it points to is not ours
            folder.unlink()
        else:
            remove_folder(folder)
    except OSError as error:
        raise ModelError(
            f"{folder} cannot be removed: {error.strerror}.", "Close what uses it and try again."
        ) from error
    return folder
