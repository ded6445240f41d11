"""Lines alone, through squares of several scales: cross-validated, written as models, and run like any other."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
import torch

from napari_tcgn.cli.cross_validate import evaluation_text, scale_set
from napari_tcgn.engine import run, run_to_end
from napari_tcgn.errors import SettingsError
from napari_tcgn.expression import TOTAL_SCALE
from napari_tcgn.model import FeatureExtractor, ModelCard, describe, domain_of, load_model, read_domain
from napari_tcgn.options import TrainSettings
from napari_tcgn.slide import open_slide
from napari_tcgn.stats import median_counting_constants, pearson_per_gene
from napari_tcgn.training.data.her2st import find_sections, load_section
from napari_tcgn.training.evaluate.crossval import cross_validate_steps
from napari_tcgn.training.evaluate.report import write_report
from napari_tcgn.training.fit import line as line_module
from napari_tcgn.training.fit.line import choose_strength, fit_line
from napari_tcgn.training.fit.wide_features import wide_features

SETTINGS = TrainSettings(measurable=0.05, device="cpu")
SCALES = [(300.0,), (120.0, 300.0)]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, dataset):
    out = tmp_path_factory.mktemp("lines") / "out"
    options = {"by": ("section", "patient"), "mpp": 2.0, "final": True, "only_lines": True, "scales": SCALES}
    result = run_to_end(cross_validate_steps(dataset, out, SETTINGS, **options))
    write_report(result)
    return result


def test_no_network_is_trained_and_every_line_is_scored(evaluated) -> None:
    assert set(evaluated.summary["method"]) == {
        "haematoxylin", "colour-texture-line", "line-300um", "context-line", "training mean",
        "measured depth (no predictor)",
    }  # fmt: skip
    assert not (evaluated.out / "runs").exists()
    assert set(evaluated.differences["method"]) == {"context-line"}
    assert (evaluated.out / "report.html").is_file()
    record = json.loads((evaluated.out / "evaluation.json").read_text())
    assert record["scales_um"] == {"line-300um": [300.0], "context-line": [120.0, 300.0]}
    assert record["panels"]["B1"] == {"genes": 9, "source": "seen in at least 5% of the spots of each of B2, C1"}
    # 150 px around spots that are 100 px from the edge: none leaves the image.
    assert record["sections"]["B1"]["padded"] == {"line-300um": 0, "context-line": 0}


def test_what_can_be_reached_stands_beside_every_median_and_on_the_card(evaluated) -> None:
    summary, genes = evaluated.summary, evaluated.genes
    for before in ("", "depth_"):
        ceilings = summary.groupby(["by", "section"])[f"median_{before}ceiling_pcc"]
        assert (ceilings.nunique() == 1).all(), "a property of the measurement, whatever predicts it"
        assert ceilings.first().between(0.05, 1).all()
        judged = genes[f"{before}ceiling_pcc"] >= 0.1
        share = (genes[f"{before}pcc"] / genes[f"{before}ceiling_pcc"]).where(judged)
        np.testing.assert_allclose(genes[f"{before}share_of_ceiling"], share)
    card = ModelCard.read(evaluated.models["haematoxylin"] / "card.json")
    mine = genes.query("by == 'section' and method == 'haematoxylin'").groupby("gene")["ceiling_pcc"].mean()
    np.testing.assert_allclose(card.gene_metric("ceiling_pcc"), mine.reindex(card.genes), atol=1e-4)
    assert card.metrics.median_ceiling_pcc == pytest.approx(mine.median(), abs=1e-4)
    assert describe(card)["Reachable"].startswith(f"median PCC {card.metrics.median_ceiling_pcc:.3f} at best")
    assert "reachable at best" in evaluation_text(evaluated)
    assert "median ceiling pcc" in (evaluated.out / "report.html").read_text()


def test_every_model_knows_its_training_patches(evaluated, dataset) -> None:
    for method, folder in evaluated.models.items():
        card = ModelCard.read(folder / "card.json")
        domain = read_domain(folder, card)
        assert domain.sections == tuple(sorted(card.training["sections"]))
        assert len(domain.centre) == 30 * (2 if method == "context-line" else 1)
    card = ModelCard.read(evaluated.models["haematoxylin"] / "card.json")
    predictor = load_model(evaluated.models["haematoxylin"])
    section = load_section(find_sections(dataset)[0], card.genes, card, mpp=2.0)
    p = domain_of(predictor)(section.patches)
    assert np.median(p) > 0.3, "its own patches are not foreign to it"
    assert domain_of(predictor)(np.zeros_like(section.patches)).max() <= 0.05


def test_the_model_looks_at_its_scales_and_predicts_what_the_line_does(evaluated, dataset) -> None:
    folder = evaluated.models["context-line"]
    card = ModelCard.read(folder / "card.json")
    assert (card.name, card.scales_um, card.output_scale) == ("context-line-her2st", (120.0, 300.0), TOTAL_SCALE)
    assert card.training["recipe"]["scales in µm"] == [120.0, 300.0]
    section = load_section(find_sections(dataset)[0], card.genes, card, mpp=2.0)
    slide = open_slide(section.files.image, mpp=2.0)
    prediction = run_to_end(run(slide, section.spots, load_model(folder)))
    slide.close()
    alone = load_model(folder).predict(section.patches)
    np.testing.assert_allclose(prediction.values, alone, atol=2e-3)
    assert np.ptp(alone, axis=0).max() > 0.05


def test_wide_features_are_read_in_the_order_of_the_spots_and_edges_are_counted(evaluated, dataset) -> None:
    card = ModelCard.read(evaluated.models["context-line"] / "card.json")
    section = load_section(find_sections(dataset)[0], card.genes, card, mpp=2.0)
    found = wide_features(section, card)
    np.testing.assert_allclose(found.values, FeatureExtractor(card, "cpu")(section.patches).numpy(), atol=1e-4)
    assert found.padded == section.padded


def test_the_strength_is_that_of_the_best_median_on_what_was_left_out(dataset, monkeypatch) -> None:
    sections = [load_section(section, [f"GENE{i}" for i in range(10)], mpp=2.0) for section in find_sections(dataset)]
    rng = np.random.default_rng(0)
    features = [np.c_[s.target[:, :3] + rng.normal(size=(len(s), 3)), rng.normal(size=(len(s), 9))] for s in sections]
    found = choose_strength(features, sections)
    scores = {}
    for alpha, rank in list(itertools.product(line_module.ALPHAS, line_module.RANKS)):
        monkeypatch.setattr(line_module, "ALPHAS", (alpha,))
        monkeypatch.setattr(line_module, "RANKS", (rank,))
        medians = []
        for out, section in enumerate(sections):
            rest = [i for i in range(3) if i != out]
            line = fit_line([features[i] for i in rest], [sections[i] for i in rest])
            predicted = line(torch.from_numpy(features[out]).float()).numpy()
            varies = section.measured & (np.ptp(section.target, axis=0) > 0)
            medians.append(median_counting_constants(pearson_per_gene(predicted, section.target), varies))
        scores[alpha, rank] = np.mean(medians)
    best = max(scores, key=scores.get)
    assert scores[found.alpha, found.rank] == pytest.approx(scores[best], abs=1e-6)
    assert found.score == pytest.approx(scores[best], abs=1e-5)


def test_pooled_figures_stand_on_the_card(evaluated) -> None:
    card = ModelCard.read(evaluated.models["context-line"] / "card.json")
    summary = pd.read_csv(evaluated.out / "summary.csv").set_index(["by", "section", "method"])
    assert card.metrics.median_pcc == pytest.approx(
        summary.loc[("section", "all", "context-line"), "median_pcc"], abs=1e-3
    )


@pytest.mark.parametrize("text", ["", "250,", "wide", "0", "-3", "inf"])
def test_scales_that_are_none_are_refused(text: str) -> None:
    assert scale_set("112,250.5") == (112.0, 250.5)
    with pytest.raises(SettingsError, match="are no sides in µm"):
        scale_set(text)
