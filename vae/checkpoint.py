"""Weights on disk: safetensors files that carry the configuration of the model they belong to.

The models that the pages show lie in pretrained/NAME; those that only the theory's chapters compare in
pretrained/chapters/NAME, with matrices of 8 bits: each row as whole numbers from -127 to 127 and one scale.
"""

import json
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vae.config import config_from_json, config_to_json
from vae.device import choose_device
from vae.models import Model, ModelConfig, build

PRETRAINED = Path(__file__).resolve().parent.parent / "pretrained"
CHAPTERS, SCALE = "chapters", "|scale"
WEIGHTS, ENCODINGS, CARD, THUMBNAILS = "model.safetensors", "encodings.safetensors", "card.json", "thumbnails.png"


def save(model: Model, path: Path | str, training: dict | None = None, dtype: torch.dtype | None = None) -> None:
    """Write weights (as they are, or rounded to `dtype`), configuration and facts of the training to one file.

    `dtype` torch.int8 gives each row of a matrix a scale of its own; vectors become float16.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if dtype == torch.int8:
        tensors = {key: part for name, tensor in tensors.items() for key, part in _in_bytes(name, tensor).items()}
    elif dtype is not None:
        tensors = {name: tensor.to(dtype) for name, tensor in tensors.items()}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    save_file(
        tensors, partial, metadata={"config": config_to_json(model.config), "training": json.dumps(training or {})}
    )
    partial.replace(path)


def load(path: Path | str, device: str = "auto") -> Model:
    """The model in a file that `save` wrote: float32, frozen, in eval mode.

    ValueError where the file is missing, is not safetensors, or does not fit its own configuration.
    """
    metadata, tensors = _read(Path(path))
    if "config" not in metadata:
        raise ValueError(f"{path} carries no model configuration")
    config = config_from_json(metadata["config"])
    if misfit := _misfit(config, tensors):
        raise ValueError(f"the weights in {path} do not fit their configuration: {misfit}")
    model = build(config)
    model.load_state_dict(tensors)
    return model.requires_grad_(False).eval().to(choose_device(device), memory_format=torch.channels_last)


def training_facts(path: Path | str) -> dict:
    """What `save` was told of the training: recipe, seconds, device, versions; {} where nothing."""
    return json.loads(_read(Path(path))[0].get("training", "{}"))


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    if not path.is_file():
        raise ValueError(f"there is no weights file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from error
    scales = {name: tensors.pop(name).float() for name in list(tensors) if name.endswith(SCALE)}
    tensors = {name: tensor.float() for name, tensor in tensors.items()}
    for name, scale in scales.items():
        whole = tensors.get(name.removesuffix(SCALE))
        if whole is None or scale.shape != whole.shape[:1]:
            raise ValueError(f"{path} holds {name[:80]} for no matrix of {scale.numel()} rows")
        whole *= scale.view(-1, *[1] * (whole.ndim - 1))
    return metadata, tensors


def _in_bytes(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """A matrix as 8-bit rows and their scales; a vector as float16."""
    if tensor.ndim < 2:
        return {name: tensor.half()}
    scale = (tensor.flatten(1).abs().amax(1).clamp(min=1e-4) / 127).half().float()  # as it will be read
    rows = tensor / scale.view(-1, *[1] * (tensor.ndim - 1))
    return {name: rows.round().clamp(-127, 127).to(torch.int8), name + SCALE: scale.half()}


def _misfit(config: ModelConfig, tensors: dict[str, Tensor]) -> str | None:
    """The first weight that the configuration has not or has in another shape; found without allocating the model."""
    try:
        with torch.device("meta"):
            expected = {name: tuple(tensor.shape) for name, tensor in build(config).state_dict().items()}
    except (RuntimeError, OverflowError, TypeError):
        return "no model is that large"
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            return f"{name[:80]} should be {expected.get(name, 'absent')} and is {found.get(name, 'absent')}"
    return None


def list_pretrained(chapters: bool = False) -> list[str]:
    """The names of the models that ship, weights and card, in alphabetical order: the pages' or the chapters'."""
    shelf = PRETRAINED / CHAPTERS if chapters else PRETRAINED
    return sorted(card.parent.name for card in shelf.glob(f"*/{CARD}") if (card.parent / WEIGHTS).is_file())


def load_pretrained(name: str, device: str = "auto") -> Model:
    """A frozen model in eval mode; ValueError names what there is if `name` is unknown."""
    return load(_folder(name) / WEIGHTS, device)


def load_card(name: str) -> dict:
    """The generated card of a pretrained model: its held-out numbers, data, training and limits."""
    return json.loads((_folder(name) / CARD).read_text())


def load_encodings(name: str) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """(mu, sigma) of q(z|x) for every test picture, in the test set's order."""
    tensors = _read(_folder(name) / ENCODINGS)[1]
    return tensors["mu"], tensors["sigma"]


def load_reconstructions(name: str) -> Float[Tensor, " n"]:
    """E_q[log p(x|z)] of every test picture, nats, in the test set's order: the card's estimate."""
    return _read(_folder(name) / ENCODINGS)[1]["reconstruction"]


def _folder(name: str) -> Path:
    if name in list_pretrained():
        return PRETRAINED / name
    if name in list_pretrained(chapters=True):
        return PRETRAINED / CHAPTERS / name
    raise ValueError(f"there is no pretrained model {name!r}; there are: {', '.join(list_pretrained())}")
