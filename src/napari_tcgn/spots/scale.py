"""Whether the µm per pixel of a slide is the one that the spots' own array implies."""

from __future__ import annotations

import math

import numpy as np

from napari_tcgn.errors import SpotsError
from napari_tcgn.options import BINS, LAYOUTS
from napari_tcgn.slide import Slide, stated_mpp
from napari_tcgn.spots.distance import fit_lattice, implied_mpp, spot_distance_px
from napari_tcgn.spots.lattice import pitch_of
from napari_tcgn.spots.source import H5adSource
from napari_tcgn.spots.table import Spots

OVERLAP = 1.1  # a spot's diameter may be so many times the distance to the next: bins and cells touch
ST_SHARE = 0.15  # by which the share of a diameter in the pitch may differ from that of legacy ST
FAR = 1.5  # times; so far apart no two microscopes' px are mixed up, but images of two sizes
SAME_MPP = 0.05  # share by which the array's µm per px may differ from the slide's
# Of a Visium spot as scalefactors_json.json has it, though its own diameter is 55 µm.
_SCALEFACTOR_SPOT_UM = 65.0
_SMALL_IMAGES = {"tissue_hires_scalef": "tissue_hires_image.png", "tissue_lowres_scalef": "tissue_lowres_image.png"}


def contradicted_mpp(spots: Spots, mpp: float | None) -> float | None:
    """Return the µm per px that spots imply where it differs from a slide's by more than 5 %; else None.

    A few spots that lie off their lattice tell it less well: they may differ by more.

    Parameters
    ----------
    spots : Spots
    mpp : float or None
        Of the slide; None contradicts nothing.
    """
    if mpp is None:
        return None
    of_array, uncertain = _of_array(spots)
    if of_array is not None and abs(of_array / mpp - 1) > SAME_MPP + uncertain:
        return of_array
    stated = spots.source.implied_mpp
    return stated if stated is not None and abs(stated / mpp - 1) > SAME_MPP else None


def array_mpp(spots: Spots) -> float | None:
    """Return the µm per px that spots imply by the distance of their array, else the one that their file states.

    None where they tell neither, or so few spots lie so far off their lattice that it may be wrong by more than 5 %.
    """
    of_array, uncertain = _of_array(spots)
    return of_array if of_array is not None and uncertain <= SAME_MPP else spots.source.implied_mpp


def _of_array(spots: Spots) -> tuple[float | None, float]:
    """Return the µm per px that the array implies, and by which share it may be off."""
    if spots.layout == "custom":
        # Its pitch is the distance to the next spot, which is less than a step of a printed lattice.
        nearest = pitch_of(spots.x, spots.y) if len(spots) > 1 else 0.0
        return (spots.pitch_um / nearest if nearest > 0 else None), 0.0
    of_array = implied_mpp(spots)
    return of_array, math.inf if of_array is None else _uncertainty(spots)


def scale_contradiction(spots: Spots, slide: Slide) -> SpotsError | None:
    """Return what is to be said where the spots imply another µm per px than the slide has; else None."""
    implied, mpp = contradicted_mpp(spots, slide.mpp), slide.mpp
    if implied is None or mpp is None:
        return None
    agree = _scale_factors_agree(spots, implied)
    small = None if agree else _small_image(spots, implied, mpp)
    typed = slide.mpp_source != stated_mpp(slide).source
    name = spots.source.file or "the spots"
    found = (
        f"The array of {name} implies {implied:.4g} µm per pixel (its spots are {spots.pitch_um / implied:.4g} px "
        f"apart), but slide {slide.name} has {mpp:.4g} ({slide.mpp_source})."
    )
    if small is not None:
        image, scale = small
        return SpotsError(
            f"{found} The positions seem to be px of {image}, {scale:g} times the size of the full-resolution image.",
            f"Give positions in px of the full-resolution image (divide them by {scale:g}).",
        )
    times = implied / mpp
    if max(times, 1 / times) > FAR and not agree:
        image = f"{times:.3g} times smaller" if times > 1 else f"{1 / times:.3g} times larger"
        found += (
            f" That is {max(times, 1 / times):.3g} times off: the positions seem to be px of an image that is {image} "
            "(hires, lowres), or of another slide, or the µm per pixel is wrong."
        )
        wrong = "it was mistyped" if typed else "the slide's file is wrong"
        return SpotsError(found, f"Give positions in px of this very image; if {wrong}, give --mpp {implied:.4g}.")
    if typed:
        return SpotsError(found, f"Give --mpp {implied:.4g}, or positions in px of this very image.")
    return SpotsError(
        found,
        "Give the image that the positions are px of, in full resolution; "
        f"if the slide's file is wrong, give --mpp {implied:.4g}.",
    )


def other_size_of_st(spots: Spots, slide: Slide) -> SpotsError | None:
    """Return what is to be said of an array that looks like legacy ST but has other sizes at the slide's µm per px.

    Its file tells the spots' size in px only, so that a mistyped µm per px changes the array with it. Spots that are
    half as wide as they are apart are those of legacy ST more often than not, but others have made such arrays too.
    """
    source, mpp = spots.source, slide.mpp
    if spots.layout != "custom" or not isinstance(source, H5adSource) or source.recorded is not None or mpp is None:
        return None
    step = spot_distance_px(spots)
    pitch_um, diameter_um = LAYOUTS["st"]
    if step is None or source.implied_mpp is not None:
        return None
    implied, share = pitch_um / step, spots.diameter_um / mpp / step
    if abs(share / (diameter_um / pitch_um) - 1) > ST_SHARE or abs(implied / mpp - 1) <= 2 * SAME_MPP:
        return None
    return SpotsError(
        f"At {mpp:g} µm per pixel ({slide.mpp_source}) the spots of {source.file} are {spots.diameter_um:.3g} µm wide "
        f"and {step * mpp:.3g} µm apart. Those of legacy ST, which look like this, have {diameter_um:g} and "
        f"{pitch_um:g} µm: that would be {implied:.3g} µm per pixel.",
        f"Give --mpp {implied:.4g} if they are.",
    )


def overlapping(spots: Spots) -> SpotsError | None:
    """Return what is to be said of spots without an array that would overlap, which printed ones never do.

    The diameter that a file states in px of the full-resolution image then contradicts its positions: they are px of a
    smaller one.
    """
    if spots.layout != "custom" or not isinstance(spots.source, H5adSource) or spots.source.recorded is not None:
        return None
    if len(spots) < 2 or spots.diameter_um <= OVERLAP * spots.pitch_um:
        return None
    times = spots.diameter_um / spots.pitch_um
    name = spots.source.file or "the spots"
    stated = (spots.source.scalefactors or {}).get("spot_diameter_fullres", float("nan"))
    return SpotsError(
        f"The spots of {name} overlap: spot_diameter_fullres is {stated:.4g} px, {times:.2g} times the distance from "
        f"one to the next ({stated / times:.4g} px). The positions seem to be px of a smaller image, or the diameter "
        "is wrong.",
        "Give positions in px of the full-resolution image, and spot_diameter_fullres in the same px.",
    )


def _small_image(spots: Spots, implied: float, mpp: float) -> tuple[str, float] | None:
    """Return which small image the positions seem to be px of, and its scale; None where something else is wrong."""
    factors = spots.source.scalefactors or {}
    for factor, image in _SMALL_IMAGES.items():
        scale = factors.get(factor)
        if scale and abs(implied / mpp * scale - 1) <= SAME_MPP:
            return image, scale
    return None


def _scale_factors_agree(spots: Spots, implied: float) -> bool:
    """Tell whether a Visium folder's spot diameter says the same as its positions: they are of no small image then."""
    diameter_px = (spots.source.scalefactors or {}).get("spot_diameter_fullres")
    stands_for = _SCALEFACTOR_SPOT_UM if spots.layout == "visium" else spots.pitch_um if spots.layout in BINS else None
    if not diameter_px or stands_for is None:
        return False
    return abs(stands_for / diameter_px / implied - 1) <= 2 * SAME_MPP


def _uncertainty(spots: Spots) -> float:
    """Return by which share the steps of the lattice may be off: three standard errors."""
    try:
        fit = fit_lattice(spots)
    except SpotsError:
        return math.inf
    spread = min(
        float(np.std(spots.array_col)) * math.hypot(*fit.col_step),
        float(np.std(spots.array_row)) * math.hypot(*fit.row_step),
    )
    return 3 * fit.residual / (math.sqrt(len(spots)) * spread) if spread > 0 else math.inf
