"""The negative binomial likelihood of raw counts, with the network's output left on the scale of the card.

A count is taken as negative binomial with mean = counts of the spot x share of the gene and a dispersion per gene, as
in DESeq2 (Love et al. 2014) and scVI (Lopez et al. 2018). The share is what the output z stands for: a card's scale is
z = log10(1 + 1e4 share), so share = (10^z - 1) / 1e4. Below `KNEE`, where that would reach zero and then turn
negative, the logarithm of the share goes on as a straight line with the same slope: every output has a positive share,
and the gradient is finite everywhere.

A network so trained says the scale of the expected share. That is more than the mean of the scaled counts where spots
are shallow, for the logarithm of a mean is not the mean of logarithms; correlations within a section hardly mind.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

KNEE = 0.1  # a share of 2.6e-5: a count in every 40,000
PER = 1e4
LN10 = math.log(10)
# The dispersions at the start are kept within these bounds (of r = 1 / dispersion).
SMALLEST, LARGEST = 1e-2, 1e4


def log_share(output: Tensor) -> Tensor:
    """Return the natural logarithm of the share that an output on the card's scale stands for; any shape."""
    above = output.clamp(min=KNEE)
    # ln((10^z - 1) / 1e4), written so that a large z does not overflow
    exact = above * LN10 + torch.log1p(-torch.exp(-above * LN10)) - math.log(PER)
    slope = LN10 / (1 - 10**-KNEE)
    return exact + (output - above) * slope


def scaled_share(share: Tensor) -> Tensor:
    """Return a share on the card's scale: log10(1 + 1e4 share)."""
    return torch.log10(1 + PER * share)


def log_likelihood(counts: Tensor, log_mean: Tensor, log_size: Tensor) -> Tensor:
    """Return the logarithm of the negative binomial probability of counts.

    Parameters
    ----------
    counts : float [B, genes]
    log_mean : float [B, genes]
        Natural logarithm of the mean.
    log_size : float [genes]
        Natural logarithm of r = 1 / dispersion: variance = mean + mean^2 / r. In scipy's words n = r and
        p = r / (r + mean).

    Returns
    -------
    float [B, genes]
    """
    size = log_size.exp()
    log_total = torch.logaddexp(log_size.expand_as(log_mean), log_mean)  # ln(r + mean)
    ways = torch.lgamma(counts + size) - torch.lgamma(size) - torch.lgamma(counts + 1)
    return ways + size * (log_size - log_total) + counts * (log_mean - log_total)


class NegativeBinomial(nn.Module):
    """Minus the mean log-likelihood of counts, with a dispersion per gene that is learnt along with the network.

    Parameters
    ----------
    counts : float [n, genes]
        Of the training spots.
    measured : bool [n, genes]

    Attributes
    ----------
    log_size : float [genes]
        See `log_likelihood`; starts at the moments' estimate around a share that is the same at every spot.
    """

    def __init__(self, counts: Tensor, measured: Tensor) -> None:
        super().__init__()
        total = counts.sum(1, keepdim=True)  # [n, 1]
        mean = torch.where(measured, total * mean_share(counts, measured), 0.0)
        beyond = torch.where(measured, (counts - mean).square() - mean, 0.0).sum(0)  # more than Poisson's variance
        size = mean.square().sum(0) / beyond.clamp(min=1e-12)
        self.log_size = nn.Parameter(size.clamp(SMALLEST, LARGEST).log())

    def forward(self, predicted: Tensor, counts: Tensor, measured: Tensor) -> Tensor:
        """Return the loss (scalar) of outputs [B, genes] on the card's scale; empty spots say nothing."""
        total = counts.sum(1, keepdim=True)  # [B, 1]: over the genes of the panel that the section has
        counted = measured & (total > 0)
        found = log_likelihood(counts, total.clamp(min=1).log() + log_share(predicted), self.log_size)
        return -torch.where(counted, found, 0.0).sum() / counted.sum().clamp(min=1)


def mean_share(counts: Tensor, measured: Tensor) -> Tensor:
    """Return each gene's share [genes] of all counts of the spots [n, genes] whose section has the gene."""
    total = counts.sum(1, keepdim=True)
    return torch.where(measured, counts, 0.0).sum(0) / torch.where(measured, total, 0.0).sum(0).clamp(min=1)
