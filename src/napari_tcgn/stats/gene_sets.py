"""Gene sets: read, looked up in a panel, scored per spot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.files import open_text, reading

SCORE_UNIT = "mean of z-scores"


@dataclass(frozen=True)
class GeneSet:
    """A named list of genes.

    Attributes
    ----------
    name : str
    genes : tuple of str
        Each once, in the order given.
    """

    name: str
    genes: tuple[str, ...]


@dataclass(frozen=True)
class GeneSetScore:
    """A gene set's score at every spot.

    Attributes
    ----------
    values : float32 [n]
        Mean over the used genes of their z-scores over the spots; NaN where a spot has no values.
    used, constant, missing : tuple of str
        Genes of the set that count, that are the same at every spot and therefore say nothing, and that the panel
        lacks.
    """

    values: NDArray[np.float32]
    used: tuple[str, ...]
    constant: tuple[str, ...]
    missing: tuple[str, ...]


def parse_gene_names(text: str) -> tuple[str, ...]:
    """Return the names in a pasted text, separated by spaces, commas, semicolons or line ends; each once."""
    return tuple(dict.fromkeys(name.strip("\"'") for name in re.split(r"[\s,;]+", text) if name.strip("\"'")))


def read_gmt(path: Path) -> list[GeneSet]:
    """Read gene sets in the GMT format of MSigDB: name, description and genes, separated by tabs, one set a line.

    Raises
    ------
    DataError
        If the file cannot be read, a line is not such a set, a set has no genes, or a name occurs twice.
    """
    hint = "Give a .gmt file: on each line a name, a description and the genes, separated by tabs."
    with reading(str(path), DataError, hint), open_text(path) as file:
        lines = file.read().splitlines()
    sets: dict[str, GeneSet] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, *rest = (field.strip() for field in line.split("\t"))
        genes = tuple(dict.fromkeys(gene for gene in rest[1:] if gene))
        if not name or not genes:
            raise DataError(f"Line {number} of {path.name} is not a gene set: {line[:60]!r}.", hint)
        if name in sets:
            raise DataError(
                f"{path.name} names the set {name!r} twice (line {number}).", "Give every set its own name."
            )
        sets[name] = GeneSet(name, genes)
    if not sets:
        raise DataError(f"{path.name} holds no gene set.", hint)
    return list(sets.values())


def score_gene_set(
    values: ArrayLike, genes: Sequence[str], gene_set: GeneSet, panel: Sequence[str] | None = None
) -> GeneSetScore:
    """Score a gene set at every spot: the mean of its genes' z-scores.

    A gene's z-score is its value less its mean over the spots, divided by its standard deviation over them: every gene
    counts alike, and 0 is an average spot of this slide. Scores of different slides are therefore not comparable.

    Parameters
    ----------
    values : float array [n, len(genes)]
        NaN where a spot has no value. A spot is scored if it has values of all genes that are used.
    genes : sequence of str
        Of the columns.
    gene_set : GeneSet
        Names must be written as in the panel: "Gnas" of the mouse is not "GNAS".
    panel : sequence of str or None
        All genes that there are, for what is said of missing ones; None: `genes`.

    Raises
    ------
    DataError
        If the set is empty, or none of its genes is in the panel and varies over the spots.
    """
    if not gene_set.genes:
        raise DataError("The gene set is empty.", "Give at least one gene.")
    column = {gene: i for i, gene in enumerate(genes)}
    found = [gene for gene in gene_set.genes if gene in column]
    missing = tuple(gene for gene in gene_set.genes if gene not in column)
    if not found:
        panel = genes if panel is None else panel
        near = nearest_names(missing[0], panel, 1)
        raise DataError(
            f"None of the {len(missing)} genes of {gene_set.name!r} is in the panel of {len(panel)} genes "
            f"(the first: {missing[0]!r}{f', the panel has {near[0]!r}' if near else ''}).",
            "Give gene symbols written as in the panel, of the same organism.",
        )
    table = np.asarray(values)[:, [column[gene] for gene in found]].astype(np.float64)
    rows = ~np.isnan(table).any(axis=1)
    known = table[rows]
    mean = known.mean(axis=0) if len(known) else np.zeros(len(found))
    sd = known.std(axis=0) if len(known) else np.zeros(len(found))
    varies = sd > 1e-9 * np.maximum(np.abs(mean), 1e-12)
    if not varies.any():
        raise DataError(
            f"No gene of {gene_set.name!r} varies over the spots that have values ({len(known)}).",
            "Give genes that differ between spots, or wait until more spots are predicted.",
        )
    scores = np.full(len(table), np.nan, dtype=np.float32)
    scores[rows] = ((known[:, varies] - mean[varies]) / sd[varies]).mean(axis=1)
    used = tuple(gene for gene, v in zip(found, varies, strict=True) if v)
    constant = tuple(gene for gene, v in zip(found, varies, strict=True) if not v)
    return GeneSetScore(scores, used, constant, missing)


def nearest_names(name: str, genes: Iterable[str], count: int = 3) -> list[str]:
    """Return the genes whose names are most like a name, the best first; none where nothing is like it."""
    from difflib import get_close_matches

    upper = name.upper()
    by_upper = {gene.upper(): gene for gene in genes}
    if upper in by_upper:
        return [by_upper[upper]]
    # Comparing thousands of names takes a while; a typing error seldom changes the length by much or the first letter.
    likely = [gene for gene in by_upper if abs(len(gene) - len(upper)) <= 2 and gene[:1] == upper[:1]]
    return [by_upper[match] for match in get_close_matches(upper, likely, count, 0.6)]
