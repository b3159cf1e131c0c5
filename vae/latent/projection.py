"""Two-dimensional views of a model's encodings: planes that can be decoded, and t-SNE, which cannot."""

import contextlib
import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from sklearn.manifold import TSNE
from torch import Tensor

from vae import data
from vae.latent.directions import principal_directions
from vae.latent.encodings import Company, shadow
from vae.models.files import whole

SIDE = 80  # cells of the density on a side
TSNE_PICTURES = 2000


@dataclass(frozen=True, eq=False)
class View:
    """Where encodings lie on a square `middle` +- `far`; `rows` are their indices in the data set.

    `along` holds the plane's two orthonormal directions, None where the view is no plane of the latent space; `rank` is
    `vae.latent.encodings.shadow` on it.
    """

    titles: tuple[str, str]
    rows: Int64[Tensor, " n"]
    xy: Float[Tensor, "n 2"]
    middle: tuple[float, float]
    far: float
    along: Float[Tensor, "2 d"] | None = None
    rank: Float[Tensor, "side side"] | None = None


def plane(company: Company, along: Float[Tensor, "2 d"], titles: tuple[str, str]) -> View:
    """The encodings' means on the plane through the origin along two orthonormal directions."""
    xy = company.mu @ along.T
    middle, far = _square(xy)
    rows = torch.arange(len(company))
    return View(titles, rows, xy, middle, far, along, shadow(company, along, middle, far, SIDE))


def latents(company: Company, across: int, up: int) -> View:
    """The plane of two latents."""
    along = torch.eye(company.mu.shape[1])[[across, up]]
    return plane(company, along, (f"z<sub>{across}</sub>", f"z<sub>{up}</sub>"))


def principal(company: Company) -> View:
    """The plane of the first two principal components of the means, not centred: z = 0 stays in the plane."""
    titles = ("first principal component", "second principal component")
    return plane(company, principal_directions(company.mu), titles)


def tsne(company: Company, seed: int = 0) -> View:
    """scikit-learn's t-SNE of some random means, computed once (seconds) and kept in the cache folder."""
    rows = torch.randperm(len(company), generator=torch.Generator().manual_seed(seed))[:TSNE_PICTURES].sort().values
    mu = company.mu[rows].numpy()
    kept = data.cache_folder("tsne") / f"{hashlib.sha256(mu.tobytes()).hexdigest()[:20]}-{seed}.f32"
    try:
        xy = np.fromfile(kept, "<f4").reshape(len(rows), 2)
        if not np.isfinite(xy).all():
            raise ValueError(f"{kept} holds something else")
    except (OSError, ValueError):
        xy = TSNE(init="pca", random_state=seed, max_iter=500).fit_transform(mu)
        with contextlib.suppress(OSError), whole(kept) as draft:  # where nothing can be kept it is computed again
            xy.astype("<f4").tofile(draft)
    places = torch.from_numpy(xy.astype(np.float32))
    middle, far = _square(places)
    return View(("t-SNE", ""), rows, places, middle, far)


def _square(xy: Float[Tensor, "n 2"]) -> tuple[tuple[float, float], float]:
    """A square that holds nearly all places, with a margin."""
    low, high = (torch.quantile(xy.double(), share, dim=0) for share in (0.002, 0.998))
    across, up = ((low + high) / 2).tolist()
    return (round(across, 2), round(up, 2)), round(float((high - low).max()) / 2 * 1.12, 2)
