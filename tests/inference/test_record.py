"""Records, places and sketches against torch.distributions, scipy and draws made here, under every model."""

import math
from functools import cache

import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

import vae
from tests.grids import grid
from tests.likelihoods import drawn, log_prob
from tests.registry import BITS, VECTORS
from vae import data
from vae.distributions import stratified
from vae.inference.record import (
    BLOCK,
    LARGE,
    SAMPLES,
    SKETCH_SAMPLES,
    Frame,
    Sketch,
    frame,
    glimpse,
    ink,
    sketch,
)
from vae.latent.places import Places, places
from vae.models import pretrained

EVERY_MODEL = pytest.mark.parametrize("name", VECTORS)
TWO_LATENTS = [name for name in VECTORS if pretrained.load_card(name)["latents"] == 2]
SEED = 3


@cache
def model(name: str):
    return vae.load_pretrained(name, device="cpu")


inputs = cache(data.test_inputs)


@cache
def picture(name: str, number: int = 0) -> Tensor:
    """One of the test pictures that the model's card names, as it reads them (1, c, h, w)."""
    card = pretrained.load_card(name)
    return inputs(card["data"]["name"])[card["examples"][number]][None]


@cache
def record(name: str, number: int = 0, seed: int = SEED) -> Frame:
    return frame(model(name), picture(name, number), seed, grid(name, model(name)))


def often(name: str, count: int) -> int:
    """So many, or of pictures that take a hundred times as long a tenth of them."""
    return count if model(name).input_spec.pixels < LARGE else count // 10


@cache
def own_draws(name: str, draws: int) -> tuple[Tensor, Tensor]:
    """log p(x|z) and log p(x, z) - log q(z|x) at z ~ q(z|x) drawn here, the pixels' likelihood by its definition."""
    seen, x = record(name), picture(name)
    q, p = (
        Independent(Normal(*parameters), 1) for parameters in ((seen.mu, seen.sigma), (0 * seen.mu, 1 + 0 * seen.mu))
    )
    z = seen.mu + seen.sigma * torch.randn((draws, len(seen.mu)), generator=torch.Generator().manual_seed(99))
    with torch.inference_mode():
        likelihood = torch.cat([log_prob(model(name).decode(part), x) for part in z.split(100)])
    return likelihood, likelihood + p.log_prob(z) - q.log_prob(z)


def differing(one: Frame | Places | Sketch, other: Frame | Places | Sketch) -> set[str]:
    """The names of the fields whose values are not bitwise the same."""
    one, other = (record._asdict() if isinstance(record, tuple) else vars(record) for record in (one, other))
    return {
        name
        for name, a in one.items()
        if not (
            torch.equal(a, other[name]) if isinstance(a, Tensor) else type(a) is type(other[name]) and a == other[name]
        )
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
    seen, (likelihood, _) = record(name), own_draws(name, often(name, 2000))
    error = math.hypot(seen.reconstruction.error, float(likelihood.std()) / len(likelihood) ** 0.5)
    assert abs(seen.reconstruction.value - float(likelihood.mean())) < 4 * error


@EVERY_MODEL
def test_the_stated_error_is_how_far_the_means_of_stratified_draws_scatter(name):
    seen, x, generator = record(name), picture(name), torch.Generator().manual_seed(98)
    count = max(40, often(name, 200))
    latin = torch.rand(count, BLOCK, len(seen.mu), generator=generator).argsort(1)
    uniform = (latin + torch.rand(latin.shape, generator=generator)) / BLOCK
    z = seen.mu + seen.sigma * torch.from_numpy(stats.norm.ppf(uniform)).float()
    with torch.inference_mode():
        likelihood = [model(name).decode(block).log_prob(x.expand(BLOCK, -1, -1, -1)).mean() for block in z]
    expected = float(torch.stack(likelihood).std()) / (seen.samples / BLOCK) ** 0.5
    assert seen.reconstruction.error == pytest.approx(expected, rel=0.4 if seen.samples == SAMPLES else 0.7)
    assert expected < 0.7 * float(own_draws(name, often(name, 2000))[0].std()) / seen.samples**0.5


@EVERY_MODEL
def test_the_error_of_the_sampled_kl_is_how_far_its_means_of_stratified_draws_scatter(name):
    q = model(name).encode(picture(name))
    z = stratified(q, torch.Generator().manual_seed(97), 600, BLOCK).flatten(1, 2)
    ratio = (Normal(q.mean, q.stddev).log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(-1)
    assert record(name).kl_sampled.error == pytest.approx(
        float(ratio.mean(1).std()) / (record(name).samples / BLOCK) ** 0.5, rel=0.15
    )


@EVERY_MODEL
def test_the_kl_by_quadrature_is_that_of_torch(name):
    seen = record(name)
    torch.testing.assert_close(seen.kl_integrated, kl_divergence(Normal(seen.mu, seen.sigma), Normal(0.0, 1.0)))


@EVERY_MODEL
def test_what_is_estimated_again_is_what_it_should_agree_with(name):
    seen = record(name)
    assert seen.reconstruction_again == pytest.approx(seen.reconstruction.value, rel=1e-5)
    assert seen.bound_again == pytest.approx(seen.bound.value, abs=1e-9)


@EVERY_MODEL
def test_the_elbo_is_reconstruction_minus_kl_and_its_bits_follow(name):
    seen = record(name)
    assert seen.elbo == seen.reconstruction.value - seen.kl
    assert seen.bits_per_dimension == pytest.approx(-seen.elbo / (seen.x.numel() * math.log(2)), rel=1e-6)


@EVERY_MODEL
def test_the_importance_weighted_bound_is_that_of_other_draws_too(name):
    draws = record(name).iw_samples
    log_weights = own_draws(name, 8 * draws)[1].unflatten(0, (8, draws))
    bounds = log_weights.logsumexp(1) - math.log(draws)
    assert abs(record(name).iwae - float(bounds.mean())) < 4 * float(bounds.std()) + 0.02


@EVERY_MODEL
@pytest.mark.parametrize("number", range(5))
def test_the_importance_weighted_bound_is_not_below_the_elbo(name, number):
    seen = record(name, number)
    assert seen.iwae >= seen.elbo - 4 * seen.reconstruction.error


@pytest.mark.parametrize("name", TWO_LATENTS)
@pytest.mark.parametrize("number", range(5))
def test_with_two_latents_both_bounds_are_below_the_evidence(name, number):
    seen = record(name, number)
    assert seen.elbo + seen.gap == pytest.approx(seen.log_evidence.value, abs=1e-9)
    assert seen.gap >= -4 * seen.reconstruction.error
    # By Markov's inequality the estimate exceeds the evidence by t nats with probability exp(-t) at most.
    assert seen.iwae <= seen.log_evidence.value + 1


@pytest.mark.parametrize("name", TWO_LATENTS)
def test_the_evidence_is_that_of_this_picture_whatever_the_seed(name):
    both = grid(name, model(name)).evidence(torch.cat([picture(name, 0), picture(name, 1)])).log_evidence.tolist()
    seen = [record(name, 0).log_evidence.value, record(name, 1).log_evidence.value]
    assert seen == pytest.approx(both, abs=1e-2)
    assert record(name, 0, SEED + 1).log_evidence.value == seen[0]
    assert abs(seen[0] - seen[1]) > 1


@EVERY_MODEL
def test_without_a_grid_there_is_neither_evidence_nor_gap(name):
    seen = frame(model(name), picture(name), SEED)
    assert seen.log_evidence is None
    assert seen.gap is None
    assert differing(seen, record(name)) <= {"log_evidence"}


@EVERY_MODEL
def test_the_same_seed_gives_bitwise_the_same_record(name):
    assert differing(frame(model(name), picture(name), SEED, grid(name, model(name))), record(name)) == set()


@EVERY_MODEL
def test_another_seed_gives_other_noise_and_nothing_else_of_the_posterior(name):
    changed = {"eps", "z", "mean", "kl_sampled"}
    changed |= {"reconstruction", "reconstruction_again", "elbo_again", "bound", "bound_again"}
    assert differing(record(name, 0, SEED + 1), record(name)) == changed


@EVERY_MODEL
def test_the_global_generator_is_left_alone(name):
    before = torch.get_rng_state()
    frame(model(name), picture(name))
    places(model(name), spots(name), pictures(name))
    sketch(model(name), pictures(name))
    assert torch.equal(torch.get_rng_state(), before)


@cache
def spots(name: str) -> Tensor:
    """The origin, two draws from the prior, a place further out and one far from all pictures."""
    drawn = torch.randn((2, model(name).latents), generator=torch.Generator().manual_seed(5))
    return torch.cat([torch.zeros_like(drawn[:1]), drawn, 1.7 * drawn[:1], torch.full_like(drawn[:1], 8.0)])


@cache
def pictures(name: str) -> Tensor:
    return torch.cat([picture(name, number) for number in range(5)])


@cache
def seen_places(name: str, given: bool = False) -> Places:
    """Those of the five spots; with `given`, of the five pictures there too."""
    return places(model(name), spots(name), pictures(name) if given else None, SEED)


@cache
def posterior(name: str) -> Normal:
    """q(z|x) of the five pictures, in double precision."""
    with torch.inference_mode():
        q = model(name).encode(pictures(name))
    return Normal(q.mean.double(), q.stddev.double())


def nll(name: str, z: Tensor, x: Tensor) -> Tensor:
    """-log p(x|z) by its definition, in double precision."""
    with torch.inference_mode():
        return -log_prob(model(name).decode(z), x)


@EVERY_MODEL
def test_a_place_shows_the_decoded_mean(name):
    shown = seen_places(name).mean
    torch.testing.assert_close(shown, model(name).decode(spots(name)).mean, rtol=0, atol=1e-6)


@EVERY_MODEL
def test_a_place_states_the_priors_log_density(name):
    expected = Normal(0.0, 1.0).log_prob(spots(name).double()).sum(1)
    torch.testing.assert_close(seen_places(name).log_prior.double(), expected, rtol=1e-6, atol=1e-4)


@EVERY_MODEL
def test_the_share_of_prior_samples_further_out_is_the_tail_of_chi_squared(name):
    z = spots(name).double()
    expected = stats.chi2.sf(z.square().sum(1).numpy(), z.shape[1])
    assert seen_places(name).further_out.tolist() == pytest.approx(list(expected), abs=1e-5)


@EVERY_MODEL
def test_the_round_trip_is_that_of_the_picture_drawn_with_the_noise_of_the_seed(name):
    seen, z = seen_places(name), spots(name).double()
    noise = torch.rand(seen.mean.shape[1:], generator=torch.Generator().manual_seed(SEED))
    with torch.inference_mode():
        q = model(name).encode(drawn(model(name).decode(spots(name)), noise))
    again = Normal(q.mean.double(), q.stddev.double())
    expected = kl_divergence(again, Normal(0.0, 1.0))
    torch.testing.assert_close(seen.round_trip_kl.double(), expected, rtol=1e-4, atol=1e-4)
    drift = ((again.mean - z) / again.stddev).pow(2).mean(1).sqrt()
    torch.testing.assert_close(seen.drift.double(), drift, rtol=1e-4, atol=1e-4)


@EVERY_MODEL
def test_the_round_trip_is_one_of_those_of_pictures_drawn_from_the_likelihood(name):
    z = record(name).mu[None]
    with torch.inference_mode():
        noise = torch.rand(often(name, 500), *record(name).x.shape, generator=torch.Generator().manual_seed(8))
        q = model(name).encode(drawn(model(name).decode(z), noise))
    kl = kl_divergence(Normal(q.mean, q.stddev), Normal(0.0, 1.0)).sum(1)
    drift = ((q.mean - z) / q.stddev).pow(2).mean(1).sqrt()
    for seed in range(3):
        seen = places(model(name), z, seed=seed)
        assert kl.min() - 0.5 <= seen.round_trip_kl.sum() <= kl.max() + 0.5
        assert 0.8 * drift.min() <= seen.drift <= 1.2 * drift.max()


@pytest.mark.parametrize("name", BITS)
def test_a_place_far_from_all_pictures_drifts_much_more(name):
    """But of portraits: their principal components go on for ever, and are read back from as far."""
    near, far = places(model(name), torch.stack([record(name).mu, spots(name)[-1]])).drift
    assert far > 3 * near


@EVERY_MODEL
def test_the_likelihood_of_an_input_is_that_of_its_definition_at_the_place(name):
    expected = -nll(name, spots(name), pictures(name))
    torch.testing.assert_close(seen_places(name, True).log_likelihood.double(), expected, rtol=1e-5, atol=1e-3)


@EVERY_MODEL
def test_the_posterior_density_at_the_place_is_that_of_torch(name):
    expected = posterior(name).log_prob(spots(name)).sum(1)
    torch.testing.assert_close(seen_places(name, True).log_posterior.double(), expected, rtol=1e-4, atol=1e-3)


@EVERY_MODEL
def test_the_distance_is_the_sum_of_squares_in_posterior_standard_deviations(name):
    mu, sigma = posterior(name).mean, posterior(name).stddev
    expected = ((spots(name) - mu) ** 2 / sigma**2).sum(1)
    torch.testing.assert_close(seen_places(name, True).distance.double(), expected, rtol=1e-4, atol=1e-3)


@EVERY_MODEL
def test_the_distance_is_the_number_of_latents_on_average_over_the_posterior(name):
    seen, d, draws = record(name), model(name).latents, often(name, 1000)
    z = seen.mu + seen.sigma * torch.randn((draws, d), generator=torch.Generator().manual_seed(6))
    distance = places(model(name), z, picture(name).expand(draws, -1, -1, -1)).distance
    assert abs(float(distance.mean()) - d) < 4 * (2 * d / draws) ** 0.5


@EVERY_MODEL
def test_without_an_input_nothing_is_said_of_one_and_the_rest_is_the_same(name):
    for field, value in seen_places(name)._asdict().items():
        if field in ("log_likelihood", "log_posterior", "distance"):
            assert value.shape == (5,)
            assert value.isnan().all()
        else:
            torch.testing.assert_close(value, getattr(seen_places(name, True), field), rtol=1e-4, atol=1e-4)


@EVERY_MODEL
@pytest.mark.parametrize("given", [False, True])
def test_a_place_does_not_depend_on_its_company(name, given):
    together = seen_places(name, given)
    alone = [
        places(model(name), z[None], x[None] if given else None, SEED)
        for z, x in zip(spots(name), pictures(name), strict=True)
    ]
    # Rounding differs with the number of rows, and a pixel may be drawn differently where it decides.
    noise = torch.rand(together.mean.shape[1:], generator=torch.Generator().manual_seed(SEED))
    clear = (together.mean - noise).abs().amin((1, 2, 3)) > 1e-6
    assert clear.sum() >= 3
    for field, parts in zip(Places._fields, zip(*alone, strict=True), strict=True):
        rows = clear if field in ("drift", "round_trip_kl") else torch.ones(5, dtype=torch.bool)
        expected = getattr(together, field)[rows]
        torch.testing.assert_close(torch.cat(parts)[rows], expected, rtol=1e-4, atol=1e-4, equal_nan=not given)


@EVERY_MODEL
def test_the_same_places_and_seed_give_bitwise_the_same(name):
    assert differing(places(model(name), spots(name), pictures(name), SEED), seen_places(name, True)) == set()


@EVERY_MODEL
def test_another_seed_draws_other_pictures_from_the_same_places(name):
    other = places(model(name), spots(name), pictures(name), SEED + 1)
    assert differing(other, seen_places(name, True)) == {"drift", "round_trip_kl"}


@cache
def seen_sketch(name: str) -> Sketch:
    return sketch(model(name), pictures(name), SEED)


@cache
def drawn_nll(name: str) -> Tensor:
    """-log p(x|z) of the five pictures (columns) at draws from the posterior of each."""
    generator, count = torch.Generator().manual_seed(7), often(name, 400)
    return torch.stack(
        [
            nll(
                name,
                (mu + sigma * torch.randn((count, len(mu)), generator=generator)).float(),
                x.expand(count, -1, -1, -1),
            )
            for mu, sigma, x in zip(posterior(name).mean, posterior(name).stddev, pictures(name), strict=True)
        ],
        dim=1,
    )


@EVERY_MODEL
def test_a_sketch_holds_the_posterior_and_the_picture_decoded_from_its_mean(name):
    seen = seen_sketch(name)
    torch.testing.assert_close(seen.mu.double(), posterior(name).mean, rtol=0, atol=1e-5)
    torch.testing.assert_close(seen.sigma.double(), posterior(name).stddev, rtol=1e-5, atol=0)
    torch.testing.assert_close(seen.mean, model(name).decode(seen.mu).mean, rtol=0, atol=1e-6)


@EVERY_MODEL
def test_the_kl_of_a_sketch_is_that_of_torch(name):
    expected = kl_divergence(posterior(name), Normal(0.0, 1.0))
    torch.testing.assert_close(seen_sketch(name).kl_per_dimension.double(), expected, rtol=1e-4, atol=1e-4)


@EVERY_MODEL
def test_the_reconstruction_term_of_a_sketch_is_the_mean_over_other_draws_too(name):
    seen, own = seen_sketch(name), -drawn_nll(name)
    error = (seen.reconstruction_error.double().square() + own.var(0) / len(own)).sqrt()
    assert ((seen.reconstruction - own.mean(0)).abs() < 6 * error).all()  # few draws, long tails


@EVERY_MODEL
def test_a_sketch_is_the_mean_over_the_noise_of_its_seed_with_the_standard_error(name):
    noise = torch.randn((SKETCH_SAMPLES, model(name).latents), generator=torch.Generator().manual_seed(SEED))
    for row, (mu, sigma, x) in enumerate(
        zip(posterior(name).mean, posterior(name).stddev, pictures(name), strict=True)
    ):
        draws = -nll(name, (mu + sigma * noise).float(), x.expand(SKETCH_SAMPLES, -1, -1, -1))
        assert float(seen_sketch(name).reconstruction[row]) == pytest.approx(float(draws.mean()), rel=1e-4)
        error = float(draws.std()) / SKETCH_SAMPLES**0.5
        assert float(seen_sketch(name).reconstruction_error[row]) == pytest.approx(error, rel=1e-3)


@EVERY_MODEL
def test_a_sketch_does_not_depend_on_its_company(name):
    alone = [sketch(model(name), x[None], SEED) for x in pictures(name)]
    for together, parts in zip(seen_sketch(name), zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(torch.cat(parts), together, rtol=1e-4, atol=1e-4)


@EVERY_MODEL
def test_the_seed_determines_a_sketch_bitwise_and_only_its_draws(name):
    assert differing(sketch(model(name), pictures(name), SEED), seen_sketch(name)) == set()
    other = sketch(model(name), pictures(name), SEED + 1)
    assert differing(other, seen_sketch(name)) == {"reconstruction", "reconstruction_error"}


@pytest.mark.parametrize("seed", [0, 3])
def test_a_glimpse_is_the_beginning_of_the_record(seed):
    model = vae.load_pretrained("mnist-2d")
    x = data.fixed_binarisation("mnist")[[3]].float()
    whole, first = frame(model, x, seed), glimpse(model, x.repeat(2, 1, 1, 1), torch.tensor([seed, seed + 1]))
    for name in ("mu", "z", "mean", "kl_per_dimension"):
        torch.testing.assert_close(getattr(first, name)[0], getattr(whole, name), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(first.z[1], whole.z)


def test_ink_that_is_missed_and_added_is_a_share_of_the_ink_there_is():
    x = torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])
    assert ink(x, torch.tensor([[[0.5, 1.0, 0.25, 0.25]]])) == (0.25, 0.25)
    assert ink(x, x) == (0, 0)
    assert ink(torch.zeros(1, 2, 2), torch.ones(1, 2, 2)) == (0, 0)
