"""Which models the dock offers: those that are installed, and those that were added by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tcgn.errors import TcgnError
from napari_tcgn.model import ModelCard
from napari_tcgn.ui.state import ModelChoice
from napari_tcgn.ui.tasks.background import Failure

if TYPE_CHECKING:
    from napari_tcgn.ui.session import Session


def find_models(session: Session, failed: Callable[[Failure], object]) -> None:
    """List the models that are installed and those that were added earlier, in the background.

    That of the latest choice or the preferences is chosen.
    """
    state = session.state
    wanted = state.settings.model
    added = session.choices.added_models()

    def look() -> tuple[tuple[ModelChoice, ...], ModelChoice | None, str]:
        from napari_tcgn.model import left_out, list_models

        installed = tuple(ModelChoice(card.name, card) for card in list_models())
        chosen = next((choice for choice in installed if choice.source == wanted), None) or _still_there(wanted)
        by_hand = (choice for path in added if (choice := _still_there(path)) is not None)
        unique = {choice.source: choice for choice in (*installed, *by_hand, *([chosen] if chosen else []))}
        return tuple(unique.values()), chosen, " ".join(map(str, left_out()))

    def take(found: tuple[tuple[ModelChoice, ...], ModelChoice | None, str]) -> None:
        models, chosen, wrong = found
        # What was added by hand while the search went on stays.
        sources = {choice.source for choice in models}
        models += tuple(choice for choice in state.models if choice.source not in sources)
        state.models = models
        if not models:
            state.events.models.emit(models)  # no change, but the search is over
        if state.model is None:
            state.model = chosen or (models[0] if models else None)
        if wrong:
            failed(Failure(wrong, wrong))

    session.background.call(look, take, failed)


def _still_there(path: str) -> ModelChoice | None:
    """Return a model that was added earlier; None where its card is gone or damaged: adding it again says why."""
    with suppress(TcgnError):
        return _choice_at(Path(path)) if Path(path).exists() else None
    return None


def _choice_at(path: Path) -> ModelChoice:
    folder = path if path.is_dir() else path.parent
    source = folder if path.is_dir() or path.name == "card.json" else path
    return ModelChoice(str(source), ModelCard.read(folder / "card.json"))


def add_model(
    session: Session, path: Path, added: Callable[[ModelChoice], object], failed: Callable[[Failure], object]
) -> None:
    """Add and choose the model that a card or a checkpoint beside one belongs to, once it has been loaded.

    Parameters
    ----------
    session : Session
    path : pathlib.Path
        A model's folder, its card.json, or a checkpoint with a card.json beside it.
    added : callable
        Gets the model as it stands in the list.
    failed : callable
        Gets the reason why the model cannot be loaded; it is not in the list then.
    """

    def load() -> ModelChoice:
        from napari_tcgn.model import installed_name, load_model

        choice = _choice_at(path.absolute())
        load_model(choice.source, device="cpu", precision="float32")  # what cannot be loaded is not offered
        name = installed_name(Path(choice.source))
        return next((one for one in session.state.models if name and one.source == name), choice)

    def take(choice: ModelChoice) -> None:
        state = session.state
        if was_added(choice):
            state.models = (*(m for m in state.models if m.source != choice.source), choice)
            _remember(session)
        if not state.running:
            state.model = choice
        added(choice)

    session.background.call(load, take, failed)


def was_added(choice: ModelChoice) -> bool:
    """Say whether a model was added by hand, and can be removed again; those that are installed cannot."""
    return choice.source != choice.card.name


def remove_model(session: Session, choice: ModelChoice) -> None:
    """Take a model that was added by hand out of the list; its files stay where they are."""
    assert was_added(choice)  # the button is disabled for the others
    state = session.state
    left = tuple(one for one in state.models if one.source != choice.source)
    if state.model == choice:
        before = state.models.index(choice) - 1
        state.model = left[max(before, 0)] if left else None
    state.models = left
    if state.settings.model == choice.source and state.model is not None:
        state.choose(model=state.model.source)  # not to be taken again the next time
    _remember(session)


def labels(models: Sequence[ModelChoice]) -> list[str]:
    """Return the names under which models are listed, each once: where cards share a name, with folder or path."""
    named = Counter(one.card.name for one in models)
    placed = Counter((one.card.name, Path(one.source).name) for one in models)

    def label(one: ModelChoice) -> str:
        name, place = one.card.name, Path(one.source).name
        if named[name] == 1 or not was_added(one):
            return name
        return f"{name} ({place if placed[name, place] == 1 else one.source})"

    return [label(one) for one in models]


def _remember(session: Session) -> None:
    paths = [one.source for one in session.state.models if was_added(one)]
    session.choices.note_added(paths)
