"""Where models come from: bundled ones, the user's own folder, and other packages.

Another package offers a model through an entry point of the group `napari_tcgn.models`: an object with
`card: ModelCard` and `load(device: str) -> Predictor`.
"""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from napari_tcgn.errors import ModelError
from napari_tcgn.files import reason_of
from napari_tcgn.model.card import ModelCard, Predictor
from napari_tcgn.options import PrecisionName

BUNDLED = Path(__file__).parent / "bundled"
ENTRY_POINT_GROUP = "napari_tcgn.models"


def user_models_folder() -> Path:
    """Return the folder whose subfolders are the user's own models (it need not exist)."""
    import platformdirs

    return Path(platformdirs.user_data_dir("napari-tcgn", appauthor=False)) / "models"


def _folders() -> dict[str, tuple[Path, ModelCard]]:
    """Folder and card of every model by the name on its card; the user's own hide bundled ones of the same name."""
    return _look()[0]


def left_out() -> list[ModelError]:
    """Return why folders among the user's own models are not found by name; the others are usable all the same."""
    return _look()[1]


def _look() -> tuple[dict[str, tuple[Path, ModelCard]], list[ModelError]]:
    """Find the models in folders, and what is wrong with those of the user's own that are left out."""
    bundled = {}
    for path in sorted(BUNDLED.glob("*/card.json")):
        card = ModelCard.read(path)
        bundled[card.name] = (path.parent, card)
    own: dict[str, tuple[Path, ModelCard]] = {}
    wrong: list[ModelError] = []
    for path in _own_cards(wrong):
        try:
            card = ModelCard.read(path)
        except ModelError as error:
            wrong.append(ModelError(f"The model in {path.parent} is left out: {error.problem}", error.hint))
            continue
        if card.name in own:
            other = f"that in {own[card.name][0]} is called {card.name!r} too"
            problem = f"The model in {path.parent} is left out: {other}."
            wrong.append(ModelError(problem, "Give one of them another name in its card.json."))
            continue
        own[card.name] = (path.parent, card)
    return bundled | own, wrong


def _own_cards(wrong: list[ModelError]) -> list[Path]:
    """List the cards among the user's own models; what the system does not let us look into is told of in `wrong`."""
    folder, found = user_models_folder(), []
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        wrong.append(ModelError(f"{folder} cannot be read: {reason_of(error)}.", "Check its permissions."))
        return []
    for name in names:
        try:
            (folder / name / "card.json").stat()
            found.append(folder / name / "card.json")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            problem = f"The model in {folder / name} is left out: it cannot be read: {reason_of(error)}."
            wrong.append(ModelError(problem, "Check its permissions."))
    return found


def _from_packages() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}


def list_models() -> list[ModelCard]:
    """Return the cards of all models that can be loaded by name, bundled ones first.

    Raises
    ------
    ModelError
        If the card of a bundled model is broken; `left_out` tells of the user's own.
    """
    cards = [card for _, card in _folders().values()]
    return cards + [entry.load().card for entry in _from_packages().values()]


def load_model(name_or_path: str | Path, device: str = "cpu", precision: PrecisionName = "float32") -> Predictor:
    """Load a model by name or from a folder or checkpoint with a `card.json` beside it.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
    device : str
        "cpu", "cuda", "cuda:0", "mps"; see `engine.choose_device` for "auto".
    precision : {"float32", "bf16"}
        Of the large products (`engine.choose_precision` settles "auto"); models of other packages choose their own.

    Raises
    ------
    ModelError
        If there is no such model, or a card is missing or broken.
    CheckpointError
        If the weights are damaged, unsafe or do not fit.
    """
    from napari_tcgn.model.predictor import load_folder

    folders, packages = _folders(), _from_packages()
    name = str(name_or_path)
    if name in folders:
        return load_folder(folders[name][0], device, precision)
    if name in packages:
        predictor: Predictor = packages[name].load().load(device)
        return predictor
    path = Path(name_or_path)
    if path.is_dir():
        return load_folder(path, device, precision)
    if path.is_file():
        return _load_checkpoint(path, device, precision)
    raise _no_such_model(name, [*folders, *packages])


def read_card(name_or_path: str | Path) -> ModelCard:
    """Return the card of a model without loading its weights; names and paths as for `load_model`.

    Raises
    ------
    ModelError
        If there is no such model, or its card is missing or broken.
    """
    folders, packages = _folders(), _from_packages()
    name, path = str(name_or_path), Path(name_or_path)
    if name in folders:
        return folders[name][1]
    if name in packages:
        card: ModelCard = packages[name].load().card
        return card
    if path.exists():
        return ModelCard.read((path if path.is_dir() else path.parent) / "card.json")
    raise _no_such_model(name, [*folders, *packages])


def model_folder(name_or_path: str | Path) -> Path:
    """Return the folder of a model; names and paths as for `load_model`.

    Raises
    ------
    ModelError
        If there is no such model, or it is of another package and has none.
    """
    folders, path = _folders(), Path(name_or_path)
    if str(name_or_path) in folders:
        return folders[str(name_or_path)][0]
    if path.exists():
        return path if path.is_dir() else path.parent
    if str(name_or_path) in _from_packages():
        raise ModelError(f"The model {name_or_path!r} is of another package and has no folder.", "Ask its authors.")
    raise _no_such_model(str(name_or_path), list(folders))


def installed_name(folder: Path) -> str:
    """Return the name by which the model of a folder is found; "" if it is only found by its path."""
    folder = folder.resolve()
    return next((name for name, (path, _) in _folders().items() if path.resolve() == folder), "")


def from_anywhere(name_or_path: str) -> str:
    """Return what names the same model from any folder: a known name as it is, a path as an absolute one."""
    known = name_or_path in _folders() or name_or_path in _from_packages()
    path = Path(name_or_path)
    return name_or_path if known or not path.exists() else str(path.absolute())


def _no_such_model(name: str, known: list[str]) -> ModelError:
    return ModelError(
        f"There is no model {name!r}.",
        f"Give the folder of a model, or one of: {', '.join(known) or 'none is installed'}.",
    )


def _load_checkpoint(path: Path, device: str, precision: PrecisionName) -> Predictor:
    """Load a single weights file with the card that lies beside it."""
    from napari_tcgn.model.predictor import from_weights

    card_path = path.parent / "card.json"
    if not card_path.is_file():
        raise ModelError(
            f"The checkpoint {path} has no card.json beside it, so its genes, patch size and scale are unknown.",
            "Write a card.json for it (docs/models.md shows one), or load a model folder.",
        )
    return from_weights(ModelCard.read(card_path), path, device, precision)
