"""Two ways to the gradient of E_q[log p(x|z)] in the mean of q, draw by draw: through z, and through log q.

Both are right on average. What sets them apart is how much one draw differs from the next.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent

from vae.distributions import bernoulli, normal, reparameterised

NODES = 48  # of the quadrature, along each latent


class Draws(NamedTuple):
    """Of z = mu + sigma eps, n times: eps, log p(x|z) in nats, and its gradient in z."""

    eps: Float[Tensor, "n d"]
    log_likelihood: Float[Tensor, " n"]
    gradient: Float[Tensor, "n d"]


def drawn(decoder, x: Float[Tensor, "1 c h w"], q: Independent, eps: Float[Tensor, "n d"]) -> Draws:
    """What the decoder of a binary model makes of draws of one picture's q, of batch size 1."""
    with torch.enable_grad():
        z = reparameterised(normal(q.mean, q.stddev), eps).detach().requires_grad_()
        log_likelihood = bernoulli(decoder(z).float()).log_prob(x)
        (gradient,) = torch.autograd.grad(log_likelihood.sum(), z)
    return Draws(eps, log_likelihood.detach(), gradient)


def pathwise(draws: Draws) -> Float[Tensor, "n d"]:
    """d log p(x|z(eps)) / d mu of each draw: the decoder's own gradient, since dz / dmu = 1.

    Kingma and Welling (2014), section 2.4.
    """
    return draws.gradient


def score_function(draws: Draws, sigma: Float[Tensor, " d"], baseline: bool = False) -> Float[Tensor, "n d"]:
    """(log p(x|z) - b) d log q(z) / d mu of each draw, which asks nothing of the decoder but its number.

    The baseline b is 0, or the mean of the other draws' log p(x|z), so that it knows nothing of its own draw and no
    bias comes in. Williams (1992), REINFORCE; Mnih and Rezende (2016) for the mean of the others.
    """
    worth = draws.log_likelihood
    if baseline:
        worth = worth - (worth.sum() - worth) / (len(worth) - 1)
    return worth[:, None] * draws.eps / sigma


def quadrature(decoder, x: Float[Tensor, "1 c h w"], q: Independent) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """The gradient itself, of two latents, by Gauss and Hermite's rule: through z, and through log q."""
    nodes, weights = (torch.from_numpy(part) for part in np.polynomial.hermite_e.hermegauss(NODES))
    eps = torch.cartesian_prod(nodes, nodes).float()
    weight = torch.outer(weights, weights).flatten().div(2 * torch.pi)[:, None]
    draws = drawn(decoder, x, q, eps)
    ways = pathwise(draws), score_function(draws, q.stddev[0])
    through_z, through_q = ((weight * way.double()).sum(0).float() for way in ways)
    return through_z, through_q
