"""What the class says and what z says: one z in every class, and every class as an explanation of one picture."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vae.models import Conditional
from vae.objective import terms


class Styles(NamedTuple):
    """Some z in every class: mean pictures, and log p(x|z, y) of one picture x, nats."""

    pictures: Float[Tensor, "n classes c h w"]
    log_likelihood: Float[Tensor, "n classes"]


@torch.inference_mode()
def in_every_class(model: Conditional, x: Float[Tensor, "1 c h w"], z: Float[Tensor, "n d"]) -> Styles:
    """Each z decoded in every class."""
    classes, device = model.config.classes, model.device
    y = torch.arange(classes, device=device).repeat(len(z))
    p = model.decode(z.to(device).repeat_interleave(classes, 0), y)
    fields = p.mean, p.log_prob(x.to(device).expand(len(y), -1, -1, -1))
    return Styles(*(field.unflatten(0, (len(z), classes)).cpu() for field in fields))


@torch.inference_mode()
def style(model: Conditional, x: Float[Tensor, "1 c h w"], y: int) -> Float[Tensor, "1 d"]:
    """The mean of q(z|x, y)."""
    device = model.device
    return model.encode(x.to(device), torch.tensor([y], device=device)).mean.cpu()


@torch.inference_mode()
def terms_by_class(
    model: Conditional, x: Float[Tensor, "b c h w"], generator: torch.Generator
) -> tuple[Float[Tensor, "b classes"], Float[Tensor, "b classes"]]:
    """log p(x|z, y) at one z ~ q(z|x, y) and KL(q(z|x, y) || p(z)) for every class y, nats, each with the same noise.

    Their difference is an estimate of the ELBO of log p(x|y). With equal p(y) that is log p(y|x) up to a constant and
    up to each bound's own gap: Kingma et al., Semi-Supervised Learning with Deep Generative Models (2014), eq. 6 and 7.
    """
    x = x.to(generator.device)
    noise, found = generator.get_state(), []
    for y in range(model.config.classes):
        generator.set_state(noise)
        found.append(terms(model.given(torch.full((len(x),), y, device=x.device)), x, generator))
    log_likelihood, kl = (torch.stack(columns, 1).cpu() for columns in zip(*found, strict=True))
    return log_likelihood, kl


def accuracy(
    model: Conditional, x: Float[Tensor, "n c h w"], y: Int64[Tensor, " n"], seed: int = 0, chunk: int = 250
) -> float:
    """The share of pictures whose class has the highest ELBO of all classes, each estimated from one z."""
    generator = torch.Generator(model.device).manual_seed(seed)
    found = [terms_by_class(model, part, generator) for part in x.split(chunk)]
    best = torch.cat([(log_likelihood - kl).argmax(1) for log_likelihood, kl in found])
    return float((best == y).float().mean())
