"""One picture of a section: its H&E and maps of chosen genes, for reports and the command line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import OutputError, SettingsError
from napari_tcgn.exports.genes import require_genes
from napari_tcgn.expression import Library, column, domain_p_of, gene_interval, library_of
from napari_tcgn.files import check_target, write_whole
from napari_tcgn.options import ExportSettings
from napari_tcgn.pages import figure_bytes
from napari_tcgn.stats import smooth_surface
from napari_tcgn.trust import spot_opacity

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.collections import Collection
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

SUFFIXES = (".png", ".pdf", ".svg", ".jpg", ".tif")
PANEL_INCHES = 3.6
POINTS_PER_INCH = 72
RIM = 0.13  # width of a ring, as a share of the spot's diameter
SURFACE_ALPHA = 0.8


def gene_figure(
    adata: AnnData,
    genes: Sequence[str],
    path: str | Path,
    ncols: int | None = None,
    overwrite: bool = False,
    dpi: int = 150,
    library_id: str | None = None,
    settings: ExportSettings | None = None,
) -> None:
    """Draw the H&E picture and a map of every gene, and write them as one picture.

    Spots are discs of their true diameter, and colours span the 1st to 99th percentile of the gene's values, unless the
    settings say otherwise.

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
    settings : ExportSettings, optional
        Colour map, limits, style and size of the spots, and how dim the slide is.

    Raises
    ------
    SettingsError
        If there is no such colour map.
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
    settings = settings if settings is not None else ExportSettings()
    _require_colormap(settings.colormap)
    figure = _draw(adata, genes, ncols, library_id, settings)
    with write_whole(path, overwrite) as temporary:
        temporary.write_bytes(figure_bytes(figure, path.suffix, dpi, bbox_inches="tight", pad_inches=0.1))


def _require_colormap(name: str) -> None:
    from matplotlib import colormaps

    if name not in colormaps:
        raise SettingsError(
            f"matplotlib has no colour map {name!r}.", "Name one that it has, such as viridis, cividis or RdBu_r."
        )


def _draw(
    adata: AnnData,
    genes: Sequence[str],
    ncols: int | None,
    library_id: str | None = None,
    settings: ExportSettings | None = None,
) -> Figure:
    # The object interface only: pyplot would touch the backend and the figures of the calling program.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    settings = settings if settings is not None else ExportSettings()
    section = SectionDrawing(library_of(adata, library_id), settings)
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
        section.draw_picture(axis, alpha=1 - settings.dim / 100)
        section.draw_gene(axis, gene)
        section.draw_scale_bar(axis)
    return figure


class SectionDrawing:
    """Draws a section in µm, or in full-resolution px where nobody says how many µm they are.

    Parameters
    ----------
    library : Library
    settings : ExportSettings, optional
        How the values of genes are drawn.
    """

    def __init__(self, library: Library, settings: ExportSettings | None = None) -> None:
        self.library = library
        self.settings = settings if settings is not None else ExportSettings()
        step = library.mpp if library.mpp is not None else 1.0
        self.title = f"{library.library_id} · H&E"
        if library.partial:
            self.title += f"\npartial result: {library.adata.n_obs} of {library.planned} spots"
        self.picture_step = step / library.picture_scale  # drawn length of a px of the picture
        self.diameter = library.drawn_diameter_px() * step * self.settings.spot_size / 100
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
        values, unit = column(self.library.adata, gene), self.library.unit or "model output"
        opacity = self._opacity(gene, values) if self.settings.fade else None
        self.draw_values(axis, values, unit, self.settings.limits_of_figure(), opacity)
        axis.set_title(f"{gene} · {_trust(self.library, gene)}", fontsize=10)

    def draw_values(
        self,
        axis: Axes,
        values: NDArray[np.floating[Any]],
        unit: str,
        limits: tuple[float, float] | None = None,
        opacity: NDArray[np.float32] | None = None,
    ) -> None:
        """Draw spots, or a surface, coloured by values [spots]; limits None: the 1st to 99th percentile.

        `opacity` (float32 [spots]) makes spots faint; a surface has none.
        """
        if limits is None and np.isfinite(values).any():
            low, high = np.nanpercentile(values, [1, 99])
            limits = float(low), float(high)
        surface = self.settings.style == "surface"
        drawn = self._surface(axis, values) if surface else self._spots(axis, values, opacity)
        drawn.set_cmap(self.settings.colormap)
        if limits is not None:
            drawn.set_clim(*limits)
        colours = axis.figure.colorbar(drawn, cax=axis.inset_axes((1.02, 0.0, 0.04, 1.0)))  # as high as the map
        colours.set_label(unit, fontsize=7)
        colours.ax.tick_params(labelsize=7)

    def _opacity(self, gene: str, values: NDArray[np.floating[Any]]) -> NDArray[np.float32] | None:
        from napari_tcgn.engine import is_outside  # brings torch, which most figures do without

        adata, domain = self.library.adata, domain_p_of(self.library.adata)
        bounds = gene_interval(adata, gene, values)
        width = None if bounds is None else bounds[1] - bounds[0]
        return spot_opacity(width, is_outside(domain) if domain is not None else None)

    def _spots(self, axis: Axes, values: NDArray[np.floating[Any]], opacity: NDArray[np.float32] | None) -> Collection:
        spots = self._outlines(axis)
        spots.set_array(values)
        half = 0.5 if self.settings.style == "half-transparent" else 1.0
        if opacity is not None:
            spots.set_alpha(half * opacity)  # type: ignore[arg-type]  # one a spot, which matplotlib's types do not say
        elif half < 1:
            spots.set_alpha(half)
        if self.settings.style == "rings":
            left, right, _, _ = self.limits
            spots.set_facecolor("none")
            spots.set_linewidth(RIM * self.diameter * PANEL_INCHES * POINTS_PER_INCH / (right - left))
        axis.add_collection(spots, autolim=False)
        return spots

    def _surface(self, axis: Axes, values: NDArray[np.floating[Any]]) -> AxesImage:
        x, y = self.centres.T
        surface = smooth_surface(x, y, values, self.settings.bandwidth)
        height, width = surface.values.shape
        left, top = surface.x0 - surface.step / 2, surface.y0 - surface.step / 2
        extent = (left, left + width * surface.step, top + height * surface.step, top)
        # imshow sets the limits of the panel to those of the image.
        x_limits, y_limits = axis.get_xlim(), axis.get_ylim()
        image = axis.imshow(surface.values, extent=extent, alpha=SURFACE_ALPHA, interpolation="nearest")
        axis.set_xlim(x_limits)
        axis.set_ylim(y_limits)
        return image

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
        inside = 1 - RIM if self.settings.style == "rings" else 1.0  # a line lies half outside of what it bounds
        size = np.full(len(self.centres), self.diameter * inside)
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
    doubt = f"{row['trust']}, " if row.get("trust", "trusted") != "trusted" else ""
    if "held_out_pcc" not in row or np.isnan(row["held_out_pcc"]):
        return "held-out PCC unknown"
    text = f"{doubt}held-out PCC {row['held_out_pcc']:.2f}"
    low, high = row.get("held_out_pcc_low", np.nan), row.get("held_out_pcc_high", np.nan)
    return text if np.isnan(low) or np.isnan(high) else f"{text} [{low:.2f}, {high:.2f}]"


def round_length(longest: float) -> float:
    """Return the largest of 1, 2 or 5 times a power of ten that is not longer than `longest`."""
    power = 10.0 ** math.floor(math.log10(longest))
    return max(step * power for step in (1, 2, 5) if step * power <= longest * (1 + 1e-9))
