"""The card of a model: what is measured of it, once, and the only place its numbers come from.

Everything is measured on the test set that ships with the project, under its one fixed binarisation, so the same
command prints the same card on a fresh clone.
"""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from PIL import Image

from vae import data
from vae.data import own
from vae.data.bank import load as load_bank
from vae.distributions import standard_normal
from vae.evaluate import class_directions, directions, judge, photos
from vae.evaluate.bounds import CHAPTER_PICTURES, OWN_PICTURES, PICTURES, SEED, bound
from vae.evaluate.measures import measured, subject
from vae.models import VAE, Model, checkpoint, elsewhere, pretrained
from vae.models.files import save_tensors, whole
from vae.train.recipes import CHAPTER_RECIPES, RECIPES


def limits(model: Model, numbers: dict, dataset: data.Dataset | data.Gallery | data.Own) -> list[str]:
    """What a user should know before trusting the model, from its own numbers."""
    sentences = [f"It knows {dataset.title} only: any other picture comes back as the nearest thing it knows."]
    silent = model.latents - numbers.get("active_units", model.latents)
    if silent:
        they = ("is", "it") if silent == 1 else ("are", "them")
        sentences.append(f"{silent} of its {model.latents} latents {they[0]} silent: moving {they[1]} changes nothing.")
    if isinstance(dataset, data.Own) and not judge.can_be_made(dataset.name):
        sentences.append(
            f"Only {judge.held_of(dataset)} pictures were held out, too few to tell those that it knows from others: "
            "it calls none strange."
        )
    if "gap" in numbers:
        who = "encoder, corrected by its decoder," if model.config.corrected else "encoder"
        sentences.append(f"Its {who} misses the true posterior by {numbers['gap']['value']} nats on average.")
    return sentences


def thumbnails(model: VAE, side: int = 10) -> Image.Image:
    """A sheet of side x side decoded pictures: the plane by quantiles of the prior for two latents, else samples."""
    if model.latents == 2:
        quantiles = standard_normal(1).base_dist.icdf(torch.linspace(0.5, side - 0.5, side)[:, None] / side)[:, 0]
        z = torch.cartesian_prod(-quantiles, quantiles).flip(1)
    else:
        z = torch.randn(side**2, model.latents, generator=torch.Generator().manual_seed(SEED))
    with torch.inference_mode():
        pictures = model.decode(z).mean.cpu()
    channels, height, width = model.input_spec.shape
    tiled = (
        pictures.view(side, side, channels, height, width)
        .permute(0, 3, 1, 4, 2)
        .reshape(side * height, side * width, -1)
    )
    return Image.fromarray(tiled.mul(255).round().byte().numpy().squeeze())


def examples(name: str, each: int = 3, least: int = 24) -> list[int]:
    """Indices of test pictures to show, `each` of every group, of few groups more, drawn at random once."""
    each = max(each, least // len(data.groups(name)))
    count = data.dataset_of(name).count("test")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(SEED))
    return [int(i) for rows in data.groups(name).values() for i in order[torch.isin(order, rows)][:each]]


def write_card(folder: Path, pictures: int | None = None) -> dict:
    """Measure the model in a folder and write its card there; a page's model gets encodings and thumbnails too.

    Where the folder has pictures of somebody's own, it is about those. The tighter bounds are of so many `pictures`,
    where that is said.
    """
    weights = folder / checkpoint.WEIGHTS
    model, training = checkpoint.load(weights), checkpoint.training_facts(weights)
    if model.config.any_size and "recipe" not in training:
        return write_tried_card(folder, folder.name)
    if "recipe" not in training:
        raise ValueError(f"{weights} does not say what it was trained on; vae.train writes weights that do")
    name, own_file = training["recipe"]["dataset"], folder / own.FILE
    mine = own.load(own_file) if own_file.is_file() else None  # known by its name for as long as it is held
    if model.config.any_size:
        return _written(folder, _photos_card(folder, model, training, data.BANKS[name]))
    dataset = mine or data.dataset_of(name)
    if pictures is None:
        usual = CHAPTER_PICTURES if _is_compared(folder) else PICTURES
        pictures = OWN_PICTURES[dataset.spec.levels] if mine else usual
    of = subject(model, dataset.name, pictures if mine is None else min(pictures, mine.tested))
    numbers = measured(of)
    card = _card(folder, model, training, dataset, numbers) | {
        "test": {
            "pictures": data.tested(name),
            "binarisation_seed": data.BINARISATION_SEED,
            "unit": "nats per picture",
        },
        "limits": limits(model, numbers, dataset),
    }
    is_chosen_from = not _is_compared(folder)
    if is_chosen_from:
        card["examples"] = examples(dataset.name)
        parts = of.parts if mine is None else bound(model, data.test_inputs(name))
        encodings = {
            "mu": parts.mu.half(),
            "sigma": parts.sigma.half(),
            "reconstruction": parts.log_likelihood.mean(0).float(),
        }
        save_tensors(encodings, folder / pretrained.ENCODINGS)
        with whole(folder / pretrained.THUMBNAILS) as draft:
            thumbnails(model).save(draft, optimize=True)
    _written(folder, card)
    if is_chosen_from:  # of a model as it ships, with its card
        if judge.can_be_made(dataset.name):
            judge.make(folder).save(folder / pretrained.JUDGE)
        card["directions"] = directions.write(folder)
        card["class_directions"] = class_directions.write(folder)
    return card


def _is_compared(folder: Path) -> bool:
    """Whether it is that of a model which only chapters compare with others."""
    return folder.parent == pretrained.PRETRAINED / pretrained.CHAPTERS


def _card(folder: Path, model: Model, training: dict, source: data.Set, numbers: dict) -> dict:
    """What every card says."""
    return {
        "name": folder.name,
        "data": {"name": source.name, "title": source.title, "licence": source.licence, "credit": source.credit},
        "latents": model.latents,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "numbers": numbers,
        "training": training,
        "command": f"python -m vae.evaluate {folder.name}",
    }


def _photos_card(folder: Path, model: Model, training: dict, source: data.Collection) -> dict:
    """That of a model of photos, from pictures of the bank that nothing was trained on or chosen by."""
    bank = data.load_bank(source.name)
    numbers = photos.measured(model, bank, source.mix)
    if folder.parent == pretrained.PRETRAINED:
        photos.examples(bank).save(folder / pretrained.EXAMPLES)
        with whole(folder / pretrained.THUMBNAILS) as draft:
            photos.thumbnails(model, bank, next(iter(source.mix))).save(draft, optimize=True)
    return _card(folder, model, training, source, numbers) | {
        "test": {"pictures": sum(kind["pictures"] for kind in numbers.values()), "unit": "dB, bits per pixel"},
        "limits": photos.limits(numbers),
    }


def write_tried_card(folder: Path, title: str) -> dict:
    """Measure a network of photos that is not one of the lab's, and write its card.

    It is measured on the examples that ship: nothing is known of what it learned from. Pages ask it for no larger
    photos than those that it was tried on.
    """
    weights, shipped = folder / checkpoint.WEIGHTS, pretrained.PRETRAINED / data.PHOTOS.name / pretrained.EXAMPLES
    model, training = checkpoint.load(weights), checkpoint.training_facts(weights)
    (folder / pretrained.EXAMPLES).write_bytes(shipped.read_bytes())
    bank, (kind,) = load_bank(shipped), data.ELSEWHERE.mix
    numbers = photos.measured_on(model, bank, kind, photos.TRIED[0])
    with whole(folder / pretrained.THUMBNAILS) as draft:
        photos.thumbnails(model, bank, kind).save(draft, optimize=True)
    source = data.PHOTOS if "recipe" in training else data.ELSEWHERE
    unknown = {"recipe": {"model": asdict(model.config)}, "device": "unknown", "epochs": 0, "seconds": 0}
    card = _card(folder, model, unknown | training, source, numbers)
    card["data"]["title"] = title
    return _written(
        folder,
        card
        | {
            "sides": photos.TRIED,
            "test": {"pictures": numbers[kind]["pictures"], "unit": "dB, bits per pixel"},
            "limits": photos.limits_of_tried(numbers[kind]),
        },
    )


def _written(folder: Path, card: dict) -> dict:
    with whole(folder / pretrained.CARD) as draft:
        draft.write_text(json.dumps(card, indent=1) + "\n")
    return card


def take(run: Path, name: str) -> Path:
    """Copy a training run's weights to where they ship, smaller than they were trained; the folder there.

    Those of a run on pictures of one's own go, with the pictures that pages show, to the shelf of one's own models, and
    so does a network from elsewhere, of which `run` is the folder. ValueError where the lab has a model of that name,
    or a network from elsewhere is too slow.
    """
    weights, mine = run / checkpoint.WEIGHTS, run / own.FILE
    if elsewhere.foreign(run) is not None:
        model = elsewhere.load(run, "cpu")
        photos.refuse_slow(model)
        return _take_own(model, {}, None, name)
    trained, facts = checkpoint.load(weights, "cpu"), checkpoint.training_facts(weights)
    if mine.is_file():
        return _take_own(trained, facts, own.load(mine), name)
    folder = ships_in(name)
    dtype = torch.int8 if _is_compared(folder) else torch.float16
    checkpoint.save(trained, folder / checkpoint.WEIGHTS, facts, dtype)
    return folder


def _take_own(trained: Model, facts: dict, mine: data.Own | None, name: str) -> Path:
    if name in pretrained.shipped() or name in RECIPES or not own.NAME.fullmatch(name):
        raise ValueError(f"a model of your own cannot be called {name!r}: choose another name")
    folder = pretrained.own_shelf() / name
    checkpoint.save(trained, folder / checkpoint.WEIGHTS, facts, torch.float16)
    if mine is not None:
        own.save(mine, folder / own.FILE, shown_only=True)
    return folder


def ships_in(name: str) -> Path:
    """The folder of a model of the lab, whether it is there yet or not; of one's own once it is there."""
    if name not in pretrained.shipped() and (pretrained.own_shelf() / name / checkpoint.WEIGHTS).is_file():
        return pretrained.own_shelf() / name
    chapter = name in {recipe.name for recipe in CHAPTER_RECIPES}
    return pretrained.PRETRAINED / pretrained.CHAPTERS / name if chapter else pretrained.PRETRAINED / name
