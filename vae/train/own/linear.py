"""The linear floor: what principal components of as many numbers lose of the same pictures, in the same nats."""

import torch
from jaxtyping import UInt8
from torch import Tensor

from vae import data
from vae.distributions import bernoulli, discretized_logistic

SURE = 0.01  # a Bernoulli's probability is never nearer to 0 or 1
MOST = 5000  # training pictures that the components are those of
SCALES = tuple(step / 4 for step in range(-20, -3))  # log scales of the logistic that are tried


def floor(own: data.Own, latents: int, held_out: UInt8[Tensor, "n c h w"]) -> float:
    """-log p(x | its first `latents` principal components), nats a picture, a mean over held-out pictures.

    The components are those of the training pictures; the likelihood is the model's kind, its one scale the best for
    the training pictures. No rate is counted: it is what no linear code of so many numbers can fall below.
    """
    some = own.part("train").images[:MOST]
    train, x = (data.as_read(data.grey(images), own.spec) for images in (some, held_out))
    flat = train.flatten(1)
    mean, count = flat.mean(0), min(latents, len(train) - 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        directions = torch.svd_lowrank(flat - mean, q=min(count + 16, *flat.shape), niter=4)[2][:, :count]

    def back(pictures: Tensor) -> Tensor:
        """What comes back of them."""
        code = (pictures.flatten(1) - mean) @ directions
        return (mean + code @ directions.T).view_as(pictures)

    if own.spec.levels == 2:
        likely = bernoulli(back(x).clamp(SURE, 1 - SURE).logit())
        return round(-float(likely.log_prob(x).mean()), 3)

    def lost(pictures: Tensor, scale: float) -> float:
        likely = discretized_logistic(back(pictures), torch.full_like(pictures, scale), own.spec.levels)
        return -float(likely.log_prob(pictures).mean())

    few = train[:64]
    return round(lost(x, min(SCALES, key=lambda scale: lost(few, scale))), 3)
