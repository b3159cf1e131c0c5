"""Named recipes: everything that determines a trained model, in frozen dataclasses."""

import json
from dataclasses import dataclass, fields, is_dataclass, replace

from vae.data import BANKS, DATASETS, OWN
from vae.models import VAE, Autoencoder, Conditional, Config, Ladder, Principal, Pyramid, Spatial
from vae.models.checkpoint import config_from_json, typed
from vae.models.spaces import STEP

SEEDS = 2**63  # how many there are: more have no room in torch's generators


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    `warmup` counts steps of rising learning rate, `kl_warmup` epochs over which beta rises from 0 to `beta`; `ema` is
    the decay per step of the averaged weights, which are the ones kept; `clip` bounds the norm of the gradient.
    `warp` is the share of pictures that are deformed (see `vae.data.warp`) at the start; it falls linearly to 0 at the
    end. Where they may be `mirrored`, half of them are.
    `full_precision` keeps products in float32 where bfloat16 would be faster. The kept model's q is `corrected` by its
    decoder (see `vae.models.families.correction`); the steps that train it know nothing of that. `held_out` training
    pictures are kept back, to choose between recipes by; of a bank, so many squares of pictures that are never trained
    on.

    Of a bank, a picture is a random square of `side` pixels, and an epoch has `crops` of them. `cut` is the share of
    pictures whose later channels are cut off. The `top` layer of a pyramid is the model that ships under that name, and
    is trained no further.
    """

    name: str
    dataset: str
    model: Config
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
    corrected: bool = False
    held_out: int = 0
    side: int = 0
    crops: int = 0
    cut: float = 0.0
    mirrored: bool = False
    top: str = ""

    def __post_init__(self):
        is_own = self.dataset.startswith(OWN) and not self.model.any_size
        if not is_own and self.dataset not in (BANKS if self.model.any_size else DATASETS):
            raise ValueError(f"dataset must be one of {', '.join((*DATASETS, *BANKS))}, not {self.dataset!r}")
        if self.epochs < 1 or self.batch < 1:
            raise ValueError(f"epochs and batch must be at least 1, not {self.epochs} and {self.batch}")
        if not (0 <= self.warp <= 1 and 0 <= self.cut <= 1):
            raise ValueError(f"warp and cut are shares from 0 to 1, not {self.warp} and {self.cut}")
        if self.model.any_size != (self.side > 0) or self.model.any_size != (self.crops > 0):
            raise ValueError(f"squares are cut for a model of pictures of any size, not for a {self.model.family}")
        if self.model.any_size and self.side % STEP:
            raise ValueError(f"the side of a square is a multiple of {STEP}, not {self.side}")
        if self.cut and not self.model.any_size:
            raise ValueError(f"a {self.model.family} has no channels that could be cut")
        if self.model.corrected:
            raise ValueError("a model is trained uncorrected; it is the recipe that says whether it is corrected then")
        if self.corrected and not isinstance(self.model, VAE.Config):
            raise ValueError(f"only a vae can be corrected, not a {self.model.family}")
        if self.top and not isinstance(self.model, Pyramid.Config):
            raise ValueError(f"only a pyramid's top layer is another model, not that of a {self.model.family}")
        if not 0 <= self.seed < SEEDS:
            raise ValueError(f"seed must be a whole number from 0 to {SEEDS - 1}, not {self.seed}")
        if self.held_out < 0:
            raise ValueError(f"held_out is a number of pictures, not {self.held_out}")

    @property
    def kept(self) -> Config:
        """The configuration of the model that is kept."""
        return replace(self.model, corrected=True) if self.corrected else self.model


DIGIT, GARMENT, PORTRAIT = (DATASETS[name].spec for name in ("mnist", "fashion-mnist", "portraits"))

# The shipped models, within reach of a laptop's CPU. With two latents, Fourier features gained 1.6 nats after 9 epochs
# at a learning rate of 4e-4 and let it rise to 1e-3, which gained 4.5 more; and posteriors are so narrow there that
# bfloat16 would blur them.
_PLANE = {"width": 384, "dense_blocks": 3, "octaves": 4}
MAIN_RECIPES = (
    Recipe("mnist", "mnist", VAE.Config(DIGIT, 24, dense_blocks=2), epochs=360, warp=1.0),
    Recipe(
        "mnist-2d",
        "mnist",
        VAE.Config(DIGIT, 2, **_PLANE),
        120,
        learning_rate=1e-3,
        full_precision=True,
        corrected=True,
    ),
    Recipe("fashion", "fashion-mnist", VAE.Config(GARMENT, 24, dense_blocks=2), epochs=140, warp=1.0),
    Recipe(
        "fashion-2d", "fashion-mnist", VAE.Config(GARMENT, 2, **_PLANE), 40, learning_rate=1e-3, full_precision=True
    ),
)


def _twin(recipe: Recipe) -> Recipe:
    """The plain autoencoder of the same network on the same pictures, trained as long."""
    model = Autoencoder.Config(
        **{part.name: getattr(recipe.model, part.name) for part in fields(Autoencoder.Config) if part.init}
    )
    return replace(recipe, name=f"{recipe.name}-ae", model=model, kl_warmup=0.0, corrected=False)


def _rung(latents: int, beta: float) -> Recipe:
    """A small model of Fashion-MNIST at one weight of the KL term; 0 stands for the plain autoencoder."""
    model = (VAE if beta else Autoencoder).Config(GARMENT, latents, width=256)
    name = f"fashion-{latents}d-beta-{beta:g}" if beta else f"fashion-{latents}d-beta-ae"
    return Recipe(name, "fashion-mnist", model, 24, learning_rate=1e-3, beta=beta, full_precision=latents == 2)


BETAS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
# What the chapters of the theory compare.
CHAPTER_RECIPES = (
    *(_twin(recipe) for recipe in MAIN_RECIPES),
    *(_rung(latents, beta) for latents in (2, 16) for beta in BETAS),
    Recipe("mnist-conditional", "mnist", Conditional.Config(DIGIT, 16, width=384, classes=10), 120, warp=1.0),
    Recipe(
        "mnist-ladder",
        "mnist",
        Ladder.Config(DIGIT, 40, "conv", channels=(32, 32), conv_blocks=2, layers=(4, 6, 8, 10, 12)),
        epochs=120,
        batch=128,
        learning_rate=1e-3,
        kl_warmup=10.0,
        warp=0.5,
    ),
    Recipe(
        "portraits-deep",
        "portraits",
        Pyramid.Config(PORTRAIT, 1024, "conv", channels=(64, 160), maps=(32, 4), blocks=(3, 5)),
        epochs=6,
        batch=32,
        learning_rate=1e-3,
        warmup=100,
        kl_warmup=0.0,
        ema=0.998,
        clip=12_000.0,
        mirrored=True,
        top="portraits",
    ),
)


def _large(recipe: Recipe) -> Recipe:
    """The same with convolutions and more time: for a GPU, or a CPU with AMX."""
    model = replace(recipe.model, network="conv", conv_blocks=2, bounded=True)
    return replace(recipe, name=f"{recipe.name}-large", model=model, epochs=400, learning_rate=5e-4, kl_warmup=20.0)


LARGE_RECIPES = tuple(_large(recipe) for recipe in MAIN_RECIPES)


def _watched(name: str, latents: int, octaves: int = 0, kl_warmup: float = 0.0) -> Recipe:
    """A small model whose training is what the chapter shows (`--history`), and not the model that comes of it."""
    model = VAE.Config(DIGIT, latents, width=256, octaves=octaves)
    return Recipe(
        name, "mnist", model, 40, batch=128, learning_rate=1e-3, warmup=0, kl_warmup=kl_warmup, full_precision=True
    )


# The loss is the same from the first step to the last, but for the third: it begins without a KL.
HISTORY_RECIPES = (
    _watched("mnist-2d-small", 2, octaves=2),
    _watched("mnist-32d-small", 32),
    _watched("mnist-32d-small-warm", 32, kl_warmup=10.0),
)
# A photo's square of 128 pixels has some 100,000 nats, and its gradient is as large. With half the weight on the KL
# what is drawn from q is closer to the picture, for a few more bits.
PHOTO_RECIPES = (
    Recipe(
        "photos",
        "photos",
        Spatial.Config(BANKS["photos"].spec, 16, "conv", channels=(64, 192), conv_blocks=1, blocks=(4, 7)),
        epochs=1,
        batch=8,
        learning_rate=1e-3,
        warmup=100,
        kl_warmup=0.0,
        beta=0.5,
        ema=0.998,
        clip=25_000.0,
        side=128,
        crops=64_000,
        cut=0.5,
    ),
)
PORTRAIT_RECIPES = (
    Recipe(
        "portraits",
        "portraits",
        Principal.Config(PORTRAIT, 256, "conv", channels=(64, 160), conv_blocks=1, blocks=(3, 5)),
        epochs=26,
        batch=64,
        learning_rate=1.5e-3,
        warmup=100,
        kl_warmup=0.0,
        ema=0.998,
        clip=12_000.0,
        mirrored=True,
    ),
)
RECIPES = {
    recipe.name: recipe
    for recipe in (
        *(*MAIN_RECIPES, *CHAPTER_RECIPES, *LARGE_RECIPES),
        *(*HISTORY_RECIPES, *PHOTO_RECIPES, *PORTRAIT_RECIPES),
    )
}


def recipe_from(values: dict) -> Recipe:
    """The recipe in a card or a saved run, as `asdict` gave it; fields that were not known then have their defaults.

    ValueError where a field is not known now, or a value is not allowed.
    """
    try:
        return Recipe(**typed(Recipe, values) | {"model": config_from_json(json.dumps(values["model"]))})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this is not a recipe: {error}") from error


def differences(before: Recipe, now: Recipe) -> list[str]:
    """What sets two recipes apart, field by field: "epochs was 40 and is 80"."""
    pairs = [*_pairs(before.model.spec, now.model.spec), *_pairs(before.model, now.model), *_pairs(before, now)]
    return [f"{name} was {old!r} and is {new!r}" for name, old, new in pairs if old != new]


def _pairs(before: object, now: object) -> list[tuple[str, object, object]]:
    """The fields that two dataclasses share, without those that are dataclasses themselves."""
    shared = {field.name for field in fields(now)}
    names = [field.name for field in fields(before) if field.name in shared]
    pairs = [(name, getattr(before, name), getattr(now, name)) for name in names]
    return [pair for pair in pairs if not is_dataclass(pair[1])]
