"""AnnData from a prediction or from other values at spots, and the .h5ad files it is kept in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.engine import DAMAGED, Prediction, leaves_image
from napari_tcgn.errors import DataError, OutputError
from napari_tcgn.expression.intervals import INTERVALS, interval_columns
from napari_tcgn.files import anything, check_target, entries_of, reading, reason_of, write_whole
from napari_tcgn.h5ad import new_h5, read_h5ad
from napari_tcgn.spots import Spots
from napari_tcgn.trust import trust_words

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

UNS_KEY = "napari_tcgn"
SHOWN = 60  # letters of a name in a sentence
DOMAIN_P = "domain_p"  # column of obs


def to_anndata(prediction: Prediction) -> AnnData:
    """Return a prediction as AnnData in the layout of Visium, as squidpy and scanpy read it.

    Parameters
    ----------
    prediction : Prediction
        Complete or partial; of a partial one only the predicted spots are kept. Values in a work folder stay there
        (X is a dask array that `write_h5ad` copies piece by piece).

    Returns
    -------
    anndata.AnnData
        X float32 [spots, genes] on the model's output scale. obs: array_row, array_col, in_tissue (0 or 1),
        tissue_fraction, patch_padded (the patch reaches over the slide's edge), domain_p (how usual the patch is among
        those of the training: small is unlike them; NaN: unknown). var: gene_ids where known,
        held_out_pcc and its interval held_out_pcc_low, held_out_pcc_high; held_out_depth_pcc (sequencing depth taken
        out); better_simple_model ("" where no simple model does better on held-out sections).
        varm["napari_tcgn_intervals"]: what `with_intervals` makes intervals of, where the model knows them.
        obsm["spatial"]: float64 (x, y) in full-resolution px. uns["spatial"][library_id]: image and scale factors.
        uns["napari_tcgn"]: run_record and model_card (JSON texts), output_scale, partial.

    Raises
    ------
    OutputError
        If no spot is predicted yet.
    """
    from anndata import AnnData

    if not prediction.done.any():
        raise OutputError("No spot is predicted yet.", "Let the run finish at least one batch before exporting.")
    spots = prediction.spots.select(prediction.done)
    card = prediction.card
    return AnnData(
        X=_values(prediction),
        obs=_spot_table(prediction),
        var=_gene_table(prediction),
        obsm={"spatial": np.column_stack([spots.x, spots.y])},  # [n, 2]: x to the right, y down
        varm={} if prediction.intervals is None else {INTERVALS: interval_columns(prediction.intervals)},
        uns={
            "spatial": {library_key(prediction.library_id): _library(prediction)},
            UNS_KEY: {
                # Texts, because nested lists and missing values do not survive HDF5 unchanged.
                "run_record": prediction.record.to_json(),
                "model_card": card.to_json(),
                "output_scale": card.output_scale,
                "partial": prediction.partial,
            },
        },
    )


def section_anndata(
    values: Any, genes: Sequence[str], spots: Spots, mpp: float | None, library_id: str, unit: str, kind: str
) -> AnnData:
    """Return values that no model's prediction is (measured ones, scores) as AnnData in squidpy's layout.

    Parameters
    ----------
    values : array or sparse matrix [spots, genes]
    genes : sequence of str
    spots : Spots
    mpp : float or None
        µm per full-resolution px.
    library_id, unit, kind : str
        Name of the section, what a value is, and what the values are; unit and kind are kept for reading it again.
    """
    import pandas as pd
    from anndata import AnnData

    entry: dict[str, Any] = {"images": {}, "scalefactors": {}, "metadata": {"spot_layout": spots.layout}}
    if mpp is not None:
        entry["metadata"]["mpp"] = mpp
        entry["scalefactors"]["spot_diameter_fullres"] = spots.diameter_um / mpp
    return AnnData(
        X=values.astype(np.float32),
        obs=pd.DataFrame(_spot_columns(spots), index=pd.Index(spots.ids.astype(object))),
        var=pd.DataFrame(index=pd.Index(list(genes), dtype=object)),
        obsm={"spatial": np.column_stack([spots.x, spots.y])},
        uns={"spatial": {library_key(library_id): entry}, UNS_KEY: {"output_scale": unit, "kind": kind}},
    )


def _values(prediction: Prediction) -> Any:
    """Return the values of the predicted spots, float32 [n, genes]; lazily where they are on disk."""
    if isinstance(prediction.values, np.ndarray):
        return prediction.values[prediction.done].astype(np.float32)
    return prediction.values.as_dask(np.flatnonzero(prediction.done))


def _spot_table(prediction: Prediction) -> pd.DataFrame:
    import pandas as pd

    spots = prediction.spots.select(prediction.done)
    slide = prediction.record.slide
    side = prediction.record.patch.side_px
    padded = leaves_image(spots.x, spots.y, side, slide.width_px, slide.height_px)
    known = prediction.domain_p
    domain_p = np.full(len(spots), np.nan, np.float32) if known is None else known[prediction.done]
    columns = _spot_columns(spots) | {"patch_padded": padded, DOMAIN_P: domain_p}
    return pd.DataFrame(columns, index=pd.Index(spots.ids.astype(object)))


def _spot_columns(spots: Spots) -> dict[str, Any]:
    assert spots.in_tissue is not None  # filled in by Spots
    return {
        "array_row": spots.array_row,
        "array_col": spots.array_col,
        "in_tissue": spots.in_tissue.astype(np.int64),
        "tissue_fraction": spots.tissue_fraction,
    }


def _gene_table(prediction: Prediction) -> pd.DataFrame:
    import pandas as pd

    card = prediction.card
    columns: dict[str, Any] = {}
    if card.gene_ids:
        columns["gene_ids"] = np.array(card.gene_ids, dtype=object)
    columns["held_out_pcc"] = card.gene_metric("pcc")
    columns["held_out_pcc_low"] = card.gene_metric("pcc_low")
    columns["held_out_pcc_high"] = card.gene_metric("pcc_high")
    columns["held_out_depth_pcc"] = card.gene_metric("depth_pcc")
    columns["trust"] = np.array(trust_words(card), dtype=object)
    columns["better_simple_model"] = np.array(card.better_baselines(), dtype=object)
    return pd.DataFrame(columns, index=pd.Index(card.genes, dtype=object))


def library_key(library_id: str) -> str:
    """Return the key of a section in `uns["spatial"]`."""
    # HDF5 takes "/" for a folder and refuses an empty name.
    return library_id.replace("/", "_") or "slide"


def _library(prediction: Prediction) -> dict[str, Any]:
    return {
        "images": {"hires": prediction.thumbnail},
        "scalefactors": {
            "tissue_hires_scalef": float(prediction.thumbnail_scale),
            "spot_diameter_fullres": prediction.spots.diameter_um / prediction.mpp,
        },
        "metadata": {"mpp": prediction.mpp, "spot_layout": prediction.spots.layout, "software": "napari-tcgn"},
    }


def write_h5ad(adata: AnnData, path: str | Path, overwrite: bool = False) -> None:
    """Write AnnData as .h5ad, whole or not at all.

    Parameters
    ----------
    adata : anndata.AnnData
    path : str or pathlib.Path
        Must end in .h5ad.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the path has another suffix, exists, or cannot be written.
    """
    from anndata.io import write_elem

    path = Path(path)
    check_h5ad_target(path, overwrite)
    require_storable(adata)
    with write_whole(path, overwrite) as temporary, _one_piece_at_a_time(adata.X), writable_strings():
        try:
            # As `adata.write_h5ad`, without the conversion that would change the caller's object and the types that are
            # read back, and into a file that HDF5 can close on a full disk.
            with new_h5(temporary) as file:
                write_elem(file, "/", adata)
        except OSError:
            raise  # of the disk: `write_whole` says so
        except Exception as error:  # anndata raises many kinds for values that no .h5ad can hold; it names the place
            raise OutputError(
                f"{path.name} cannot be written: it would hold what an .h5ad cannot ({reason_of(error)}).",
                "Remove that entry or change its type.",
            ) from error


def require_storable(adata: AnnData, slashes: bool = False) -> None:
    """Refuse names of parts that HDF5 and zarr take for paths, or cannot hold: such a file could not be read again.

    Parameters
    ----------
    adata : anndata.AnnData
    slashes : bool
        Whether names may have slashes: who writes gives them others.

    Raises
    ------
    OutputError
    """
    parts: dict[str, Mapping[str, Any]] = {name: getattr(adata, name) for name in ("obsm", "varm", "layers", "uns")}
    waiting = list(parts.items())
    sections = adata.uns.get("spatial")
    while waiting:
        where, entries = waiting.pop()
        for name, value in entries.items():
            if name is None:  # X among the layers of anndata 0.13
                continue
            is_path = "/" in name and (name.startswith("/") or entries is sections) and not slashes
            if name in ("", ".", "..") or "\0" in name or is_path:
                cut = name if len(name) <= SHOWN else f"{name[:SHOWN]}…"
                raise OutputError(
                    f"{where} has an entry called {cut!r}, which no .h5ad and no .zarr can hold.", "Rename it."
                )
            if isinstance(value, Mapping):
                waiting.append((f"{where}[{name!r}]", value))


def writable_strings() -> AbstractContextManager[Any]:
    """Return a context in which anndata writes columns of texts with gaps (pandas' nullable strings)."""
    import anndata

    if hasattr(anndata.settings, "allow_write_nullable_strings"):
        allowed: AbstractContextManager[Any] = anndata.settings.override(allow_write_nullable_strings=True)
        return allowed
    return nullcontext()


def _one_piece_at_a_time(values: Any) -> AbstractContextManager[Any]:
    """Return a context in which dask holds one piece of lazy values in memory, not one per processor."""
    if isinstance(values, np.ndarray):
        return nullcontext()
    import dask

    scheduler: AbstractContextManager[Any] = dask.config.set(scheduler="synchronous")
    return scheduler


def check_h5ad_target(path: Path, overwrite: bool = False) -> None:
    """Refuse a path that `write_h5ad` would refuse, before any work is done for it.

    Raises
    ------
    OutputError
    """
    if path.suffix != ".h5ad":
        raise OutputError(f"{path.name} does not end in .h5ad.", "Name the result like prediction.h5ad.")
    check_target(path, overwrite)


def own_part(adata: AnnData, *needed: str) -> dict[str, Any]:
    """Return `uns["napari_tcgn"]`, what this package says of values; {} where it says nothing and nothing is needed.

    Raises
    ------
    DataError
        If it is no such part, an entry is of another kind, or one that is needed is missing.
    """
    found = adata.uns.get(UNS_KEY, {})
    wrong = _OWN(found)
    if wrong is None and (missing := [name for name in needed if name not in found]):
        wrong = f"lacks {', '.join(missing)}"
    if wrong is not None:
        between = " " if wrong.startswith(("is ", "lacks ")) else ": "
        raise DataError(f'uns["{UNS_KEY}"]{between}{wrong}.', DAMAGED)
    return dict(found)


def _text_of_any_length(value: Any) -> str | None:
    return None if isinstance(value, str) else f"is {type(value).__name__}; wanted: text"


def _yes_or_no(value: Any) -> str | None:
    return None if isinstance(value, bool | np.bool_) else f"is {type(value).__name__}; wanted: true or false"


_OWN = entries_of(
    {
        **dict.fromkeys(("run_record", "model_card", "output_scale", "kind"), _text_of_any_length),
        "partial": _yes_or_no,
    },
    others=anything,
)


def domain_p_of(adata: AnnData) -> NDArray[np.float64]:
    """Return how usual every spot's patch is among those of the model's training (float64 [spots]), NaN: unknown."""
    if DOMAIN_P not in adata.obs:
        return np.full(adata.n_obs, np.nan)
    with reading(f'obs["{DOMAIN_P}"]', DataError, DAMAGED):
        known: NDArray[np.float64] = adata.obs[DOMAIN_P].to_numpy(np.float64)
    return known


def read_prediction(path: str | Path) -> AnnData:
    """Read a prediction that `write_h5ad` wrote.

    Raises
    ------
    DataError
        If the file is missing, is no .h5ad, or holds no prediction of this package.
    """
    adata = read_h5ad(path)
    if UNS_KEY not in adata.uns:
        raise DataError(
            f"{path} holds no napari-tcgn prediction (uns has {sorted(adata.uns)}).",
            "Give a file that `napari-tcgn predict` or the dock's Export has written.",
        )
    own_part(adata)
    return adata
