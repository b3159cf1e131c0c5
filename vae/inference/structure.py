"""The structure of a model, read from the model itself: its layers in order, and what each of them gives for a picture.

Layers are run one by one instead of with forward hooks: a served model is shared by threads, and a hook on it would see
the pictures of others.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent, kl_divergence

from vae.distributions import normal, reparameterised
from vae.models import VAE

COMPONENTS = "With components"  # the step where what principal components say is added to a network's last layer


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer's kind, the number of its parameters, and the tensor that it gives for one picture."""

    kind: str
    parameters: int
    output: Float[Tensor, "..."]


@dataclass(frozen=True, eq=False)
class Structure:
    """All that happens to x on its way to x-hat = E[x|z], z = mu + sigma eps; on the CPU."""

    x: Float[Tensor, "c h w"]
    encoder: list[Layer]
    mu: Float[Tensor, " d"]
    sigma: Float[Tensor, " d"]
    eps: Float[Tensor, " d"]
    z: Float[Tensor, " d"]
    decoder: list[Layer]
    mean: Float[Tensor, "c h w"]


@torch.inference_mode()
def structure(model: VAE, x: Float[Tensor, "1 c h w"], eps: Float[Tensor, "1 d"]) -> Structure:
    """The layers of the model with their outputs for x and for z = mu + sigma eps (Kingma and Welling 2014, 2.4)."""
    device = model.device
    x, eps = x.to(device), eps.to(device)
    q = model.encode(x)
    z = reparameterised(q, eps)
    return Structure(
        x=x[0].cpu(),
        encoder=_layers(model.encoder, x - model.middle) + _after(model, q),
        mu=q.mean[0].cpu(),
        sigma=q.stddev[0].cpu(),
        eps=eps[0].cpu(),
        z=z[0].cpu(),
        decoder=_layers(model.decoder, z) + [Layer(COMPONENTS, 0, sums[0].cpu()) for sums in _sums(model, z)],
        mean=model.decode(z).mean[0].cpu(),
    )


class Gradients(NamedTuple):
    """The gradient of the loss -log p(x|z) + KL(q || p(z)) at each latent, nats, and its parts on the way back.

    `z` comes through the decoder, `z_to_mu` = z and `z_to_sigma` = z eps are what of it passes z = mu + sigma eps, and
    `kl_to_mu` and `kl_to_sigma` the KL's own; `mu` and `sigma` are the sums.
    """

    loss: float
    eps: Float[Tensor, " d"]
    z: Float[Tensor, " d"]
    z_to_mu: Float[Tensor, " d"]
    z_to_sigma: Float[Tensor, " d"]
    kl_to_mu: Float[Tensor, " d"]
    kl_to_sigma: Float[Tensor, " d"]
    mu: Float[Tensor, " d"]
    sigma: Float[Tensor, " d"]


def gradients(model: VAE, x: Float[Tensor, "1 c h w"], eps: Float[Tensor, "1 d"]) -> Gradients:
    """By automatic differentiation, the reparameterised and the closed part apart; on the CPU."""
    device = model.device
    with torch.inference_mode(False), torch.enable_grad():
        x, eps = x.to(device).clone(), eps.to(device).clone()
        q = model.encode(x)
        mu, sigma = (part.detach().clone().requires_grad_() for part in (q.mean, q.stddev))
        z = mu + sigma * eps
        lost = -model.decode(z).log_prob(x).sum()
        divergence = kl_divergence(normal(mu, sigma), model.prior).sum()
        to_z, to_mu, to_sigma = torch.autograd.grad(lost, (z, mu, sigma))
        own = torch.autograd.grad(divergence, (mu, sigma))
    parts = (eps, to_z, to_mu, to_sigma, *own, to_mu + own[0], to_sigma + own[1])
    return Gradients(float((lost + divergence).detach()), *(part.detach()[0].cpu() for part in parts))


def _after(model: VAE, q: Independent) -> list[Layer]:
    """What comes after the encoder's layers, without parameters that were trained: the decoder's correction, or what
    principal components say beside them."""
    steps = (("Correction", model.config.corrected), (COMPONENTS, model.config.linear))
    output = torch.cat([q.mean, q.stddev.log()], 1)[0].cpu()
    return [Layer(kind, 0, output) for kind, is_there in steps if is_there]


def _sums(model: VAE, z: Float[Tensor, "b d"]) -> list[Float[Tensor, "b ..."]]:
    """Where principal components are added to the decoder's last layer: location and log scale of p(x|z)."""
    if not model.config.linear:
        return []
    pixels = model.decode(z).base_dist
    return [torch.cat([pixels.loc, pixels.log_scale], 1)]


@torch.inference_mode()
def decoding(model: VAE, z: Float[Tensor, "b d"]) -> Float[Tensor, "b values"]:
    """The outputs of the decoder's steps and the mean picture of each z, one after the other; on the CPU."""
    z = z.to(model.device)
    outputs = [*_run(model.decoder, z), *_sums(model, z), model.decode(z).mean]
    return torch.cat([output.flatten(1) for output in outputs], 1).cpu()


def _run(network: nn.Sequential, value: Float[Tensor, "b ..."]) -> list[Float[Tensor, "b ..."]]:
    outputs = []
    for layer in network:
        value = layer(value)
        outputs.append(value)
    return outputs


def _layers(network: nn.Sequential, value: Float[Tensor, "1 ..."]) -> list[Layer]:
    return [
        Layer(type(layer).__name__, sum(p.numel() for p in layer.parameters()), output[0].float().cpu())
        for layer, output in zip(network, _run(network, value), strict=True)
    ]
