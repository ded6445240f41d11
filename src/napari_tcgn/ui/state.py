"""What the dock knows, as one observable table: sections change it and listen to it, and not to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from psygnal import SignalGroupDescriptor

from napari_tcgn.options import ExportSettings, PredictSettings, StainName, StyleName, option_of

if TYPE_CHECKING:
    from napari.layers import Image, Points

    from napari_tcgn.engine import Progress
    from napari_tcgn.model import ModelCard
    from napari_tcgn.slide import Slide
    from napari_tcgn.spots import Spots


# Which control answers what a run lacks; "" where it only has to be waited for.
Where = Literal["", "slide", "mpp", "spots", "region", "model", "device"]
STYLES = option_of(ExportSettings, "style").choices
MOST_DIM = 90  # percent: of the slide something is always seen


@dataclass(frozen=True, slots=True)
class Look:
    """How results are drawn, all of them alike.

    Attributes
    ----------
    style : str
        One of `STYLES`.
    size : int
        Of a drawn spot, in percent of its true diameter.
    bandwidth : float
        Of surfaces, in pitches.
    dim : int
        How much of the slide under results is hidden by white, in percent.
    fade : bool
        Whether spots are fainter where the interval of the shown gene is wider, or the training unlike them.
    label : bool
        Whether the canvas says what is seen, with its colour bar.
    """

    style: StyleName = "discs"
    size: int = 100
    bandwidth: float = 0.5
    dim: int = 50
    fade: bool = False
    label: bool = True

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Look:
        """Return a look from what a file holds; what is not there, or cannot be, is as it is at first."""
        first = cls()
        names = [one.name for one in fields(cls)]
        kept: dict[str, Any] = {n: values[n] for n in names if type(values.get(n)) is type(getattr(first, n))}
        look = replace(first, **kept)
        sizes_fit = 20 <= look.size <= 200 and 0.2 <= look.bandwidth <= 5 and 0 <= look.dim <= MOST_DIM
        return look if sizes_fit and look.style in STYLES else first


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model that can be run.

    Attributes
    ----------
    source : str
        What `load_model` takes: a registered name, or the path of a folder or checkpoint.
    card : ModelCard
    """

    source: str
    card: ModelCard


@dataclass(eq=False)
class DockState:
    """The dock's state; `state.events.<field>` tells of every change.

    Attributes
    ----------
    image : napari image layer or None
        The chosen slide layer.
    slide : Slide or None
        The pixels behind `image`; None while there is none or it cannot be used.
    slide_trouble : str
        Why `image` cannot be used as a slide, in a sentence; "" if it can.
    mpp : float or None
        µm per px of `slide`; None is a question to the user, never a default.
    spots : Spots or None
        Where to predict.
    region_trouble : str
        Why `spots` are not those inside the region that is asked for, in a sentence; "" if they are.
    models : tuple of ModelChoice
    model : ModelChoice or None
    settings : PredictSettings
        The options of a run as they are chosen. Its model is the one that is wanted as soon as the models are found,
        and a stain that the chosen model cannot be brought to is kept for the next model: `predict_settings` has what
        a run does.
    device_missing : str
        Why the chosen device cannot be used, in a sentence; "" if it can, or as long as nobody has looked.
    warnings : tuple of str
        How `slide` differs from those that `model` was trained on, in sentences.
    busy : str
        What is being done in the background (opening, laying spots …), for people; "" is nothing.
    running : bool
        Whether the engine is at work.
    progress : Progress or None
        Latest step of the run, at most four times a second.
    rate : float or None
        Spots per second that the chosen model does here: of the last run, or measured beforehand.
    result_layer : napari points layer or None
        Shows the result (`layers.store.Result`) that the Genes and Export sections work on.
    result_version : int
        Counts up whenever the shown result has become complete, partial or renamed.
    gene : str
        The gene that colours the spots.
    look : Look
        How results are drawn.
    trusted_only : bool
        Whether the table of genes leaves out those that held-out figures do not call predictable.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    image: Image | None = None
    slide: Slide | None = None
    slide_trouble: str = ""
    mpp: float | None = None
    spots: Spots | None = None
    region_trouble: str = ""
    models: tuple[ModelChoice, ...] = ()
    model: ModelChoice | None = None
    settings: PredictSettings = field(default_factory=PredictSettings)
    device_missing: str = ""
    warnings: tuple[str, ...] = ()
    busy: str = ""
    running: bool = False
    progress: Progress | None = None
    rate: float | None = None
    result_layer: Points | None = None
    result_version: int = 0
    gene: str = ""
    look: Look = field(default_factory=Look)
    trusted_only: bool = True

    def missing_for_table(self) -> str:
        """Say in one sentence why no spots of a file can be read; "" if they can."""
        if self.image is None:
            return "Choose an image layer or open a slide first."
        return "" if self.slide is not None else "The chosen layer cannot be used as a slide."

    def missing_for_spots(self) -> str:
        """Say in one sentence why no grid of spots can be laid; "" if it can."""
        return self._lacks_for_spots()[0]

    def missing_for_run(self) -> str:
        """Say in one sentence why a run cannot start; "" if it can."""
        return self.lacks()[0]

    def lacks(self) -> tuple[str, Where]:
        """Say in one sentence why a run cannot start, and which control answers it; ("", "") if it can."""
        if self.busy:  # it may be what is missing that comes
            return self.busy, ""
        missing, where = self._lacks_for_spots()
        if missing:
            return missing, where
        if self.spots is None:
            return "Lay spots on the slide first (section Spots).", "spots"
        if self.region_trouble:
            return self.region_trouble, "region"
        if self.model is None:
            return "Choose a model first (section Model).", "model"
        if self.device_missing:
            return self.device_missing, "device"
        return "", ""

    def _lacks_for_spots(self) -> tuple[str, Where]:
        if missing := self.missing_for_table():
            return missing, "slide"
        if self.mpp is None:
            return "Say how many µm one pixel covers (section Slide).", "mpp"
        return "", ""

    def predict_settings(self) -> PredictSettings:
        """Return the options of a run with the chosen model."""
        assert self.model is not None  # asked for when a run can start
        return replace(self.settings, model=self.model.source, stain=self.stain_of_run())

    def choose(self, **options: Any) -> None:
        """Change options of a run, by their names in `PredictSettings`.

        Raises
        ------
        SettingsError
            If an option may not have such a value; then nothing is changed.
        """
        self.settings = replace(self.settings, **options)

    def change_look(self, **changes: Any) -> None:
        """Change how results are drawn, by the names in `Look`."""
        self.look = replace(self.look, **changes)

    def stain_methods(self) -> tuple[StainName, ...]:
        """Return the stain normalisations that the chosen model has target statistics for, "none" first."""
        return self.model.card.stain_methods() if self.model is not None else ("none",)

    def stain_of_run(self) -> StainName:
        """Return the chosen stain normalisation, "none" where the model cannot do it."""
        return self.settings.stain if self.settings.stain in self.stain_methods() else "none"
