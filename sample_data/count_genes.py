"""Invent counts for the spots of a drawn section: what a spot expresses follows from what was drawn under it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from draw_section import CELL, KINDS, MPP, Field
from numpy.typing import NDArray

SPOT_UM = 100.0
DISPERSION = 6.0  # of the negative binomial: variance = mean + mean² / DISPERSION

# Genes that mark each kind of tissue (of the panel, and a few well-known ones beside it).
_MARKERS = {
    "epithelium": (
        "GNAS KRT8 KRT17 KRT86 CLDN3 CLDN4 MUC1 MUCL1 FASN SCD AGR2 GATA3 S100A14 TFF3 BCAM ZG16B SLPI ITGB6 ITGB4 "
        "EZH2 STMN1 TACC3 HMGB2 PITX1 PPP1R1B MIF FADS2 RECQL4 PLK1 CPNE1 GPRC5A CXXC5 IGFBP2 SEMA3B RAB11FIP1 PSCA "
        "ERBB2 GRB7 EPCAM KRT18 KRT19 CDH1"
    ),
    "stroma": (
        "COL3A1 COL6A2 COL4A1 COL8A2 COL14A1 SPARC FN1 LUM POSTN BGN VIM AEBP1 FBLN2 MGP CCDC80 PDGFRB PDGFRA MFAP4 "
        "ISLR FAP COMP CTSK CDH11 TIMP1 C1S C1R EFEMP2 FSTL1 TPM2 MYL9 THBS1 ELN TNC CERCAM FKBP10 PODNL1 SRPX2 PXDN "
        "LGALS1 IGFBP4 COL1A1 COL1A2 DCN ACTA2 FBLN1"
    ),
    "immune": (
        "IGKC IGHG3 IGHG4 IGHM IGHA1 IGLC2 IGLC3 IGLC7 JCHAIN CD74 HLA-DRA HLA-DRB1 HLA-DPA1 HLA-DPB1 HLA-DMA HLA-DMB "
        "CD52 PTPRC CD3D TRAC LCK CORO1A CD79A CCL19 CCL21 CXCL10 TYROBP FCER1G C1QB CD14 CD68 CD4 CSF1R LCP1 SRGN "
        "MS4A6A LST1 IL10RA IKZF3 PIM2 DERL3 HCST RGS1 GBP5 VCAM1 CD3E CD8A MS4A1 CXCL13 IGHG1"
    ),
    "fat": "PLIN2 GPX3 AQP1 PTRF SOD3 AGPAT2 PLVAP ADIPOQ FABP4 PLIN1 PLIN4 LPL LEP CIDEC ADH1B G0S2",
}
MARKERS = {kind: genes.split() for kind, genes in _MARKERS.items()}
HOUSEKEEPING = ["ACTB", "GAPDH", "RPLP0", "B2M", "MALAT1"]
# Transcripts of a spot filled with one kind of tissue: crowded tumour has many, fat next to none.
DEPTH = {"epithelium": 5200.0, "stroma": 1900.0, "immune": 3600.0, "fat": 450.0}


def gene_names(panel: Sequence[str]) -> list[str]:
    """Return the panel's genes followed by those that are counted beside it."""
    beside = [gene for genes in MARKERS.values() for gene in genes] + HOUSEKEEPING
    return list(dict.fromkeys([*panel, *beside]))


def spot_shares(shares: Field, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average the map (float32 [4, n, n]) over each spot's disc: float64 [spots, 4]."""
    size = shares.shape[1]
    row, column = (np.mgrid[:size, :size] + 0.5) * CELL
    radius = SPOT_UM / MPP / 2
    discs = [np.hypot(column - a, row - b) <= radius for a, b in zip(x, y, strict=True)]
    return np.array([shares[:, disc].mean(axis=1, dtype=np.float64) for disc in discs])


def draw_counts(seed: int, shares: NDArray[np.float64], ids: Sequence[str], panel: Sequence[str]) -> pd.DataFrame:
    """Draw counts (int64) for spots of the given shares [spots, 4].

    Every section has the same profiles, whatever its seed: only the spots' depth and the counting noise differ.
    """
    genes = gene_names(panel)
    rng = np.random.default_rng(seed)
    # Mean counts: expected transcripts of each kind in the spot, shared out by that kind's profile.
    depth = shares * np.array([DEPTH[kind] for kind in KINDS])
    spot_effect = rng.lognormal(0, 0.25, len(shares))
    mean = (depth * spot_effect[:, None]) @ _profiles(genes)  # [spots, genes]
    counts = rng.poisson(rng.gamma(DISPERSION, mean / DISPERSION))
    return pd.DataFrame(counts, index=list(ids), columns=genes)


def _profiles(genes: Sequence[str]) -> NDArray[np.float64]:
    """Share of each gene in the transcripts of each kind of tissue: float64 [4, genes], rows sum to 1."""
    rng = np.random.default_rng(20240)
    base = rng.lognormal(0, 1.0, len(genes))
    place = {gene: i for i, gene in enumerate(genes)}
    base[[place[gene] for gene in HOUSEKEEPING]] = 20
    profiles = np.tile(base, (len(KINDS), 1)) * rng.lognormal(0, 0.25, (len(KINDS), len(genes)))
    for row, kind in enumerate(KINDS):
        # Markers are common where they belong and rare elsewhere, more or less sharply.
        own = [place[gene] for gene in MARKERS[kind]]
        strength = rng.lognormal(0, 0.5, len(own))
        profiles[:, own] = 0.25 * strength
        profiles[row, own] = 9.0 * strength
    return np.asarray(profiles / profiles.sum(axis=1, keepdims=True))
