"""What the dock does, without any widget: it watches the viewer's layers and moves the state along."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_tcgn.model.card import ModelCard
from napari_tcgn.settings import GridSettings, PredictSettings
from napari_tcgn.slide import open_slide
from napari_tcgn.spots import Region, Spots, check_on_slide, implied_mpp, keep_inside, make_grid, read_spots
from napari_tcgn.spots.st import ST_TABLE
from napari_tcgn.ui import layers, store
from napari_tcgn.ui.background import Background, Failure
from napari_tcgn.ui.pyramid import levels_for_napari
from napari_tcgn.ui.state import DockState, ModelChoice
from napari_tcgn.ui.tissue_view import TissueStore

if TYPE_CHECKING:
    from napari_tcgn.ui.run import Run

SPOTS_FILE = "napari_tcgn_spots_file"  # in the metadata of a layer of spots
Failed = Callable[[Failure], object]


class Session:
    """The work of one dock in one viewer.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    viewer : napari.Viewer
    state : DockState
    background : Background
    tissue : TissueStore
    spots_layer : points layer or None
        Shows `state.spots`.
    run : Run or None
        The run that is going on.
    """

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.state = DockState()
        self.background = Background()
        self.tissue = TissueStore()
        self.spots_layer: Any = None
        self.run: Run | None = None
        self._setting_mpp = False
        self._watched: Any = None
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.selection.events.active.connect(self._on_active)
        # Results that were opened before the dock: the selected one, else the uppermost.
        there = [viewer.layers.selection.active, *reversed(viewer.layers)]
        self.state.result = next((layer for layer in there if store.result_of(layer) is not None), None)

    def close(self, viewer_is_gone: bool = False) -> None:
        """Stop all work and let go of the viewer; a second call does nothing.

        Parameters
        ----------
        viewer_is_gone : bool
            Layers may no longer be touched; otherwise what a run has done so far is kept as a partial result.
        """
        if self.viewer is None:
            return
        if self.run is not None and not viewer_is_gone:
            self.run.cancel()
        self.background.close()
        if self.run is not None:
            self.run.let_go()
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        self.viewer.layers.selection.events.active.disconnect(self._on_active)
        self._watch(None)
        self.viewer = self.spots_layer = self.state.image = self.state.result = None

    # -- slide ---------------------------------------------------------------------------------------------------

    def image_layers(self) -> list[Any]:
        """Return the viewer's image layers that may be slides."""
        return [layer for layer in self.viewer.layers if isinstance(layer, Image) and not layers.is_thumbnail(layer)]

    def choose_image(self, layer: Any) -> None:
        """Make an image layer the slide; None chooses none.

        Raises
        ------
        SlideError
            If it cannot be one; the layer stays chosen, so that the dock can say why.
        """
        state = self.state
        if layer is state.image and state.slide is not None:
            return
        self._drop_spots()
        state.slide, state.mpp, state.image = None, None, layer
        self._watch(layer)
        if layer is not None:
            slide = layers.slide_of(layer)
            state.slide, state.mpp = slide, slide.mpp

    def set_mpp(self, mpp: float) -> None:
        """Say how many µm a px of the slide covers; the layer is rescaled."""
        self._setting_mpp = True
        try:
            layers.set_layer_mpp(self.state.image, mpp)
        finally:
            self._setting_mpp = False
        self._take_mpp(mpp, "given in the dock")
        layers.show_scale_bar(self.viewer)
        self.viewer.reset_view()

    def _on_scale(self) -> None:
        """Follow a scale that was changed elsewhere in napari."""
        if not self._setting_mpp and self.state.slide is not None:
            self._take_mpp(layers.layer_mpp(self.state.image), "layer's scale and units")

    def _take_mpp(self, mpp: float | None, source: str) -> None:
        state = self.state
        if mpp == state.mpp:
            return
        state.slide.mpp, state.slide.mpp_source = mpp, source
        # A grid was laid in µm and is wrong now; a table's positions are px and stay.
        if state.spots is not None and (mpp is None or state.spots.source.get("kind") == "grid"):
            self._drop_spots()
        elif state.spots is not None:
            layers.set_spot_size(self.spots_layer, state.image, state.spots, mpp)
        state.mpp = mpp

    def _watch(self, layer: Any) -> None:
        if self._watched is not None:
            self._watched.events.scale.disconnect(self._on_scale)
            self._watched.events.units.disconnect(self._on_scale)
        self._watched = layer
        if layer is not None:
            layer.events.scale.connect(self._on_scale)
            layer.events.units.connect(self._on_scale)

    def open_file(self, path: Path, failed: Failed) -> None:
        """Open a slide file in the background and show it as a layer."""

        def read() -> tuple[Any, list[Any]]:
            slide = open_slide(path)
            return slide, levels_for_napari(slide)

        def show(opened: tuple[Any, list[Any]]) -> None:
            self.choose_image(layers.add_slide(self.viewer, *opened))

        self._in_background(f"Opening {path.name} …", read, show, failed)

    # -- spots ---------------------------------------------------------------------------------------------------

    def lay_grid(self, settings: GridSettings, failed: Failed, region: Region | None = None) -> None:
        """Lay a grid of spots over the slide in the background."""
        slide = self.state.slide

        def lay() -> Spots:
            tissue = self.tissue.mask(slide, settings.tissue_threshold) if settings.tissue_only else None
            return make_grid(slide, settings, tissue, region)

        self._in_background("Laying spots …", lay, self._take_spots, failed)

    def read_table(self, path: Path, failed: Failed, region: Region | None = None) -> None:
        """Read the spots of a file or folder of any kind in the background."""
        slide = self.state.slide

        def read() -> Spots:
            spots = check_on_slide(read_spots(path, slide.mpp), slide, self.tissue.mask(slide, None))
            if spots.source.get("kind") == ST_TABLE and (implied := implied_mpp(spots)) is not None:
                spots.source["implied_mpp"] = round(implied, 5)
            return spots if region is None else keep_inside(spots, region)

        self._in_background(f"Reading {path.name} …", read, lambda spots: self._take_spots(spots, path), failed)

    def _take_spots(self, spots: Spots, file: Path | None = None) -> None:
        state = self.state
        if self.spots_layer is not None and self.spots_layer in self.viewer.layers:
            layers.show_other_spots(self.spots_layer, state.image, spots, state.mpp)
        else:
            self.spots_layer = layers.add_spots(self.viewer, state.image, spots, state.mpp)
        self.spots_layer.metadata[SPOTS_FILE] = file
        state.spots = spots

    @property
    def spots_file(self) -> Path | None:
        """The table that `state.spots` were read from; their source names it without its folder."""
        return None if self.spots_layer is None else self.spots_layer.metadata.get(SPOTS_FILE)

    def _drop_spots(self) -> None:
        layer, self.spots_layer, self.state.spots = self.spots_layer, None, None
        if layer is not None and layer in self.viewer.layers:
            self.viewer.layers.remove(layer)

    # -- models --------------------------------------------------------------------------------------------------

    def find_models(self, failed: Failed) -> None:
        """List the models that are installed; the default one becomes the chosen one."""

        def look() -> list[ModelCard]:
            from napari_tcgn.model.registry import list_models

            return list_models()

        def take(cards: list[ModelCard]) -> None:
            models = tuple(ModelChoice(card.name, card) for card in cards)
            self.state.models = models
            if not models:
                self.state.events.models.emit(models)  # no change, but the search is over
            default = next((m for m in models if m.source == PredictSettings().model), models[0] if models else None)
            self.state.model = default

        self.background.call(look, take, failed)

    def add_model(self, path: Path) -> None:
        """Add and choose the model that a card or a checkpoint beside one belongs to.

        Raises
        ------
        ModelError
            If there is no card beside it or it is wrong.
        """
        folder = path if path.is_dir() else path.parent
        source = folder if path.is_dir() or path.name == "card.json" else path
        choice = ModelChoice(str(source), ModelCard.read(folder / "card.json"))
        self.state.models = (*(m for m in self.state.models if m.source != choice.source), choice)
        self.state.model = choice

    # -- layers that go or are selected ----------------------------------------------------------------------------

    def _on_removed(self, event: Any) -> None:
        layer, state = event.value, self.state
        if layer == self.spots_layer:
            self.spots_layer = state.spots = None
        elif layer == state.result:
            state.result = next((x for x in reversed(self.viewer.layers) if store.result_of(x)), None)
        elif layer == state.image:
            self.choose_image(None)

    def _on_active(self, event: Any) -> None:
        """Work on the result layer that the user selects."""
        if store.result_of(event.value) is not None and not self.state.running:
            self.state.result = event.value

    def _in_background(self, what: str, work: Callable[[], Any], done: Callable[[Any], object], failed: Failed) -> None:
        self.state.busy = what

        def end_well(outcome: Any) -> None:
            self.state.busy = ""
            try:
                done(outcome)
            except Exception as error:
                failed(Failure.of(error))

        def end_badly(failure: Failure) -> None:
            self.state.busy = ""
            failed(failure)

        self.background.call(work, end_well, end_badly)
