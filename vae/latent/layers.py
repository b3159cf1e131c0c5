"""What each layer of a hierarchical model decides: draw some layers again and leave the others as they are."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent

from vae.distributions import rsample
from vae.models import Ladder, Pyramid


@torch.inference_mode()
def resample(
    model: Ladder | Pyramid, z: Float[Tensor, "n d"], layer: int, generator: torch.Generator | None = None
) -> Float[Tensor, "n d"]:
    """z with `layer` (0 is the top) and all below it drawn from p(z_l | z_<l); those above stay bit for bit.

    Ancestral sampling from the middle of the chain p(z_1) p(z_2|z_1) ... Layer 0 draws everything from the prior.
    """
    layers = model.config.space.sizes
    if not 0 <= layer < len(layers):
        raise ValueError(f"layer must be from 0 to {len(layers) - 1}, not {layer}")
    z = z.to(model.device)
    kept = z.split(layers, -1)
    eps = torch.randn(z.shape, generator=generator, device=z.device).split(layers, -1)
    found: list[Tensor] = []

    def choose(index: int, p: Independent) -> Tensor:
        found.append(kept[index] if index < layer else p.mean + p.stddev * eps[index])
        return found[-1]

    model.prior.walk(choose, tuple(z.shape[:-1]))
    return torch.cat(found, -1)


class Layered(NamedTuple):
    """One picture's ELBO under a hierarchical model, nats: means over samples of z ~ q(z|x), and standard errors."""

    kl: Float[Tensor, " layers"]
    kl_error: float
    log_likelihood: float
    elbo: float
    elbo_error: float


@torch.inference_mode()
def by_layer(
    model: Ladder | Pyramid, x: Float[Tensor, "1 c h w"], samples: int = 128, generator: torch.Generator | None = None
) -> Layered:
    """E_q[KL(q(z_l|z_<l, x) || p(z_l|z_<l))] of each layer, `kl_error` that of their sum, and the ELBO they belong to.

    Soenderby et al., Ladder Variational Autoencoders (2016), section 3.
    """
    x = x.to(model.device).expand(samples, -1, -1, -1)
    q = model.encode(x)
    z = rsample(q, generator)
    kl, log_likelihood = q.kl_per_layer(z), model.decode(z).log_prob(x)
    elbo = log_likelihood - kl.sum(-1)
    errors = [float(values.std() / samples**0.5) for values in (kl.sum(-1), elbo)]
    return Layered(kl.mean(0).cpu(), errors[0], float(log_likelihood.mean()), float(elbo.mean()), errors[1])


@torch.inference_mode()
def variations(
    model: Ladder | Pyramid, x: Float[Tensor, "1 c h w"], count: int, generator: torch.Generator | None = None
) -> tuple[Float[Tensor, "c h w"], Float[Tensor, "layers count c h w"]]:
    """The mean picture at one z ~ q(z|x), and for each layer `count` pictures of that z resampled from there down."""
    device = model.device
    z = rsample(model.encode(x.to(device)), generator)
    layers = range(len(model.config.space.sizes))
    drawn = torch.cat([resample(model, z.expand(count, -1), layer, generator) for layer in layers])
    pictures = model.decode(torch.cat([z, drawn])).mean.cpu()
    return pictures[0], pictures[1:].unflatten(0, (len(layers), count))
