"""The negative binomial likelihood: right to the digit, right in its slope, and fit to train with."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import nbinom

from napari_tcgn.errors import SettingsError
from napari_tcgn.expression import scale_counts
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.fit.likelihood import (
    KNEE,
    NegativeBinomial,
    log_likelihood,
    log_share,
    mean_share,
    scaled_share,
)
from support.runs import finish, last_state, mean_colour, reports, start, stop_after_an_epoch

COUNTING = TrainSettings(
    epochs=3, batch_size=16, learning_rate=3e-3, loss="negative-binomial", val_fraction=0.25, device="cpu"
)


def test_log_likelihood_is_that_of_scipy():
    rng = np.random.default_rng(0)
    counts, mean = rng.integers(0, 400, (30, 6)), rng.uniform(0.01, 300, (30, 6))
    counts[:5] = 0
    size = np.array([0.05, 0.5, 1.0, 7.0, 80.0, 3000.0])
    found = log_likelihood(*(torch.from_numpy(v) for v in (counts.astype(float), np.log(mean), np.log(size))))
    np.testing.assert_allclose(found.numpy(), nbinom.logpmf(counts, size, size / (size + mean)), rtol=1e-7)
    single = log_likelihood(*(torch.from_numpy(v).float() for v in (counts.astype(float), np.log(mean), np.log(size))))
    np.testing.assert_allclose(single.numpy(), found.numpy(), rtol=2e-3, atol=2e-3)


def test_gradient_is_the_numerical_one_on_both_sides_of_the_knee():
    rng = np.random.default_rng(1)
    counts = torch.from_numpy(rng.poisson(30, (4, 3)).astype(float))
    measured = torch.ones(4, 3, dtype=torch.bool)
    loss = NegativeBinomial(counts, measured).double()
    output = torch.from_numpy(rng.uniform(-1, 3, (4, 3))).requires_grad_()
    assert (output < KNEE).any()
    assert torch.autograd.gradcheck(lambda z: loss(z, counts, measured), output)

    def of_size(log_size):
        return -log_likelihood(counts, log_share(output.detach()), log_size).mean()

    assert torch.autograd.gradcheck(of_size, loss.log_size.detach().clone().requires_grad_())


def test_an_output_stands_for_the_share_that_the_card_scales_to_it():
    counts = np.array([[40, 10, 950], [7, 1, 0]])
    output = torch.from_numpy(scale_counts(counts))
    share = counts / counts.sum(axis=1, keepdims=True)
    found = log_share(output).exp().numpy()
    np.testing.assert_allclose(found[share > 1e-4], share[share > 1e-4], rtol=1e-9)
    np.testing.assert_allclose(scaled_share(torch.from_numpy(share)).numpy(), output.numpy(), rtol=1e-9)


def test_link_is_smooth_positive_and_does_not_overflow():
    at = torch.tensor([KNEE - 1e-7, KNEE + 1e-7], dtype=torch.float64, requires_grad=True)
    value = log_share(at)
    (slope,) = torch.autograd.grad(value.sum(), at)
    assert (value[1] - value[0]).item() == pytest.approx(float(slope[0]) * 2e-7, rel=1e-3)
    assert slope[0].item() == pytest.approx(slope[1].item(), rel=1e-4)
    far = torch.tensor([-50.0, 0.0, 4.0, 80.0], requires_grad=True)
    (slope,) = torch.autograd.grad(log_share(far).sum(), far)
    assert torch.isfinite(log_share(far)).all()
    assert torch.isfinite(slope).all()
    assert (log_share(far).diff() > 0).all()


def test_what_is_not_measured_and_empty_spots_say_nothing():
    counts = torch.tensor([[5.0, 0.0, 9.0], [0.0, 0.0, 0.0], [2.0, 0.0, 4.0]])
    measured = torch.tensor([[True, False, True]] * 3)
    loss = NegativeBinomial(counts, measured)
    output = torch.rand(3, 3, requires_grad=True)
    value = loss(output, counts, measured)
    (gradient,) = torch.autograd.grad(value, output)
    assert (gradient[1] == 0).all()
    assert (gradient[:, 1] == 0).all()
    assert (gradient[[0, 2]][:, [0, 2]] != 0).all()
    kept = [0, 2]
    expected = -log_likelihood(
        counts[kept][:, kept],
        counts[kept].sum(1, keepdim=True).log() + log_share(output[kept][:, kept]),
        loss.log_size[kept],
    ).mean()
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    np.testing.assert_allclose(mean_share(counts, measured)[[0, 2]].numpy(), [7 / 20, 13 / 20])
    assert torch.isfinite(NegativeBinomial(torch.zeros(3, 3), measured)(output, torch.zeros(3, 3), measured))


def test_dispersion_starts_where_the_counts_have_it():
    rng = np.random.default_rng(2)
    total, share, size = rng.integers(2000, 9000, 4000), np.array([0.2, 0.3, 0.5]), np.array([0.5, 4.0, 50.0])
    mean = total[:, None] * share
    drawn = torch.from_numpy(rng.negative_binomial(size, size / (size + mean)).astype(np.float32))
    # What the rest of the panel takes up keeps the total as it was.
    rest = torch.from_numpy(total.astype(np.float32))[:, None] * 3 - drawn.sum(1, keepdim=True)
    counts = torch.cat([drawn, rest.clamp(min=0)], 1)
    found = NegativeBinomial(counts, torch.ones_like(counts, dtype=torch.bool)).log_size.exp()[:3].detach().numpy()
    np.testing.assert_allclose(found, size, rtol=0.35)


@pytest.mark.slow
def test_training_lowers_it_and_predicts_on_the_scale_of_the_card(dataset, tmp_path, genes):
    settings = replace(COUNTING, epochs=40, batch_size=8, learning_rate=0.05, start_from_mean=True)
    told, result = finish(start(dataset, tmp_path / "run", genes, settings, build_net=mean_colour))
    losses = [report.train_loss for report in reports(told)]
    assert losses[-1] < losses[0] - 0.05
    assert result.test_median_pcc > 0.4
    # The squared error on the card's scale falls as well, although it was never looked at.
    assert reports(told)[-1].val_loss < 0.5 * np.var(np.concatenate([[0.0, 4.0]]))
    assert result.test_loss < 1.0


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted_dispersions_included(dataset, tmp_path, genes, same):
    finish(start(dataset, tmp_path / "whole", genes, COUNTING))
    stop_after_an_epoch(start(dataset, tmp_path / "parts", genes, COUNTING))
    first = last_state(tmp_path / "parts")["likelihood"]["log_size"]
    finish(start(dataset, tmp_path / "parts", genes, COUNTING, resume=True))
    whole, parts = (last_state(tmp_path / name) for name in ("whole", "parts"))
    assert all(same(whole[part], parts[part]) for part in ("net", "likelihood", "optimiser"))
    assert not torch.equal(first, whole["likelihood"]["log_size"]), "the dispersions are learnt"


@pytest.mark.parametrize("change", [{"smooth_targets": 0.5}, {"centre_sections": True}])
def test_targets_that_are_no_counts_are_refused(change):
    with pytest.raises(SettingsError, match="negative-binomial loss"):
        replace(COUNTING, **change)
