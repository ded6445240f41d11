"""How opaque a spot is drawn where uncertain ones are to be faint."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FAINTEST = 0.2


def spot_opacity(width: NDArray[np.floating] | None, unlike: NDArray[np.bool_] | None) -> NDArray[np.float32] | None:
    """Return how opaque every spot is drawn: the wider its interval, the fainter; faintest if unlike the training.

    From the 5th percentile of the widths, drawn full, to the 95th it falls in a straight line to `FAINTEST`.

    Parameters
    ----------
    width : float [spots] or None
        Of the interval of the shown gene; NaN and None: unknown.
    unlike : bool [spots] or None
        Whether the spot is unlike the training; None: unknown.

    Returns
    -------
    float32 [spots] or None
        From `FAINTEST` to 1; None where nothing is known of any spot.
    """
    known = width is not None and bool(np.isfinite(width).any())
    if not known and unlike is None:
        return None
    found = np.ones(len(width) if width is not None else len(unlike), np.float32)  # type: ignore[arg-type]
    if width is not None and known:
        low, high = np.nanpercentile(width, [5, 95])
        if high - low > 1e-6 * max(abs(high), 1e-6):
            share = np.clip((width - low) / (high - low), 0, 1)
            found -= np.nan_to_num((1 - FAINTEST) * share).astype(np.float32)
    if unlike is not None:
        found[unlike] = FAINTEST
    return found
