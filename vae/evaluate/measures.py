"""The numbers of a card: a row each, in its order, with the models that it is measured for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vae import data
from vae.distributions import bits_per_dimension, psnr, reparameterised
from vae.evaluate import probe
from vae.evaluate.bounds import (
    ACTIVE,
    ELBO_SAMPLES,
    IW_SAMPLES,
    PICTURES,
    SEED,
    Bound,
    above,
    bound,
    estimate,
    iwae,
    log_evidence,
)
from vae.evaluate.coverage import NEIGHBOURS, coverage, drawn_from_prior
from vae.evaluate.coverage import PICTURES as COVERED
from vae.evaluate.decomposition import decompose
from vae.evaluate.fidelity import WINDOW, ms_ssim
from vae.latent.classes import accuracy
from vae.latent.encodings import Company
from vae.models import Config, Model
from vae.models.spaces import Layers, Vector

ROWS = 200  # pictures that come back together
SCALES = 3  # of MS-SSIM, as many as 64 pixels have
FEW = 100  # held-out pictures, of which a half is too few to find classes by


@dataclass(frozen=True, eq=False)
class Subject:
    """A model with all that its numbers rest on; the tighter bounds are taken of so many random `pictures`."""

    model: Model
    dataset: str
    x: Float[Tensor, "n c h w"]
    y: Int64[Tensor, " n"] | None
    parts: Bound
    pictures: int

    @property
    def noise(self) -> float:
        """How far the mean ELBO may be off because z was sampled."""
        draws = self.parts.log_likelihood
        return float(draws.var(0).mean() / (draws.shape[0] * draws.shape[1])) ** 0.5

    @property
    def some(self) -> Int64[Tensor, " k"]:
        """The random pictures."""
        return torch.randperm(len(self.x), generator=seeded())[: self.pictures]

    @cached_property
    def evidence(self) -> tuple[Float[Tensor, " k"], float]:
        """log p(x) of some pictures by quadrature, and the largest error that it states."""
        return log_evidence(self.model, self.x[self.some])

    @cached_property
    def features(self) -> dict[str, dict[str, float]]:
        """What classifiers find in the latents."""
        return features(self.parts.mu, self.parts.sigma, self.dataset)


@dataclass(frozen=True, eq=False)
class Measure:
    """One number: what the card calls it, which models have it, and what it is."""

    name: str
    has: Callable[[Config], bool]
    value: Callable[[Subject], Any]
    of_classes: bool = False  # only where the pictures have some
    least: int = 2  # held-out pictures that it needs


def seeded() -> torch.Generator:
    """The same random numbers for every model."""
    return torch.Generator().manual_seed(SEED)


def features(mu: Float[Tensor, "n d"], sigma: Float[Tensor, "n d"], name: str) -> dict[str, dict[str, float]]:
    """Accuracy of a linear probe and of 5 nearest neighbours on the latent means, and on as many PCA components of the
    same bits; of neighbours also with the latents weighed by how much they change pictures (`Company.metric`).

    Fitted on a random half of the test set, whose labels no model has seen, and scored on the other half.
    """
    labels, x, halves = probe.halved(name)
    values = {"latents": mu.numpy(), "pca": probe.components(mu.shape[1], x, halves[0])}
    scores = {kind: probe.accuracy(rows, labels, *halves) for kind, rows in values.items()}
    fit = torch.from_numpy(halves[0])
    known = Company(mu[fit], sigma[fit], data.test_set(name).images[fit])
    weighed = probe.neighbours((mu @ known.yardstick).numpy(), labels, *halves)
    numbers = {key: {kind: scores[kind][key] for kind in scores} for key in scores["pca"]}
    return numbers | {"weighed_neighbours": {"latents": weighed}}


def rounded(numbers: dict[str, float]) -> dict[str, float]:
    """Numbers to four digits after the point, as a card holds them."""
    return {key: round(value, 4) for key, value in numbers.items()}


# ---- which models have a number ----


def every(config: Config) -> bool:
    return True


def has_prior(config: Config) -> bool:
    return config.prior


def is_layered(config: Config) -> bool:
    return isinstance(config.space, Layers)


def is_told_the_class(config: Config) -> bool:
    return config.classes > 0


def is_vector(config: Config) -> bool:
    """One vector of latents, of x alone."""
    return isinstance(config.space, Vector) and not is_told_the_class(config)


def has_vector_and_prior(config: Config) -> bool:
    return config.prior and isinstance(config.space, Vector)


def is_vae(config: Config) -> bool:
    return is_vector(config) and config.prior


def is_of_levels(config: Config) -> bool:
    """Pictures of 256 levels and not of bits."""
    return config.prior and config.spec.levels == 256 and not is_told_the_class(config)


def is_planar(config: Config) -> bool:
    return is_vae(config) and config.space == Vector(2)


# ---- what they are ----


def kl(of: Subject) -> dict:
    """Of layers it was sampled with the ELBO; else it is in closed form."""
    return estimate(of.parts.kl.sum(1), 0.0, ELBO_SAMPLES if is_layered(of.model.config) else 0)


def kl_of_parts(of: Subject) -> list[float]:
    return [round(value, 4) for value in of.parts.kl.mean(0).tolist()]


def negative_iw(of: Subject) -> dict:
    told = None if of.y is None else of.y[of.some]
    return above(of.parts.elbo, of.noise, of.some, iwae(of.model, of.x[of.some], told), IW_SAMPLES)


def negative_log_evidence(of: Subject) -> dict:
    return above(of.parts.elbo, of.noise, of.some, of.evidence[0], 0)


def gap(of: Subject) -> dict:
    return estimate(of.evidence[0] - of.parts.elbo[of.some], negative_log_evidence(of)["error"], ELBO_SAMPLES)


def decomposition(of: Subject) -> dict[str, float]:
    return rounded(decompose(of.parts.mu, of.parts.sigma, seeded())._asdict())


def scales_of(side: int) -> int:
    """How many scales of MS-SSIM pictures of a side have, at most SCALES."""
    return max(scales for scales in range(1, SCALES + 1) if scales == 1 or WINDOW * 2 ** (scales - 1) <= side)


def covered(of: Subject) -> dict[str, float]:
    pictures = min(COVERED, len(of.x) // 2)
    return rounded(coverage(drawn_from_prior(of.model, pictures, seeded()), of.x, seeded(), pictures)._asdict())


def fidelity(of: Subject) -> dict:
    """How near what comes back is to the picture, means over pictures: PSNR in dB and MS-SSIM of three scales, at a
    sample of q and at its mean; of a principal model also that of its principal components alone, as many and without
    any limit on the rate, which were found on the training pictures."""
    generator, found, scales = seeded(), [], scales_of(min(of.x.shape[2:]))
    with torch.inference_mode():
        for x in of.x.split(ROWS):
            q = of.model.encode(x)
            eps = torch.randn(len(x), of.model.latents, generator=generator)
            places = {"sampled": reparameterised(q, eps), "mean": reparameterised(q, torch.zeros_like(eps))}
            ways = {way: of.model.decode(z).mean.cpu() for way, z in places.items()}
            if of.model.config.linear:
                components = of.model.components
                linear = components.synthesise(components.analyse(x.to(of.model.device))).view_as(x)
                ways["linear"] = linear.clamp(0, 1).cpu()
            found.append({way: (psnr(mean, x), ms_ssim(mean, x, scales)) for way, mean in ways.items()})
    means = {
        way: [float(torch.cat(rows).mean()) for rows in zip(*(part[way] for part in found), strict=True)]
        for way in found[0]
    }
    return {way: {"psnr": round(noise, 2), "ms_ssim": round(alike, 4)} for way, (noise, alike) in means.items()}


def class_by_elbo(of: Subject) -> float:
    return round(accuracy(of.model, of.x.float(), of.y), 4)


BOUNDS = (
    Measure("negative_elbo", has_prior, lambda of: estimate(-of.parts.elbo, of.noise, ELBO_SAMPLES)),
    Measure("kl", has_prior, kl),
    Measure(
        "bits_per_dimension",
        has_prior,
        lambda of: round(float(bits_per_dimension(-of.parts.elbo.mean(), of.x[0].numel())), 4),
    ),
    Measure("kl_per_layer", is_layered, kl_of_parts),
    Measure("kl_per_dimension", has_vector_and_prior, kl_of_parts),
    Measure("active_units", has_vector_and_prior, lambda of: int((of.parts.mu.var(0) > ACTIVE).sum())),
    Measure("negative_iw", has_prior, negative_iw),
    Measure("negative_log_evidence", is_planar, negative_log_evidence),
    Measure("gap", is_planar, gap),
    Measure("quadrature_error", is_planar, lambda of: round(of.evidence[1], 4)),
)
MEASURES = (
    *BOUNDS,
    Measure("reconstruction", every, lambda of: estimate(-of.parts.log_likelihood.mean(0), of.noise, ELBO_SAMPLES)),
    Measure("linear_probe", every, lambda of: of.features["linear_probe"], True, FEW),
    Measure("nearest_neighbours", every, lambda of: of.features["nearest_neighbours"], True, FEW),
    Measure("weighed_neighbours", every, lambda of: of.features["weighed_neighbours"], True, FEW),
    Measure("decomposition", is_vae, decomposition),
    Measure("coverage", is_vector, covered, least=4 * NEIGHBOURS),
    Measure("fidelity", is_of_levels, fidelity),
    Measure("class_by_elbo", is_told_the_class, class_by_elbo),
)


def measured(of: Subject, measures: tuple[Measure, ...] = MEASURES) -> dict:
    """The numbers that the model has."""
    return {
        measure.name: measure.value(of)
        for measure in measures
        if measure.has(of.model.config)
        and (not measure.of_classes or data.dataset_of(of.dataset).class_names)
        and len(of.x) >= measure.least
    }


def subject(model: Model, name: str, pictures: int = PICTURES) -> Subject:
    """A model beside the held-out pictures of a test set; ValueError where there are not so many pictures."""
    x = data.test_inputs(name)[: data.tested(name)]
    if not 2 <= pictures <= len(x):
        raise ValueError(f"the number of pictures must be from 2 to {len(x)}, not {pictures}")
    y = data.load(name, "test").labels if is_told_the_class(model.config) else None
    return Subject(model, name, x, y, bound(model, x, y), pictures)
