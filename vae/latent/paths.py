"""Paths in the latent space, and what is said of them."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Bernoulli

from vae.latent.aggregate import aggregate_log_density
from vae.models import VAE

# Of `follow`: pieces from one knot to the next, encodings that make up its density, their least sigma, and Adam's first
# rate in parts of the distance from end to end, per latent.
PIECES, NEAR, FLOOR, RATE = 3, 1000, 0.1, 0.03


class Judged(NamedTuple):
    """One path: decoded length and largest step, radians; least log density, nats; least and greatest |z| / sqrt(d)."""

    length: float
    largest_step: float
    lowest_density: float
    shell: tuple[float, float]


def lerp(a: Float[Tensor, " d"], b: Float[Tensor, " d"], steps: int) -> Float[Tensor, "steps d"]:
    """The straight path from a to b in `steps` equal steps; the ends are a and b exactly."""
    _require_two(steps)
    path = torch.lerp(a, b, _fractions(steps, a))
    path[0], path[-1] = a, b
    return path


def slerp(a: Float[Tensor, " d"], b: Float[Tensor, " d"], steps: int) -> Float[Tensor, "steps d"]:
    """The path that turns from a to b at a constant rate while its norm goes linearly from |a| to |b|.

    Shoemake's spherical interpolation (1985) of the two directions, taken of the whole vector and scaled, so
    that the ends are a and b exactly whatever their norms are. Where the directions are the same, opposite or
    undefined there is no unique arc, and the straight path is returned.
    """
    _require_two(steps)
    norm_a, norm_b = a.norm(), b.norm()
    cosine = torch.dot(a, b) / (norm_a * norm_b)
    if not torch.isfinite(cosine) or 1 - cosine.abs() < 1e-6:
        return lerp(a, b, steps)
    angle = torch.acos(cosine)
    t = _fractions(steps, a)
    direction = (torch.sin((1 - t) * angle) * a / norm_a + torch.sin(t * angle) * b / norm_b) / torch.sin(angle)
    path = direction * torch.lerp(norm_a, norm_b, t)
    path[0], path[-1] = a, b
    return path


def follow(
    model: VAE,
    a: Float[Tensor, " d"],
    b: Float[Tensor, " d"],
    mu: Float[Tensor, "n d"],
    sigma: Float[Tensor, "n d"],
    steps: int,
    knots: int = 15,
    iterations: int = 60,
) -> Float[Tensor, "steps d"]:
    """A path from a to b along which the picture changes little and pictures are encoded; the ends are a and b exactly.

    Of a piecewise linear path z_0 = a, ..., z_m = b, m = PIECES (knots + 1), Adam moves the `knots` to minimise

        m sum_k |embed(z_k+1) - embed(z_k)|^2 / (the same of the straight path)  -  mean_k log q(z_k) / d

    from the better of the straight and the spherical path; the best knots met are kept, never worse than straight ones.
    The first term is the discrete energy of a geodesic of the decoder's Fisher-Rao metric (Arvanitidis et al. 2022); q
    is the aggregate posterior (nats) of the NEAR encodings closest to the straight path, with sigma at least FLOOR,
    as a narrower one has a slope only within itself. The `steps` points are set out at equal decoded distances.

    A local optimum: the path does not go round to where no slope leads, and may give up length or density to gain the
    other. Deterministic; gradients reach nothing outside.
    """
    straight = lerp(a, b, steps)
    if torch.equal(a, b):
        return straight
    with torch.inference_mode(False), torch.enable_grad():
        # copies, as a tensor made in inference mode can take no part in a gradient
        a, b, mu, sigma = (tensor.detach().clone() for tensor in (a, b, mu, sigma))
        straight, arc = lerp(a, b, knots + 2), slerp(a, b, knots + 2)
        near = torch.cdist(straight, mu).amin(0).topk(min(NEAR, len(mu)), largest=False).indices
        mu, sigma = mu[near], sigma[near].clamp(min=FLOOR)
        t = _fractions(PIECES * (knots + 1) + 1, a)

        def parts(corners: Float[Tensor, "k d"]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
            z = _along(corners, t)
            energy = (len(z) - 1) * embed(model, z).diff(dim=0).square().sum()
            return energy, -aggregate_log_density(z, mu, sigma).mean() / z.shape[1]

        unit = parts(straight)[0].detach().clamp(min=1e-12)

        def objective(corners: Float[Tensor, "k d"]) -> Float[Tensor, ""]:
            energy, emptiness = parts(corners)
            return energy / unit + emptiness

        best = min((straight, arc), key=lambda corners: objective(corners).item())
        lowest, inner = math.inf, best[1:-1].clone()
        mean, square = torch.zeros_like(inner), torch.zeros_like(inner)
        rate = RATE * (b - a).norm() / math.sqrt(len(a))
        for i in range(iterations):
            corners = torch.cat([a[None], inner.requires_grad_(), b[None]])
            value = objective(corners)
            if value.item() < lowest:
                lowest, best = value.item(), corners.detach()
            (slope,) = torch.autograd.grad(value, inner)
            mean, square = mean.lerp(slope, 0.1), square.lerp(slope.square(), 0.01)
            move = (mean / (1 - 0.9 ** (i + 1))) / ((square / (1 - 0.99 ** (i + 1))).sqrt() + 1e-12)
            inner = (inner - rate * (1 - i / iterations) * move).detach()
        return _paced(model, best, steps)


def bilinear(corners: Float[Tensor, "4 d"], side: int) -> Float[Tensor, "side side d"]:
    """The grid whose corners, row by row, are exactly the four; straight along every edge, row and column."""
    _require_two(side)
    a, b, c, d = corners
    left, right = lerp(a, c, side), lerp(b, d, side)
    return torch.stack([lerp(start, end, side) for start, end in zip(left, right, strict=True)])


def around(corners: Float[Tensor, "4 d"], steps: int) -> Float[Tensor, "steps d"]:
    """The round along the edges of `bilinear`'s grid: from a over b, d and c back towards a, which is not repeated.

    Each edge takes the same number of steps, where 4 divides `steps`; then the four are met exactly.
    """
    _require_two(steps)
    a, b, c, d = corners
    t = torch.arange(steps, device=corners.device, dtype=corners.dtype) / steps
    return _along(torch.stack([a, b, d, c, a]), t[:, None])


def _along(corners: Float[Tensor, "k d"], t: Float[Tensor, "m 1"]) -> Float[Tensor, "m d"]:
    """The places at t, 0 to 1, of a piecewise linear path whose corners are at equal steps of t."""
    at = t * (len(corners) - 1)
    before = at.detach().floor().long().clamp(max=len(corners) - 2)[:, 0]
    return torch.lerp(corners[before], corners[before + 1], at - before[:, None])


@torch.no_grad()
def _paced(model: VAE, corners: Float[Tensor, "k d"], steps: int) -> Float[Tensor, "steps d"]:
    """`steps` places of a piecewise linear path, neighbours equally far apart when decoded; the ends are exact."""
    t = _fractions(4 * steps, corners)
    for _ in range(3):  # first by the length of a fine path, then, twice, by that of the steps themselves
        length = embed(model, _along(corners, t)).diff(dim=0).norm(dim=1).double()
        length = torch.cat([length.new_zeros(1), length.cumsum(0)])[:, None]
        length = length + (1e-6 * length[-1] + 1e-12) * t  # where nothing changes, by t, so that it always rises
        wanted = _fractions(steps, length) * length[-1]
        after = torch.searchsorted(length[:, 0], wanted[:, 0]).clamp(1, len(length) - 1)
        share = (wanted - length[after - 1]) / (length[after] - length[after - 1])
        t = torch.lerp(t[after - 1], t[after], share.to(t.dtype)).clamp(0, 1)
    path = _along(corners, t)
    path[0], path[-1] = corners[0], corners[-1]
    return path


def embed(model: VAE, z: Float[Tensor, "b d"]) -> Float[Tensor, "b p"]:
    """p(x|z) as a point, so that near points are as far apart as the distributions by Fisher and Rao, radians.

    A Bernoulli pixel of log-odds l is 2 atan(exp(l / 2)) = 2 arcsin(sqrt(p)), between 0 and pi; of any other
    likelihood it is the mean. Arvanitidis et al., Pulling back information geometry (2022), section 4. Differentiable;
    z may be on another device than the model, and the point is where z is.
    """
    p = model.decode(z)
    if isinstance(p.base_dist, Bernoulli):
        # the same as 2 atan(exp(l / 2)), without its overflow, which would make the gradient nan
        point = math.pi / 2 + 2 * torch.atan(torch.tanh(p.base_dist.logits / 4))
    else:
        point = p.mean
    return point.flatten(1).to(z.device)


@torch.no_grad()
def judge(model: VAE, path: Float[Tensor, "steps d"], mu: Float[Tensor, "n d"], sigma: Float[Tensor, "n d"]) -> Judged:
    """The decoded length and steps of a path, its lowest aggregate density, and how far out it runs."""
    step = embed(model, path).diff(dim=0).norm(dim=1)
    radius = path.norm(dim=1) / math.sqrt(path.shape[1])
    return Judged(
        step.sum().item(),
        step.max().item(),
        aggregate_log_density(path, mu, sigma).min().item(),
        (radius.min().item(), radius.max().item()),
    )


def _fractions(steps: int, like: Tensor) -> Float[Tensor, "steps 1"]:
    return torch.linspace(0, 1, steps, device=like.device, dtype=like.dtype)[:, None]


def _require_two(steps: int) -> None:
    if steps < 2:
        raise ValueError(f"a path needs at least 2 steps, not {steps}")
