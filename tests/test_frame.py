"""The record of a picture against torch.distributions, scipy and draws made here, under every pretrained model."""

import math
from dataclasses import fields
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

import vae
from vae import checkpoint, data
from vae.exact import Grid
from vae.frame import IW_SAMPLES, SAMPLES, Frame, RoundTrip, frame, round_trip

EVERY_MODEL = pytest.mark.parametrize("name", vae.list_pretrained())
TWO_LATENTS = [name for name in vae.list_pretrained() if checkpoint.load_card(name)["latents"] == 2]
SEED = 3


@cache
def model(name: str):
    return vae.load_pretrained(name, device="cpu")


@cache
def grid(name: str) -> Grid | None:
    return Grid(model(name)) if name in TWO_LATENTS else None


@cache
def picture(name: str, number: int = 0) -> Tensor:
    """One of the test pictures that the model's card names, as bits (1, c, h, w)."""
    card = checkpoint.load_card(name)
    return data.fixed_binarisation(card["data"]["name"])[card["examples"][number]][None]


@cache
def record(name: str, number: int = 0, seed: int = SEED) -> Frame:
    return frame(model(name), picture(name, number), seed, grid(name))


@cache
def own_draws(name: str, draws: int = 2000) -> tuple[Tensor, Tensor]:
    """log p(x|z) and log p(x, z) - log q(z|x) at z ~ q(z|x) drawn here, the pixels' likelihood by cross entropy."""
    seen, x = record(name), picture(name)
    q, p = (
        Independent(Normal(*parameters), 1) for parameters in ((seen.mu, seen.sigma), (0 * seen.mu, 1 + 0 * seen.mu))
    )
    z = seen.mu + seen.sigma * torch.randn((draws, len(seen.mu)), generator=torch.Generator().manual_seed(99))
    with torch.inference_mode():
        logits = model(name).decode(z).base_dist.logits
    likelihood = -F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none").sum((1, 2, 3))
    return likelihood, likelihood + p.log_prob(z) - q.log_prob(z)


def differing(one: Frame | RoundTrip, other: Frame | RoundTrip) -> set[str]:
    """The names of the fields whose values are not bitwise the same."""
    pairs = {field.name: (getattr(one, field.name), getattr(other, field.name)) for field in fields(one)}
    return {
        name
        for name, (a, b) in pairs.items()
        if not (torch.equal(a, b) if isinstance(a, Tensor) else type(a) is type(b) and a == b)
    }


@EVERY_MODEL
def test_the_record_holds_the_picture_and_its_posterior(name):
    seen = record(name)
    q = model(name).encode(picture(name))
    assert torch.equal(seen.x, picture(name)[0])
    torch.testing.assert_close(seen.mu, q.mean[0])
    torch.testing.assert_close(seen.sigma, q.stddev[0])


@EVERY_MODEL
def test_z_is_mu_plus_sigma_eps(name):
    seen = record(name)
    assert seen.eps.abs().max() > 0.1
    torch.testing.assert_close(seen.z, seen.mu + seen.sigma * seen.eps, rtol=0, atol=1e-6)


@EVERY_MODEL
def test_the_picture_is_decoded_from_the_z_of_the_record(name):
    seen = record(name)
    torch.testing.assert_close(seen.mean, model(name).decode(seen.z[None]).mean[0], rtol=0, atol=1e-6)


@EVERY_MODEL
def test_the_kl_is_that_of_torch(name):
    seen = record(name)
    expected = kl_divergence(Normal(seen.mu.double(), seen.sigma.double()), Normal(0.0, 1.0))
    torch.testing.assert_close(seen.kl_per_dimension.double(), expected, rtol=1e-5, atol=1e-5)
    assert seen.kl == pytest.approx(float(expected.sum()), abs=1e-4)


@EVERY_MODEL
def test_the_reconstruction_term_is_the_mean_over_other_draws_too(name):
    seen, (likelihood, _) = record(name), own_draws(name)
    error = math.hypot(seen.reconstruction_error, float(likelihood.std()) / len(likelihood) ** 0.5)
    assert abs(seen.reconstruction - float(likelihood.mean())) < 4 * error


@EVERY_MODEL
def test_the_stated_error_is_the_standard_error_of_the_draws(name):
    expected = float(own_draws(name)[0].std()) / SAMPLES**0.5
    assert record(name).reconstruction_error == pytest.approx(expected, rel=0.3)


@EVERY_MODEL
def test_the_elbo_is_reconstruction_minus_kl_and_its_bits_follow(name):
    seen = record(name)
    assert seen.elbo == seen.reconstruction - seen.kl
    assert seen.bits_per_dimension == pytest.approx(-seen.elbo / (seen.x.numel() * math.log(2)), rel=1e-6)


@EVERY_MODEL
def test_the_importance_weighted_bound_is_that_of_other_draws_too(name):
    log_weights = own_draws(name, 8 * IW_SAMPLES)[1].unflatten(0, (8, IW_SAMPLES))
    bounds = log_weights.logsumexp(1) - math.log(IW_SAMPLES)
    assert abs(record(name).iwae - float(bounds.mean())) < 4 * float(bounds.std()) + 0.02


@EVERY_MODEL
@pytest.mark.parametrize("number", range(5))
def test_the_importance_weighted_bound_is_not_below_the_elbo(name, number):
    seen = record(name, number)
    assert seen.iwae >= seen.elbo - 4 * seen.reconstruction_error


@pytest.mark.parametrize("name", TWO_LATENTS)
@pytest.mark.parametrize("number", range(5))
def test_with_two_latents_both_bounds_are_below_the_evidence(name, number):
    seen = record(name, number)
    assert seen.elbo + seen.gap == pytest.approx(seen.log_evidence, abs=1e-9)
    assert seen.gap >= -4 * seen.reconstruction_error
    # By Markov's inequality the estimate exceeds the evidence by t nats with probability exp(-t) at most.
    assert seen.iwae <= seen.log_evidence + 1


@pytest.mark.parametrize("name", TWO_LATENTS)
def test_the_evidence_is_that_of_this_picture_whatever_the_seed(name):
    both = grid(name).evidence(torch.cat([picture(name, 0), picture(name, 1)])).log_evidence.tolist()
    seen = [record(name, 0).log_evidence, record(name, 1).log_evidence]
    assert seen == pytest.approx(both, abs=1e-2)
    assert record(name, 0, SEED + 1).log_evidence == seen[0]
    assert abs(seen[0] - seen[1]) > 1


@EVERY_MODEL
def test_without_a_grid_there_is_neither_evidence_nor_gap(name):
    seen = frame(model(name), picture(name), SEED)
    assert seen.log_evidence is None
    assert seen.gap is None
    assert differing(seen, record(name)) <= {"log_evidence"}


@EVERY_MODEL
def test_the_same_seed_gives_bitwise_the_same_record(name):
    assert differing(frame(model(name), picture(name), SEED, grid(name)), record(name)) == set()


@EVERY_MODEL
def test_another_seed_gives_other_noise_and_nothing_else_of_the_posterior(name):
    changed = {"eps", "z", "mean", "reconstruction", "reconstruction_error", "iwae"}
    assert differing(record(name, 0, SEED + 1), record(name)) == changed


@EVERY_MODEL
def test_a_record_leaves_the_global_generator_alone(name):
    before = torch.get_rng_state()
    frame(model(name), picture(name))
    round_trip(model(name), torch.zeros(model(name).latents))
    assert torch.equal(torch.get_rng_state(), before)


def places(name: str) -> list[Tensor]:
    """The origin, a draw from the prior, and one place far out."""
    drawn = torch.randn(model(name).latents, generator=torch.Generator().manual_seed(5))
    return [torch.zeros_like(drawn), drawn, 1.7 * drawn]


@EVERY_MODEL
def test_a_round_trip_shows_the_decoded_mean(name):
    for z in places(name):
        shown = round_trip(model(name), z).mean
        torch.testing.assert_close(shown, model(name).decode(z[None]).mean[0], rtol=0, atol=1e-6)


@EVERY_MODEL
def test_a_round_trip_states_the_priors_log_density(name):
    for z in places(name):
        expected = float(Normal(0.0, 1.0).log_prob(z.double()).sum())
        assert round_trip(model(name), z).log_prior == pytest.approx(expected, abs=1e-3)


@EVERY_MODEL
def test_the_share_of_prior_samples_further_out_is_the_tail_of_chi_squared(name):
    for z in places(name):
        expected = stats.chi2.sf(float(z.double().square().sum()), len(z))
        assert round_trip(model(name), z).further_out == pytest.approx(expected, abs=1e-5)


@EVERY_MODEL
def test_kl_and_drift_are_those_of_a_picture_drawn_from_the_likelihood(name):
    """The drawn picture is not in the record, so the numbers must lie among those of pictures drawn here."""
    z = record(name).mu
    with torch.inference_mode():
        mean = model(name).decode(z[None]).mean
        drawn = torch.bernoulli(mean.expand(500, -1, -1, -1), generator=torch.Generator().manual_seed(8))
        q = model(name).encode(drawn)
    kl = kl_divergence(Normal(q.mean, q.stddev), Normal(0.0, 1.0)).sum(1)
    drift = ((q.mean - z) / q.stddev).pow(2).mean(1).sqrt()
    for seed in range(3):
        trip = round_trip(model(name), z, seed)
        assert kl.min() - 0.5 <= trip.kl <= kl.max() + 0.5
        assert 0.8 * drift.min() <= trip.drift <= 1.2 * drift.max()


@EVERY_MODEL
def test_a_place_far_from_all_pictures_drifts_much_more(name):
    near = round_trip(model(name), record(name).mu).drift
    far = round_trip(model(name), torch.full((model(name).latents,), 8.0)).drift
    assert far > 3 * near


@EVERY_MODEL
def test_the_same_place_and_seed_give_bitwise_the_same_round_trip(name):
    z = places(name)[1]
    assert differing(round_trip(model(name), z, SEED), round_trip(model(name), z, SEED)) == set()


@EVERY_MODEL
def test_another_seed_draws_another_picture_from_the_same_place(name):
    z = places(name)[1]
    assert differing(round_trip(model(name), z, 1), round_trip(model(name), z, 2)) == {"kl", "drift"}
