"""One thread, as the machines that run the tests are small, and the fixtures that several files use."""

import os
from functools import cache
from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from streamlit.components.v2 import manifest_scanner
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal

import tests.chance  # noqa: F401
from vae import data
from vae.distributions import normal

torch.set_num_threads(1)
os.environ["VAE_LAB_MODELS"] = str(Path(__file__).parent / "nobodys")  # one's own models are none of the tests'
# Each AppTest looks anew through all that is installed for components of others, which takes longer than its first run.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


class LinearGaussian:
    """p(z) = N(0, I), p(x|z) = N(W z + b, s^2 I) in float64: everything about it is known in closed form.

    The columns of W are orthogonal, so that the posterior has a diagonal covariance. q(z|x) is the posterior with its
    mean moved by `shift` and its standard deviation multiplied by `stretch`.
    """

    shape = (1, 2, 3)

    def __init__(self, shift: float = 0.0, stretch: float = 1.0):
        generator = torch.Generator().manual_seed(5)
        columns = torch.linalg.qr(torch.randn(6, 2, generator=generator, dtype=torch.float64))[0]
        self.weight = columns * torch.tensor([1.5, 0.7], dtype=torch.float64)
        self.bias = torch.randn(6, generator=generator, dtype=torch.float64)
        self.noise = 0.6
        self.shift, self.stretch = shift, stretch
        self.prior = normal(torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64))

    @property
    def device(self) -> torch.device:
        return self.weight.device

    def posterior(self, x: Float[Tensor, "b c h w"]) -> Independent:
        """p(z|x)."""
        precision = 1 + self.weight.square().sum(0) / self.noise**2
        mu = (x.flatten(1) - self.bias) @ self.weight / self.noise**2 / precision
        return normal(mu, precision.rsqrt().expand_as(mu))

    def encode(self, x: Float[Tensor, "b c h w"]) -> Independent:
        exact = self.posterior(x)
        return normal(exact.mean + self.shift, exact.stddev * self.stretch)

    def decode(self, z: Float[Tensor, "b d"]) -> Independent:
        mean = (z @ self.weight.T + self.bias).unflatten(1, self.shape)
        return Independent(Normal(mean, self.noise), 3)

    def log_evidence(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """log p(x) = log N(x; b, W W^T + s^2 I)."""
        covariance = self.weight @ self.weight.T + self.noise**2 * torch.eye(6, dtype=torch.float64)
        return MultivariateNormal(self.bias, covariance).log_prob(x.flatten(1))

    def elbo(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """The ELBO of `encode`'s q: log p(x) - KL(q || p(z|x)), the divergence by torch's full-covariance normals."""
        q, p = self.encode(x), self.posterior(x)
        gap = torch.distributions.kl_divergence(
            MultivariateNormal(q.mean, torch.diag_embed(q.variance)),
            MultivariateNormal(p.mean, torch.diag_embed(p.variance)),
        )
        return self.log_evidence(x) - gap

    def sample(self, pictures: int, seed: int = 0) -> Float[Tensor, "b c h w"]:
        """Pictures from p(x)."""
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn(pictures, 2, generator=generator, dtype=torch.float64)
        noise = torch.randn(pictures, *self.shape, generator=generator, dtype=torch.float64)
        return self.decode(z).mean + self.noise * noise


@pytest.fixture
def linear_gaussian() -> type[LinearGaussian]:
    """The class, to be called with how far q is from the posterior."""
    return LinearGaussian


@pytest.fixture(scope="session")
def digits() -> Tensor:
    """512 random MNIST test pictures, uint8."""
    images = data.load("mnist", "test").images
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(1))[:512]]
