"""Predicted against measured expression in one call: every gene's figures, medians with intervals, baselines beside."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_tcgn.comparison.baselines import (
    DEPTH_ALONE,
    HAEMATOXYLIN,
    haematoxylin_of_patches,
    haematoxylin_of_picture,
)
from napari_tcgn.comparison.ceilings import add_ceilings
from napari_tcgn.comparison.domains import domain_agreement, leiden_domains, niche_table
from napari_tcgn.comparison.pairing import Pairing, pair
from napari_tcgn.comparison.records import BootstrapRecord, DomainAgreement, Median, NullRecord, Overall
from napari_tcgn.comparison.result import Comparison
from napari_tcgn.comparison.set_scores import score_both
from napari_tcgn.comparison.tables import Intervals, baseline_table, compared_genes, medians_over_genes, set_table
from napari_tcgn.engine import Progress, to_the_end
from napari_tcgn.errors import DataError
from napari_tcgn.expression import one_section, read_measured
from napari_tcgn.options import CompareSettings
from napari_tcgn.stats import BlockBootstrap, null_test, q_values, without

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_tcgn.slide import Slide

Floats = NDArray[np.float64]
UNS_COMPARE = "napari_tcgn_compare"
PATCHES_AT_ONCE = 64
FEW_BLOCKS = 8
TEXTS = ("judgeable", "depth_judgeable")  # columns of words about a gene that go into the .h5ad
SIGNIFICANT = 0.05  # false discovery rate


def compare_steps(
    predicted: AnnData,
    measured: AnnData | str | Path,
    settings: CompareSettings | None = None,
    *,
    slide: Slide | None = None,
    gene_sets: Mapping[str, Sequence[str]] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Generator[Progress, None, Comparison]:
    """Compare predicted with measured expression of one section; closing the generator stops the work.

    Parameters
    ----------
    predicted : anndata.AnnData
        From `to_anndata` or `read_prediction`; left as it is.
    measured : anndata.AnnData or path
        Raw counts of the same section, or a file or folder for `read_measured`; left as it is.
    settings : CompareSettings, optional
    slide : Slide, optional
        For the haematoxylin baseline at full resolution; without it, from the small picture in `predicted`.
    gene_sets : mapping of name to genes, optional
        Sets whose scores are compared, by the model's symbols.
    aliases : mapping of str to str, optional
        Measured name -> the model's symbol.

    Yields
    ------
    Progress
        Stages "match spots and genes", "simple predictors", "figures", "reachable", "null", "domains".

    Returns
    -------
    Comparison

    Raises
    ------
    DataError
        If the two do not belong together or hold what cannot be compared; the message says what and how to fix it.

    Examples
    --------
    >>> comparison = compare(predicted, "C2.tsv.gz")  # doctest: +SKIP
    >>> comparison.genes.sort_values("depth_pcc").tail()  # doctest: +SKIP
    """
    settings = settings if settings is not None else CompareSettings()
    yield Progress("match spots and genes", 0, 1)
    measured = _require_anndata(read_measured(measured) if isinstance(measured, str | Path) else measured)
    measured = one_section(measured, settings.library)
    _require_anndata(predicted)
    work = _Work(pair(predicted, measured, settings, aliases), predicted, measured, settings)
    yield Progress("match spots and genes", 1, 1)
    yield from work.fill_baselines(slide)
    yield from work.figures()
    yield from work.null()
    if gene_sets:
        yield from work.gene_sets(gene_sets)
    if settings.domains:
        yield from work.domains()
    return work.result()


compare = to_the_end(compare_steps, "compare")


def _require_anndata(data: Any) -> AnnData:
    from anndata import AnnData

    if not isinstance(data, AnnData):
        raise DataError(
            f"Expression is given as {type(data).__name__}, not as AnnData.",
            "Give AnnData: read_prediction and read_measured read it from files.",
        )
    return data


class _Work:
    """One comparison on its way: what is computed so far."""

    def __init__(self, paired: Pairing, predicted: AnnData, measured: AnnData, settings: CompareSettings) -> None:
        self.paired, self.adata_in, self.measured_in, self.settings = paired, predicted, measured, settings
        self.x, self.y = paired.predicted, paired.measured
        self.names = [str(predicted.var_names[i]) for i in paired.match.genes]
        self.baseline_values: dict[str, Floats] = {}
        self.haematoxylin_source: str | None = None
        blocks = paired.lattice.blocks()
        self.bootstrap = BlockBootstrap(blocks, settings.draws, settings.seed)
        self.warnings = list(paired.warnings)
        if self.bootstrap.blocks < FEW_BLOCKS:
            self.warnings.append(
                f"The spots make only {self.bootstrap.blocks} blocks: the intervals are too narrow to be relied on."
            )
        self.medians: dict[str, Median] = {}
        self.null_record: NullRecord  # by `null`
        self.agreement: DomainAgreement | None = None
        self.gene_set_table = pd.DataFrame()
        self.niches = pd.DataFrame()
        self.labels: dict[str, NDArray[np.intp]] = {}

    def fill_baselines(self, slide: Slide | None) -> Generator[Progress]:
        """Fill in depth alone and haematoxylin alone."""
        yield Progress("simple predictors", 0, len(self.x))
        paired, spots = self.paired, self.paired.alignment.predicted
        if paired.depth is not None:
            self.baseline_values[DEPTH_ALONE] = paired.depth
        else:
            self.warnings.append("Without counts the sequencing depth is unknown: nothing is controlled for it.")
        section = self.adata_in[spots]
        if slide is not None:
            x, y = np.asarray(section.obsm["spatial"], dtype=np.float64).T[:2]
            parts = []
            for start in range(0, len(x), PATCHES_AT_ONCE):
                yield Progress("simple predictors", start, len(x))
                part = slice(start, start + PATCHES_AT_ONCE)
                parts.append(haematoxylin_of_patches(slide, x[part], y[part], paired.card))
            stain: Floats | None = np.concatenate(parts)
            source = f"patches of the slide, {paired.card.scales_um[0]:g} µm"
        else:
            stain = haematoxylin_of_picture(section, paired.card.scales_um[0], paired.mpp)
            source = f"small picture in the prediction, squares of {paired.card.scales_um[0]:g} µm"
        if stain is not None:
            self.baseline_values[HAEMATOXYLIN] = stain
            self.haematoxylin_source = source
        yield Progress("simple predictors", len(spots), len(spots))

    def figures(self) -> Generator[Progress]:
        """Compute every gene's figures and the medians with their intervals."""
        yield Progress("figures", 0, 3)
        self.genes, ssim = compared_genes(self.paired, self.names, self.baseline_values, self.bootstrap)
        yield Progress("reachable", 0, 1)
        self.warnings += add_ceilings(self.genes, self.paired, self.settings.seed)
        yield Progress("reachable", 1, 1)
        yield Progress("figures", 1, 3)
        intervals = Intervals(self.paired, self.bootstrap, ssim)
        for name, (low, high) in intervals.of_genes().items():
            self.genes[f"{name}_low"], self.genes[f"{name}_high"] = low, high
        self.varies = intervals.varies
        self.medians = medians_over_genes(self.genes, intervals)
        yield Progress("figures", 2, 3)
        self.baselines = baseline_table(self.paired, self.genes, self.baseline_values, intervals)
        yield Progress("figures", 3, 3)

    def null(self) -> Generator[Progress]:
        """Test every gene, as it is and with depth taken out."""
        p, kind, shifts = yield from null_test(self.x, self.y, self.paired.lattice, self.settings, "null")
        self.genes["p"], self.genes["q"] = p, q_values(p)
        depth = self.paired.depth
        if depth is not None:
            x, y = without(self.x, depth), without(self.y, depth)
            p, _, _ = yield from null_test(x, y, self.paired.lattice, self.settings, "null, depth controlled")
            self.genes["depth_p"], self.genes["depth_q"] = p, q_values(p)
        self.null_record = NullRecord(kind, shifts, 1 / (1 + shifts))

    def gene_sets(self, sets: Mapping[str, Sequence[str]]) -> Generator[Progress]:
        """Compare the scores of gene sets."""
        names, counts, x, y = score_both(self.x, self.y, self.names, sets)
        left_out = [name for name in sets if name not in names]
        if left_out:
            self.warnings.append(
                f"{len(left_out)} of {len(sets)} gene sets have fewer than two usable genes here: "
                f"{', '.join(left_out[:5])}."
            )
        if names:
            p, _, _ = yield from null_test(x, y, self.paired.lattice, self.settings, "gene sets")
            self.gene_set_table = set_table(names, counts, x, y, p, self.paired.depth, self.bootstrap)

    def domains(self) -> Generator[Progress]:
        """Divide the section by predicted and by measured expression, and compare the domains."""
        lattice = self.paired.lattice
        yield Progress("domains", 0, 3)
        predicted = leiden_domains(self.x, self.settings)
        yield Progress("domains", 1, 3)
        measured = leiden_domains(self.y, self.settings)
        yield Progress("domains", 2, 3)
        self.labels = {"predicted": predicted, "measured": measured}
        self.agreement = domain_agreement(predicted, measured, lattice, self.baseline_values, self.settings.seed)
        self.niches = niche_table(predicted, measured, lattice)
        yield Progress("domains", 3, 3)

    def result(self) -> Comparison:
        """Return everything as one object."""
        paired = self.paired
        overall, manifest = self._overall(), replace(paired.manifest, haematoxylin=self.haematoxylin_source)
        adata, measured = self._annotated(), self._aligned_measurement()
        # As texts: nested lists and missing values do not survive HDF5 unchanged.
        texts = {"overall": overall.to_record(), "manifest": manifest.to_record(), "warnings": self.warnings}
        adata.uns[UNS_COMPARE] = {name: json.dumps(value, ensure_ascii=False) for name, value in texts.items()}
        adata.uns[UNS_COMPARE]["baselines"] = self.baselines.to_json(orient="records")
        return Comparison(
            self.genes,
            overall,
            self.baselines,
            self.gene_set_table,
            self.niches,
            manifest,
            self.warnings,
            adata,
            measured,
            self.settings,
        )

    def _overall(self) -> Overall:
        significant = {
            name: int((self.genes[name] < SIGNIFICANT).sum()) for name in ("q", "depth_q") if name in self.genes
        }
        return Overall(
            n_spots=len(self.y),
            n_genes=int(self.varies.sum()),
            genes_constant_in_measurement=int((~self.varies).sum()),
            medians=self.medians,
            bootstrap=BootstrapRecord(self.settings.draws, self.bootstrap.blocks),
            null=self.null_record,
            genes_significant=significant["q"],
            genes_significant_depth_controlled=significant.get("depth_q"),
            domains=self.agreement,
        )

    def _annotated(self) -> AnnData:
        """Return the prediction with the comparison beside it."""
        adata = self.adata_in.copy()
        spots, genes = self.paired.alignment.predicted, self.paired.match.genes
        for name in self.genes:
            column = self.genes[name]
            if column.dtype.kind == "f":
                adata.var[f"compare_{name}"] = column.reindex(adata.var_names).to_numpy()
            elif name in TEXTS:
                adata.var[f"compare_{name}"] = column.reindex(adata.var_names, fill_value="unknown").to_numpy(
                    dtype=object
                )
        layer = np.full(adata.shape, np.nan, dtype=np.float32)
        layer[np.ix_(spots, genes)] = self.y
        adata.layers["measured"] = layer
        matched = np.zeros(adata.n_obs, dtype=bool)
        matched[spots] = True
        adata.obs["compare_matched"] = matched
        for name, labels in self.labels.items():
            of_spots = np.full(adata.n_obs, np.nan, dtype=object)
            of_spots[spots] = labels.astype(str)
            adata.obs[f"compare_domain_{name}"] = pd.Categorical(of_spots)
        return adata

    def _aligned_measurement(self) -> AnnData:
        """Return the measurement of the matched spots and genes in the prediction's order and names."""
        from anndata import AnnData

        paired = self.paired
        section = self.adata_in[paired.alignment.predicted]
        ids = self.measured_in.obs_names[paired.alignment.measured]
        obs = section.obs[["array_row", "array_col"]].assign(measured_id=ids.to_numpy(dtype=object))
        if paired.depth is not None:
            obs["depth"] = paired.depth
        if self.labels:
            obs["domain"] = pd.Categorical(self.labels["measured"].astype(str))
        return AnnData(
            X=self.y.astype(np.float32),
            obs=obs,
            var=pd.DataFrame({"measured_name": self.genes["measured_name"].to_numpy()}, index=pd.Index(self.names)),
            obsm={"spatial": np.asarray(section.obsm["spatial"])},
            layers={} if paired.counts is None else {"counts": paired.counts.astype(np.float32)},
            uns={"spatial": self.adata_in.uns.get("spatial", {})},
        )
