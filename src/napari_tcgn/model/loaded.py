"""Models that stay in memory from one run to the next."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass

from napari_tcgn.model.card import Predictor
from napari_tcgn.options import PrecisionName


@dataclass(frozen=True, slots=True)
class _Key:
    source: str
    sha256: str  # of the weights: a folder may get others
    device: str
    precision: PrecisionName


class LoadedModels:
    """Loads models as `load_model` does, and hands out the latest ones again without loading them anew.

    Only models whose card tells the SHA-256 of their weights are kept: of others nobody could say that they are still
    the ones on the disk. A model that is kept predicts the same bytes as one that is loaded anew.

    Parameters
    ----------
    most : int
        So many are kept, those that were used last, and only of the device that was asked for last.
    """

    def __init__(self, most: int = 2) -> None:
        self._most = most
        self._kept: dict[_Key, Predictor] = {}  # in the order of their use
        self._loading = threading.Lock()  # who waits for it gets what the other has loaded

    def load(self, source: str, device: str, precision: PrecisionName) -> Predictor:
        """Return a model; may be called from any thread.

        Parameters
        ----------
        source : str
            Name, or path of a folder or checkpoint.
        device : str
            As `engine.choose_device` returns it.
        precision : {"float32", "bf16"}

        Raises
        ------
        ModelError, CheckpointError
            As `load_model` does.
        """
        from napari_tcgn.model import load_model, read_card

        with self._loading:
            key = _Key(source, read_card(source).sha256, device, precision)
            predictor = self._kept.pop(key, None)
            if predictor is None:
                predictor = load_model(source, device, precision)
            if key.sha256 and predictor.card.sha256 == key.sha256:
                self._kept[key] = predictor
            others = [old for old in list(self._kept) if old.device != device]
            self._forget([*others, *list(self._kept)[: -self._most]])
            return predictor

    def keep_only(self, sources: Collection[str]) -> None:
        """Forget the models of all other sources; none are left to forget everything."""
        self._forget([key for key in list(self._kept) if key.source not in sources])

    def _forget(self, keys: list[_Key]) -> None:
        # Without waiting for the lock: the main thread forgets models while another one loads for seconds.
        for key in keys:
            self._kept.pop(key, None)
