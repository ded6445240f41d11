"""Panels chosen on the training sections of a fold and on nothing else: the most variable genes, or all measurable."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_tcgn.engine import Progress
from napari_tcgn.errors import DataError
from napari_tcgn.model import read_panel
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.data.own_sections import counts_and_spots
from napari_tcgn.training.data.section import MeasuredSection, SectionFiles

if TYPE_CHECKING:
    import pandas as pd

MIN_SEEN = 0.05  # share of spots that must have a count of a gene: what is rarer is variable by chance
DEFAULT_PANEL = "her2st_785"


@dataclass(frozen=True, slots=True)
class Panel:
    """The genes that a model predicts.

    Attributes
    ----------
    genes : list of str
        In output order.
    source : str
        Where they come from, in words.
    """

    genes: list[str]
    source: str


def given_panel(genes: Sequence[str] | None) -> Panel:
    """Return a panel that was fixed in advance; None: the 785 genes of the HER2+ study."""
    if genes is None:
        return Panel(read_panel(DEFAULT_PANEL), DEFAULT_PANEL)
    return Panel(list(genes), f"{len(genes)} genes given")


def is_chosen(settings: TrainSettings) -> bool:
    """Whether every fold chooses its own genes, on its training sections."""
    return bool(settings.top_genes or settings.measurable)


def fold_panel(
    training: Sequence[SectionFiles],
    settings: TrainSettings,
    genes: Sequence[str] | None,
    known: Mapping[str, pd.DataFrame] | None = None,
) -> Generator[Progress, None, Panel]:
    """Return the panel of a fold: what was given, or the genes that its training sections choose.

    Parameters
    ----------
    training : sequence of SectionFiles
    settings : TrainSettings
        `top_genes` and `measurable`; neither: what was given.
    genes : sequence of str or None
    known : mapping of str to pandas.DataFrame, optional
        `gene_table` of sections where it is known already.

    Raises
    ------
    DataError
        If there are not enough genes to choose from.
    """
    if not is_chosen(settings):
        return given_panel(genes)
    tables = {}
    for number, section in enumerate(training):
        if known is None or section.name not in known:
            yield Progress("choose genes", number, len(training))
            tables[section.name] = gene_table(section, settings)
        else:
            tables[section.name] = known[section.name]
    if settings.measurable:
        return measurable_panel(tables, settings.measurable, genes)
    return choose_panel(tables, settings.top_genes, genes)


def gene_table(section: SectionFiles, settings: TrainSettings) -> pd.DataFrame:
    """Return what a section says of its genes: `seen`, and `dispersion` where the most variable are wanted."""
    return variability(section) if settings.top_genes else seen(section)


def seen(section: SectionFiles) -> pd.DataFrame:
    """Return the share of a section's spots with counts that have one of a gene, as column `seen` [genes]."""
    import pandas as pd

    table = counts_and_spots(section)[0].table
    values = table.to_numpy()[(table.sum(axis=1) > 0).to_numpy()] > 0
    share = values.mean(axis=0) if len(values) else np.full(table.shape[1], np.nan)
    return pd.DataFrame({"seen": share}, index=table.columns.astype(str))


def measurable_panel(
    tables: Mapping[str, pd.DataFrame], share: float, candidates: Sequence[str] | None = None
) -> Panel:
    """Return every gene that is seen often enough in every training section, by name.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        `seen` of every training section, by its name.
    share : float
        Of the spots with counts that must have one of the gene.
    candidates : sequence of str, optional
        Choose among these; default: all genes.

    Raises
    ------
    DataError
        If there is none.
    """
    often = set.intersection(*(set(table.index[table["seen"] >= share]) for table in tables.values()))
    if candidates is not None:
        often &= set(candidates)
    if not often:
        raise DataError(
            f"No gene is seen in {share:.0%} of the spots of each of the {len(tables)} training sections.",
            "Ask for a smaller share (--genes measurable:0.01).",
        )
    return Panel(sorted(often), f"seen in at least {share:.0%} of the spots of each of {', '.join(tables)}")


def variability(section: SectionFiles) -> pd.DataFrame:
    """Return how variable every gene of a section is.

    Parameters
    ----------
    section : SectionFiles

    Returns
    -------
    pandas.DataFrame [genes, ("dispersion", "seen")]
        dispersion: variance over mean, standardised among genes of a similar mean (scanpy's `highly_variable_genes`,
        flavour "seurat", after Satija et al. 2015), of counts scaled to 10,000 per spot and log(1 + x); 0 for a gene
        without counts. seen: share of spots that have a count of the gene. Both NaN where fewer than two spots have
        counts.
    """
    import anndata
    import pandas as pd
    import scanpy

    table = counts_and_spots(section)[0].table
    table = table.loc[table.sum(axis=1) > 0]
    if len(table) < 2:  # nothing varies over one spot
        return pd.DataFrame({"dispersion": np.nan, "seen": np.nan}, index=table.columns.astype(str))
    values = np.array(table, dtype=np.float32)  # a copy: pandas 3 hands out what cannot be written
    seen = (values > 0).mean(axis=0)
    adata = anndata.AnnData(values, var=pd.DataFrame(index=table.columns.astype(str)))
    scanpy.pp.normalize_total(adata, target_sum=1e4)
    scanpy.pp.log1p(adata)
    found = scanpy.pp.highly_variable_genes(adata, flavor="seurat", inplace=False)
    result = pd.DataFrame({"dispersion": found["dispersions_norm"].to_numpy(), "seen": seen}, index=adata.var_names)
    # A gene that does not vary at all has none: it is taken for as variable as its like, not for unknown.
    return result.fillna({"dispersion": 0.0})


def choose_panel(tables: Mapping[str, pd.DataFrame], top_genes: int, candidates: Sequence[str] | None = None) -> Panel:
    """Choose the most variable genes of training sections.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        `variability` of every training section, by its name.
    top_genes : int
    candidates : sequence of str, optional
        Choose among these; default: all genes.

    Returns
    -------
    Panel
        The genes with the highest mean dispersion over the sections, the most variable first. Only genes that every
        section has and that at least 5 % of the spots show in the mean of the sections.

    Raises
    ------
    DataError
        If there are not enough such genes.
    """
    import pandas as pd

    common = set.intersection(*(set(table.index) for table in tables.values()))
    if candidates is not None:
        common &= set(candidates)
    names = sorted(common)  # ties are settled by name
    dispersion = pd.concat([table["dispersion"].reindex(names) for table in tables.values()], axis=1).mean(axis=1)
    seen = pd.concat([table["seen"].reindex(names) for table in tables.values()], axis=1).mean(axis=1)
    usable = dispersion[(seen >= MIN_SEEN) & dispersion.notna()]
    if len(usable) < top_genes:
        raise DataError(
            f"The {top_genes} most variable genes were asked for, but only {len(usable)} genes are in all "
            f"{len(tables)} training sections and seen in {MIN_SEEN:.0%} of the spots.",
            "Ask for fewer (--top-genes)" + ("." if candidates is None else ", or give more to choose from (--genes)."),
        )
    chosen = usable.sort_values(ascending=False, kind="stable").index[:top_genes]
    among = "" if candidates is None else f" among {len(candidates)} given"
    return Panel(
        [str(gene) for gene in chosen],
        f"the {top_genes} most variable genes{among} of the training sections {', '.join(tables)}",
    )


def of_panel(section: MeasuredSection, loaded: Sequence[str], genes: Sequence[str]) -> MeasuredSection:
    """Return a section that was loaded for some genes as if it had been loaded for fewer of them, or in another order.

    The target changes as well where it is scaled by a spot's counts over the panel.
    """
    if list(loaded) == list(genes):
        return section
    from napari_tcgn.expression import scale_counts

    place = {gene: column for column, gene in enumerate(loaded)}
    columns = np.array([place[gene] for gene in genes], dtype=np.intp)
    counts = np.ascontiguousarray(section.counts[:, columns])
    target = np.asarray(scale_counts(counts, section.totals), dtype=np.float32)
    return replace(section, counts=counts, target=target, measured=section.measured[columns])
