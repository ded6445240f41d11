"""From a slide and spots to AnnData in one call: the headless twin of the dock's Run button."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING

from napari_tcgn.engine import Progress, WorkFolder, choose_device, choose_precision, run, run_to_end
from napari_tcgn.expression.build import to_anndata
from napari_tcgn.expression.some_genes import genes_of
from napari_tcgn.model import Predictor, for_genes
from napari_tcgn.options import PrecisionName, PredictSettings
from napari_tcgn.slide import Slide, require_mpp
from napari_tcgn.spots import Spots

if TYPE_CHECKING:
    from anndata import AnnData

Load = Callable[[str, str, PrecisionName], Predictor]  # source, device, precision


def predict(
    slide: Slide,
    spots: Spots,
    model: str | PathLike[str] | Predictor | None = None,
    settings: PredictSettings | None = None,
    work: WorkFolder | None = None,
) -> AnnData:
    """Predict the expression of every spot of a slide, and return when it is done.

    Parameters
    ----------
    slide : Slide
        With known µm per px.
    spots : Spots
    model : str, path or Predictor, optional
        Name of a registered model, path of a model folder or checkpoint, or a loaded model;
        None takes `settings.model`.
    settings : PredictSettings, optional
    work : WorkFolder, optional
        Where values are kept as they come; X of the result is read from it then, so write it before removing that.

    Returns
    -------
    anndata.AnnData

    Raises
    ------
    TcgnError
        As `napari_tcgn.engine.run`, `choose_device` and `load_model` do.

    Examples
    --------
    >>> adata = predict(slide, spots, "tcgn-tiny-her2st")  # doctest: +SKIP
    """
    return run_to_end(predict_steps(slide, spots, model, settings, work))


def predict_steps(
    slide: Slide,
    spots: Spots,
    model: str | PathLike[str] | Predictor | None = None,
    settings: PredictSettings | None = None,
    work: WorkFolder | None = None,
    load: Load | None = None,
) -> Generator[Progress, None, AnnData]:
    """Do what `predict` does as a generator: every step can be shown, and closing it stops the work.

    Parameters
    ----------
    slide, spots, model, settings, work
        As in `predict`.
    load : callable, optional
        Loads a model that is not loaded yet; by default `load_model`. `LoadedModels.load` keeps the latest ones.

    Yields
    ------
    Progress
        Stages "load model", "read slide" and "predict"; after closing the generator the `prediction` of the
        last step holds what is done and goes through `to_anndata`.

    Returns
    -------
    anndata.AnnData
    """
    settings = settings if settings is not None else PredictSettings()
    require_mpp(slide)  # refuse before a model is loaded for nothing
    yield Progress("load model", 0, 1)
    if model is None or isinstance(model, str | PathLike):
        if load is None:
            from napari_tcgn.model import load_model

            load = load_model
        settings = replace(settings, model=str(model)) if model is not None else settings
        device = choose_device(settings.device)
        precision = choose_precision(settings.precision, device)
        settings = replace(settings, precision=precision)  # for the record: what was computed, not what was asked
        predictor = load(settings.model, device, precision)
    else:
        predictor = model
        settings = replace(settings, model=predictor.card.name)
    genes = genes_of(predictor.card, settings.genes)
    if genes is not None:
        predictor = for_genes(predictor, genes)
    yield Progress("load model", 1, 1)
    prediction = yield from run(slide, spots, predictor, settings, work)
    return to_anndata(prediction)
