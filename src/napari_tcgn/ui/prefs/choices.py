"""Which model, device and options a new dock starts with: the latest choices, or napari's preferences."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from napari_tcgn.errors import TcgnError
from napari_tcgn.files import number
from napari_tcgn.options import PredictSettings, options_of
from napari_tcgn.ui.prefs.preferences import from_plain, read_preferences, to_plain, watch_preferences
from napari_tcgn.ui.prefs.remembered import Remembered
from napari_tcgn.ui.state import Look

if TYPE_CHECKING:
    from napari_tcgn.ui.state import DockState

CHOICES = {one.name: one for one in options_of(PredictSettings)}
RATES = "spots_per_second"
ADDED = "added_models"
LOOK = "look"
TRUSTED_ONLY = "trusted_only"


class Choices:
    """Start values of the dock's state, and their memory.

    A remembered choice holds until the preference it was made under is changed.

    Parameters
    ----------
    state : DockState
        Its `settings`, `look` and `trusted_only` are set at once; `model` waits until the models are found.
    """

    def __init__(self, state: DockState) -> None:
        self._state = state
        self.remembered = Remembered()
        self._preferences = read_preferences()
        self._start()
        self._stop_watching = watch_preferences(self._on_preferences)
        for event in (state.events.settings, state.events.model, state.events.look, state.events.trusted_only):
            event.connect(self._remember)

    def close(self) -> None:
        """Watch napari's preferences no longer, which outlive the dock."""
        self._stop_watching()

    def reset(self) -> None:
        """Forget the latest choices and measured rates; take napari's preferences."""
        self.remembered.forget()
        self._start()
        self._take_model()
        # Setting the state has remembered the defaults again; they must keep following the preferences.
        self.remembered.forget()

    def _start(self) -> None:
        preferences = self._preferences = read_preferences()
        preferences.apply_cache()
        values: dict[str, Any] = {name: getattr(preferences, name) for name in CHOICES}
        if preferences.remember:
            made_under = self.remembered.get("preferences", dict, {})
            for name, one in CHOICES.items():
                preferred = to_plain(one, values[name])
                if made_under.get(name, preferred) == preferred:
                    kept = from_plain(one, self.remembered.get(name, object, preferred))
                    values[name] = kept if one.is_of_kind(kept) else values[name]
        try:
            settings = PredictSettings(**values)
        except TcgnError:  # a file edited by hand
            settings = PredictSettings()
        self._state.settings = settings
        self._state.look = Look.of(self.remembered.get(LOOK, dict, {}) if preferences.remember else {})
        self._state.trusted_only = self.remembered.get(TRUSTED_ONLY, bool, True) if preferences.remember else True

    def _on_preferences(self) -> None:
        """Take over what has just been changed in napari's preferences, and only that."""
        before, now = self._preferences, read_preferences()
        self._preferences = now
        now.apply_cache()
        changed = {name: getattr(now, name) for name in CHOICES if getattr(now, name) != getattr(before, name)}
        with suppress(TcgnError):  # a file edited by hand
            self._state.choose(**changed)
        if "model" in changed:
            self._take_model()

    def _take_model(self) -> None:
        state = self._state
        state.model = next((choice for choice in state.models if choice.source == state.settings.model), state.model)

    def _remember(self) -> None:
        if not self._preferences.remember:
            return
        chosen, model = self._state.settings, self._state.model
        if model is not None:
            chosen = replace(chosen, model=model.source)
        own = {LOOK: asdict(self._state.look), TRUSTED_ONLY: self._state.trusted_only}
        self.remembered.put(**_plain(chosen), preferences=_plain(self._preferences), **own)

    # -- models that were added by hand ------------------------------------------------------------------------------

    def added_models(self) -> list[str]:
        """Return the paths of the models that were added in earlier sessions."""
        if not self._preferences.remember:
            return []
        return [path for path in self.remembered.get(ADDED, list, []) if isinstance(path, str)]

    def note_added(self, paths: list[str]) -> None:
        """Remember the paths of the models that are added."""
        if self._preferences.remember:
            self.remembered.put(**{ADDED: paths})

    # -- how fast a model is here ------------------------------------------------------------------------------------

    def _rate_key(self) -> str:
        model, settings = self._state.model, self._state.settings
        assert model is not None  # whoever asks has a model in hand
        batch = settings.batch_size or "auto"
        return f"{model.card.name} {model.card.version} {settings.device} {settings.precision} {batch}"

    def known_rate(self) -> float | None:
        """Return the spots per second that the chosen model had here the last time."""
        if self._state.model is None:
            return None
        rates = self.remembered.get(RATES, dict, {})
        rate = rates.get(self._rate_key())
        return float(rate) if number(1e-9, 1e9)(rate) is None else None

    def note_rate(self, rate: float) -> None:
        """Remember the spots per second of the chosen model."""
        rates = self.remembered.get(RATES, dict, {})
        self.remembered.put(**{RATES: {**rates, self._rate_key(): round(rate, 3)}})


def _plain(settings: PredictSettings) -> dict[str, Any]:
    """Return the options of a run as the dock's memory has them."""
    return {name: to_plain(one, getattr(settings, name)) for name, one in CHOICES.items()}
