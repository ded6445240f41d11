"""The models of a cross-validation: trained on every section, with the held-out figures of the folds on their cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from napari_tcgn.files import write_text_whole
from napari_tcgn.model import (
    CARD_NAME,
    WEIGHTS_NAME,
    HeldOut,
    ModelCard,
    read_checkpoint,
    save_domain,
    save_intervals,
    save_model,
)
from napari_tcgn.paths import portable_name
from napari_tcgn.training.data.panel import Panel
from napari_tcgn.training.evaluate.baselines import LINE_METHOD
from napari_tcgn.training.evaluate.fold_scorer import FoldScorer
from napari_tcgn.training.evaluate.held_out import held_out_figures, held_out_values
from napari_tcgn.training.evaluate.scored import BOTH, TCGN_METHOD, Scored
from napari_tcgn.training.fit.card import draft_card, finished_card
from napari_tcgn.training.fit.residual import mean_of
from napari_tcgn.trust import fit_domain, fit_intervals


def final_models(
    folder: Path, run: Path | None, scorer: FoldScorer, panel: Panel, scored: Sequence[Scored]
) -> dict[str, Path]:
    """Write TCGN, every simple model, and the mean of TCGN and the line; only the simple ones without a run.

    Parameters
    ----------
    folder : pathlib.Path
        Gets one folder per model.
    run : pathlib.Path or None
        The finished run on every section.
    scorer : FoldScorer
    panel : Panel
        Of that run.
    scored : sequence of Scored
        Every method on every held-out section.

    Returns
    -------
    dict of str to pathlib.Path
        The folders by method.
    """
    settings, names = scorer.settings, list(scorer.sections)
    models: dict[str, Path] = {}
    # A line through colour and texture sees what the domain goes by; the others look at the line's own squares.
    domains = {b.name: fit_domain(scorer.features[b.name]) for b in scorer.baselines if b.scales_um}
    domains[LINE_METHOD] = fit_domain(scorer.features[LINE_METHOD])
    if run is None:
        trained = _lines_card(scorer, panel)
    else:
        trained = ModelCard.read(run / "model" / CARD_NAME)
        weights = read_checkpoint(run / "model" / WEIGHTS_NAME)
        models[TCGN_METHOD] = folder / trained.name
        save_model(models[TCGN_METHOD], weights, trained)
    like = replace(scorer.card, genes=panel.genes)
    for baseline in scorer.baselines:
        features = scorer.features[baseline.name]
        line = baseline.fit([features[name] for name in names], scorer.of(names, panel))
        own = replace(
            baseline.card(like),
            name=f"{baseline.name.split(' ')[0]}-{scorer.study.name}",
            training={**trained.training, "recipe": baseline.recipe(line), "epoch": None}
            | ({} if baseline.origin is None else {"encoder": baseline.origin}),
            domain=trained.domain,
            caveats=[*trained.caveats, *baseline.caveats],
        )
        models[baseline.name] = folder / portable_name(own.name)
        baseline.save(models[baseline.name], line, own)
        if run is not None and baseline.name == LINE_METHOD and settings.residual == "none":
            architecture = {**trained.architecture, "residual": baseline.features}
            both = replace(trained, name=trained.name.replace("tcgn", "tcgn-line"), architecture=architecture)
            models[BOTH] = folder / both.name
            save_model(models[BOTH], mean_of(weights, line), both)
    for method, place in models.items():
        written = ModelCard.read(place / CARD_NAME)
        finished = replace(written, metrics=held_out_figures(scored, method, written.genes))
        finished = save_domain(place, domains[method if method in domains else LINE_METHOD], finished)
        found = fit_intervals(held_out_values(scored, method, written.genes))
        finished = save_intervals(place, found and found[0], finished, found[1] if found else {})
        write_text_whole(place / CARD_NAME, finished.to_json() + "\n", overwrite=True)
    return models


def _lines_card(scorer: FoldScorer, panel: Panel) -> ModelCard:
    """Return what the cards of lines share where no network was trained beside them."""
    sections = list(scorer.sections.values())
    card = draft_card(scorer.settings, [], panel.genes, scorer.study)
    return finished_card(card, scorer.settings, sections, scorer.study, panel, "cpu", 0, HeldOut())
