"""Two genes at one spot: how far their maps are alike, and what a model of few directions makes of that."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tcgn.errors import DataError
from napari_tcgn.explanation.occlusion import rank_correlation
from napari_tcgn.explanation.result import Explanation


@dataclass(frozen=True, slots=True)
class TwoGenes:
    """The maps of two genes at one spot beside each other.

    Attributes
    ----------
    genes : tuple of str
    spot : str
    alike : dict of float
        Spearman's correlation of the two maps by their method; 0 where one of them is constant.
    directions : int or None
        Into so few the model's output is confined; None: unknown, or not confined.
    """

    genes: tuple[str, str]
    spot: str
    alike: dict[str, float]
    directions: int | None

    @property
    def sentence(self) -> str:
        """What is to be known of the two, in plain words."""
        first, second = self.genes
        maps = " and ".join(f"{rho:.2f} ({method})" for method, rho in self.alike.items())
        said = f"The maps of {first} and {second} at spot {self.spot} correlate by {maps}, Spearman's."
        if self.directions is None:
            return said
        if self.directions == 1:
            return f"{said} The model has one map only: every gene's is that or its negative."
        return (
            f"{said} The model has {self.directions} maps only, of which both are mixtures: genes whose maps are alike "
            "need not have anything else in common."
        )


def compare_genes(first: Explanation, second: Explanation) -> TwoGenes:
    """Compare the signed maps of two genes at one spot.

    Parameters
    ----------
    first, second : Explanation
        Of the same model, slide and spot, for two genes.

    Returns
    -------
    TwoGenes

    Raises
    ------
    DataError
        If they are of two spots, slides or models, of one gene, or have no signed map in common.
    """
    about = [(one.model, one.library_id, one.spot) for one in (first, second)]
    if about[0] != about[1]:
        names = " and ".join(f"{gene.gene} at {gene.spot} of {gene.library_id} by {gene.model}"
                             for gene in (first, second))  # fmt: skip
        raise DataError(f"These cannot be compared: {names}.", "Explain two genes at one spot with one model.")
    if first.gene == second.gene:
        raise DataError(f"Both explanations are of {first.gene}.", "Explain another gene at this spot.")
    alike = dict[str, float]()
    for one in first.maps:
        other = second.map_of(one.method)
        if one.signed and other is not None and other.values.shape == one.values.shape:
            alike[one.method] = rank_correlation(one.values, other.values)
    if not alike:
        raise DataError("The two explanations have no signed map in common.", "Use windows of one size.")
    return TwoGenes((first.gene, second.gene), first.spot, alike, first.directions)
