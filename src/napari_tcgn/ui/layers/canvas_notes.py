"""What the canvas says of results beside their colours: that one is partial, and the scale where it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_tcgn.ui.layers import canvas, store
from napari_tcgn.ui.layers.story import Story

if TYPE_CHECKING:
    from napari.utils.events import Event
    from napari.viewer import Viewer

    from napari_tcgn.ui.state import DockState


class CanvasNotes:
    """Follows the story on the canvas and the state of a dock.

    Parameters
    ----------
    viewer : napari.Viewer
    story : Story
    state : DockState
    """

    def __init__(self, viewer: Viewer, story: Story, state: DockState) -> None:
        self._viewer, self._story, self._state = viewer, story, state
        self._said = ""
        story.told.connect(self._say)
        for event in (state.events.running, state.events.result_version):
            event.connect(self._say)
        viewer.layers.events.inserted.connect(self._on_inserted)
        for layer in viewer.layers:
            canvas.show_scale_of(viewer, layer)

    def close(self) -> None:
        """Take the sentence away and leave the canvas alone."""
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        canvas.say(self._viewer, "", instead_of=self._said)
        self._said = ""

    def _on_inserted(self, event: Event) -> None:
        canvas.show_scale_of(self._viewer, event.value)

    def _say(self) -> None:
        focus = self._story.focus
        result = store.made_from(focus)
        filling = self._state.running and store.made_from(self._state.result_layer) is result
        sentence = "" if result is None or filling else partial_sentence(result)
        canvas.say(self._viewer, sentence, instead_of=self._said)
        self._said = sentence


def partial_sentence(result: store.Result) -> str:
    """Return how much of a partial result there is; "" for one that was run to its end, or not run at all."""
    if result.stopped:
        return f"Partial result: {len(result.done):,} spots"
    if result.prediction is None or not result.partial:
        return ""
    done = int(result.done.sum())
    return f"Partial result: {done:,} of {len(result.done):,} spots"
