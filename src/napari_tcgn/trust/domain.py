"""The domain of a model: where the patches of its training sections lie, and how far sections lie from each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.model import SpotDomain, by_ratio

Floats = NDArray[np.float64]

MIN_SECTIONS = 2  # one has none to be far from
MIN_SPOTS = 10  # of all sections together
COMPONENTS = 64
LEAST_VARIANCE = 1e-4  # of a component, share of a feature's: below are features that follow from others
# So that the file stays under 1 MB, also with 64 components.
PATCHES, QUANTILES, SECTIONS = 5_000, 256, 200


def fit_domain(features: Mapping[str, NDArray[np.floating]], seed: int = 0) -> SpotDomain | None:
    """Return what training sections say of which patches a model knows.

    Parameters
    ----------
    features : mapping of str to float array [n, features]
        Of the patches of every section, by its name (`model.domain_features`).
    seed : int
        Chooses among the patches of large sections, alike from each.

    Returns
    -------
    SpotDomain or None
        None with a single section, or hardly any spots: nothing says then what is usual.
    """
    tables = {name: by_ratio(values) for name, values in features.items() if len(values)}
    if len(tables) < MIN_SECTIONS or sum(map(len, tables.values())) < MIN_SPOTS:
        return None
    rng = np.random.default_rng(seed)
    names = sorted(tables)
    left_out = names if len(names) <= SECTIONS else sorted(rng.choice(names, SECTIONS, replace=False).tolist())
    some = {name: _some(tables[name], PATCHES // len(tables) + 1, rng) for name in names}
    distances = []
    for name in left_out:
        others = _space([some[other] for other in names if other != name], ())
        distances.append(_quantiles(others.distance(features[name])))
    whole = _space([some[name] for name in names], tuple(names))
    return SpotDomain(
        whole.centre, whole.scale, whole.directions, whole.points, np.stack(distances).astype(np.float32), tuple(names)
    )


def _some(table: Floats, most: int, rng: np.random.Generator) -> Floats:
    return table if len(table) <= most else table[np.sort(rng.choice(len(table), most, replace=False))]


def _space(tables: list[Floats], names: tuple[str, ...]) -> SpotDomain:
    """Return the space of some sections, with no distances between sections yet."""
    together = np.concatenate(tables)
    centre, spread = together.mean(axis=0), together.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    standard = (together - centre) / scale
    _, size, directions = np.linalg.svd(standard, full_matrices=False)
    variance = size**2 / len(standard)
    kept = np.flatnonzero(variance > LEAST_VARIANCE)[:COMPONENTS]
    along = directions[kept].T / np.sqrt(variance[kept])
    # As they will be read again: the distances between sections are those of the same numbers.
    points = (standard @ along).astype(np.float16).astype(np.float32)
    none = np.zeros((0, QUANTILES), np.float32)
    single = [np.asarray(values, dtype=np.float32) for values in (centre, scale, along)]
    return SpotDomain(single[0], single[1], single[2], points, none, names)


def _quantiles(distances: Floats) -> Floats:
    found: Floats = np.quantile(distances, (np.arange(QUANTILES) + 0.5) / QUANTILES)
    return found
