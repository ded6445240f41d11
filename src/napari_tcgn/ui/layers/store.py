"""Which result belongs to a layer.

It lies in the layer's metadata, so that it lives exactly as long as the layer, napari's readers can hand it over and
its writers find it. It is one object however often napari copies the metadata (a duplicated layer shows the same
result), and not under the keys "adata" and "sdata", by which napari-spatialdata knows its own layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer, Points
    from scipy.sparse import sparray, spmatrix

    from napari_tcgn.engine import Prediction, RunRecord
    from napari_tcgn.expression import Library
    from napari_tcgn.model import GeneIntervals, ModelCard
    from napari_tcgn.slide import Slide
    from napari_tcgn.spots import Spots

KEY = "napari_tcgn"  # in a layer's metadata
AROUND = f"{KEY}_around"  # in that of rings around a result's spots: they lie on whatever map is seen
MADE_FROM = f"{KEY}_made_from"  # in that of a layer made from a result: its surface, three genes, scores


@dataclass(eq=False)
class Result:
    """Values of genes at the spots of one points layer: predicted, measured or read from a file.

    Attributes
    ----------
    values : float32 [spots, genes], or a sparse matrix or array of that shape
        On `output_scale`; live while the engine fills it in. `values_of` takes a column of either kind.
    done : bool [spots]
        Which spots have values.
    genes : tuple of str
        Columns of `values`.
    spots : Spots
        The points of the layer, in their order.
    mpp : float or None
        µm per full-resolution px; None for a file that does not say it, whose spots then have no size in µm.
    library_id : str
        Name of the slide.
    output_scale : str
        What a value is, for the colour bar.
    kind : str
        What the values are, in the layer's name: "predicted", "measured" …
    card : ModelCard or None
        The model that predicted them, if one did.
    prediction : Prediction or None
        What the engine yielded, where this session ran it.
    adata : AnnData or None
        The finished result; None while it runs and for a partial one.
    slide : Slide or None
        What it was predicted from, where this session ran it.
    spots_file : Path or None
        The table that the spots were read from, where this session did.
    stopped : bool
        A file's partial result: its spots have values, but more were planned.
    drawn_px : float or None
        Diameter of a spot on the screen in px; None: `spots.diameter_um`.
    """

    values: NDArray[np.float32] | spmatrix | sparray
    done: NDArray[np.bool_]
    genes: tuple[str, ...]
    spots: Spots
    mpp: float | None
    library_id: str
    output_scale: str
    kind: str = "predicted"
    card: ModelCard | None = None
    prediction: Prediction | None = None
    adata: AnnData | None = None
    slide: Slide | None = None
    spots_file: Path | None = None
    stopped: bool = False
    drawn_px: float | None = None

    def __post_init__(self) -> None:
        self._column = {gene: i for i, gene in enumerate(self.genes)}
        self._interval_of: tuple[str, GeneIntervals | None] = ("", None)  # of the gene that was asked for last

    @classmethod
    def of_prediction(cls, prediction: Prediction) -> Result:
        """Return the result behind a prediction, which may still be filled in."""
        return cls(
            prediction.values,
            prediction.done,
            tuple(prediction.card.genes),
            prediction.spots,
            prediction.mpp,
            prediction.library_id,
            prediction.card.output_scale,
            card=prediction.card,
            prediction=prediction,
        )

    @classmethod
    def of_library(cls, library: Library) -> Result:
        """Return the result that a section holds; its matrix is not copied, and stays sparse if it is."""
        adata = library.adata
        return cls(
            adata.X,
            np.ones(adata.n_obs, dtype=bool),
            tuple(str(gene) for gene in adata.var_names),
            library.spots(),
            library.mpp,
            library.library_id,
            library.unit,
            kind=library.kind,
            card=library.card,
            adata=adata,
            stopped=library.partial,
            drawn_px=library.drawn_diameter_px(),
        )

    def __deepcopy__(self, memo: dict[int, object]) -> Result:
        return self

    @property
    def partial(self) -> bool:
        """Whether some spots have no values, or more were planned."""
        return self.stopped or not bool(self.done.all())

    @property
    def diameter_px(self) -> float:
        """Diameter of a spot on the screen, in full-resolution px."""
        if self.drawn_px is not None:
            return self.drawn_px
        assert self.mpp is not None  # only files leave it open, and they say `drawn_px`
        return self.spots.diameter_um / self.mpp

    @property
    def intervals(self) -> GeneIntervals | None:
        """What makes intervals of the values; None where that is unknown."""
        from napari_tcgn.expression import intervals_in

        if self.prediction is not None:
            return self.prediction.intervals
        return None if self.adata is None else intervals_in(self.adata)

    @property
    def domain_p(self) -> NDArray[np.floating] | None:
        """How usual every spot's patch is among those of the training (float [spots]); None or NaN: unknown."""
        from napari_tcgn.expression import domain_p_of

        if self.prediction is not None:
            return self.prediction.domain_p
        return None if self.adata is None else domain_p_of(self.adata)

    def interval_of(self, gene: str) -> GeneIntervals | None:
        """Return what makes the intervals of one gene; None where that is unknown."""
        if self._interval_of[0] != gene:  # the cursor asks at every step, for one gene; a table is read once for it
            intervals = self.intervals
            self._interval_of = gene, None if intervals is None else intervals.select([self._column[gene]])
        return self._interval_of[1]

    def bounds_at(self, gene: str, spot: int) -> tuple[float, float] | None:
        """Return the bounds between which a measurement may lie at a spot; None where they are unknown."""
        interval = self.interval_of(gene)
        if interval is None:
            return None
        cell = self.values[spot, self._column[gene]]  # one, for a column of a sparse table is slow
        value = np.array([[cell]], np.float32)
        low, high = (float(bound[0, 0]) for bound in interval.bounds(value))
        return None if np.isnan(low + high) else (low, high)

    def opacity_of(self, gene: str) -> NDArray[np.float32] | None:
        """Return how opaque spots are where uncertain ones are faint, float32 [spots]; None where nothing is known."""
        from napari_tcgn.engine import is_outside
        from napari_tcgn.trust import spot_opacity

        interval, usual, width = self.interval_of(gene), self.domain_p, None
        if interval is not None:
            low, high = interval.bounds(self.values_of(gene)[:, None].astype(np.float32))
            width = (high - low)[:, 0]
        known = usual is not None and bool(np.isfinite(usual).any())
        return spot_opacity(width, is_outside(usual) if known and usual is not None else None)

    @property
    def record(self) -> RunRecord | None:
        """The run record; None where no run made the values."""
        from napari_tcgn.engine import RunRecord

        if self.prediction is not None:
            return self.prediction.record
        ours = self.adata.uns.get(KEY, {}) if self.adata is not None else {}
        return RunRecord.from_json(str(ours["run_record"])) if "run_record" in ours else None

    def to_adata(self) -> AnnData:
        """Return the result as AnnData: the spots that have values.

        Raises
        ------
        OutputError
            If no spot is predicted yet.
        """
        from napari_tcgn.expression import section_anndata, to_anndata

        if self.adata is None and self.prediction is None:
            values, spots = self.values[self.done], self.spots.select(self.done)
            return section_anndata(values, self.genes, spots, self.mpp, self.library_id, self.output_scale, self.kind)
        if self.adata is None:
            assert self.prediction is not None  # one of the two is there, see above
            self.adata = to_anndata(self.prediction)
        return self.adata

    @contextmanager
    def slide_for_reading(self) -> Iterator[Slide | None]:
        """Give the slide it was predicted from; a file is opened anew, for that of a removed layer is closed with it.

        None where this session does not know the slide.

        Raises
        ------
        SlideError
            If the file cannot be opened.
        """
        from napari_tcgn.slide import ArraySlide, open_slide

        path = self.slide.path if self.slide is not None else None
        if path is None or not path.is_file() or isinstance(self.slide, ArraySlide):
            yield self.slide
            return
        with closing(open_slide(path, self.mpp)) as slide:
            yield slide

    def has(self, gene: str) -> bool:
        """Whether there are values of a gene."""
        return gene in self._column

    def values_of(self, gene: str) -> NDArray[np.float64]:
        """Return a gene's values (float64 [spots]), NaN where there is none."""
        column = self._column[gene]
        values: NDArray[np.float64] = self.block(slice(column, column + 1))[:, 0].astype(np.float64)
        values[~self.done] = np.nan
        return values

    def block(self, columns: slice) -> NDArray[np.float32]:
        """Return the values of neighbouring genes (float32 [spots, genes]), dense also where `values` are sparse."""
        part = self.values[:, columns]
        dense: NDArray[np.float32] = part if isinstance(part, np.ndarray) else part.toarray()
        return dense

    def finish(self, adata: AnnData) -> None:
        """Take the complete result; one matrix is kept, not two."""
        assert self.prediction is not None  # only runs finish
        self.adata, self.values = adata, adata.X
        self.prediction = replace(self.prediction, values=adata.X)

    def freeze(self) -> None:
        """Keep what is done as it stands, even if the engine writes one more batch before it stops."""
        assert self.prediction is not None  # only runs are stopped
        self.done = self.done.copy()
        self.prediction = replace(self.prediction, done=self.done, record=replace(self.prediction.record))
        self.prediction.record.spots_done = int(self.done.sum())
        self.prediction.record.partial = self.partial


def result_of(layer: Layer | None) -> Result | None:
    """Return the result that a points layer shows; None for any other layer."""
    found = None if layer is None else layer.metadata.get(KEY)
    return found if isinstance(found, Result) else None


def shows_result(layer: Layer | None) -> TypeGuard[Points]:
    """Whether a layer is a points layer that shows a result."""
    return result_of(layer) is not None


def made_from(layer: Layer | None) -> Result | None:
    """Return the result that a layer was made from (a surface, three genes, scores), else the one that it shows."""
    source = None if layer is None else layer.metadata.get(MADE_FROM)
    return source if isinstance(source, Result) else result_of(layer)


def marks(layer: Layer | None) -> Result | None:
    """Return the result whose spots a layer draws rings around; None for any other layer."""
    source = None if layer is None else layer.metadata.get(AROUND)
    return source if isinstance(source, Result) else None


def best_gene(result: Result) -> str:
    """Return the gene with the best held-out correlation, the first one if none is known."""
    pcc = np.array([]) if result.card is None else result.card.gene_metric("pcc")
    return result.genes[int(np.nanargmax(pcc))] if np.isfinite(pcc).any() else result.genes[0]
