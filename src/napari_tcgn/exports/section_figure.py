"""One picture of a section: its H&E and maps of chosen genes, for reports and the command line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import OutputError
from napari_tcgn.exports.genes import require_genes
from napari_tcgn.expression import Library, column, library_of
from napari_tcgn.files import check_target, write_whole

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.collections import Collection
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".pdf", ".svg", ".jpg", ".tif")
PANEL_INCHES = 3.6


def gene_figure(
    adata: AnnData,
    genes: Sequence[str],
    path: str | Path,
    ncols: int | None = None,
    overwrite: bool = False,
    dpi: int = 150,
    library_id: str | None = None,
) -> None:
    """Draw the H&E picture and a map of every gene, and write them as one picture.

    Spots are discs of their true diameter. Colours span the 1st to 99th percentile of the gene's values.

    Parameters
    ----------
    adata : anndata.AnnData
        From `to_anndata` or `read_section`.
    genes : sequence of str
    path : str or pathlib.Path
        .png, .pdf, .svg, .jpg or .tif.
    ncols : int, optional
        Panels in a row; None: up to four.
    overwrite : bool
        Whether an existing file may be replaced.
    dpi : int
        Dots per inch of a pixel picture.
    library_id : str, optional
        Needed where the AnnData holds several sections.

    Raises
    ------
    DataError
        If no gene is named, or a gene is not in the panel.
    OutputError
        If the path has another suffix, exists, or cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(f"{path.name} is no picture file.", f"End its name in one of {', '.join(SUFFIXES)}.")
    check_target(path, overwrite)
    require_genes(adata, genes)
    figure = _draw(adata, genes, ncols, library_id)
    with write_whole(path, overwrite) as temporary:
        figure.savefig(temporary, dpi=dpi, bbox_inches="tight", pad_inches=0.1)


def _draw(adata: AnnData, genes: Sequence[str], ncols: int | None, library_id: str | None = None) -> Figure:
    # The object interface only: pyplot would touch the backend and the figures of the calling program.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    section = SectionDrawing(library_of(adata, library_id))
    panels = len(genes) + 1
    columns = min(panels, ncols if ncols is not None else 4)
    rows = math.ceil(panels / columns)
    left, right, bottom, top = section.limits
    height = PANEL_INCHES * float(np.clip((bottom - top) / (right - left), 0.4, 2.5))
    figure = Figure(figsize=(columns * (PANEL_INCHES + 0.5), rows * (height + 0.6)), layout="compressed")
    FigureCanvasAgg(figure)
    axes: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in axes[panels:]:
        spare.set_axis_off()

    section.draw_picture(axes[0], alpha=1.0)
    axes[0].set_title(section.title, fontsize=10)
    section.draw_scale_bar(axes[0])
    for axis, gene in zip(axes[1:panels], genes, strict=True):
        section.draw_picture(axis, alpha=0.35)
        section.draw_gene(axis, gene)
        section.draw_scale_bar(axis)
    return figure


class SectionDrawing:
    """Draws a section in µm, or in full-resolution px where nobody says how many µm they are."""

    def __init__(self, library: Library) -> None:
        self.library = library
        step = library.mpp if library.mpp is not None else 1.0
        self.title = f"{library.library_id} · H&E"
        if library.partial:
            self.title += f"\npartial result: {library.adata.n_obs} of {library.planned} spots"
        self.picture_step = step / library.picture_scale  # drawn length of a px of the picture
        self.diameter = library.drawn_diameter_px() * step
        self.centres = library.centres * step  # [n, 2] (x, y)
        margin = 1.5 * self.diameter
        (x0, y0), (x1, y1) = self.centres.min(axis=0) - margin, self.centres.max(axis=0) + margin
        self.limits = (x0, x1, y1, y0)  # left, right, bottom, top: y runs down

    def draw_picture(self, axis: Axes, alpha: float) -> None:
        """Draw the H&E picture, if there is one, and set the panel's limits."""
        if self.library.picture is not None:
            height, width = self.library.picture.shape[:2]
            extent = (0, width * self.picture_step, height * self.picture_step, 0)
            axis.imshow(self.library.picture, extent=extent, alpha=alpha, interpolation="antialiased")
        left, right, bottom, top = self.limits
        axis.set_xlim(left, right)
        axis.set_ylim(bottom, top)
        axis.set_aspect("equal")
        axis.set_xticks([])
        axis.set_yticks([])

    def draw_gene(self, axis: Axes, gene: str) -> None:
        """Draw the map of a gene, with what is known of its trust in the title."""
        self.draw_values(axis, column(self.library.adata, gene), self.library.unit or "model output")
        axis.set_title(f"{gene} · {_trust(self.library, gene)}", fontsize=10)

    def draw_values(
        self, axis: Axes, values: NDArray[np.floating[Any]], unit: str, limits: tuple[float, float] | None = None
    ) -> None:
        """Draw the spots coloured by values [spots]; limits None: the 1st to 99th percentile."""
        discs = self._outlines(axis)
        discs.set_array(values)
        if limits is None and np.isfinite(values).any():
            low, high = np.nanpercentile(values, [1, 99])
            limits = float(low), float(high)
        if limits is not None:
            discs.set_clim(*limits)
        discs.set_cmap("viridis")
        axis.add_collection(discs, autolim=False)
        colours = axis.figure.colorbar(discs, cax=axis.inset_axes((1.02, 0.0, 0.04, 1.0)))  # as high as the map
        colours.set_label(unit, fontsize=7)
        colours.ax.tick_params(labelsize=7)

    def draw_colours(self, axis: Axes, colours: Any) -> None:
        """Draw the spots in given colours, float [spots, 4]."""
        discs = self._outlines(axis)
        discs.set_facecolor(colours)
        axis.add_collection(discs, autolim=False)

    def _outlines(self, axis: Axes) -> Collection:
        """Return the spots as discs, or squares if they are bins, which still have no colours."""
        from matplotlib.collections import EllipseCollection, PolyCollection

        if self.library.bins:
            corners = self.diameter / 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
            return PolyCollection(list(self.centres[:, None, :] + corners), edgecolors="none")
        size = np.full(len(self.centres), self.diameter)
        return EllipseCollection(
            size, size, np.zeros_like(size), units="xy", offsets=self.centres, offset_transform=axis.transData
        )

    def draw_scale_bar(self, axis: Axes) -> None:
        """Draw a bar of a round length."""
        left, right, bottom, top = self.limits
        length = round_length((right - left) / 4)
        x, y = left + 0.05 * (right - left), bottom - 0.05 * (bottom - top)
        axis.plot([x, x + length], [y, y], color="black", linewidth=3, solid_capstyle="butt")
        label = f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"
        if self.library.mpp is None:
            label = f"{length:g} px"
        axis.annotate(
            label, (x + length / 2, y), xytext=(0, 4), textcoords="offset points", ha="center", va="bottom", fontsize=8
        )


def _trust(library: Library, gene: str) -> str:
    """Say in a title how far a gene held up on sections that the model had not seen."""
    row = library.adata.var.loc[gene]
    if library.kind != "predicted":
        return library.kind
    if "held_out_pcc" not in row or np.isnan(row["held_out_pcc"]):
        return "held-out PCC unknown"
    text = f"held-out PCC {row['held_out_pcc']:.2f}"
    low, high = row.get("held_out_pcc_low", np.nan), row.get("held_out_pcc_high", np.nan)
    return text if np.isnan(low) or np.isnan(high) else f"{text} [{low:.2f}, {high:.2f}]"


def round_length(longest: float) -> float:
    """Return the largest of 1, 2 or 5 times a power of ten that is not longer than `longest`."""
    power = 10.0 ** math.floor(math.log10(longest))
    return max(step * power for step in (1, 2, 5) if step * power <= longest * (1 + 1e-9))
