"""A model of one's own sections: made in one call, judged in words that the figures bear out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_tcgn.errors import DataError
from napari_tcgn.model import ModelCard, load_model
from napari_tcgn.sample import training_sample
from napari_tcgn.training import About, fit_model, plan_fit
from napari_tcgn.training.evaluate.own_model import judge


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("fit")
    about = About(name="gut", tissue="drawn tissue", licence="CC BY 4.0", citation="Ours (2026)")
    return fit_model(training_sample(), out, about, cache=out / "cache")


def test_the_model_is_there_with_all_that_tells_how_far_to_trust_it(made):
    card = load_model(made.folder).card
    assert (card.name, card.tissue, card.licence, card.citation) == ("gut", "drawn tissue", "CC BY 4.0", "Ours (2026)")
    assert card.scales_um == (112.0, 250.0, 700.0)
    assert card.metrics.pcc is not None
    assert card.metrics.ceiling_pcc is not None
    assert card.metrics.patient_pcc is not None
    assert card.domain.patches is not None
    files = {path.name for path in made.folder.iterdir()}
    assert files == {"card.json", "domain.safetensors", "intervals.safetensors", "model.safetensors"}
    assert set(card.metrics.intervals.coverage) == set(plan_fit(training_sample()).patients)


def test_the_sentences_stand_in_the_report_and_say_the_figures(made):
    page = made.report.read_text(encoding="utf-8")
    rows = made.evaluation.summary
    mine = rows[(rows["method"] == "context-line") & (rows["section"] == "all")].set_index("by")
    assert f"median PCC of {mine.loc['section', 'median_pcc']:.3f}" in made.verdict[0]
    assert f"it is {mine.loc['patient', 'median_pcc']:.3f}" in made.verdict[1]
    for sentence in made.verdict:
        assert sentence.split(" (")[0] in page


def test_a_plan_says_what_the_data_cannot_tell(tmp_path: Path):
    plan = plan_fit(training_sample())
    assert plan.by == ("section", "patient")
    assert plan.spots > 0
    assert plan.folds == len(plan.patients) + len(set(plan.patients.values()))
    lone = own_sections(tmp_path, ["one", "one"])
    assert plan_fit(lone).by == ("section",)
    assert any("patient one" in note and "unknown" in note for note in plan_fit(lone).notes)
    with pytest.raises(DataError, match="judged on a section that it has not seen"):
        plan_fit(own_sections(tmp_path / "single", ["one"]))


def own_sections(folder: Path, patients: list[str]) -> Path:
    """Write a sections.csv of the sample's sections."""
    from napari_tcgn.training import find_sections

    folder.mkdir(exist_ok=True)
    rows = [
        {
            "section": f"s{number}", "patient": patient, "image": str(files.image), "counts": str(files.counts),
            "spots": str(files.spots), "mpp": 0.688,
        }
        for number, (files, patient) in enumerate(zip(find_sections(training_sample()), patients, strict=False))
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "sections.csv", index=False)
    return folder


def test_a_model_that_passes_for_no_gene_is_not_recommended(made):
    metrics = replace(made.card.metrics, pcc_low=[-0.1] * len(made.card.genes))
    sentences = judge(made.evaluation, "context-line", replace(made.card, metrics=metrics))
    assert sentences[2] == "It is not worth using: not one gene passes the rule of trust."


def test_a_simpler_model_that_does_as_well_is_named(made):
    summary = made.evaluation.summary.copy()
    summary.loc[summary["method"] == "haematoxylin", "median_pcc"] = 0.9
    good = replace(made.card.metrics, pcc_low=[0.1] * len(made.card.genes), depth_pcc=[0.1] * len(made.card.genes))
    good = replace(good, sections_significant=None, patient_pcc=None, ceiling_pcc=None)
    sentence = judge(replace(made.evaluation, summary=summary), "context-line", replace(made.card, metrics=good))[2]
    assert f"{len(made.card.genes):,} genes that are trusted" in sentence
    assert "the simpler haematoxylin does as well (0.900)" in sentence


def test_one_patient_is_said(made):
    summary = made.evaluation.summary[made.evaluation.summary["by"] == "section"]
    sentences = judge(replace(made.evaluation, summary=summary), "context-line", made.card)
    assert "one patient" in sentences[1]
    assert isinstance(made.card, ModelCard)
    assert np.isfinite(summary["median_pcc"]).all()
