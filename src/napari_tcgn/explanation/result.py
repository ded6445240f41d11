"""What an explanation is: maps over a patch, the graph of its tokens, and what the checks found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.engine import Progress

Floats = NDArray[np.float32]
MethodName = Literal["occlusion", "integrated gradients", "Grad-CAM"]


@dataclass(frozen=True, slots=True, eq=False)
class AttributionMap:
    """How much of a prediction each part of the patch speaks for.

    Attributes
    ----------
    method : {"occlusion", "integrated gradients", "Grad-CAM"}
    values : float32 [rows, columns]
        Over the whole patch, upright. Positive: what is there raises the prediction.
    unit : str
        Of the values.
    reference : str
        What they are measured against, in words.
    side_um : float
        Side of the tissue under one value.
    signed : bool
        Whether what lowers the prediction is shown, too.
    note : str
        What has to be known of this map; "" where nothing.
    """

    method: MethodName
    values: Floats
    unit: str
    reference: str
    side_um: float
    signed: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Shares:
    """The parts of a prediction whose model is a sum.

    Attributes
    ----------
    network, line : float
        They add up to the prediction.
    """

    network: float
    line: float


@dataclass(frozen=True, slots=True, eq=False)
class TokenGraph:
    """The graph that a GNN block drew over the patch, as the network used it for this prediction.

    Attributes
    ----------
    block : int
        0 (drawn on the 56 x 56 map of stage a) or 1 (28 x 28, stage b).
    xy : float32 [196, 2]
        Centres of the tokens, as shares of the patch's side: x to the right, y down.
    edges : int64 [edges, 2]
        From token, to token; by falling mean attention, self-loops included.
    attention : float32 [edges, 2]
        Of the two heads. Where tokens exchange information, which is not importance.
    """

    block: int
    xy: Floats
    edges: NDArray[np.int64]
    attention: Floats

    @property
    def loops(self) -> NDArray[np.bool_]:
        """Which edges lead from a token to itself."""
        found: NDArray[np.bool_] = self.edges[:, 0] == self.edges[:, 1]
        return found

    def strongest(self, count: int) -> NDArray[np.intp]:
        """Return the numbers of the edges with the most attention between two different tokens."""
        return np.flatnonzero(~self.loops)[:count]


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one test of a map.

    Attributes
    ----------
    name : str
        What was tested.
    method : str
        Of which map.
    passed : bool
    value, limit : float
        What was found, and the figure that it has to reach.
    sentence : str
        The same in words.
    """

    name: str
    method: MethodName
    passed: bool
    value: float
    limit: float
    sentence: str


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The prediction while a patch is covered, or uncovered, window by window.

    Attributes
    ----------
    method : str
        The map whose order it is.
    share : float64 [points]
        Of the patch that is covered (deletion) or shown (insertion).
    deletion, insertion : float64 [points]
        In the order of the map, what speaks most for the gene first.
    random_deletion, random_insertion : float64 [orders, points]
        In random orders.
    """

    method: MethodName
    share: NDArray[np.float64]
    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]
    random_deletion: NDArray[np.float64]
    random_insertion: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """What the prediction of a gene at a spot rests on.

    Attributes
    ----------
    gene, spot, library_id, model : str
    x, y : float
        Centre of the spot in full-resolution px.
    mpp : float
        µm per full-resolution px.
    patch : uint8 [n, n, 3]
        What the model saw.
    patch_um : float
        Its side.
    prediction : float
    unit : str
        Of the prediction and the signed maps: the model's output scale.
    maps : tuple of AttributionMap
    fills : dict of float32 [rows, columns]
        The two maps whose mean the occlusion is: "mean colour" and "blur".
    agreement : float
        Spearman's correlation of these two; NaN where occlusion is not done yet.
    network_reference : float or None
        What the network predicts of the reference of its gradients.
    shares : Shares or None
        Where the model is a sum.
    graphs : tuple of TokenGraph
        Of both GNN blocks; empty where the model draws none.
    checks : tuple of Check
    curves : tuple of Curves
    directions : int or None
        Into how many the model's output is confined, fewer than its genes; None: unknown, or not confined.
    notes : tuple of str
        What has to be known of the whole.
    record : dict
        How it was made, as JSON-able values.
    """

    gene: str
    spot: str
    library_id: str
    model: str
    x: float
    y: float
    mpp: float
    patch: NDArray[np.uint8]
    patch_um: float
    prediction: float
    unit: str
    maps: tuple[AttributionMap, ...] = ()
    fills: dict[str, Floats] = field(default_factory=dict)
    agreement: float = float("nan")
    network_reference: float | None = None
    shares: Shares | None = None
    graphs: tuple[TokenGraph, ...] = ()
    checks: tuple[Check, ...] = ()
    curves: tuple[Curves, ...] = ()
    directions: int | None = None
    notes: tuple[str, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)

    def map_of(self, method: MethodName) -> AttributionMap | None:
        """Return the map of a method, None where there is none."""
        return next((one for one in self.maps if one.method == method), None)

    def failed(self, method: MethodName | None = None) -> tuple[Check, ...]:
        """Return the checks that failed, of one map or of all."""
        return tuple(one for one in self.checks if not one.passed and method in (None, one.method))


@dataclass(frozen=True, slots=True)
class ExplainStep(Progress):
    """One step of an explanation.

    Attributes
    ----------
    explanation : Explanation or None
        What is known so far.
    """

    explanation: Explanation | None = None
