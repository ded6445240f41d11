"""Section Map: what the colours mean, how results are drawn, and other ways to look at the shown one."""

from __future__ import annotations

from collections.abc import Callable

from napari_tcgn.ui.sections.base import Section
from napari_tcgn.ui.sections.gene_parts.composite import CompositePart, suggest_genes
from napari_tcgn.ui.sections.gene_parts.link import LinkPart
from napari_tcgn.ui.sections.gene_parts.look import LookControls
from napari_tcgn.ui.sections.gene_parts.scale import ScaleControls
from napari_tcgn.ui.sections.gene_parts.trust import TrustPart
from napari_tcgn.ui.session import Session
from napari_tcgn.ui.widgets.gene_names import GeneNames


class MapSection(Section):
    """The colour scale of the shown result, how all results are drawn, three genes as colours, and shared limits.

    Parameters
    ----------
    session : Session
    names : GeneNames
        Genes that can be typed.
    best : callable
        Returns the genes of the table in their order, best trusted first.

    Attributes
    ----------
    scale : ScaleControls
    look : LookControls
    trust, link, composite : Part
        Folded away until they are wanted.
    """

    def __init__(self, session: Session, names: GeneNames, best: Callable[[], list[str]]) -> None:
        super().__init__(session, "Map")
        self._best = best
        self.scale, self.look = ScaleControls(session), LookControls(session)
        self.link, self.composite = LinkPart(session), CompositePart(session, names)
        self.trust = TrustPart(session)
        for widget in (self.scale, self.look, self.trust, self.link, self.composite):
            self.body_column.addWidget(widget)  # Qt's forms forget the height of rows that wrap
        self.composite.heading.toggled.connect(self._suggest)
        session.state.events.result_layer.connect(self.scale.show_layer)

    def disconnect_all(self) -> None:
        """Stop listening to the viewer, which outlives the dock."""
        for part in (self.look.surfaces, self.trust, self.link, self.composite):
            part.disconnect_all()

    def _suggest(self, opened: bool) -> None:
        layer = self.session.state.result_layer
        if opened and layer is not None:
            suggest_genes(self.composite, layer, self._best()[:3])
