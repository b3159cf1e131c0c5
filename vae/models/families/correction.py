"""q(z|x) of two latents: the encoder's, corrected by the decoder.

In one pass an encoder would have to tell where on a folded plane a picture belongs, to a hundredth of the plane; it
misses by a few sigma, now and then by many. So it is asked only where to look. Of 13 places around its mu the one with
the highest p(x, z) is taken, and a step of Fisher scoring leads from there to the peak, whose curvature gives sigma.

The Laplace approximation as a posterior: Park, Kim and Kim, Variational Laplace Autoencoders (2019). An encoder's guess
improved for each picture: Kim et al., Semi-Amortized Variational Autoencoders (2018).
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent

from vae.distributions import normal

RINGS, ON_A_RING = (3.0, 12.0), 6  # radii, in sigmas of the encoder, which is far too sure of itself
SHARE = 0.7  # of a step: a whole one often leads too far, since the plane is curved
APART = 1 / 8  # sigmas between a place and its neighbours, for differences
AT_ONCE = 4096  # pictures decoded in one pass

Decoder = Callable[[Float[Tensor, "n 2"]], Float[Tensor, "n 1 h w"]]  # to the log-odds of the pixels


@torch.no_grad()
def corrected(decoder: Decoder, x: Float[Tensor, "b 1 h w"], q: Independent) -> Independent:
    """N(mu, diag(sigma^2)) for binary pictures, from the encoder's q; 20 pictures are decoded for each. No gradients.

    float32 throughout: sigma may be a hundredth, and differences are taken over an eighth of it.
    """
    bits, mu, sigma = x.flatten(1), q.mean, q.stddev
    with torch.autocast(x.device.type, enabled=False):
        z = _best(decoder, bits, torch.stack([mu, *(mu + offset * sigma for offset in _rings(mu))]))
        gradient, information = _slopes(decoder, bits, z, APART * sigma)
        z = _best(decoder, bits, torch.stack([z, z + SHARE * torch.linalg.solve(information, gradient)]))
        return normal(z, information.diagonal(dim1=1, dim2=2).rsqrt())


def _rings(like: Tensor) -> Float[Tensor, "k 2"]:
    """The places to look at, in sigmas from mu; those of the second ring lie between those of the first."""
    found = []
    for ring, radius in enumerate(RINGS):
        angle = (torch.arange(ON_A_RING, device=like.device) + ring / 2) * (2 * math.pi / ON_A_RING)
        found.append(radius * torch.stack([angle.cos(), angle.sin()], 1))
    return torch.cat(found)


def _best(decoder: Decoder, bits: Float[Tensor, "b pixels"], places: Float[Tensor, "k b 2"]) -> Float[Tensor, "b 2"]:
    """For each picture the one of its places where p(x, z) is highest."""
    found = []
    for part in places.split(max(1, AT_ONCE // len(bits))):
        logits = decoder(part.flatten(0, 1)).flatten(1).unflatten(0, part.shape[:2])
        found.append((bits * logits - F.softplus(logits)).sum(-1) - 0.5 * part.square().sum(-1))
    return places[torch.cat(found).argmax(0), torch.arange(len(bits), device=bits.device)]


def _slopes(
    decoder: Decoder, bits: Float[Tensor, "b pixels"], z: Float[Tensor, "b 2"], apart: Float[Tensor, "b 2"]
) -> tuple[Float[Tensor, "b 2"], Float[Tensor, "b 2 2"]]:
    """The gradient of log p(x, z) by z, and the Fisher information of p(x|z) plus that of p(z), which is I.

    By central differences of the log-odds: inference mode, in which pages ask, knows no derivatives.
    """
    eye = torch.eye(2, device=z.device)
    shifts = eye[:, None] * apart
    places = torch.cat([z[None], z + shifts, z - shifts])
    logits = decoder(places.flatten(0, 1)).flatten(1).unflatten(0, places.shape[:2])
    middle, above, below = logits[0], logits[1:3], logits[3:5]
    slopes = (above - below) / (2 * apart.T[..., None])
    p = middle.sigmoid()
    gradient = torch.einsum("bp,ibp->bi", bits - p, slopes) - z
    return gradient, torch.einsum("ibp,bp,jbp->bij", slopes, p * (1 - p), slopes) + eye
