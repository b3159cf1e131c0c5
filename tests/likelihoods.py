"""p(x|z) by its definition, in float64 and by others' formulas: cross entropy of bits, scipy's logistic of levels."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.stats import logistic
from torch import Tensor
from torch.distributions import Independent

from vae.distributions import DiscretizedLogistic


def log_prob(p: Independent, x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """log p(x|z) of each picture, nats."""
    pixels = p.base_dist
    if not isinstance(pixels, DiscretizedLogistic):
        logits = pixels.logits.double()
        return -F.binary_cross_entropy_with_logits(logits, x.double().expand_as(logits), reduction="none").sum(
            (1, 2, 3)
        )
    most = pixels.levels - 1
    loc, scale = pixels.loc.double().numpy(), pixels.log_scale.double().exp().numpy()
    level = np.rint(most * x.double().numpy())
    low, high = (np.broadcast_to((level + side) / most, loc.shape) for side in (-0.5, 0.5))
    low, high = np.where(low < 0, -np.inf, low), np.where(high > 1, np.inf, high)
    above = low > loc  # of the two tails the one where the bin does not drown
    mass = np.where(
        above,
        logistic.sf(low, loc, scale) - logistic.sf(high, loc, scale),
        logistic.cdf(high, loc, scale) - logistic.cdf(low, loc, scale),
    )
    return torch.from_numpy(np.log(mass).sum((1, 2, 3)))


def drawn(p: Independent, uniform: Float[Tensor, "*n c h w"]) -> Float[Tensor, "n c h w"]:
    """A picture of p for each noise."""
    pixels = p.base_dist
    if not isinstance(pixels, DiscretizedLogistic):
        return (uniform < pixels.mean).float()
    values = logistic.ppf(
        uniform.double().numpy(), pixels.loc.double().numpy(), pixels.log_scale.double().exp().numpy()
    )
    most = pixels.levels - 1
    return torch.from_numpy(np.rint(values.clip(0, 1) * most) / most).float()
