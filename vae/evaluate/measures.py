"""The numbers of a card."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vae import data
from vae.distributions import bits_per_dimension
from vae.evaluate import probe
from vae.evaluate.bounds import (
    ACTIVE,
    ELBO_SAMPLES,
    IW_SAMPLES,
    PICTURES,
    SEED,
    Bound,
    above,
    bound,
    estimate,
    iwae,
    log_evidence,
)
from vae.evaluate.coverage import PICTURES as COVERED
from vae.evaluate.coverage import coverage, drawn_from_prior
from vae.evaluate.decomposition import decompose
from vae.latent.classes import accuracy
from vae.latent.encodings import Company
from vae.models import VAE, Autoencoder, Conditional, Ladder, Model


def features(mu: Float[Tensor, "n d"], sigma: Float[Tensor, "n d"], name: str) -> dict[str, dict[str, float]]:
    """Accuracy of a linear probe and of 5 nearest neighbours on the latent means, and on as many PCA components of the
    same bits; of neighbours also with the latents weighed by how much they change pictures (`Company.metric`).

    Fitted on a random half of the test set, whose labels no model has seen, and scored on the other half.
    """
    labels, x, halves = probe.halved(name)
    values = {"latents": mu.numpy(), "pca": probe.components(mu.shape[1], x, halves[0])}
    found = {kind: probe.accuracy(rows, labels, *halves) for kind, rows in values.items()}
    fit = torch.from_numpy(halves[0])
    known = Company(mu[fit], sigma[fit], data.load(name, "test").images[fit])
    weighed = probe.neighbours((mu @ known.yardstick).numpy(), labels, *halves)
    numbers = {key: {kind: found[kind][key] for kind in found} for key in found["pca"]}
    return numbers | {"weighed_neighbours": {"latents": weighed}}


def measure(model: Model, name: str, pictures: int = PICTURES) -> tuple[dict, Bound]:
    """The numbers of a card, and the bound they rest on."""
    x = data.fixed_binarisation(name)
    if not 2 <= pictures <= len(x):
        raise ValueError(f"the number of pictures must be from 2 to {len(x)}, not {pictures}")
    y = data.load(name, "test").labels if isinstance(model, Conditional) else None
    parts = bound(model, x, y)
    noise = float(parts.log_likelihood.var(0).mean() / (ELBO_SAMPLES * len(x))) ** 0.5
    numbers = {"reconstruction": estimate(-parts.log_likelihood.mean(0), noise, ELBO_SAMPLES)}
    if not isinstance(model, Autoencoder):
        numbers = bounds(model, x, y, parts, noise, pictures) | numbers
    return numbers | features(parts.mu, parts.sigma, name) | compared(model, name, parts), parts


def compared(model: Model, name: str, parts: Bound) -> dict:
    """What the theory's chapters compare models by, as far as a model's family has it."""
    numbers = {}
    if isinstance(model, VAE):
        split = decompose(parts.mu, parts.sigma, torch.Generator().manual_seed(SEED))
        numbers["decomposition"] = rounded(split._asdict())
    if isinstance(model, VAE | Autoencoder):
        samples = drawn_from_prior(model, COVERED, torch.Generator().manual_seed(SEED))
        x, same = data.fixed_binarisation(name), torch.Generator().manual_seed(SEED)  # pictures for every model
        numbers["coverage"] = rounded(coverage(samples, x, same)._asdict())
    if isinstance(model, Conditional):
        share = accuracy(model, data.fixed_binarisation(name).float(), data.load(name, "test").labels)
        numbers["class_by_elbo"] = round(share, 4)
    return numbers


def rounded(numbers: dict[str, float]) -> dict[str, float]:
    """Numbers to four digits after the point, as a card holds them."""
    return {key: round(value, 4) for key, value in numbers.items()}


def bounds(
    model: Model,
    x: Float[Tensor, "n c h w"],
    y: Int64[Tensor, " n"] | None,
    parts: Bound,
    noise: float,
    pictures: int,
) -> dict:
    """What only a model with a prior has: ELBO, KL, and the tighter bounds of some random pictures."""
    elbo, kl = parts.elbo, parts.kl.sum(1)
    layered = isinstance(model, Ladder)
    numbers = {
        "negative_elbo": estimate(-elbo, noise, ELBO_SAMPLES),
        "kl": estimate(kl, 0.0, ELBO_SAMPLES if layered else 0),
        "bits_per_dimension": round(float(bits_per_dimension(-elbo.mean(), x[0].numel())), 4),
        f"kl_per_{'layer' if layered else 'dimension'}": [round(value, 4) for value in parts.kl.mean(0).tolist()],
    }
    if not layered:
        numbers["active_units"] = int((parts.mu.var(0) > ACTIVE).sum())
    some = torch.randperm(len(x), generator=torch.Generator().manual_seed(SEED))[:pictures]
    told = None if y is None else y[some]
    numbers["negative_iw"] = above(elbo, noise, some, iwae(model, x[some], told), IW_SAMPLES)
    if model.latents == 2 and isinstance(model, VAE):
        evidence, error = log_evidence(model, x[some])
        numbers["negative_log_evidence"] = above(elbo, noise, some, evidence, 0)
        numbers["gap"] = estimate(evidence - elbo[some], numbers["negative_log_evidence"]["error"], ELBO_SAMPLES)
        numbers["quadrature_error"] = round(error, 4)
    return numbers
