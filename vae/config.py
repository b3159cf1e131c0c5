"""Named recipes: everything that determines a trained model, in frozen dataclasses."""

import json
from dataclasses import asdict, dataclass, fields, replace

from vae.data import DATASETS
from vae.models import ModelConfig
from vae.spec import InputSpec


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    `warmup` counts steps of rising learning rate, `kl_warmup` epochs over which beta rises from 0 to `beta`; `ema` is
    the decay per step of the averaged weights, which are the ones kept; `clip` bounds the norm of the gradient.
    `warp` is the share of pictures that are deformed (see `vae.warp`) at the start; it falls linearly to 0 at the end.
    `full_precision` keeps products in float32 where bfloat16 would be faster.
    """

    name: str
    dataset: str
    model: ModelConfig
    epochs: int
    batch: int = 256
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.0
    warmup: int = 200
    kl_warmup: float = 5.0
    beta: float = 1.0
    ema: float = 0.999
    clip: float = 200.0
    warp: float = 0.0
    full_precision: bool = False
    seed: int = 0

    def __post_init__(self):
        if self.dataset not in DATASETS:
            raise ValueError(f"dataset must be one of {', '.join(DATASETS)}, not {self.dataset!r}")
        if self.epochs < 1 or self.batch < 1:
            raise ValueError(f"epochs and batch must be at least 1, not {self.epochs} and {self.batch}")
        if not 0 <= self.warp <= 1:
            raise ValueError(f"warp is a share from 0 to 1, not {self.warp}")


DIGIT, GARMENT = DATASETS["mnist"].spec, DATASETS["fashion-mnist"].spec

# The shipped models, within reach of a laptop's CPU. With two latents, Fourier features gained 1.6 nats after 9 epochs
# at a learning rate of 4e-4 and let it rise to 1e-3, which gained 4.5 more; and posteriors are so narrow there that
# bfloat16 would blur them.
_PLANE = {"width": 384, "dense_blocks": 3, "octaves": 4}
MAIN_RECIPES = (
    Recipe("mnist", "mnist", ModelConfig(DIGIT, 24, dense_blocks=2), epochs=360, warp=1.0),
    Recipe(
        "mnist-2d",
        "mnist",
        ModelConfig(DIGIT, 2, corrected=True, **_PLANE),
        120,
        learning_rate=1e-3,
        full_precision=True,
    ),
    Recipe("fashion", "fashion-mnist", ModelConfig(GARMENT, 24, dense_blocks=2), epochs=140, warp=1.0),
    Recipe(
        "fashion-2d", "fashion-mnist", ModelConfig(GARMENT, 2, **_PLANE), 40, learning_rate=1e-3, full_precision=True
    ),
)


def _twin(recipe: Recipe) -> Recipe:
    """The plain autoencoder of the same network, on the same data. Without noise it needs fewer epochs."""
    model = replace(recipe.model, family="autoencoder", corrected=False)
    return replace(recipe, name=f"{recipe.name}-ae", model=model, epochs=40, kl_warmup=0.0)


def _rung(latents: int, beta: float) -> Recipe:
    """A small model of Fashion-MNIST at one weight of the KL term; 0 stands for the plain autoencoder."""
    model = ModelConfig(GARMENT, latents, width=256, family="vae" if beta else "autoencoder")
    name = f"fashion-{latents}d-beta-{beta:g}" if beta else f"fashion-{latents}d-beta-ae"
    return Recipe(name, "fashion-mnist", model, 24, learning_rate=1e-3, beta=beta, full_precision=latents == 2)


BETAS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
# What the chapters of the theory compare.
CHAPTER_RECIPES = (
    *(_twin(recipe) for recipe in MAIN_RECIPES),
    *(_rung(latents, beta) for latents in (2, 16) for beta in BETAS),
    Recipe(
        "mnist-conditional", "mnist", ModelConfig(DIGIT, 16, width=384, family="conditional", classes=10), 120, warp=1.0
    ),
    Recipe(
        "mnist-ladder",
        "mnist",
        ModelConfig(DIGIT, 40, "conv", channels=(32, 32), conv_blocks=2, family="ladder", layers=(4, 6, 8, 10, 12)),
        epochs=120,
        batch=128,
        learning_rate=1e-3,
        kl_warmup=10.0,
        warp=0.5,
    ),
)


def _large(recipe: Recipe) -> Recipe:
    """The same with convolutions and more time: for a GPU, or a CPU with AMX."""
    model = replace(recipe.model, network="conv", conv_blocks=2)
    return replace(recipe, name=f"{recipe.name}-large", model=model, epochs=400, learning_rate=5e-4, kl_warmup=20.0)


LARGE_RECIPES = tuple(_large(recipe) for recipe in MAIN_RECIPES)
RECIPES = {recipe.name: recipe for recipe in (*MAIN_RECIPES, *CHAPTER_RECIPES, *LARGE_RECIPES)}


def config_to_json(config: ModelConfig) -> str:
    """The JSON text that `config_from_json` reads."""
    return json.dumps(asdict(config))


def config_from_json(text: str) -> ModelConfig:
    """The configuration in a checkpoint; ValueError where a key is unknown or missing, or a value is not allowed."""
    try:
        values = json.loads(text)
        spec, (half, quarter) = InputSpec(**_typed(InputSpec, values["spec"])), values["channels"]
        layers = tuple(values.get("layers", ()))
        if any(type(size) is not int for size in (half, quarter, *layers)):
            raise TypeError(f"channels and layers must be whole numbers, not {values['channels']!r} and {layers!r}")
        return ModelConfig(
            **_typed(ModelConfig, values) | {"spec": spec, "channels": (half, quarter), "layers": layers}
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this is not a model configuration: {error}") from error


def _typed(kind: type, values: object) -> dict:
    """The values, where those of a dataclass's numbers and names are of its types; JSON may hold anything."""
    if not isinstance(values, dict):
        raise TypeError(f"{values!r} is not a set of named values")
    for field in fields(kind):
        if field.type in (int, str, bool) and field.name in values and type(values[field.name]) is not field.type:
            raise TypeError(f"{field.name} must be of type {field.type.__name__}, not {values[field.name]!r}")
    return values
