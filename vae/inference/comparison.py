"""Several models beside each other: the same pictures, the same noise, and planes on which their encodings are seen."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vae.distributions import kl_per_dimension, reparameterised
from vae.latent.directions import principal_directions
from vae.latent.paths import lerp
from vae.models import Model


class Passed(NamedTuple):
    """One picture through one model, on the CPU: the mean of p(x|z) at z = mu + sigma eps, and nats about x.

    `kl_per_dimension` is that of q(z|x) from the prior; None for an autoencoder, which has none.
    """

    mean: Float[Tensor, "c h w"]
    log_likelihood: float
    kl_per_dimension: Float[Tensor, " d"] | None


@torch.inference_mode()
def passed(model: Model, x: Float[Tensor, "1 c h w"], eps: Float[Tensor, "1 d"]) -> Passed:
    """x -> q(z|x) -> z = mu + sigma eps -> p(x|z); an autoencoder's sigma is 0."""
    device = model.device
    x, q = x.to(device), model.encode(x.to(device))
    likelihood = model.decode(reparameterised(q, eps.to(device)))
    divergence = None if model.prior is None else kl_per_dimension(q, model.prior)[0].cpu()
    return Passed(likelihood.mean[0].cpu(), float(likelihood.log_prob(x)), divergence)


class Scene(NamedTuple):
    """What a model makes of the same pictures, the same z and the same two ends as others do, on the CPU.

    `encodings`, `places` (the z of the samples) and `way` (from one end's mu to the other's) are seen on a plane
    through the origin, of two latents or the first two principal components of the means; `explained` is the share of
    the means' variance on it.
    """

    encodings: Float[Tensor, "n 2"]
    places: Float[Tensor, "m 2"]
    way: Float[Tensor, "steps 2"]
    samples: Float[Tensor, "m c h w"]
    strip: Float[Tensor, "steps c h w"]
    explained: float


@torch.inference_mode()
def scene(
    model: Model,
    x: Float[Tensor, "n c h w"],
    z: Float[Tensor, "m d"],
    ends: Float[Tensor, "2 c h w"],
    steps: int,
) -> Scene:
    """Encode x, decode each z, and decode the straight way between the means of the two ends."""
    device = model.device
    mu, (a, b) = model.encode(x.to(device)).mean, model.encode(ends.to(device)).mean
    way, z = lerp(a, b, steps), z.to(device)
    along = torch.eye(2, device=device) if mu.shape[1] == 2 else principal_directions(mu)
    spread = mu - mu.mean(0)
    explained = float((spread @ along.T).square().sum() / spread.square().sum())
    seen = (mu @ along.T, z @ along.T, way @ along.T, model.decode(z).mean, model.decode(way).mean)
    return Scene(*(tensor.cpu() for tensor in seen), explained)
