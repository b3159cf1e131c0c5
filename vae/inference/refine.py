"""Refining q for one picture: gradient steps on (mu, sigma) alone, and what the gap below log p(x) is made of.

The encoder gives every picture its q in one pass, and misses the best Gaussian by the amortisation error; even the best
Gaussian misses p(z|x) by the error of the family. Cremer, Li and Duvenaud, Inference Suboptimality in VAEs (2018).
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import kl_divergence

from vae.distributions import normal

STEPS, DRAWS, MEASURED, RATE = 100, 16, 64, 0.15


class Refined(NamedTuple):
    """q before the first step and after each: mu and sigma, and its ELBO, nats, with the standard error of each.

    Every ELBO is of draws that no step has seen, the same noise for all, so that their differences are sharper than
    their errors.
    """

    mu: Float[Tensor, "steps d"]
    sigma: Float[Tensor, "steps d"]
    elbo: Float[Tensor, " steps"]
    error: Float[Tensor, " steps"]


def refine(model: nn.Module, x: Float[Tensor, "1 c h w"], steps: int = STEPS, seed: int = 0) -> Refined:
    """Adam on (mu, log sigma) of q(z|x) from the encoder's on; on the CPU, deterministic by `seed`.

    mu moves in units of the encoder's sigma. The gradient is that of the reparameterised ELBO over DRAWS draws in pairs
    of opposite noise, new at every step.
    """
    if steps < 1:
        raise ValueError(f"to refine takes at least one step, not {steps}")
    device = model.device
    generator = torch.Generator(device).manual_seed(seed)
    with torch.inference_mode(False), torch.enable_grad():
        x = x.to(device).clone()
        q = model.encode(x)
        start, scale = q.mean.detach()[0], q.stddev.detach()[0]
        moves = torch.zeros(2, model.latents, device=device, requires_grad=True)
        optimiser = torch.optim.Adam([moves], RATE)
        path = [moves.detach().clone()]
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = RATE * (1 - step / steps)
            half = torch.randn(DRAWS // 2, model.latents, generator=generator, device=device)
            loss = -_elbo(model, x, start + scale * moves[0], scale * moves[1].exp(), torch.cat([half, -half])).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            path.append(moves.detach().clone())
    with torch.inference_mode():
        walked = torch.stack(path)
        mu, sigma = start + scale * walked[:, 0], scale * walked[:, 1].exp()
        eps = torch.randn(MEASURED, model.latents, generator=generator, device=device)
        draws = torch.stack([_elbo(model, x, *one, eps) for one in zip(mu, sigma, strict=True)])
    return Refined(mu.cpu(), sigma.cpu(), draws.mean(1).cpu(), (draws.std(1) / MEASURED**0.5).cpu())


def _elbo(model: nn.Module, x: Tensor, mu: Tensor, sigma: Tensor, eps: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """log p(x|z) - KL(q || p(z)) at each draw of N(mu, diag(sigma^2))."""
    likelihood = model.decode(mu + sigma * eps).log_prob(x.expand(len(eps), -1, -1, -1))
    return likelihood - kl_divergence(normal(mu, sigma), model.prior)
