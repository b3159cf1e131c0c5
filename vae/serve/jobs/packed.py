"""A model of one's own in one safetensors file: weights and configuration, its card, the pictures it is shown with.

What a file says that somebody brings is believed as little as any other file's: of a card nothing is read again, and
the model is measured anew. So is a network of photos from elsewhere, which comes as a folder of diffusers.
"""

from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save

from vae import data
from vae.data import own
from vae.models import checkpoint, elsewhere, pretrained
from vae.models.checkpoint import BESIDE, WEIGHTS
from vae.pictures.files import readable
from vae.serve.capabilities import About, Can, lacks
from vae.serve.jobs.limits import MOST_WEIGHTS
from vae.train.recipes import recipe_from


def packed(folder: Path) -> bytes:
    """The file of the model in a folder."""
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        told, tensors = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    told["card"] = (folder / pretrained.CARD).read_text()
    if (folder / own.FILE).is_file():
        pictures, told["set"] = own.packed(own.load(folder / own.FILE))
        tensors |= {BESIDE + name: tensor for name, tensor in pictures.items()}
    return save(tensors, told)


def unpacked(place: Path, folder: Path) -> None:
    """Put the weights of what was brought to a place, and the pictures that came with them, into a folder, as
    `vae.evaluate` wants them.

    ValueError where the file is no model's, or nothing is known that it could be measured on.
    """
    model = elsewhere.load(place, "cpu", MOST_WEIGHTS)
    if (size := sum(weight.nbytes for weight in model.parameters())) > MOST_WEIGHTS:
        raise ValueError(f"it has {size / 1e6:.0f} MB of weights, and at most {MOST_WEIGHTS / 1e6:.0f} can be opened")
    about = About(model.config, {})
    if lacks(about, Can.MAP) is None:
        from vae.evaluate.photos import refuse_slow  # here, because what it imports takes seconds

        refuse_slow(model)
        facts = {} if elsewhere.foreign(place) else checkpoint.training_facts(place / checkpoint.WEIGHTS)
        checkpoint.save(model, folder / checkpoint.WEIGHTS, _facts(facts) if "recipe" in facts else {}, torch.float16)
        return
    if lack := lacks(about, Can.MOVE, Can.DRAW, Can.READ):
        raise ValueError(f"such a network cannot be opened here yet. {lack}")
    path = place / checkpoint.WEIGHTS
    told = checkpoint.training_facts(path)
    with safe_open(path, framework="pt") as file:
        comes_with_pictures = BESIDE + "images" in file.keys()  # noqa: SIM118
    mine = own.load(path, BESIDE) if comes_with_pictures else None
    if "recipe" not in told:
        raise ValueError("the file does not say what the network was trained on, so that nothing can be measured of it")
    facts = _facts(told)
    spec = data.set_of(facts["recipe"]["dataset"]).spec
    if spec != model.input_spec:
        raise ValueError("the pictures in the file are not those that its network reads")
    checkpoint.save(model, folder / WEIGHTS, facts, torch.float16)
    if mine is not None:
        own.save(mine, folder / own.FILE)


def _facts(told: dict) -> dict:
    """What a file says of its training, as far as a card repeats it; ValueError where that is no recipe."""
    return {
        "recipe": asdict(recipe_from(told["recipe"])),
        "device": readable(str(told.get("device", "unknown")))[:60],
        **{name: _number(told.get(name)) for name in ("epochs", "seconds")},
    }


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e9 else 0.0
