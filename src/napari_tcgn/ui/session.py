"""What the dock does, without any widget: it watches the viewer's layers and moves the state along."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Image, Points

from napari_tcgn.errors import SlideError, TcgnError
from napari_tcgn.model import LoadedModels
from napari_tcgn.slide import Slide, give_mpp, open_slide
from napari_tcgn.spots import GridSource
from napari_tcgn.ui.layers import canvas, layer_names, placement, slide_layers, spot_layers, store
from napari_tcgn.ui.layers.colours import Colours
from napari_tcgn.ui.layers.hover import Hover
from napari_tcgn.ui.layers.kept_points import KeptPoints
from napari_tcgn.ui.layers.laid_spots import LaidSpots
from napari_tcgn.ui.layers.legend import Legend
from napari_tcgn.ui.layers.placement import placement_events
from napari_tcgn.ui.layers.pyramid import LevelLike, levels_for_napari
from napari_tcgn.ui.layers.slides import Slides, SlideWork
from napari_tcgn.ui.layers.story import Story
from napari_tcgn.ui.layers.surface_layer import points_of_surface
from napari_tcgn.ui.layers.veil import Veils
from napari_tcgn.ui.prefs.choices import Choices
from napari_tcgn.ui.state import DockState
from napari_tcgn.ui.tasks.activity import Activity
from napari_tcgn.ui.tasks.background import Background, Failure, Running
from napari_tcgn.ui.tasks.busy import Busy
from napari_tcgn.ui.tasks.later import Later

if TYPE_CHECKING:
    from napari.utils.events import Event
    from napari.viewer import Viewer

FRAME_AFTER = 250  # ms; napari makes room for the controls of a new layer first
Failed = Callable[[Failure], object]


class Session:
    """The work of one dock in one viewer.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    state : DockState
    background : Background
    choices : Choices
        What the state started with, and its memory.
    slides : Slides
        What was done on each slide.
    story : Story
        Which of the layers are shown.
    models : LoadedModels
        Those that were run or measured last.
    colours : Colours
        Which gene every result layer shows and how it is coloured.
    run : Running or None
        The run that is going on.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer: Viewer | None = viewer
        self.state = DockState()
        self.background = Background()
        self.busy = Busy(self.state, self.background)
        self.choices = Choices(self.state)
        self.slides = Slides()
        self.models = LoadedModels()
        self.colours, self._hover = Colours(viewer, self.state), Hover(viewer)
        self._veils, self._legend = Veils(viewer, self.state), Legend(viewer, self.state, self.colours)
        self.story = Story(viewer, self.slides, self.state)
        self._points = KeptPoints(viewer, self.colours)
        self.laid = LaidSpots(viewer, self.state, self.story)
        self.run: Running | None = None
        self._setting_mpp = False
        self._activity = Activity(self.state)
        self._framing = Later(self._frame)
        self._framing.setInterval(FRAME_AFTER)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.selection.events.active.connect(self.on_active)
        # Before any result is shown, so that it is known which slide it lies on.
        taken_over = self.slides.take_over(viewer.layers)
        # Results that were opened before the dock: the selected one, else the uppermost.
        there = [viewer.layers.selection.active, *reversed(viewer.layers)]
        self.state.result_layer = next((layer for layer in there if store.shows_result(layer)), None)
        for work in taken_over:  # of a dock that was closed
            self._watch(work.image)
            if work.was_chosen:
                with suppress(TcgnError):
                    self.choose_image(work.image)

    @property
    def viewer(self) -> Viewer:
        """The viewer that the dock works in; nobody asks for it once the session is closed."""
        assert self._viewer is not None
        return self._viewer

    @property
    def spots_layer(self) -> Points | None:
        """The layer that shows `state.spots`."""
        return self.laid.layer

    @spots_layer.setter
    def spots_layer(self, layer: Points | None) -> None:
        self.laid.layer = layer

    @property
    def closed(self) -> bool:
        """Whether the session has let go of its viewer."""
        return self._viewer is None

    def close(self, viewer_is_gone: bool = False) -> None:
        """Stop all work and let go of the viewer; a second call does nothing.

        Parameters
        ----------
        viewer_is_gone : bool
            Layers may no longer be touched; otherwise what a run has done so far is kept as a partial result.
        """
        if self.closed:
            return
        if self.run is not None and not viewer_is_gone:
            self.run.cancel()
        self.background.close()
        self._activity.close()
        self._framing.stop()
        self.models.keep_only(())
        if self.run is not None:
            self.run.disconnect_all()
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        self.viewer.layers.selection.events.active.disconnect(self.on_active)
        self.choices.close()
        self._note_work()
        for work in self.slides:
            self._unwatch(work.image)
        self.slides.leave(self.slides.of(self.state.image))
        self.colours.close()
        for shown in (self._veils, self._legend):
            shown.close(viewer_is_gone)
        self._hover.close()
        self._points.close()
        if viewer_is_gone:
            self.state.events.block()  # so are the widgets that would be told
        self._viewer = None
        self.spots_layer = self.state.image = self.state.result_layer = None

    # -- slide ---------------------------------------------------------------------------------------------------

    def image_layers(self) -> list[Image]:
        """Return the viewer's image layers that may be slides."""
        return [
            layer for layer in self.viewer.layers if isinstance(layer, Image) and not slide_layers.is_own_picture(layer)
        ]

    def choose_image(self, layer: Image | None, show: bool = False) -> None:
        """Make an image layer the slide and take up what was done on it before; None chooses none.

        Parameters
        ----------
        layer : napari image layer or None
        show : bool
            Also show it with what was shown on it last, and hide the other slides.

        Raises
        ------
        SlideError
            If it cannot be one; the layer stays chosen, so that the dock can say why.
        """
        state = self.state
        if layer != state.image or state.slide is None:
            self._put_aside()
            state.image, state.slide_trouble = layer, ""
            if layer is None:
                return
            try:
                known = self.slides.of(layer)
                with self.story.held():
                    self._take_up(known or self._begin(layer))
                if known is not None:
                    self._follow_scale()  # it may have changed meanwhile
            except TcgnError as error:
                state.slide_trouble = str(error)
                raise
        if show and layer is not None:
            self.story.tell(layer)
            layer.visible = True

    def _note_work(self) -> None:
        """Keep what was done on the chosen slide."""
        state = self.state
        work = self.slides.of(state.image)
        if work is not None:
            work.mpp, work.spots, work.spots_layer, work.result_layer = (
                state.mpp,
                state.spots,
                self.spots_layer,
                state.result_layer,
            )

    def _put_aside(self) -> None:
        state = self.state
        self._note_work()
        self.spots_layer = state.spots = None
        state.slide = state.mpp = None

    def _begin(self, layer: Image) -> SlideWork:
        work = self.slides.add(layer, slide_layers.slide_of(layer))
        self._watch(layer)
        # Results of it may have been opened before: they lie on it.
        layers = self.viewer.layers
        lowest = min((layers.index(one) for one in self.slides.layers_on(work, layers)), default=len(layers))
        if lowest < layers.index(layer):
            layers.move(layers.index(layer), lowest)
        return work

    def _take_up(self, work: SlideWork) -> None:
        state = self.state
        state.slide, state.mpp = work.slide, work.mpp
        if work.mpp is not None:
            canvas.show_scale_bar(self.viewer)
        self.spots_layer, state.spots = work.spots_layer, work.spots
        self.laid.check()
        owner = self.slides.owner_of(state.result_layer)
        if owner is not work:
            latest = work.result_layer
            if latest not in self.viewer.layers:
                latest = self.slides.newest_result_layer(work, self.viewer.layers)
            if latest is not None or owner is not None:  # else a result of no open slide stays in view
                state.result_layer = latest

    def set_mpp(self, mpp: float, source: str = "given in the dock") -> None:
        """Say how many µm a px of the slide covers, and how it is known; the layer is rescaled."""
        image = self.state.image
        assert image is not None  # the controls are disabled without one
        self._setting_mpp = True
        try:
            slide_layers.set_layer_mpp(image, mpp)
        finally:
            self._setting_mpp = False
        self._take_mpp(mpp, source)
        canvas.show_scale_bar(self.viewer)
        self.viewer.reset_view()

    def _on_placed(self, event: Event) -> None:
        """Keep spots and results on an image that was scaled, moved or turned."""
        work = self.slides.of(event.source)
        if work is None:
            return
        for layer in self.slides.layers_on(work, self.viewer.layers):
            if isinstance(layer, Points):  # surfaces follow their points
                placement.place(layer, work.image)
        if work.image == self.state.image and not self._setting_mpp:
            self._follow_scale()

    def _follow_scale(self) -> None:
        """Take the µm per px that the image's scale says."""
        if self.state.slide is None or self.state.image is None:
            return
        try:
            self._take_mpp(slide_layers.layer_mpp(self.state.image), "layer's scale and units")
        except SlideError:  # no longer square
            self._take_mpp(None, "unknown")

    def _take_mpp(self, mpp: float | None, source: str) -> None:
        state = self.state
        if mpp == state.mpp or (mpp and state.mpp and math.isclose(mpp, state.mpp, rel_tol=1e-6)):
            return
        assert state.slide is not None  # it is its µm per px
        give_mpp(state.slide, mpp, source)
        # A grid was laid in µm and is wrong now; a table's positions are px and stay.
        if state.spots is not None and isinstance(state.spots.source, GridSource):
            self.laid.drop()
        elif state.spots is not None and self.spots_layer is not None and state.image is not None:
            spot_layers.set_spot_size(self.spots_layer, state.image, state.spots, mpp)
        state.mpp = mpp

    def _watch(self, layer: Image) -> None:
        for event in placement_events(layer):
            event.connect(self._on_placed)

    def _unwatch(self, layer: Image) -> None:
        for event in placement_events(layer):
            event.disconnect(self._on_placed)

    def open_file(self, path: Path, failed: Failed, then: Callable[[], object] | None = None) -> None:
        """Open a slide file in the background and show it as a layer; `then` is told afterwards."""

        def read() -> tuple[Slide, list[LevelLike]]:
            slide = open_slide(path)
            return slide, levels_for_napari(slide)

        def show(opened: tuple[Slide, list[LevelLike]]) -> None:
            self.choose_image(slide_layers.add_slide(self.viewer, *opened), show=True)
            self._framing.ask()
            if then is not None:
                then()

        self.busy.call(f"Opening {path.name} …", read, show, failed)

    def _frame(self) -> None:
        if not self.closed and self.state.image is not None:
            canvas.frame(self.viewer, [self.state.image])

    # -- spots ---------------------------------------------------------------------------------------------------

    @property
    def spots_file(self) -> Path | None:
        """The table that `state.spots` were read from; their source names it without its folder."""
        return self.laid.origin.file

    # -- layers that go or are selected ----------------------------------------------------------------------------

    def _on_removed(self, event: Event) -> None:
        layer, state = event.value, self.state
        work = self.slides.of(layer)
        if layer == self.spots_layer:
            self.spots_layer = state.spots = None
        elif layer == state.result_layer:
            state.result_layer = self.slides.newest_result_layer(self.slides.owner_of(layer), self.viewer.layers)
            if state.result_layer is None and self.spots_layer is not None:
                layer_names.name_spots(self.spots_layer, predicted=False)
        elif work is not None:
            self._forget(work)
        elif layer == state.image:
            self.choose_image(None)
        elif (work := self.slides.owner_of(layer)) is not None and work.spots_layer == layer:
            work.spots_layer = work.spots = None
        self.story.retell()

    def _forget(self, work: SlideWork) -> None:
        """Let go of a slide whose image layer is gone; its results stay in the viewer."""
        was_chosen = work.image == self.state.image
        if was_chosen:
            self.choose_image(None)
        self._unwatch(work.image)
        self.slides.forget(work)
        if work.spots_layer is not None and work.spots_layer in self.viewer.layers:
            self.viewer.layers.remove(work.spots_layer)
        another = next((layer for layer in reversed(self.viewer.layers) if slide_layers.may_be_slide(layer)), None)
        if was_chosen and another is not None:
            with suppress(TcgnError):
                self.choose_image(another, show=True)
        elif was_chosen and self.state.result_layer is not None:
            self.story.tell(self.state.result_layer)  # it is shown without its slide now

    def on_active(self, event: Event) -> None:
        """Work on the result or the slide that the user selects in napari's layer list, and show what is selected."""
        layer, state = event.value, self.state
        layer = points_of_surface(layer) or layer
        work = self.slides.owner_of(layer)
        if state.running or state.busy:
            # The dock stays where it is: so does the canvas, but for what lies on the slide in hand.
            if work is not None and work.image == state.image:
                self.story.tell(layer)
            self.story.retell()
            return
        with suppress(TcgnError):  # the section Slide tells the trouble
            if work is not None:
                self.choose_image(work.image)
            elif slide_layers.may_be_slide(layer) and layer != state.image:
                self.choose_image(layer)
        if store.shows_result(layer):
            state.result_layer = layer
        self.story.tell(layer)

    @contextmanager
    def selection_kept(self) -> Iterator[None]:
        """Add layers without working on them, although napari selects what is added."""
        selection = self.viewer.layers.selection
        active = selection.active
        with selection.events.active.blocker(self.on_active):
            yield
            selection.active = active
