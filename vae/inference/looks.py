"""What is measured of a picture to tell whether a model knows it: by the model, by its shape, by what was prepared."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from vae.inference.record import Sketch
from vae.latent.encodings import LATTICE, Company
from vae.models import VAE
from vae.pictures import Content

NEIGHBOURS = 5
ANGLES = np.radians(np.arange(0, 180, 5))
TURNS = np.stack([np.cos(ANGLES), np.sin(ANGLES)])  # directions, a column each
BY_MODEL = ("kl", "reconstruction", "reconstruction_per_ink", "neighbours", "drift", "error")
BY_SHAPE = ("ink", "thickness", "mean_thickness", "extent", "fill", "core", "outline")
BY_CONTENT = ("things", "kept", "edges", "colours", "ground")
MEASURES = (*BY_MODEL, *BY_SHAPE, *BY_CONTENT)


@torch.inference_mode()
def measured(
    model: VAE, company: Company, x: Float[Tensor, "n c h w"], seen: Sketch, contents: list[Content | None]
) -> Float[Tensor, "n f"]:
    """`MEASURES` of pictures, on the CPU; NaN where there is nothing to measure, as of ink where pictures are no bits.

    By the model, nats but where it says otherwise: KL(q(z|x) || p(z)); E_q[log p(x|z)], also for each pixel of ink; the
    distance of mu to the NEIGHBOURS-th nearest encoding by `Company.metric`; how far mu moves when E[x|mu] is encoded,
    root mean square in posterior standard deviations; how far E[x|mu] is from x, root mean square of means over 2 x 2
    pixels. By shape, in pixels: see `_shape`. By content: see `Content`, what the preparation saw.
    """
    x = x.cpu()
    kl, ink = seen.kl_per_dimension.sum(1), x.flatten(1).sum(1)
    neighbours = _kth_nearest(company, seen.mu)
    drift = ((model.encode(seen.mean).mean.cpu() - seen.mu) / seen.sigma).square().mean(1).sqrt()
    pooled, again = (F.avg_pool2d(picture, 2).flatten(1) for picture in (x, seen.mean))
    by_model = {
        "kl": kl,
        "reconstruction": seen.reconstruction,
        "reconstruction_per_ink": seen.reconstruction / (ink + 20),  # a picture of a few pixels says little by each
        "neighbours": neighbours,
        "drift": drift,
        "error": (again - pooled).square().mean(1).sqrt(),
    }
    if model.input_spec.levels == 2:
        shapes = torch.tensor([_shape(picture) for picture in x.mean(1).numpy()])
        by_shape = torch.cat([ink[:, None], shapes], 1)
    else:
        by_model["reconstruction_per_ink"] = torch.full_like(ink, torch.nan)
        by_shape = torch.full((len(x), len(BY_SHAPE)), torch.nan)
    return torch.cat([torch.stack([by_model[name] for name in BY_MODEL], 1), by_shape, _of_contents(contents)], 1)


def _kth_nearest(company: Company, mu: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Without a picture's own encoding, where it is in the company: it would be its own neighbour."""
    distances = torch.cdist(mu @ company.yardstick, company.measured, compute_mode="donot_use_mm_for_euclid_dist")
    own = torch.cdist(mu, company.mu, p=math.inf) <= LATTICE
    return distances.masked_fill(own, math.inf).kthvalue(NEIGHBOURS).values


def _shape(picture: Float[np.ndarray, "h w"]) -> list[float]:
    """Of the ink without its grain, in pixels: the thickness at its thickest and on average, the longer side of its
    box, the share that it fills of the smallest box however turned, the share of itself that is no rim, and its outline
    by the root of its area."""
    mask = ndimage.uniform_filter(picture, 3, mode="constant") > 0.45
    area = int(mask.sum())
    if area == 0:
        return [0.0] * 6
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1][mask]
    sides = [np.ptp(np.flatnonzero(mask.any(axis))) + 1 for axis in (1, 0)]
    outline = sum(int(np.diff(np.pad(mask, 1).astype(np.int8), axis=axis).astype(bool).sum()) for axis in (0, 1))
    shares = (area / _smallest_box(mask), float((depth > 1).mean()), outline / math.sqrt(area))
    return [2 * float(depth.max()), 2 * float(depth.mean()), float(max(sides)), *shares]


def _smallest_box(mask: Bool[np.ndarray, "h w"]) -> float:
    """The area of the smallest box around it, in pixels, of all boxes turned by five degrees more and more: a box that
    stands upright is small around an upright stroke and large around one that leans, which says nothing of either."""
    widths = np.ptp(np.argwhere(mask) @ TURNS, axis=0) + np.abs(TURNS).sum(0)
    return float((widths[:18] * widths[18:]).min())


def _of_contents(contents: list[Content | None]) -> Float[Tensor, "n 5"]:
    seen = [Content() if content is None else content for content in contents]
    rows = [[getattr(content, name) for name in BY_CONTENT] for content in seen]
    return torch.tensor([[math.nan if value is None else float(value) for value in row] for row in rows])
