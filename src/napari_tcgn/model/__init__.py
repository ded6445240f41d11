"""TCGN, model cards, weights and the registry of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from napari_tcgn.model.card import ModelCard, Predictor
    from napari_tcgn.model.prepare import prepare_patches
    from napari_tcgn.model.registry import list_models, load_model
    from napari_tcgn.model.tcgn import TCGN
    from napari_tcgn.model.weights import save_model

__all__ = ["TCGN", "ModelCard", "Predictor", "list_models", "load_model", "prepare_patches", "save_model"]

# Importing a card must not cost importing torch.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "card": ["ModelCard", "Predictor"],
        "prepare": ["prepare_patches"],
        "registry": ["list_models", "load_model"],
        "tcgn": ["TCGN"],
        "weights": ["save_model"],
    },
)
