"""What else changes of a picture along a direction of z, by the words that people have for it."""

import torch
from jaxtyping import Float
from torch import Tensor

from vae.latent.encodings import Company
from vae.latent.named.factors import FACTORS
from vae.models import VAE

SLOW = ("loops",)  # to measure, and hardly ever moved along a line


@torch.inference_mode()
def moves(
    model: VAE, company: Company, direction: Float[Tensor, " d"], count: int = 256, seed: int = 0
) -> dict[str, float]:
    """The mean change of each factor of the decoded picture from mu - direction / 2 to mu + direction / 2 over `count`
    random pictures, in standard deviations of the factor over those pictures; by the factor's words.
    """
    factors = [factor for factor in FACTORS[model.input_spec.preparation] if factor.name not in SLOW]
    some = torch.randperm(len(company), generator=torch.Generator().manual_seed(seed))[:count]
    before, at, after = (
        model.decode((company.mu[some] + share * direction).to(model.device)).mean.cpu() for share in (-0.5, 0.0, 0.5)
    )
    found = {}
    for factor in factors:
        change, spread = factor.measure(after) - factor.measure(before), factor.measure(at).std()
        found[factor.words.lower()] = float(change.mean() / spread.clamp(min=1e-6))
    return found
