"""How like the training every spot's patch is, along with a run: stopped, gone on with, told of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_tcgn.engine import (
    DomainRecord,
    RunRecord,
    WorkFolder,
    outside_warnings,
    run,
    run_to_end,
    sample_domain,
    work_folder_of,
)
from napari_tcgn.expression import to_anndata
from napari_tcgn.options import PredictSettings

SMALL = PredictSettings(batch_size=4, read_threads=2)


def redness(patches: np.ndarray) -> np.ndarray:
    """A p-value that every test can compute again."""
    return (patches[..., 0].mean(axis=(1, 2)) / 255).astype(np.float32)


@pytest.fixture
def knowing(new_predictor):
    def make():
        predictor = new_predictor()
        predictor.domain_of = redness
        return predictor

    return make


def test_every_spot_has_its_own_p_value(slide, spots, knowing) -> None:
    seen = {}
    predictor = knowing()
    predictor.before = lambda patches: seen.update({patch.tobytes(): redness(patch[None])[0] for patch in patches})
    prediction = run_to_end(run(slide, spots, predictor, SMALL))
    assert sorted(prediction.domain_p.tolist()) == sorted(seen.values())
    # Values and p-values are of the same patch: another run in other batches gives every spot the same one.
    other = run_to_end(run(slide, spots, knowing(), PredictSettings(batch_size=7)))
    np.testing.assert_array_equal(other.domain_p, prediction.domain_p)
    adata = to_anndata(prediction)
    np.testing.assert_array_equal(adata.obs["domain_p"], prediction.domain_p)
    outside = int((prediction.domain_p <= np.float32(0.05)).sum())
    assert prediction.record.domain == DomainRecord(0.05, len(spots), outside)
    assert RunRecord.from_json(prediction.record.to_json()).domain == prediction.record.domain


def test_a_model_without_one_is_unknown(slide, spots, predictor) -> None:
    prediction = run_to_end(run(slide, spots, predictor, SMALL))
    assert prediction.record.domain is None
    assert RunRecord.from_json(prediction.record.to_json()).domain is None
    assert to_anndata(prediction).obs["domain_p"].isna().all()


@pytest.mark.parametrize("model", ["knowing", "both at once"])
def test_it_can_be_left_out(slide, spots, knowing, model) -> None:
    predictor = knowing()
    if model == "both at once":
        predictor.predict_with_domain = lambda patches: (predictor.predict(patches), redness(patches))
    whole = run_to_end(run(slide, spots, predictor, SMALL))
    assert not np.isnan(whole.domain_p).any()
    predictor.domain_of = lambda patches: pytest.fail("nobody asked")
    without = run_to_end(run(slide, spots, predictor, replace(SMALL, domain=False)))
    assert without.domain_p is None
    assert without.record.domain is None
    np.testing.assert_array_equal(without.values, whole.values)
    assert to_anndata(without).obs["domain_p"].isna().all()


def test_a_resumed_run_has_the_same_bits(slide, spots, knowing, tmp_path: Path) -> None:
    expected = run_to_end(run(slide, spots, knowing(), SMALL))
    folder = work_folder_of(tmp_path / "result.h5ad")
    with WorkFolder(folder) as work:
        steps = run(slide, spots, knowing(), SMALL, work)
        for step in steps:
            if step.done >= 12 and step.stage == "predict":
                known = ~np.isnan(step.prediction.domain_p)
                np.testing.assert_array_equal(known, step.prediction.done)
                break
        steps.close()
    again = knowing()
    with WorkFolder(folder, resume=True) as work:
        found = run_to_end(run(slide, spots, again, SMALL, work))
        assert sum(again.batches) == len(spots) - 12
        np.testing.assert_array_equal(found.domain_p, expected.domain_p)
        assert found.record.domain == expected.record.domain
        work.remove()


def test_many_spots_outside_are_told_of() -> None:
    assert outside_warnings(DomainRecord(0.05, 100, 14), "m") == []
    assert outside_warnings(DomainRecord(0.05, 10, 9), "m") == [], "ten spots are no slide"
    assert outside_warnings(None, "m") == []
    (sentence,) = outside_warnings(DomainRecord(0.05, 200, 62), "m")
    assert sentence.startswith("62 of 200 spots (31%) look unlike the patches that m was trained on; 5% are expected")


def test_the_sentence_comes_with_the_result_once(slide, spots, knowing) -> None:
    predictor = knowing()
    predictor.domain_of = lambda patches: np.full(len(patches), 0.01, np.float32)
    prediction = run_to_end(run(slide, spots, predictor, SMALL))
    said = [sentence for sentence in prediction.record.warnings if "look unlike" in sentence]
    assert len(said) == 1
    assert said[0].startswith(f"{len(spots)} of {len(spots)} spots (100%)")


def test_a_sample_is_told_of_before_anything_is_predicted(slide, spots, knowing, predictor) -> None:
    asking = knowing()
    whole = run_to_end(run(slide, spots, knowing(), SMALL))
    level = float(np.median(whole.domain_p))
    asking.domain_of = lambda patches: redness(patches) / level * 0.05  # half of the spots are outside
    everything = sample_domain(slide, spots, asking, most=1000)
    expected = int((whole.domain_p / level * 0.05 <= np.float32(0.05)).sum())
    assert everything == DomainRecord(0.05, len(spots), expected)
    some = sample_domain(slide, spots, asking, most=10)
    assert some.spots == 10
    assert 0 < some.outside < 10
    assert some == sample_domain(slide, spots, asking, most=10)
    assert asking.batches == []
    assert sample_domain(slide, spots, predictor) is None
