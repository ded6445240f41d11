"""Spatial domains and niches of predicted and of measured expression, and how far they agree."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, identity

from napari_tcgn.comparison.records import DomainAgreement
from napari_tcgn.options import CompareSettings
from napari_tcgn.spots import Lattice
from napari_tcgn.stats import pearson_per_gene, random_shifts, row_scaled

Floats = NDArray[np.float64]
COMPONENTS = 30
MANY = 1_500  # rows of a table, of which computing all components takes longer than the few wanted
SHIFTS = 199  # of the null of the ARI


def leiden_domains(values: Floats, settings: CompareSettings) -> NDArray[np.intp]:
    """Cluster spots by their expression: principal components, shared nearest neighbours, Leiden.

    Two spots among each other's nearest are joined with the share of neighbours that they have in common (Levine et
    al. 2015); the graph is divided by the Leiden algorithm on its modularity (Traag et al. 2019), as
    `scanpy.tl.leiden(flavor="igraph")` does. Nothing is compiled on the way, so that it takes seconds.

    Parameters
    ----------
    values : float64 [n, genes]
        Log expression; genes are centred, not scaled.
    settings : CompareSettings
        resolution, neighbours, seed.

    Returns
    -------
    intp [n]
        Domains from 0, the largest first.
    """
    import igraph

    graph = _shared_neighbours(_components(values), min(settings.neighbours, len(values) - 1)).tocoo()
    upper = graph.row < graph.col
    edges = np.column_stack([graph.row[upper], graph.col[upper]])
    network = igraph.Graph(n=len(values), edges=edges.tolist())
    igraph.set_random_number_generator(random.Random(settings.seed))
    try:
        found = network.community_leiden(
            objective_function="modularity",
            weights=graph.data[upper].tolist(),
            resolution=settings.resolution,
            n_iterations=-1,
        )
    finally:
        igraph.set_random_number_generator(random)  # igraph's own default
    labels = np.array(found.membership)
    by_size = np.argsort(-np.bincount(labels), kind="stable")
    rank: NDArray[np.intp] = np.argsort(by_size)[labels].astype(np.intp)
    return rank


def _components(values: Floats) -> Floats:
    """Return the first principal components of the spots, float64 [n, up to 30]."""
    centred = values - values.mean(axis=0)
    wide = centred.shape[1] > centred.shape[0]
    # By the smaller of the two tables of products: as scikit-learn's PCA (to 1e-12), but 3 to 20 times as fast.
    size, vectors = _largest(centred @ centred.T if wide else centred.T @ centred)
    vectors = vectors[:, ::-1][:, :COMPONENTS]
    scale = np.sqrt(np.maximum(size[::-1][:COMPONENTS], 0))
    scores: Floats = vectors * scale if wide else centred @ vectors
    return scores


def _largest(products: Floats) -> tuple[Floats, Floats]:
    """Return the largest eigenvalues, the smallest of them first, and their vectors; all of a small table."""
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh

    if len(products) > MANY:
        try:
            size, vectors = eigsh(products, k=COMPONENTS, which="LA", v0=np.ones(len(products)))
            order = np.argsort(size)
            return size[order], vectors[:, order]
        except ArpackNoConvergence:
            pass  # the slow way knows no such thing
    size, vectors = np.linalg.eigh(products)
    return size, vectors


def _shared_neighbours(scores: Floats, count: int) -> csr_matrix:
    """Return the share of common neighbours (Jaccard index) of every pair of near spots, sparse [n, n], symmetric."""
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=count + 1).fit(scores).kneighbors_graph(scores)  # a spot is its own neighbour
    near = csr_matrix(near)
    common = (near @ near.T).multiply(near + near.T > 0)
    total = count + 1
    common.data = common.data / (2 * total - common.data)
    return csr_matrix(common)


def domain_agreement(
    predicted: NDArray[np.intp],
    measured: NDArray[np.intp],
    lattice: Lattice,
    baselines: dict[str, Floats],
    seed: int = 0,
) -> DomainAgreement:
    """Return how far two divisions of a section into domains agree.

    Parameters
    ----------
    predicted, measured : intp [n]
    lattice : Lattice
    baselines : dict of str to float64 [n]
        Simple predictors (depth, haematoxylin), cut into as many equal parts as there are measured domains: what an
        ARI is worth.
    seed : int

    Returns
    -------
    DomainAgreement
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    ari = float(adjusted_rand_score(measured, predicted))
    shifted = [float(adjusted_rand_score(measured[b], predicted[a])) for a, b in random_shifts(lattice, SHIFTS, seed)]
    parts = int(measured.max()) + 1
    return DomainAgreement(
        n_predicted=int(predicted.max()) + 1,
        n_measured=parts,
        ari=ari,
        nmi=float(normalized_mutual_info_score(measured, predicted)),
        ari_shifted=float(np.mean(shifted)) if shifted else None,
        p=(1 + sum(value >= ari for value in shifted)) / (1 + len(shifted)) if shifted else None,
        shifts=len(shifted),
        ari_of={name: float(adjusted_rand_score(measured, _cut(v, parts))) for name, v in baselines.items()},
    )


def _cut(values: Floats, parts: int) -> NDArray[np.intp]:
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return (rank * parts // len(values)).astype(np.intp)


def niche_table(predicted: NDArray[np.intp], measured: NDArray[np.intp], lattice: Lattice) -> pd.DataFrame:
    """Compare the niches of spots: what share of a spot's neighbourhood lies in a domain.

    Every measured domain is paired with the predicted one that shares most spots with it (assignment that is best in
    all; Kuhn 1955). Its niche score at a spot is its share among the spot and its neighbours.

    Parameters
    ----------
    predicted, measured : intp [n]
    lattice : Lattice

    Returns
    -------
    pandas.DataFrame
        A row per measured domain: domain, predicted_domain (-1: none left), spots, predicted_spots, common_spots,
        pcc of the niche scores (NaN where one of them is constant).
    """
    from scipy.optimize import linear_sum_assignment

    sizes = (int(measured.max()) + 1, int(predicted.max()) + 1)
    common = np.zeros(sizes, dtype=np.int64)
    np.add.at(common, (measured, predicted), 1)
    partner = dict(zip(*linear_sum_assignment(-common), strict=True))
    around = row_scaled(csr_matrix(lattice.neighbour_weights() > 0) + identity(len(measured), format="csr"))
    rows = []
    for domain in range(sizes[0]):
        other = int(partner.get(domain, -1))
        of_measured, of_predicted = (around @ (labels == n).astype(np.float64)[:, None] for labels, n in (
            (measured, domain), (predicted, other)))  # fmt: skip
        rows.append(
            {
                "domain": domain,
                "predicted_domain": other,
                "spots": int((measured == domain).sum()),
                "predicted_spots": int((predicted == other).sum()),
                "common_spots": int(common[domain, other]) if other >= 0 else 0,
                "pcc": float(pearson_per_gene(of_predicted, of_measured)[0]),
            }
        )
    return pd.DataFrame(rows)
