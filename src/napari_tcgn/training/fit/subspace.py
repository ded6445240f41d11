"""A few directions of expression that training is confined to: single genes of a spot are mostly noise.

The directions are the leading principal components of what the training spots are taught, every gene scaled to unit
variance (as in reduced-rank regression; Izenman 1975). Confining the output costs nothing at prediction, for the
projection becomes part of the last layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from napari_tcgn.training.data.dataset import Dataset


@dataclass(frozen=True, slots=True, eq=False)
class Subspace:
    """An affine subspace of expression.

    Attributes
    ----------
    loadings : float32 [components, genes]
        Orthonormal, for genes divided by `scale`.
    scale : float32 [genes]
    centre : float32 [genes]
        A point of the subspace.
    """

    loadings: torch.Tensor
    scale: torch.Tensor
    centre: torch.Tensor

    def scores(self, values: torch.Tensor) -> torch.Tensor:
        """Return the coordinates [B, components] of expression [B, genes]."""
        return (values - self.centre) / self.scale @ self.loadings.T

    def project(self, values: torch.Tensor) -> torch.Tensor:
        """Return the nearest expression [B, genes] in the subspace (genes measured in their scale)."""
        return self.centre + self.scores(values) @ self.loadings * self.scale

    def confine(self, last: nn.Linear) -> None:
        """Project whatever a layer returns, from now on."""
        last.register_forward_hook(lambda _module, _input, output: self.project(output.float()))

    def factors(self, weight: torch.Tensor, bias: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return a last layer [genes, in] that the subspace confines as two: to its directions, and to the genes.

        Returns
        -------
        dict of str to torch.Tensor
            The entries of a TCGN with directions: [k, in] and [k], [genes, k] and [genes].
        """
        return {
            "head.2.weight": (weight.T / self.scale @ self.loadings.T).T.contiguous(),
            "head.2.bias": self.scores(bias[None])[0],
            "from_directions.weight": (self.loadings * self.scale).T.contiguous(),
            "from_directions.bias": self.centre,
        }

    def folded(self, weight: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weight [genes, in] and bias [genes] of a layer that projects by itself."""
        rows = (weight.T / self.scale @ self.loadings.T @ self.loadings * self.scale).T
        return rows.contiguous(), self.project(bias[None])[0]


def leading_directions(dataset: Dataset, components: int, around_nothing: bool) -> Subspace:
    """Return the leading directions of what the training spots are taught.

    Parameters
    ----------
    dataset : Dataset
    components : int
    around_nothing : bool
        Let the subspace hold zero (a network that adds to a line) instead of the mean.
    """
    from sklearn.decomposition import PCA

    taught = dataset.taught[dataset.train].cpu().double().numpy()  # [n, genes]
    section_of = dataset.section_of[dataset.train].cpu().numpy()
    measured = dataset.measured.cpu().numpy()[section_of]
    within = np.zeros_like(taught)
    for section in np.unique(section_of):
        here = section_of == section
        within[here] = taught[here] - taught[here].mean(axis=0)
    within[~measured] = 0.0
    scale = within.std(axis=0)
    scale[scale < 1e-6] = 1.0  # a gene that does not vary keeps still
    # On the table of products of genes: the same to 1e-13 as a full decomposition, six times as fast for 8,000 spots;
    # but with more genes than spots that table is the larger one.
    solver = "covariance_eigh" if within.shape[0] > within.shape[1] else "full"
    components = min(components, *within.shape)
    directions = PCA(components, svd_solver=solver).fit(within / scale).components_
    centre = np.zeros(taught.shape[1])
    if not around_nothing:
        centre = np.where(measured, taught, 0).sum(axis=0) / np.maximum(measured.sum(axis=0), 1)

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(dataset.taught.device)

    return Subspace(tensor(directions), tensor(scale), tensor(centre))
