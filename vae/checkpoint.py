"""Weights on disk: safetensors files that carry the configuration of the model they belong to."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from vae.config import config_from_json, config_to_json
from vae.device import choose_device
from vae.models import VAE

PRETRAINED = Path(__file__).resolve().parent.parent / "pretrained"
WEIGHTS = "model.safetensors"


def save(model: VAE, path: Path | str, dtype: torch.dtype | None = None) -> None:
    """Write the weights (as they are, or rounded to `dtype`) and the configuration to one safetensors file."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if dtype is not None:
        tensors = {name: tensor.to(dtype) for name, tensor in tensors.items()}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    save_file(tensors, partial, metadata={"config": config_to_json(model.config)})
    partial.replace(path)


def load(path: Path | str, device: str = "auto") -> VAE:
    """The model in a file that `save` wrote: float32, frozen, in eval mode.

    ValueError where the file is missing, is not safetensors, or does not fit its own configuration.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no weights file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from error
    if "config" not in metadata:
        raise ValueError(f"{path} carries no model configuration")
    model = VAE(config_from_json(metadata["config"]))
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"the weights in {path} do not fit their configuration: {error}") from error
    return model.requires_grad_(False).eval().to(choose_device(device), memory_format=torch.channels_last)


def list_pretrained() -> list[str]:
    """The names of the models that ship, in alphabetical order."""
    return sorted(folder.parent.name for folder in PRETRAINED.glob(f"*/{WEIGHTS}"))


def load_pretrained(name: str, device: str = "auto") -> VAE:
    """A frozen model in eval mode; ValueError names what there is if `name` is unknown."""
    if name not in list_pretrained():
        raise ValueError(f"there is no pretrained model {name!r}; there are: {', '.join(list_pretrained())}")
    return load(PRETRAINED / name / WEIGHTS, device)


def card(name: str) -> dict:
    """The generated card of a pretrained model: its held-out numbers, data, recipe and credits."""
    if name not in list_pretrained():
        raise ValueError(f"there is no pretrained model {name!r}; there are: {', '.join(list_pretrained())}")
    return json.loads((PRETRAINED / name / "card.json").read_text())
