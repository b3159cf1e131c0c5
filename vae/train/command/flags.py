"""Flags made of dataclasses: each field of a recipe and of a model's configuration that may be asked for by name."""

import argparse
from dataclasses import MISSING, Field, fields, replace
from types import GenericAlias
from typing import get_args, get_origin

from vae.models import FAMILIES, NETWORKS, VAE, Autoencoder, Conditional, Config, Ladder, Principal, Pyramid, Spatial
from vae.train.recipes import Recipe

TRAINED = (VAE, Autoencoder, Conditional, Ladder, Spatial, Principal, Pyramid)  # families that recipes are of
# What each flag is for: the fields of Recipe that can be asked for, then those of a model's configuration.
OF_RECIPE = {
    "epochs": "how often each picture is seen",
    "batch": "pictures of one step",
    "learning_rate": "of AdamW, after its warmup; it falls along a half cosine to a hundredth",
    "weight_decay": "of AdamW",
    "warmup": "steps over which the learning rate rises",
    "kl_warmup": "epochs over which beta rises from 0",
    "beta": "the weight of the KL: above 1 fewer nats are told, below 1 pictures come back closer",
    "ema": "decay per step of the averaged weights, which are those that are kept",
    "clip": "the largest norm of the gradient",
    "warp": "share of the pictures that are bent a little, ever fewer towards the end; against learning by heart",
    "mirrored": "mirror half of the pictures",
    "full_precision": "float32 where bfloat16 would be faster",
    "seed": "of everything that is drawn by chance",
    "corrected": "correct q by the decoder in the model that is kept: two latents of bits",
    "side": "pixels of a side of the squares that a model of photos sees",
    "crops": "squares of an epoch, of a model of photos",
    "cut": "share of the squares whose later channels are cut off, of a model of photos",
}
UNASKED = {"name", "dataset", "model", "held_out", "top"}  # --name, --data, below, --validate; none
OF_MODEL = {
    "latents": "numbers that each picture goes into",
    "network": "dense layers, or convolutions",
    "width": "of the dense layers",
    "dense_blocks": "residual blocks of them",
    "channels": "of the convolutions, at half and at quarter size; of a principal model at a quarter and an eighth",
    "conv_blocks": "residual blocks of convolutions at each size",
    "blocks": "residual blocks in encoder and decoder, at the smallest size",
    "octaves": "frequencies at which the decoder is also told z",
    "bounded": "an encoder that cannot put a picture farther out than latents are used",
    "layers": "latents of each layer of a ladder, from the top",
    "maps": "channels of each map of a pyramid",
}
UNASKED_OF_MODEL = {"spec", "classes", "corrected"}  # --shape; by the data; a recipe's


def of_recipe() -> list[Field]:
    """The fields of Recipe that are flags."""
    return [field for field in fields(Recipe) if field.name not in UNASKED]


def of_models() -> list[Field]:
    """The fields of the families' configurations that are flags, one of each name."""
    found = {field.name: field for family in TRAINED for field in fields(family.Config) if field.init}
    return [field for name, field in found.items() if name not in UNASKED_OF_MODEL]


def add(parser: argparse.ArgumentParser) -> None:
    """All of them, in two groups of --help."""
    recipe = parser.add_argument_group("the recipe, field by field (instead of what the named one or the preset says)")
    for field in of_recipe():
        _add(recipe, field, OF_RECIPE[field.name])
    model = parser.add_argument_group("the network, field by field")
    for field in of_models():
        _add(model, field, OF_MODEL[field.name])


def _add(group: argparse._ArgumentGroup, field: Field, words: str) -> None:
    if field.default is not MISSING:
        usual = " ".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
        words = f"{words} (field's default: {'none' if usual == '' else usual})"
    options: dict = {"dest": field.name, "default": None, "help": words}
    kind = field.type
    if kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    elif isinstance(kind, GenericAlias) and get_origin(kind) is tuple:
        first, *others = get_args(kind)
        options |= {"type": first, "metavar": "N", "nargs": "+" if others == [...] else 1 + len(others)}
    elif field.name == "network":
        options["choices"] = list(NETWORKS)
    else:
        options |= {"type": kind, "metavar": "N" if kind is int else "X"}
    group.add_argument(flag(field.name), **options)


def flag(name: str) -> str:
    """How a field is asked for."""
    return f"--{name.replace('_', '-')}"


def asked(options: argparse.Namespace, of: list[Field]) -> dict[str, object]:
    """The fields that were asked for, with their values."""
    given = {field.name: getattr(options, field.name) for field in of}
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if value is not None
    }


def changed(recipe: Recipe, options: argparse.Namespace) -> Recipe:
    """The recipe with what was asked for. ValueError where its model has no such field, or a value is not allowed."""
    model = configured(recipe.model, asked(options, of_models()))
    return replace(recipe, model=model, **asked(options, of_recipe()))


def configured(config: Config, wanted: dict[str, object]) -> Config:
    """A configuration with other values; ValueError where its family has no such field."""
    known = {field.name for field in fields(config) if field.init}
    for name in wanted:
        if name not in known:
            raise ValueError(f"a {config.family} model has no {flag(name)}")
    return replace(config, **wanted)


def of_family(config: Config, family: str) -> Config:
    """The configuration of another family with what both have; ValueError where it cannot be."""
    kind = FAMILIES[family].Config
    known = [field.name for field in fields(kind) if field.init and hasattr(config, field.name)]
    return kind(**{name: getattr(config, name) for name in known})
