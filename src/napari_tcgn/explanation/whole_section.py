"""What a network's last maps say over a whole section: the maps of all spots, averaged where patches overlap.

Integrated gradients over the pooled last map are linear in the weights of the last layer. With k directions of
expression k maps of 7 x 7 numbers per spot therefore hold the map of every gene.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_tcgn.engine import Progress, choose_patches, cut_patch, patch_source, stained_like, to_the_end
from napari_tcgn.errors import DataError, ModelError
from napari_tcgn.explanation.chosen import loaded, network_of
from napari_tcgn.explanation.directions import MOST
from napari_tcgn.explanation.gradients import STEPS
from napari_tcgn.model import TCGN, ModelCard, Predictor, prepare_patches
from napari_tcgn.options import PredictSettings
from napari_tcgn.slide import Slide, require_mpp
from napari_tcgn.spots import Spots, check_on_slide

if TYPE_CHECKING:
    from anndata import AnnData

Floats = NDArray[np.float32]
SIDE = 7  # tokens of the last map
AT_ONCE = 16  # patches
KEPT = 0.9999  # of the last layer's variance, where it is no exact product
OBSM, VARM = "napari_tcgn_attribution", "napari_tcgn_attribution"


@dataclass(frozen=True, slots=True, eq=False)
class SectionMap:
    """Attribution maps of every spot of a section.

    Attributes
    ----------
    scores : float32 [spots, k, 7, 7]
        Upright. The map of a gene is `loadings` times these; it sums to what the network predicts of the patch less
        what it predicts of an empty last map.
    loadings : float32 [genes, k]
    genes : tuple of str
    unit : str
        Of the maps: that of the prediction.
    x, y : float64 [spots]
        Centres in full-resolution px.
    side_px : float
        Of a patch, in full-resolution px.
    """

    scores: Floats
    loadings: Floats
    genes: tuple[str, ...]
    unit: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    side_px: float

    def of_gene(self, gene: str) -> Floats:
        """Return the maps of a gene, float32 [spots, 7, 7].

        Raises
        ------
        DataError
            If the model does not have the gene.
        """
        if gene not in self.genes:
            raise DataError(f"The model has no gene {gene!r}.", "Choose one of its panel.")
        found: Floats = np.einsum("k,nkij->nij", self.loadings[self.genes.index(gene)], self.scores)
        return found

    def stitched(self, gene: str) -> Stitched:
        """Return the maps of a gene in one picture, averaged where patches overlap."""
        return stitch(self.of_gene(gene), self.x, self.y, self.side_px)


@dataclass(frozen=True, slots=True, eq=False)
class Stitched:
    """A picture over a section.

    Attributes
    ----------
    values : float32 [rows, columns]
        NaN where there is no patch.
    x0, y0 : float
        Middle of its first px, in full-resolution px.
    step : float
        From one px to the next, in full-resolution px.
    """

    values: Floats
    x0: float
    y0: float
    step: float


def stitch(maps: Floats, x: NDArray[np.float64], y: NDArray[np.float64], side_px: float) -> Stitched:
    """Lay maps [n, 7, 7] of squares around (x, y) on one grid of their own px, and average where they overlap.

    A value goes to the px of the grid in which its middle lies: at most half a px, a fourteenth of a patch, away.
    """
    step = side_px / maps.shape[1]
    offsets = (np.arange(maps.shape[1]) - (maps.shape[1] - 1) / 2) * step
    x0, y0 = float(x.min() + offsets[0]), float(y.min() + offsets[0])
    columns = np.rint((x[:, None] + offsets - x0) / step).astype(np.intp)  # [n, 7]
    rows = np.rint((y[:, None] + offsets - y0) / step).astype(np.intp)
    shape = int(rows.max()) + 1, int(columns.max()) + 1
    total, count = np.zeros(shape), np.zeros(shape)
    where = np.broadcast_to(rows[:, :, None], maps.shape), np.broadcast_to(columns[:, None, :], maps.shape)
    np.add.at(total, where, maps)
    np.add.at(count, where, 1)
    return Stitched(np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32), x0, y0, step)


def section_map_steps(
    slide: Slide,
    spots: Spots,
    model: str | PathLike[str] | Predictor | None = None,
    settings: PredictSettings | None = None,
) -> Generator[Progress, None, SectionMap]:
    """Make the maps of every spot as a generator: every step can be shown, closing it stops the work.

    Parameters
    ----------
    slide : Slide
        With known µm per px.
    spots : Spots
    model : str, path or Predictor, optional
        A TCGN, or a sum of one and a line, whose network's share is explained.
    settings : PredictSettings, optional
        `model`, `device`, `precision` and `stain` are used.

    Yields
    ------
    Progress

    Returns
    -------
    SectionMap

    Raises
    ------
    ModelError
        If there is no TCGN in the model.
    TcgnError
        As `predict` does.
    """
    settings = settings if settings is not None else PredictSettings()
    mpp = require_mpp(slide)
    yield Progress("load model", 0, 1)
    predictor, settings = loaded(model, settings)
    card, network = predictor.card, network_of(predictor)
    if network is None:
        raise ModelError(
            f"Model {card.name!r} draws no last map: only a TCGN can be explained over a whole section.",
            "Explain single spots, which any model allows, or predict with a TCGN.",
        )
    yield Progress("read slide", 0, 1)
    record = choose_patches(slide, card)
    spots = check_on_slide(spots, slide)
    source, level = patch_source(stained_like(slide, card, settings.stain), card, record)
    basis, loadings = output_basis(network.net)
    found = []
    for start in range(0, len(spots), AT_ONCE):
        part = slice(start, min(start + AT_ONCE, len(spots)))
        places = zip(spots.x[part], spots.y[part], strict=True)
        patches = np.stack([cut_patch(source, float(x), float(y), record.side_px, level) for x, y in places])
        found.append(direction_maps(network.net, card, patches, basis))
        yield Progress("explain", part.stop, len(spots))
    return SectionMap(
        np.concatenate(found),
        loadings,
        tuple(card.genes),
        card.output_scale,
        np.asarray(spots.x, np.float64),
        np.asarray(spots.y, np.float64),
        card.patch_um / mpp,
    )


section_map = to_the_end(section_map_steps, "section_map")


def output_basis(net: TCGN) -> tuple[Tensor, Floats]:
    """Return the directions that the last layer looks along, [k, 5120], and what each gene takes of them, [genes, k].

    Raises
    ------
    ModelError
        If its genes need more than 64 directions: no few maps hold those of all genes then.
    """
    last, genes = net.head[-1], net.from_directions
    assert isinstance(last, torch.nn.Linear)
    weight = last.weight.detach().double().cpu()  # [genes or k, 5120]
    outer = torch.eye(len(weight), dtype=torch.float64)
    if isinstance(genes, torch.nn.Linear):
        outer = genes.weight.detach().double().cpu()
    left, size, right = torch.linalg.svd(weight, full_matrices=False)
    share = torch.cumsum(size**2, 0) / (size**2).sum()
    k = int((share < KEPT).sum()) + 1
    if k > MOST:
        raise ModelError(
            f"The genes of this network need {k} directions: no few maps hold those of all of them.",
            "Explain single spots.",
        )
    loadings: Floats = (outer @ left[:, :k] * size[:k]).float().numpy()
    return right[:k].float(), loadings


def direction_maps(net: TCGN, card: ModelCard, patches: NDArray[np.uint8], basis: Tensor) -> Floats:
    """Return integrated gradients of every direction over the last map, float32 [B, k, 7, 7], upright.

    From an empty map along the straight way, as `integrated_gradients` goes: what is pooled grows in proportion, so
    that the mean slope of the GELU on the way is all that is needed of it.
    """
    device = next(net.parameters()).device
    inner = net.head[0]
    assert isinstance(inner, torch.nn.Linear)
    nodes, weights = np.polynomial.legendre.leggauss(STEPS)
    with torch.inference_mode():
        images = prepare_patches(torch.from_numpy(np.ascontiguousarray(patches)).to(device), card)
        last = net.last_map(net.forward_features(images)).float()  # [B, 1280, 7, 7]
        along = last.mean((2, 3)) @ inner.weight.float().T  # [B, 5120], without the bias
        slope = torch.zeros_like(along)
        for share, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            slope += float(weight) * _gelu_slope(float(share) * along + inner.bias.float())
        # [B, k, 1280]: how the pooled map moves each direction, on the mean of the way.
        moves = torch.einsum("bm,km,mc->bkc", slope, basis.to(device), inner.weight.float())
        found = torch.einsum("bkc,bcij->bkij", moves, last) / SIDE**2
    values: Floats = found.cpu().numpy()
    return np.ascontiguousarray(values.swapaxes(2, 3) if card.orientation == "transposed" else values)


def _gelu_slope(z: Tensor) -> Tensor:
    """Return the derivative of GELU(z) = z Φ(z)."""
    density = torch.exp(-(z**2) / 2) / (2 * torch.pi) ** 0.5
    slope: Tensor = 0.5 * (1 + torch.erf(z / 2**0.5)) + z * density
    return slope


def with_attribution(adata: AnnData, found: SectionMap) -> AnnData:
    """Return a result with the maps of all its spots: k times 49 numbers a spot in obsm, k a gene in varm.

    Parameters
    ----------
    adata : anndata.AnnData
        Of the same spots in the same order, for genes of the same model.
    found : SectionMap

    Raises
    ------
    DataError
        If these are other spots or genes.
    """
    same = adata.n_obs == len(found.scores) and set(adata.var_names) <= set(found.genes)
    if same and "spatial" in adata.obsm:  # names are not kept, places are
        same = bool(np.allclose(np.asarray(adata.obsm["spatial"])[:, :2], np.column_stack([found.x, found.y]), atol=1))
    if not same:
        raise DataError("The maps are of other spots or genes than the result.", "Make them of this result.")
    kept = adata.copy()
    place = {gene: row for row, gene in enumerate(found.genes)}
    kept.obsm[OBSM] = found.scores.reshape(len(found.scores), -1)
    kept.varm[VARM] = found.loadings[[place[gene] for gene in adata.var_names]]
    kept.uns[OBSM] = {"directions": found.scores.shape[1], "side_px": found.side_px, "unit": found.unit, "side": SIDE}
    return kept


def attribution_in(adata: AnnData) -> SectionMap | None:
    """Return the maps that a result carries (`with_attribution`); None where it carries none.

    Raises
    ------
    DataError
        If what stands there is not that.
    """
    about: Any = adata.uns.get(OBSM)
    if about is None or OBSM not in adata.obsm or VARM not in adata.varm:
        return None
    try:
        k, side = int(about["directions"]), float(about["side_px"])
        scores = np.asarray(adata.obsm[OBSM], np.float32).reshape(adata.n_obs, k, SIDE, SIDE)
        loadings = np.asarray(adata.varm[VARM], np.float32).reshape(adata.n_vars, k)
        places = np.asarray(adata.obsm["spatial"], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"obsm[{OBSM!r}] holds no maps: {error}.", "Make them again, or remove it.") from error
    return SectionMap(
        scores, loadings, tuple(map(str, adata.var_names)), str(about.get("unit", "")), places[:, 0], places[:, 1], side
    )
