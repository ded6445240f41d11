"""A TCGN with its card, ready to predict from patches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_tcgn.errors import CheckpointError, ModelError
from napari_tcgn.files import sha256_of
from napari_tcgn.model.card import DomainOf, KnowsDomain, KnowsIntervals, ModelCard, Predictor
from napari_tcgn.model.gene_intervals import GeneIntervals
from napari_tcgn.model.inference import for_inference
from napari_tcgn.model.prepare import prepare_patches
from napari_tcgn.model.tcgn import TCGN
from napari_tcgn.model.weights import CARD_NAME, load_into, read_checkpoint
from napari_tcgn.options import PrecisionName, with_new_names

LINE = "line."  # begins the names of the numbers of the line that a network adds to
PRODUCTS: dict[PrecisionName, torch.dtype | None] = {"float32": None, "bf16": torch.bfloat16}


class TCGNPredictor:
    """Predict expression with a TCGN (see `Predictor`).

    Parameters
    ----------
    net : TCGN
    card : ModelCard
    device : str
        "cpu", "cuda", "cuda:1", "mps".
    precision : {"float32", "bf16"}
        Of the large products, see `for_inference`.

    Attributes
    ----------
    net : TCGN
        As it was trained, for whoever needs gradients or activations.
    """

    domain_of: DomainOf | None = None
    intervals: GeneIntervals | None = None

    def __init__(self, net: TCGN, card: ModelCard, device: str = "cpu", precision: PrecisionName = "float32") -> None:
        self.card = card
        self.device = device
        self.net = net.to(device).eval()
        self._fast = for_inference(self.net, PRODUCTS[precision])

    def predict(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict uint8 patches [B, H, W, 3] as float32 [B, genes] on the card's output scale."""
        values: NDArray[np.float32] = self._forward(_tensor(patches).to(self.device)).cpu().numpy()
        return values

    def attention(self, patches: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """Return the attention that draws the graphs of both GNN blocks, as `predict` computes it.

        Parameters
        ----------
        patches : uint8 [B, H, W, 3]

        Returns
        -------
        two of float32 [B, 2 heads, 196, 196]
            From token (row) to token (column), row-major over the 14 x 14 tokens of the network's input;
            `build_graph` makes of them the graphs that the network used.
        """
        seen: list[Tensor] = []

        def keep(_: nn.Module, __: tuple[Tensor, ...], found: tuple[Tensor, Tensor]) -> None:
            seen.append(found[1])

        blocks = (self._fast.gnn_block0, self._fast.gnn_block1)
        hooks = [block.MHSA.register_forward_hook(keep) for block in blocks]
        try:
            self._forward(_tensor(patches).to(self.device))
        finally:
            for hook in hooks:
                hook.remove()
        first, second = seen
        return first, second

    def _forward(self, batch: Tensor) -> Tensor:
        """Predict uint8 patches [B, H, W, 3] on the device as float32 [B, genes] there."""
        with torch.inference_mode():
            return self._fast(prepare_patches(batch, self.card).contiguous(memory_format=torch.channels_last))


class CudaPredictor(TCGNPredictor):
    """A `TCGNPredictor` that starts a batch and fetches it later (see `StartingPredictor`).

    Patches go up on a stream of their own from pinned memory while the batch before is computed; values come down
    into pinned memory.
    """

    def __init__(self, net: TCGN, card: ModelCard, device: str, precision: PrecisionName = "float32") -> None:
        super().__init__(net, card, device, precision)
        self._upload = torch.cuda.Stream(device)

    def _forward(self, batch: Tensor) -> Tensor:
        # PyTorch's own choice, TF32 in convolutions, is off by 7e-4 of the largest value and no faster (docs/speed.md)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return super()._forward(batch)

    def start(self, patches: NDArray[np.uint8]) -> Callable[[], NDArray[np.float32]]:
        """Start what `predict` does, and return the call that waits for the result."""
        stream = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self._upload):
            batch = _tensor(patches).pin_memory().to(self.device, non_blocking=True)
        stream.wait_stream(self._upload)
        batch.record_stream(stream)  # its memory is not to be used again before the model has read it
        values = self._forward(batch)
        fetched = torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values, non_blocking=True)
        ready = stream.record_event()

        def wait() -> NDArray[np.float32]:
            ready.synchronize()
            result: NDArray[np.float32] = fetched.numpy()
            return result

        return wait


class SumPredictor:
    """Two predictors whose values are added: a network that was trained on top of a line through simple features.

    Attributes
    ----------
    network : TCGNPredictor
    line : Predictor
        The two, whose values are the shares of a prediction.
    """

    domain_of: DomainOf | None = None
    intervals: GeneIntervals | None = None

    def __init__(self, card: ModelCard, network: TCGNPredictor, line: Predictor) -> None:
        self.card, self.device, self.net = card, network.device, network.net
        self.network, self.line = network, line

    def predict(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict uint8 patches [B, H, W, 3] as float32 [B, genes] on the card's output scale."""
        return self.network.predict(patches) + self.line.predict(patches)


def make_predictor(net: TCGN, card: ModelCard, device: str, precision: PrecisionName) -> TCGNPredictor:
    """Return the predictor that suits the device."""
    kind = CudaPredictor if device.startswith("cuda") else TCGNPredictor
    return kind(net, card, device, precision)


def _tensor(patches: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(patches))


def build_net(card: ModelCard) -> TCGN:
    """Build the network a card describes, with fresh weights.

    Raises
    ------
    ModelError
        If the architecture is not a TCGN.
    """
    family = card.architecture.get("family")
    if family != "tcgn":
        raise ModelError(
            f"Model {card.name!r} is of the family {family!r}, which is not known here.",
            "Install the package that provides it, or use a model of the family tcgn or ridge.",
        )
    size, directions = card.architecture.get("size", "tiny"), card.architecture.get("directions", 0)
    return TCGN(num_classes=len(card.genes), size=size, directions=directions)


def load_folder(folder: Path, device: str = "cpu", precision: PrecisionName = "float32") -> Predictor:
    """Load a model folder: `card.json` and the weights it names.

    Raises
    ------
    ModelError
        If the card is missing or wrong.
    CheckpointError
        If the weights are missing, do not have the card's SHA-256, or do not fit.
    """
    card = ModelCard.read(Path(folder) / CARD_NAME)
    if card.weights != Path(card.weights).name:
        raise ModelError(
            f"The card of model {card.name!r} names weights outside its folder ({card.weights!r}).",
            "Keep the weights beside the card, and name the file alone.",
        )
    weights = Path(folder) / card.weights
    if not card.weights or not weights.is_file():
        raise CheckpointError(f"The weights {weights} of model {card.name!r} are missing.", "Restore the file.")
    if card.sha256 and (found := sha256_of(weights)) != card.sha256:
        raise CheckpointError(
            f"{weights} has SHA-256 {found[:12]}…, its card says {card.sha256[:12]}…: the file was changed or damaged.",
            "Restore the weights that belong to the card.",
        )
    return from_weights(card, weights, device, precision)


def from_weights(card: ModelCard, weights: Path, device: str, precision: PrecisionName) -> Predictor:
    """Build the predictor that a card describes from weights, with the domain and intervals that lie beside them.

    Raises
    ------
    ModelError, CheckpointError
        See `load_folder`.
    """
    from napari_tcgn.model.intervals import read_intervals
    from napari_tcgn.model.ridge import RidgePredictor
    from napari_tcgn.model.spot_domain import DomainOfPatches, domain_features, read_domain

    predictor = _without_domain(card, weights, device, precision)
    if isinstance(predictor, KnowsIntervals):
        predictor.intervals = read_intervals(weights.parent, card)
    domain = read_domain(weights.parent, card)
    if domain is not None and isinstance(predictor, KnowsDomain):
        extract = domain_features(card, device)
        predictor.domain_of = DomainOfPatches(domain, extract)
        if isinstance(predictor, RidgePredictor) and predictor.sees_features_of(extract):
            predictor.domain_of_features = domain.p_values
    return predictor


def _without_domain(card: ModelCard, weights: Path, device: str, precision: PrecisionName) -> Predictor:
    """Build the predictor that a card describes from a file of weights.

    Raises
    ------
    ModelError
        If the architecture is of a family that is not known here.
    CheckpointError
        If the weights are damaged, unsafe or do not fit.
    """
    state = read_checkpoint(weights)
    if card.architecture.get("family") == "ridge":
        from napari_tcgn.model.ridge import from_state

        return from_state(card, state, device)
    net = build_net(card)
    residual = with_new_names(card.architecture).get("residual")
    line = {name.removeprefix(LINE): value for name, value in state.items() if residual and name.startswith(LINE)}
    load_into(net, {name: v for name, v in state.items() if name.removeprefix(LINE) not in line}, str(weights))
    predictor = make_predictor(net, card, device, precision)
    if not residual:
        return predictor
    from napari_tcgn.model.ridge import feature_card, from_state

    return SumPredictor(card, predictor, from_state(feature_card(card, str(residual)), line, device))
