"""The models that ship: weights, card, encodings and thumbnails of each.

Those that the pages show lie in pretrained/NAME; those that only the theory's chapters compare in
pretrained/chapters/NAME. Those of one's own lie apart from them, in the cache folder: models/NAME.
"""

import os
from pathlib import Path

import platformdirs
from jaxtyping import Float
from torch import Tensor

from vae.models import Model
from vae.models.checkpoint import WEIGHTS, as_facts, load, read

PRETRAINED = Path(__file__).resolve().parent.parent.parent / "pretrained"
CHAPTERS = "chapters"
# What every card says, whatever its family measures.
SAID = {
    **dict.fromkeys(("data.name", "data.title", "data.credit", "data.licence"), str),
    **dict.fromkeys(("training.device",), str),
    **dict.fromkeys(("latents", "parameters", "training.epochs", "training.seconds"), int | float),
    **dict.fromkeys(("numbers", "training.recipe.model"), dict),
    "limits": list,
}
ENCODINGS, CARD, THUMBNAILS = "encodings.safetensors", "card.json", "thumbnails.png"
EXAMPLES = "examples.npz"  # of a model of photos: some that it has never seen, as a bank
DIRECTIONS = "directions.safetensors"  # what moves a picture by name: vae.latent.named
CLASSES = "classes.safetensors"  # and towards a class
JUDGE = "judge.safetensors"  # what tells pictures that the model knows from others: vae.inference.familiar


def list_pretrained(chapters: bool = False) -> list[str]:
    """The names of the models that ship, weights and card, in alphabetical order: the pages' or the chapters'."""
    return [folder.name for folder in folders(chapters)]


def list_own() -> list[str]:
    """The names of the models of one's own, in alphabetical order: made by `vae.train --data`, put there by
    `vae.evaluate`."""
    return [folder.name for folder in own_folders()]


def own_shelf() -> Path:
    """Where the models of one's own lie: in $VAE_LAB_MODELS, else as models in $VAE_LAB_CACHE or the user's cache
    folder."""
    if shelf := os.environ.get("VAE_LAB_MODELS"):
        return Path(shelf).expanduser()
    root = os.environ.get("VAE_LAB_CACHE") or platformdirs.user_cache_dir("vae-lab", appauthor=False)
    return Path(root).expanduser() / "models"


def own_folders() -> list[Path]:
    """Their folders, in the order of their names; those of the lab's names are passed over."""
    return [folder for folder in _on(own_shelf()) if folder.name not in shipped()]


def shipped() -> set[str]:
    """All names of models that ship, the pages' and the chapters'."""
    return {*list_pretrained(), *list_pretrained(chapters=True)}


def folders(chapters: bool = False) -> list[Path]:
    """The folders of those that ship, in the order of their names."""
    return _on(PRETRAINED / CHAPTERS if chapters else PRETRAINED)


def _on(shelf: Path) -> list[Path]:
    return sorted(card.parent for card in shelf.glob(f"*/{CARD}") if (card.parent / WEIGHTS).is_file())


def load_pretrained(name: str, device: str = "auto") -> Model:
    """A frozen model in eval mode, one that ships or one's own; ValueError names what there is if `name` is unknown."""
    return load(folder_of(name) / WEIGHTS, device)


def load_card(name: str) -> dict:
    """The generated card of a pretrained model: its held-out numbers, data, training and limits.

    ValueError where it cannot be read, or lacks what every card says.
    """
    return read_card(folder_of(name))


def read_card(folder: Path) -> dict:
    """The same of the model in a folder."""
    path = folder / CARD
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the card {path} cannot be read: {error}") from error
    card = as_facts(text, f"the card {path}")
    for place, kind in SAID.items():
        value = card
        for key in place.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, kind):
            raise ValueError(f"the card {path} does not say {place}")
    return card


def load_encodings(name: str) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """(mu, sigma) of q(z|x) for every test picture, in the test set's order."""
    tensors = read_encodings(folder_of(name))
    return tensors["mu"], tensors["sigma"]


def load_reconstructions(name: str) -> Float[Tensor, " n"]:
    """E_q[log p(x|z)] of every test picture, nats, in the test set's order: the card's estimate."""
    return read_encodings(folder_of(name))["reconstruction"]


def read_encodings(folder: Path) -> dict[str, Tensor]:
    """mu, sigma and reconstruction; ValueError where one is missing, of another length, or no number."""
    path = folder / ENCODINGS
    tensors = read(path)[1]
    if missing := [key for key in ("mu", "sigma", "reconstruction") if key not in tensors]:
        raise ValueError(f"the encodings {path} lack {missing[0]}")
    mu, sigma, reconstruction = (tensors[key] for key in ("mu", "sigma", "reconstruction"))
    if mu.ndim != 2 or mu.shape != sigma.shape or reconstruction.shape != mu.shape[:1]:
        raise ValueError(f"the encodings {path} are not of the same pictures and latents")
    if not all(tensor.isfinite().all() for tensor in (mu, sigma, reconstruction)) or not (sigma > 0).all():
        raise ValueError(f"the encodings {path} are not all numbers")
    return tensors


def shown(error: ValueError) -> str:
    """What a visitor is told of an error: not where on the server's disk the models lie."""
    return str(error).replace(str(PRETRAINED), "pretrained").replace(str(own_shelf()), "models")


def folder_of(name: str) -> Path:
    """Where a pretrained model lies; ValueError names what there is if `name` is unknown."""
    if name in list_pretrained():
        return PRETRAINED / name
    if name in list_pretrained(chapters=True):
        return PRETRAINED / CHAPTERS / name
    if name in list_own():
        return own_shelf() / name
    known = ", ".join([*list_pretrained(), *list_own()])
    raise ValueError(f"there is no pretrained model {name!r}; there are: {known}")
