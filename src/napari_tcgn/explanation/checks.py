"""Tests that a map has to pass: does it know what the model uses, and does it depend on what the model has learnt?"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_tcgn.explanation.gradients import COMPLETE, Gradients, gradients_of
from napari_tcgn.explanation.occlusion import predict_gene, predict_many, rank_correlation
from napari_tcgn.explanation.result import AttributionMap, Check, Curves
from napari_tcgn.explanation.windows import Patch, Windows, fill_of
from napari_tcgn.model import TCGN, ModelCard, Predictor, SumPredictor, TCGNPredictor
from napari_tcgn.options import ExplainSettings

HALF = 6  # points of a curve up to half of the patch
FILLS_AGREE = 0.5  # Spearman's correlation
METHODS_AGREE = 0.6
UNCHANGED = 0.35  # mean |correlation| with the maps of random weights, from which on a map does not know the weights
Floats = NDArray[np.float32]


def measure_curves(
    predictor: Predictor, patch: Patch, gene: int, maps: Sequence[AttributionMap], how: ExplainSettings, batch_size: int
) -> Generator[int, None, tuple[Curves, ...]]:
    """Cover and uncover a patch in the order of every map, and in random orders.

    Windows are replaced by the patch's mean colour. To uncover a patch in one order is to cover it in the reverse
    order, read backwards: random orders are predicted once for both curves.

    Yields
    ------
    int
        Patches predicted so far.
    """
    done, found = 0, list[Curves]()
    random: dict[int, NDArray[np.float64]] = {}
    generator = np.random.default_rng(how.seed)
    for one in maps:
        windows = Windows(len(one.values), len(patch))
        orders = [np.argsort(-one.values.ravel(), kind="stable")]
        orders.append(orders[0][::-1])
        if windows.count not in random:
            orders += [generator.permutation(len(windows)) for _ in range(how.random_orders)]
        steps = predict_many(predictor, _covered(patch, windows, orders), gene, batch_size)
        values, done = yield from _counted(steps, done)
        ends = predict_gene(predictor, np.stack([patch, fill_of(patch, windows, "mean colour")]), gene)
        curves = _with_ends(values.reshape(len(orders), -1), ends)
        random.setdefault(windows.count, curves[2:])
        others = random[windows.count]
        share = points(len(windows)) / len(windows)
        found.append(Curves(one.method, share, curves[0], curves[1][::-1], others, others[:, ::-1]))
    return tuple(found)


def points(windows: int) -> NDArray[np.intp]:
    """Return after how many windows a curve is measured, from none to all, as many covered here as are left there."""
    half = np.unique(np.rint(np.linspace(0, windows // 2, HALF)).astype(np.intp))
    return np.unique(np.concatenate([half, windows - half]))


def _covered(patch: Patch, windows: Windows, orders: Sequence[NDArray[np.intp]]) -> Iterator[Patch]:
    fill = fill_of(patch, windows, "mean colour")
    for order in orders:
        for count in points(len(windows))[1:-1]:
            chosen = np.zeros(len(windows), dtype=bool)
            chosen[order[:count]] = True
            yield windows.replaced(patch, fill, chosen)


def _counted(steps: Generator[int, None, Any], before: int) -> Generator[int, None, tuple[Any, int]]:
    """Run steps that count from 0 as steps that count from `before`; returns their result and the last count."""
    done = before
    while True:
        try:
            done = before + next(steps)
        except StopIteration as end:
            return end.value, done
        yield done


def _with_ends(inner: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    first, last = (np.full((len(inner), 1), value) for value in ends)
    return np.concatenate([first, inner, last], axis=1)


def check_curves(curves: Curves) -> tuple[Check, Check]:
    """Compare the areas under the curves of a map with those of random orders: all of them have to be beaten."""

    def area(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.trapezoid(values, curves.share, axis=-1))

    orders = len(curves.random_deletion)
    found = []
    for name, own, others, sign in (
        ("deletion", curves.deletion, curves.random_deletion, 1),
        ("insertion", curves.insertion, curves.random_insertion, -1),
    ):
        beaten = int((sign * area(own) < sign * area(others)).sum())
        does = "Covering" if name == "deletion" else "Uncovering"
        way = "falls faster" if name == "deletion" else "rises faster"
        sentence = (
            f"{does} the patch in the order of the map, the prediction {way} than in {beaten} of {orders} random "
            "orders."
        )
        found.append(Check(name, curves.method, beaten == orders, beaten, orders, sentence))
    return found[0], found[1]


def check_complete(gradients: Gradients) -> Check:
    """Compare the sum of integrated gradients with the difference that they are to sum to."""
    difference = gradients.whole - gradients.empty
    sentence = f"The map sums to {difference:.4f}, what the network adds to an empty map, within {gradients.gap:.1e}."
    passed = gradients.gap <= COMPLETE
    return Check("completeness", "integrated gradients", passed, gradients.gap, COMPLETE, sentence)


def check_fills(agreement: float) -> Check:
    """Compare the maps of the two fills."""
    sentence = f"The maps of the two fills, mean colour and blur, correlate by {agreement:.2f} (Spearman)."
    return Check("agreement of the fills", "occlusion", agreement >= FILLS_AGREE, agreement, FILLS_AGREE, sentence)


def check_methods(integrated: Floats, occlusion: Floats) -> Check:
    """Compare integrated gradients with occlusion; of maps with unlike grids the finer one is averaged."""
    if integrated.shape != occlusion.shape:
        small = min(integrated.shape, occlusion.shape)
        integrated, occlusion = (_shrunk(one, small) for one in (integrated, occlusion))
    found = rank_correlation(integrated, occlusion)
    sentence = f"Integrated gradients and occlusion correlate by {found:.2f} (Spearman)."
    passed = found >= METHODS_AGREE
    return Check("agreement with occlusion", "integrated gradients", passed, found, METHODS_AGREE, sentence)


def _shrunk(values: Floats, shape: tuple[int, ...]) -> Floats:
    """Average a map over the cells of a coarser one."""
    whole = torch.from_numpy(values)[None, None]
    found: Floats = torch.nn.functional.interpolate(whole, shape, mode="area")[0, 0].numpy()
    return found


def check_random_nets(
    predictor: TCGNPredictor | SumPredictor,
    patch: Patch,
    gene: int,
    maps: Sequence[AttributionMap],
    how: ExplainSettings,
    batch_size: int,
) -> Generator[int, None, tuple[Check, ...]]:
    """Compare maps with those of the same network whose stage d and head have random weights.

    Of these, windows are covered with the mean colour only: half of the predictions.

    Yields
    ------
    int
        Patches predicted so far.
    """
    found: dict[str, list[float]] = {one.method: [] for one in maps}
    done = 0
    for number in range(how.random_nets):
        net = with_random_end(predictor.net, how.seed + number)
        for one in maps:
            if one.method == "integrated gradients":
                other = gradients_of(net, predictor.card, patch, gene).integrated
            else:
                windows = Windows(len(one.values), len(patch))
                fill = fill_of(patch, windows, "mean colour")
                covered = (windows.replaced(patch, fill, chosen) for chosen in windows.one_by_one())
                steps = predict_many(_like(predictor, net), covered, gene, batch_size)
                values, done = yield from _counted(steps, done)
                other = -values.astype(np.float32)
            found[one.method].append(abs(rank_correlation(one.values, other)))
    return tuple(_check_changed(one, found[one.method]) for one in maps)


def _check_changed(one: AttributionMap, correlations: Sequence[float]) -> Check:
    mean = float(np.mean(correlations))
    sentence = (
        f"With random weights in stage d and head ({len(correlations)} times) the map correlates with itself by "
        f"{mean:.2f} on average (|Spearman|)."
    )
    return Check("random weights", one.method, mean < UNCHANGED, mean, UNCHANGED, sentence)


def with_random_end(net: TCGN, seed: int) -> TCGN:
    """Return a copy of a network with fresh random weights in its last stage and head."""
    last = net.head[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = TCGN(last.out_features, net.size)
    found = copy.deepcopy(net)
    for name in ("blocks_d", "_fc", "_bn", "head"):
        getattr(found, name).load_state_dict(getattr(fresh, name).state_dict())
    with torch.no_grad():
        found.get_parameter("relative_pos_d").copy_(fresh.get_parameter("relative_pos_d"))
    return found


def _like(predictor: TCGNPredictor | SumPredictor, net: TCGN) -> Predictor:
    """Return the same model with another network."""
    card: ModelCard = predictor.card
    network = TCGNPredictor(net, card, predictor.device)
    return SumPredictor(card, network, predictor.line) if isinstance(predictor, SumPredictor) else network
