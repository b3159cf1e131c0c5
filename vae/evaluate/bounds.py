"""The ELBO and the bounds above it, of every picture of a test set."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.distributions import Independent
from tqdm import tqdm

from vae.distributions import Joint, kl_per_dimension, rsample
from vae.inference.evidence import Grid
from vae.models import VAE, Given, Model
from vae.models.device import upload
from vae.objective import importance_bound

ELBO_SAMPLES, IW_SAMPLES = 10, 1000
PICTURES, CHAPTER_PICTURES = 2000, 500  # whose tighter bounds are computed
OWN_PICTURES = {2: 200, 256: 20}  # the same of somebody's own, by the levels of a pixel
ACTIVE = 0.01  # variance of a latent's posterior mean over the data: Burda et al. (2016), section 5
SEED = 0


@dataclass(frozen=True)
class Bound:
    """The ELBO of each test picture, its parts, and the encodings they came from.

    `kl` is that of each latent, in closed form, or of each layer of a hierarchical model, a mean over the samples;
    `mu` and `sigma` of such a model are those of each layer at the means of the layers above.
    """

    log_likelihood: Float[Tensor, "samples n"]
    kl: Float[Tensor, "n parts"]
    mu: Float[Tensor, "n d"]
    sigma: Float[Tensor, "n d"]

    @property
    def elbo(self) -> Float[Tensor, " n"]:
        """E_q[log p(x|z)] - KL, nats, the expectation as a mean over the samples."""
        return self.log_likelihood.mean(0) - self.kl.sum(1)


@torch.inference_mode()
def bound(
    model: Model,
    x: Float[Tensor, "n c h w"],
    y: Int64[Tensor, " n"] | None = None,
    samples: int = ELBO_SAMPLES,
    seed: int = SEED,
) -> Bound:
    """Every term of the ELBO for every picture; a conditional model is told the classes y."""
    generator = torch.Generator(model.device).manual_seed(seed)
    x, found = upload(x, model.device), []
    for rows in torch.arange(len(x)).split(500):
        part, told = x[rows], _with_classes(model, y, rows)
        q, likelihoods, kl = told.encode(part), [], 0.0
        for _ in range(samples):
            z = rsample(q, generator)
            likelihoods.append(told.decode(z).log_prob(part))
            kl = kl + _kl_parts(q, told.prior, z) / samples
        mu, sigma = _moments(q)
        found.append(Bound(*(value.cpu() for value in (torch.stack(likelihoods), kl, mu, sigma))))
    likelihoods, kl, mu, sigma = ([getattr(part, field.name) for part in found] for field in fields(Bound))
    return Bound(torch.cat(likelihoods, 1), torch.cat(kl), torch.cat(mu), torch.cat(sigma))


def _moments(q: Independent | Joint) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
    """(mu, sigma) of q; of a joint distribution those of each layer at the means of the layers above."""
    if not isinstance(q, Joint):
        return q.mean, q.stddev
    middle = q.along(torch.zeros((*q.batch_shape, *q.event_shape), device=q.device))
    layers = [layer for layer, _ in q.conditionals(middle)]
    return middle, torch.cat([layer.stddev for layer in layers], -1)


def _with_classes(model: Model, y: Int64[Tensor, " n"] | None, rows: Int64[Tensor, " b"]) -> Model | Given:
    """The model for some rows of a data set: a conditional one given their classes."""
    return model if y is None else model.given(y[rows])


def _kl_parts(q: Independent | Joint, prior: Independent | Joint | None, z: Tensor) -> Float[Tensor, "n parts"]:
    """KL by latent or by layer; 0 where there is no prior."""
    if prior is None:
        return torch.zeros_like(z)
    return q.kl_per_layer(z) if isinstance(q, Joint) else kl_per_dimension(q, prior)


@torch.inference_mode()
def iwae(model: Model, x: Float[Tensor, "n c h w"], y: Int64[Tensor, " n"] | None = None) -> Float[Tensor, " n"]:
    """The importance-weighted bound of IW_SAMPLES draws for each picture, nats."""
    generator = torch.Generator(model.device).manual_seed(SEED)
    x = upload(x, model.device)
    parts = tqdm(torch.arange(len(x)).split(8), desc="IWAE bound", disable=None)
    return torch.cat(
        [importance_bound(_with_classes(model, y, rows), x[rows], IW_SAMPLES, generator).cpu() for rows in parts]
    )


def log_evidence(model: VAE, x: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, " n"], float]:
    """log p(x) of each picture by quadrature, nats, and the largest error it states."""
    grid = Grid(model)
    parts = [grid.evidence(part) for part in tqdm(x.split(1000), desc="log p(x)", disable=None)]
    return torch.cat([part.log_evidence for part in parts]).cpu(), float(max(part.error.max() for part in parts))


def above(elbo: Float[Tensor, " n"], noise: float, some: Tensor, values: Float[Tensor, " k"], samples: int) -> dict:
    """The estimate for the whole test set of what lies above the ELBO and was computed for `some` of it.

    Pictures differ more than their gaps do, so the whole set's ELBO plus the mean gap is the tighter estimate.
    """
    gap = values - elbo[some]
    left_out = float(gap.var() / len(some)) * (1 - len(some) / len(elbo))
    value = {"value": round(float(-elbo.mean() - gap.mean()), 3)}
    return estimate(-values, (noise**2 + left_out) ** 0.5, samples) | value


def estimate(values: Float[Tensor, " n"], error: float, samples: int) -> dict:
    """A mean over test pictures, as the card holds it.

    `spread` is the standard deviation from picture to picture; `error` how far `value` may be from the mean over the
    whole test set because z was sampled (`samples` times; 0: no sampling) or pictures were left out.
    """
    return {
        "value": round(float(values.mean()), 3),
        "spread": round(float(values.std()), 3),
        "error": round(error, 4),
        "pictures": len(values),
        "samples": samples,
    }
