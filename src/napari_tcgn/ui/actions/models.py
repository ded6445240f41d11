"""Which models the dock offers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tcgn.errors import TcgnError
from napari_tcgn.model import ModelCard
from napari_tcgn.ui.state import ModelChoice

if TYPE_CHECKING:
    from napari_tcgn.ui.session import Session
    from napari_tcgn.ui.tasks.background import Failure


def find_models(session: Session, failed: Callable[[Failure], object]) -> None:
    """List the models that are installed, in the background; that of the latest choice or the preferences is chosen."""
    state = session.state

    def look() -> list[ModelCard]:
        from napari_tcgn.model import list_models

        return list_models()

    def take(cards: list[ModelCard]) -> None:
        models = tuple(ModelChoice(card.name, card) for card in cards)
        state.models = models
        if not models:
            state.events.models.emit(models)  # no change, but the search is over
        wanted = state.settings.model
        state.model = next((m for m in models if m.source == wanted), models[0] if models else None)
        if state.model is None or state.model.source != wanted:
            # One that was added by hand: taken if it still lies where it was. The default is chosen already, and
            # adding it by hand again says what is wrong.
            with suppress(TcgnError):
                if Path(wanted).exists():
                    add_model(session, Path(wanted))

    session.background.call(look, take, failed)


def add_model(session: Session, path: Path) -> None:
    """Add and choose the model that a card or a checkpoint beside one belongs to.

    Raises
    ------
    ModelError
        If there is no card beside it or it is wrong.
    """
    folder = path if path.is_dir() else path.parent
    source = folder if path.is_dir() or path.name == "card.json" else path
    choice = ModelChoice(str(source), ModelCard.read(folder / "card.json"))
    state = session.state
    state.models = (*(m for m in state.models if m.source != choice.source), choice)
    state.model = choice
