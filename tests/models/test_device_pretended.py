"""Everything on a GPU machine without one: a pretended CUDA device that refuses to mix, and what is computed there."""

import json
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution

import vae
from tests.models.fake_cuda import THERE, Cuda, CudaThread, Generator
from vae import data, features, latent, objective
from vae.distributions import normal
from vae.evaluate import bounds, coverage
from vae.evaluate import card as cards
from vae.inference import comparison, evidence, identity, posterior, record, refine, structure
from vae.inference import plane as plane_file
from vae.latent import ancestral, classes, journey, layers, places
from vae.latent.encodings import Company
from vae.models import VAE, Autoencoder, Conditional, Ladder, Model, build, checkpoint, device, pretrained
from vae.models.spaces import Pictures
from vae.serve import asked, batcher, engine, planes, turns
from vae.serve.library import Library
from vae.train import saved
from vae.train.loop import train
from vae.train.recipes import Recipe
from vae.train.run import Run
from vae.train.validation import validate

SPEC = Pictures(height=8, width=8)
GREY = Pictures(height=8, width=8, levels=256, preparation="crop")
CONFIGS = {
    "vae": VAE.Config(SPEC, 3, width=16),
    "plane": VAE.Config(SPEC, 2, width=16, octaves=2),
    "corrected": VAE.Config(SPEC, 2, width=16, corrected=True),
    "conv": VAE.Config(SPEC, 3, "conv", width=16, channels=(4, 8)),
    "grey": VAE.Config(GREY, 3, width=16),
    "autoencoder": Autoencoder.Config(SPEC, 2, width=16),
    "conditional": Conditional.Config(SPEC, 3, width=16, classes=10),
    "ladder": Ladder.Config(SPEC, 3, width=16, layers=(1, 2)),
    "conv ladder": Ladder.Config(SPEC, 3, "conv", width=16, channels=(4, 8), layers=(1, 2)),
}
Y = torch.tensor([3, 1, 4, 1, 5])


@pytest.fixture
def cuda(monkeypatch) -> Iterator[Cuda]:
    """The pretended device; `vae.models.device` finds it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (9, 0))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "pretended")
    monkeypatch.setattr(torch, "Generator", Generator)
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # weights become tensors of the other kind
    with Cuda() as mode:
        yield mode
    torch.__future__.set_overwrite_module_params_on_conversion(before)


@pytest.fixture
def coarse(monkeypatch) -> None:
    """Quadratures of fewer cells, and fewer steps of refinement."""
    for module in (plane_file, posterior):
        monkeypatch.setattr(module, "SIDE", 120)
        monkeypatch.setattr(module, "WIDTH", 2 * module.EXTENT / 120)
    monkeypatch.setattr(evidence, "EXTENT", 2.0)
    monkeypatch.setattr(planes, "BOUND", 50)
    monkeypatch.setattr(planes, "refine", lambda model, x, steps=2: refine.refine(model, x, min(steps, 2)))


def model_of(kind: str, where: str = "cpu") -> Model:
    model = build(CONFIGS[kind], torch.Generator().manual_seed(3)).eval().requires_grad_(False)
    return model.to(torch.device(where))


def pictures(kind: str, count: int = 5) -> Tensor:
    x = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(4))
    return x.mul(255).round() / 255 if CONFIGS[kind].spec.levels == 256 else x.round()


def company(kind: str) -> Company:
    generator = torch.Generator().manual_seed(5)
    mu = torch.randn(40, CONFIGS[kind].latents, generator=generator)
    images = torch.randint(0, 256, (40, 1, 8, 8), generator=generator, dtype=torch.uint8)
    return Company(mu, torch.full_like(mu, 0.3), images)


def leaves(found: object) -> list:
    """The numbers in a result, in order."""
    if isinstance(found, Distribution):
        return leaves([found.mean, found.stddev]) if hasattr(found, "mean") else []
    if is_dataclass(found):
        return leaves([getattr(found, field.name) for field in fields(found)])
    if isinstance(found, dict):
        return leaves([found[key] for key in sorted(found)])
    if isinstance(found, list | tuple):
        return [leaf for part in found for leaf in leaves(part)]
    return [found]


def agree(one: object, other: object) -> None:
    """The same numbers, wherever they are; places in memory decide the order of some sums, and so the last digit."""
    for here, there in zip(leaves(one), leaves(other), strict=True):
        if isinstance(here, Tensor):
            torch.testing.assert_close(there.cpu(), here.cpu(), rtol=1e-5, atol=1e-5, equal_nan=True)
        elif isinstance(here, np.ndarray):
            np.testing.assert_allclose(there, here, rtol=1e-5, atol=1e-5)
        elif not isinstance(here, float):
            assert there == here
        else:
            assert there == pytest.approx(here, rel=1e-5, abs=1e-5, nan_ok=True)


def z_of(kind: str) -> Tensor:
    return torch.randn(5, CONFIGS[kind].latents, generator=torch.Generator().manual_seed(6))


def seeded(model: Model) -> torch.Generator:
    return torch.Generator(model.device).manual_seed(7)


def told(model: Model):
    """The model as the bounds take it."""
    return model.given(Y) if model.config.classes else model


def plane(model: Model, folder) -> posterior.Plane:
    return posterior.Plane(model, folder)


FLAT = ("vae", "plane", "corrected", "conv", "grey")
PLANES = ("plane", "corrected")
WITH_PRIOR = (*FLAT, "conditional", "ladder", "conv ladder")
# What is asked of a model, by whose; every tensor that is passed is on the CPU.
ASKED: dict[str, tuple[tuple[str, ...], Callable[[Model, str], object]]] = {
    "encode": (
        (*FLAT, "autoencoder"),
        lambda model, kind: (model.encode(pictures(kind)).mean, model.encode(pictures(kind)).stddev),
    ),
    "encode a class": (("conditional",), lambda model, kind: model.encode(pictures(kind), Y).mean),
    "decode": ((*FLAT, "autoencoder", "ladder", "conv ladder"), lambda model, kind: model.decode(z_of(kind)).mean),
    "decode a class": (("conditional",), lambda model, kind: model.decode(z_of(kind), Y).mean),
    "terms": (tuple(CONFIGS), lambda model, kind: vae.terms(told(model), pictures(kind), seeded(model))),
    "terms by a generator of the CPU": (
        tuple(CONFIGS),
        lambda model, kind: vae.terms(told(model), pictures(kind), torch.Generator().manual_seed(7)),
    ),
    "terms of a given noise": (
        tuple(CONFIGS),
        lambda model, kind: vae.terms(told(model), pictures(kind), eps=z_of(kind)),
    ),
    "elbo": (WITH_PRIOR, lambda model, kind: vae.elbo(told(model), pictures(kind), 3, seeded(model))),
    "importance bound": (
        WITH_PRIOR,
        lambda model, kind: vae.importance_bound(told(model), pictures(kind), 7, seeded(model), chunk=10),
    ),
    "log evidence": (PLANES, lambda model, kind: evidence.log_evidence(model, pictures(kind))),
    "frame": (FLAT, lambda model, kind: record.frame(model, pictures(kind, 1))),
    "frame with a grid": (
        PLANES,
        lambda model, kind: record.frame(model, pictures(kind, 1), grid=evidence.Grid(model)),
    ),
    "places": (FLAT, lambda model, kind: places.places(model, z_of(kind), pictures(kind))),
    "passing": (
        FLAT,
        lambda model, kind: places.passing(model, z_of(kind), pictures(kind), z_of(kind), z_of(kind).abs()),
    ),
    "encoded": (FLAT, lambda model, kind: places.encoded(model, pictures(kind))),
    "guess": (FLAT, lambda model, kind: model.guess(pictures(kind)).mean),
    "sketch": (FLAT, lambda model, kind: record.sketch(model, pictures(kind))),
    "refine": (FLAT, lambda model, kind: refine.refine(model, pictures(kind, 1), 3)),
    "refinement": (FLAT, lambda model, kind: refinement(model, kind)),
    "ancestry": (FLAT, lambda model, kind: ancestral.ancestry(model, z_of(kind), torch.arange(5))),
    "structure": (FLAT, lambda model, kind: structure.structure(model, pictures(kind, 1), z_of(kind)[:1])),
    "decoding": (FLAT, lambda model, kind: structure.decoding(model, z_of(kind))),
    "embed": (FLAT, lambda model, kind: latent.embed(model, z_of(kind))),
    "follow": (
        FLAT,
        lambda model, kind: latent.follow(model, *z_of(kind)[:2], *z_and_sigma(kind), 6, iterations=3),
    ),
    "journey": (
        FLAT,
        lambda model, kind: journey.journey(model, z_of(kind)[:2], *pictures(kind, 2).split(1), company(kind), steps=3),
    ),
    "passed": (
        (*FLAT, "autoencoder"),
        lambda model, kind: comparison.passed(model, pictures(kind, 1), z_of(kind)[:1]),
    ),
    "scene": (
        (*FLAT, "autoencoder"),
        lambda model, kind: comparison.scene(model, pictures(kind), z_of(kind), pictures(kind, 2), 4),
    ),
    "samples of the prior": (
        (*FLAT, "autoencoder"),
        lambda model, kind: coverage.drawn_from_prior(model, 6, torch.Generator().manual_seed(0)),
    ),
    "bound": (
        tuple(CONFIGS),
        lambda model, kind: bounds.bound(model, pictures(kind), Y if model.config.classes else None, 2),
    ),
    "iwae": (WITH_PRIOR, lambda model, kind: bounds.iwae(model, pictures(kind), Y if model.config.classes else None)),
    "evidence of a card": (PLANES, lambda model, kind: bounds.log_evidence(model, pictures(kind))),
    "thumbnails": (FLAT, lambda model, kind: np.asarray(cards.thumbnails(model, 3))),
    "every class": (
        ("conditional",),
        lambda model, kind: classes.in_every_class(model, pictures(kind, 1), z_of(kind)),
    ),
    "style": (("conditional",), lambda model, kind: classes.style(model, pictures(kind, 1), 3)),
    "classes": (("conditional",), lambda model, kind: classes.accuracy(model, pictures(kind), Y)),
    "by layer": (
        ("ladder", "conv ladder"),
        lambda model, kind: layers.by_layer(model, pictures(kind, 1), 4, seeded(model)),
    ),
    "resample": (
        ("ladder", "conv ladder"),
        lambda model, kind: layers.resample(model, z_of(kind), 1, seeded(model)),
    ),
    "variations": (
        ("ladder", "conv ladder"),
        lambda model, kind: layers.variations(model, pictures(kind, 1), 2, seeded(model)),
    ),
    "features": (FLAT, lambda model, kind: features.encoded(model, pictures(kind))),
    "validation": (
        tuple(CONFIGS),
        lambda model, kind: validate(model, data.Split((pictures(kind) * 255).byte(), Y)),
    ),
}


def z_and_sigma(kind: str) -> tuple[Tensor, Tensor]:
    others = company(kind)
    return others.mu, others.sigma


def refinement(model: Model, kind: str) -> object:
    found = planes.refined(model, pictures(kind, 1))
    return found.steps, found.bound, found.first, found.last


@pytest.mark.parametrize(("asked", "kind"), [(name, kind) for name, (kinds, _) in ASKED.items() for kind in kinds])
def test_a_model_on_the_device_gives_what_it_gives_on_the_cpu_whatever_it_is_given(
    asked, kind, cuda, coarse, monkeypatch
):
    monkeypatch.setattr(bounds, "IW_SAMPLES", 20)
    ask = ASKED[asked][1]
    there = model_of(kind, "cuda")
    assert there.device == THERE
    agree(ask(model_of(kind), kind), ask(there, kind))


def test_the_pretended_device_refuses_to_mix_and_says_what_waits(cuda):
    there = torch.ones(3, device="cuda")
    assert (there + 1).device == THERE
    assert there.cpu().device.type == "cpu"
    for mixed in (
        lambda: there + torch.ones(3),
        lambda: torch.cat([there, torch.ones(3)]),
        lambda: there @ torch.ones(3),
        lambda: torch.nn.functional.linear(there, torch.ones(2, 3)),
        lambda: torch.ones(3)[torch.zeros(2, dtype=torch.long, device="cuda")],
        lambda: torch.randn(3, device="cuda", generator=torch.Generator()),
        lambda: torch.randn(3, generator=torch.Generator("cuda")),
    ):
        with pytest.raises(RuntimeError, match=r"same device|generator"):
            mixed()
    with pytest.raises(TypeError, match="numpy"):
        there.numpy()
    cuda.waiting = False
    for waits in (there.sum().item, there.cpu, lambda: bool(there[0]), lambda: there[there > 0], there.nonzero):
        with pytest.raises(RuntimeError, match="waits for the device"):
            waits()


@pytest.mark.parametrize("kind", [kind for kind in CONFIGS if kind != "corrected"])
def test_a_step_of_training_waits_for_nothing_and_a_run_goes_on_from_what_it_saved(kind, cuda, tmp_path, digits):
    spec = Pictures() if CONFIGS[kind].spec == SPEC else Pictures(levels=256, preparation="crop")
    model = replace(CONFIGS[kind], spec=spec)
    recipe = Recipe("toy", "mnist", model, 2, 20, warp=0.5, ema=0.9, warmup=5, full_precision=True)
    labels = torch.arange(100) % 10
    here = Run(recipe, digits[:100], labels=labels)
    there = Run(recipe, digits[:100], torch.device("cuda"), labels=labels)
    for run in (here, there):
        run.advance()
    cuda.waiting = False
    for _ in range(6):
        there.advance()
    cuda.waiting = True
    for _ in range(6):
        here.advance()
    agree(here.state(), there.state())
    saved.write(there, tmp_path)
    again = Run(recipe, digits[:100], torch.device("cuda"), labels=labels)
    saved.resume(again, tmp_path)
    agree([vars(metrics)["loss"] for metrics in train(again)], [vars(metrics)["loss"] for metrics in train(there)])
    agree(there.state() | {"progress": 0}, again.state() | {"progress": 0})
    assert saved.facts(again)["device"] == "pretended"
    saved.write(again, tmp_path / "end")
    loaded = checkpoint.load(tmp_path / "end" / checkpoint.WEIGHTS)
    assert loaded.device == THERE
    agree(loaded.state_dict(), again.average.module.state_dict())


@pytest.mark.parametrize("kind", PLANES)
def test_the_posterior_on_the_plane_is_that_of_the_cpu(kind, cuda, coarse, tmp_path):
    x, found = pictures(kind, 1), []
    for where in ("cpu", "cuda"):
        model = model_of(kind, where)
        made = plane(model, tmp_path / where)
        q = model.encode(x)
        found.append(
            (
                made.posterior(x.to(where)),
                posterior.gap(model, x, q, -3.0),
                identity.sides(model, x, made, evidence.Grid(model), identity.Effort(16, 10, 320)),
                record.frame(model, x, grid=evidence.Grid(model), plane=made),
            )
        )
    agree(*found)


def test_the_engine_serves_from_the_device_what_it_serves_from_the_cpu(cuda, coarse, tmp_path, monkeypatch):
    """Two small models in place of those that ship; the engine's threads know the device too."""
    shelf, card = tmp_path / "pretrained", pretrained.load_card("mnist")
    for kind in ("vae", "plane"):
        (shelf / kind).mkdir(parents=True)
        checkpoint.save(model_of(kind), shelf / kind / checkpoint.WEIGHTS)
        (shelf / kind / pretrained.CARD).write_text(json.dumps(card | {"latents": model_of(kind).latents}))
    monkeypatch.setattr(pretrained, "PRETRAINED", shelf)

    def read_encodings(folder: Path) -> dict[str, Tensor]:
        mu, sigma = z_and_sigma(folder.name)
        return {"mu": mu, "sigma": sigma, "reconstruction": torch.zeros(len(mu))}

    monkeypatch.setattr(pretrained, "read_encodings", read_encodings)
    monkeypatch.setattr(data, "test_set", lambda name: data.Split(company("vae").pictures, torch.zeros(40).long()))
    monkeypatch.setattr(data, "cache_folder", lambda name: tmp_path / name)
    for module in (batcher, turns):
        monkeypatch.setattr(module, "step_back", lambda: None)  # nobody else is to go first
        monkeypatch.setattr(module, "Thread", CudaThread)
    answers = []
    for where in ("cpu", "cuda"):
        serving = engine.Engine()
        models = Library(serving, where)
        found = []
        for name in ("vae", "plane"):
            loaded = models.lease(models.find(name))
            assert loaded.model.device.type == where
            loaded.decoder = loaded.model  # in float32, whichever precision was the faster
            x, z = pictures(name), z_of(name)
            found += [
                planes.record(serving, loaded, x[:1]),
                serving.answer(asked.PLACES, loaded, z, x),
                serving.answer(asked.SKETCH, loaded, x),
                serving.answer(asked.ANCESTRY, loaded, z, torch.arange(5)),
                serving.answer(asked.DECODING, loaded, z),
                serving.answer(asked.NEAR, loaded, z),
                serving.answer(asked.PICTURES, loaded, z),
                leaves(planes.ask_refined(serving, loaded, x[:1]).result()),
            ]
        planes.ask_comparison(serving, loaded, pictures("plane", 1)).result()
        serving.build.submit(lambda: None).result()
        for thorough in (False, True):
            found.append(planes.ask_comparison(serving, loaded, pictures("plane", 1), thorough).result())
        answers.append(found)
    agree(*answers)


@pytest.mark.parametrize("name", ["cuda", "auto", "cuda:0"])
def test_no_float32_is_rounded_where_float32_is_meant(name, cuda):
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    try:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
        device.choose_device(name)
        assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == (False, False)
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def test_pictures_and_orders_are_brought_there_from_pinned_memory_once(cuda, digits):
    run = Run(Recipe("toy", "mnist", VAE.Config(Pictures(), 2, width=8), 2, 20), digits[:100], torch.device("cuda"))
    for _ in range(10):
        run.advance()
    assert cuda.pinned == [(100, 1, 28, 28), (100,), (100,)]  # the pictures, and the order of each epoch


@pytest.mark.parametrize("kind", FLAT)
def test_no_eigenvectors_are_asked_of_the_device(kind, cuda, monkeypatch):
    """MPS has no eigh."""
    asked = []
    eigh = torch.linalg.eigh
    monkeypatch.setattr(torch.linalg, "eigh", lambda matrix: asked.append(matrix.device.type) or eigh(matrix))
    comparison.scene(model_of(kind, "cuda"), pictures(kind), z_of(kind), pictures(kind, 2), 4)
    assert asked == ["cpu"] * (CONFIGS[kind].latents != 2)


def test_a_normal_and_a_bound_of_another_q_meet_on_the_device(cuda):
    model, x = model_of("vae", "cuda"), pictures("vae")
    q = normal(torch.zeros(5, 3, device="cuda"), torch.ones(5, 3, device="cuda"))
    assert objective.importance_bound(model, x, 4, q=q).device == THERE
