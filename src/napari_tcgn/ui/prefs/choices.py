"""Which model, device and options a new dock starts with: the latest choices, or napari's preferences."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from napari_tcgn.errors import TcgnError
from napari_tcgn.options import PredictSettings, options_of
from napari_tcgn.ui.prefs.preferences import AUTOMATIC, Preferences, read_preferences, watch_preferences
from napari_tcgn.ui.prefs.remembered import Remembered

if TYPE_CHECKING:
    from napari_tcgn.ui.state import DockState

CHOICES = tuple(one.name for one in options_of(PredictSettings))
RATES = "spots_per_second"


class Choices:
    """Start values of the dock's state, and their memory.

    A remembered choice holds until the preference it was made under is changed.

    Parameters
    ----------
    state : DockState
        Its device and options are set at once; `model` waits until the models are found.
    """

    def __init__(self, state: DockState) -> None:
        self._state = state
        self.remembered = Remembered()
        self._preferences = read_preferences()
        self.model = ""
        self._start()
        self._stop_watching = watch_preferences(self._on_preferences)
        for name in CHOICES:
            getattr(state.events, name).connect(self._remember)

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
            for name in CHOICES:
                if made_under.get(name, values[name]) == values[name]:
                    values[name] = self.remembered.get(name, type(values[name]), values[name])
        try:
            settings = _settings(values)
        except TcgnError:  # a file edited by hand
            settings = _settings(asdict(Preferences()))
        self.model = settings.model
        for name in CHOICES:
            if name != "model":  # waits until the models are found
                setattr(self._state, name, getattr(settings, name))

    def _on_preferences(self) -> None:
        """Take over what has just been changed in napari's preferences, and only that."""
        before, now = self._preferences, read_preferences()
        self._preferences = now
        now.apply_cache()
        for name in CHOICES:
            value = getattr(now, name)
            if value == getattr(before, name):
                continue
            if name == "model":
                self.model = value
                self._take_model()
            else:
                setattr(self._state, name, _as_option(name, value))

    def _take_model(self) -> None:
        state = self._state
        state.model = next((choice for choice in state.models if choice.source == self.model), state.model)

    def _remember(self) -> None:
        if not self._preferences.remember:
            return
        chosen = {name: getattr(self._state, name) for name in CHOICES}
        chosen["model"] = self.model if chosen["model"] is None else chosen["model"].source
        chosen["batch_size"] = chosen["batch_size"] or AUTOMATIC
        under = {name: getattr(self._preferences, name) for name in CHOICES}
        self.remembered.put(**chosen, preferences=under)

    # -- how fast a model is here ------------------------------------------------------------------------------------

    def _rate_key(self) -> str:
        state = self._state
        assert state.model is not None  # whoever asks has a model in hand
        card = state.model.card
        return f"{card.name} {card.version} {state.device} {state.precision} {state.batch_size or 'auto'}"

    def known_rate(self) -> float | None:
        """Return the spots per second that the chosen model had here the last time."""
        if self._state.model is None:
            return None
        rates = self.remembered.get(RATES, dict, {})
        rate = rates.get(self._rate_key())
        return float(rate) if isinstance(rate, int | float) and rate > 0 else None

    def note_rate(self, rate: float) -> None:
        """Remember the spots per second of the chosen model."""
        rates = self.remembered.get(RATES, dict, {})
        self.remembered.put(**{RATES: {**rates, self._rate_key(): round(rate, 3)}})


def _settings(values: dict[str, Any]) -> PredictSettings:
    """Check the values; raises a `SettingsError`."""
    return PredictSettings(**{name: _as_option(name, values[name]) for name in CHOICES})


def _as_option(name: str, value: Any) -> Any:
    """Return a preference as the option has it: 0 stands for a batch size that the program chooses."""
    return None if name == "batch_size" and value == AUTOMATIC else value
