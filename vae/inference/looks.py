"""What is measured of a picture to tell whether a model knows it: by the model, by its shape, by what was prepared."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

from vae.inference.record import Sketch
from vae.latent.encodings import Company
from vae.models import VAE
from vae.pictures import Content

NEIGHBOURS = 5
BY_MODEL = ("kl", "reconstruction", "reconstruction_per_ink", "neighbours", "drift", "error")
BY_SHAPE = ("ink", "thickness", "mean_thickness", "extent", "fill", "core", "outline")
BY_CONTENT = ("things", "kept", "edges")
MEASURES = (*BY_MODEL, *BY_SHAPE, *BY_CONTENT)


@torch.inference_mode()
def measured(
    model: VAE, company: Company, x: Float[Tensor, "n c h w"], seen: Sketch, contents: list[Content | None]
) -> Float[Tensor, "n f"]:
    """`MEASURES` of pictures that are not in the company, on the CPU; NaN where there is nothing to measure.

    By the model, nats but where it says otherwise: KL(q(z|x) || p(z)); E_q[log p(x|z)], also for each pixel of ink; the
    distance of mu to the NEIGHBOURS-th nearest encoding by `Company.metric`; how far mu moves when E[x|mu] is encoded,
    root mean square in posterior standard deviations; how far E[x|mu] is from x, root mean square of means over 2 x 2
    pixels. By shape, in pixels: see `_shape`. By content: see `Content`, what the preparation saw.
    """
    x = x.cpu()
    kl, ink = seen.kl_per_dimension.sum(1), x.flatten(1).sum(1)
    neighbours = _kth_nearest(seen.mu @ company.yardstick, company.measured)
    drift = ((model.encode(seen.mean).mean.cpu() - seen.mu) / seen.sigma).square().mean(1).sqrt()
    pooled, again = (F.avg_pool2d(picture, 2).flatten(1) for picture in (x, seen.mean))
    by_model = [
        kl,
        seen.reconstruction,
        seen.reconstruction / (ink + 20),  # a picture of a few pixels says little by each
        neighbours,
        drift,
        (again - pooled).square().mean(1).sqrt(),
    ]
    shapes = torch.tensor([_shape(picture) for picture in x.mean(1).numpy()])
    return torch.cat([torch.stack(by_model, 1), ink[:, None], shapes, _of_contents(contents)], 1)


def _kth_nearest(points: Float[Tensor, "n d"], others: Float[Tensor, "m d"]) -> Float[Tensor, " n"]:
    distances = torch.cdist(points, others, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.kthvalue(NEIGHBOURS).values


def _shape(picture: Float[np.ndarray, "h w"]) -> list[float]:
    """Of the ink without its grain, in pixels: the thickness at its thickest and on average, the longer side of its
    box, the share of the box that it fills, of itself that is no rim, and its outline by the root of its area."""
    mask = ndimage.uniform_filter(picture, 3, mode="constant") > 0.45
    area = int(mask.sum())
    if area == 0:
        return [0.0] * 6
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1][mask]
    sides = [np.ptp(np.flatnonzero(mask.any(axis))) + 1 for axis in (1, 0)]
    outline = sum(int(np.diff(np.pad(mask, 1).astype(np.int8), axis=axis).astype(bool).sum()) for axis in (0, 1))
    shares = (area / float(np.prod(sides)), float((depth > 1).mean()), outline / math.sqrt(area))
    return [2 * float(depth.max()), 2 * float(depth.mean()), float(max(sides)), *shares]


def _of_contents(contents: list[Content | None]) -> Float[Tensor, "n 3"]:
    seen = [Content() if content is None else content for content in contents]
    rows = [[getattr(content, name) for name in BY_CONTENT] for content in seen]
    return torch.tensor([[math.nan if value is None else float(value) for value in row] for row in rows])
