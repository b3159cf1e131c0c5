"""Weights on disk: safetensors files that carry the configuration of the model they belong to.

A matrix may be kept in 8 bits: each row as whole numbers from -127 to 127 and one scale.
"""

import json
import math
from dataclasses import asdict, fields
from pathlib import Path
from types import GenericAlias, NoneType, UnionType
from typing import get_args, get_origin

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vae.models import FAMILIES, Config, Model, build
from vae.models.device import choose_device
from vae.models.files import save_tensors
from vae.models.guard import check
from vae.models.networks import NetworkConfig
from vae.models.spaces import Pictures

WEIGHTS, SCALE = "model.safetensors", "|scale"
BESIDE = "lab|"  # what the names of tensors begin with that are no weights, in a file to take away
FIRST = [field.name for field in fields(NetworkConfig)]  # what files have said from the first
UNUSED = {"octaves": 0, "classes": 0, "layers": [], "corrected": False, "bounded": False}


def save(model: Model, path: Path | str, training: dict | None = None, dtype: torch.dtype | None = None) -> None:
    """Write weights (as they are, or rounded to `dtype`), configuration and facts of the training to one file.

    `dtype` torch.int8 gives each row of a matrix a scale of its own; vectors become float16. OSError where it cannot be
    written; a file that was there stays then.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if dtype == torch.int8:
        tensors = {key: part for name, tensor in tensors.items() for key, part in _in_bytes(name, tensor).items()}
    elif dtype is not None:
        tensors = {name: tensor.to(dtype) for name, tensor in tensors.items()}
    told = {"config": config_to_json(model.config), "training": json.dumps(training or {})}
    save_tensors(tensors, Path(path), told)


def load(path: Path | str, device: str = "auto", most: int | None = None) -> Model:
    """The model in a file that `save` wrote: float32, frozen, in eval mode.

    ValueError where the file is missing, is not safetensors, has more than `most` bytes where that is said, or does not
    fit its own configuration.
    """
    metadata, tensors = read(Path(path), most)
    return assembled(_config(metadata, path), tensors, path, device)


def assembled(config: Config, tensors: dict[str, Tensor], path: Path | str, device: str) -> Model:
    """The model of a configuration and the weights from a file: float32, frozen, in eval mode. ValueError where they do
    not fit, or are not all numbers."""
    if misfit := _misfit(config, tensors):
        raise ValueError(f"the weights in {path} do not fit their configuration: {misfit}")
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"the weights in {path} are not all numbers: {name[:80]} has infinities or NaN")
    model = build(config)
    model.load_state_dict(tensors)
    return model.requires_grad_(False).eval().to(choose_device(device), memory_format=torch.channels_last)


def head(path: Path, most: int | None = None) -> tuple[Config, int]:
    """The configuration in a file and how many weights it has, without reading them; ValueError where it has none, or
    the file is one that `read` refuses."""
    check(path, most)
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in _weights(file) if not name.endswith(SCALE)]
            count = sum(math.prod(file.get_slice(name).get_shape()) for name in names)
            return _config(file.metadata() or {}, path), count
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from error


def _config(metadata: dict[str, str], path: Path | str) -> Config:
    if "config" not in metadata:
        raise ValueError(
            f"{path} carries no model configuration, so that nothing says which network its weights are of; of a "
            "diffusers model give the folder with its config.json"
        )
    return config_from_json(metadata["config"])


def training_facts(path: Path | str) -> dict:
    """What `save` was told of the training: recipe, seconds, device, versions; {} where nothing. ValueError where that
    is no JSON."""
    return as_facts(read(Path(path))[0].get("training", "{}"), f"the training in {path}")


def as_facts(text: str, what: str) -> dict:
    """The JSON object in a text that anybody may have written; ValueError says of `what` that it is none."""
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} is not JSON: {str(error)[:200]}") from error
    if not isinstance(facts, dict):
        raise ValueError(f"{what} is not a JSON object")
    return facts


def read(path: Path, most: int | None = None) -> tuple[dict[str, str], dict[str, Tensor]]:
    """What a safetensors file says of itself, and its tensors as float32, those in bytes with their scales.

    ValueError where `vae.models.guard` refuses the file, which it does before anything else looks at it, or it is
    damaged.
    """
    check(path, most)
    try:
        with safe_open(path, framework="pt") as file:
            metadata, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in _weights(file)}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from error
    scales = {name: tensors.pop(name).float() for name in list(tensors) if name.endswith(SCALE)}
    tensors = {name: tensor.float() for name, tensor in tensors.items()}
    for name, scale in scales.items():
        whole = tensors.get(name.removesuffix(SCALE))
        if whole is None or whole.ndim == 0 or scale.shape != whole.shape[:1]:
            raise ValueError(f"{path} holds {name[:80]} for no matrix of {scale.numel()} rows")
        whole *= scale.view(-1, *[1] * (whole.ndim - 1))
    return metadata, tensors


def _weights(file: safe_open) -> list[str]:
    """The names of what is a model's own."""
    return [name for name in file.keys() if not name.startswith(BESIDE)]  # noqa: SIM118


def _in_bytes(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """A matrix as 8-bit rows and their scales; a vector as float16."""
    if tensor.ndim < 2:
        return {name: tensor.half()}
    scale = (tensor.flatten(1).abs().amax(1).clamp(min=1e-4) / 127).half().float()  # as it will be read
    rows = tensor / scale.view(-1, *[1] * (tensor.ndim - 1))
    return {name: rows.round().clamp(-127, 127).to(torch.int8), name + SCALE: scale.half()}


def _misfit(config: Config, tensors: dict[str, Tensor]) -> str | None:
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


def config_to_json(config: Config) -> str:
    """The JSON text that `config_from_json` reads."""
    return json.dumps(asdict(config))


def config_from_json(text: str) -> Config:
    """The configuration in a checkpoint; ValueError where a key is unknown or missing, or a value is not allowed."""
    try:
        values = json.loads(text)
        family = values.pop("family", "vae")
        if family not in FAMILIES:
            raise ValueError(f"family must be one of {', '.join(FAMILIES)}, not {family!r}")
        kind, spec = FAMILIES[family].Config, Pictures(**typed(Pictures, values["spec"]))
        _drop_unused(values, family)
        if missing := [field.name for field in fields(kind) if field.name in FIRST and field.name not in values]:
            raise ValueError(f"it does not say {missing[0]}")
        return kind(**typed(kind, values) | {"spec": spec})
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"this is not a model configuration: {error}") from error


def _drop_unused(values: dict, family: str) -> None:
    """Take away what files of all families said before each had a configuration of its own; it must say nothing."""
    known = {field.name for field in fields(FAMILIES[family].Config)}
    for name in UNUSED.keys() & values.keys() - known:
        if repr(values.pop(name)) != repr(UNUSED[name]):
            raise ValueError(f"the family {family!r} has no {name}")


def typed(kind: type, values: object) -> dict:
    """The values, where those of a dataclass's numbers, names and sizes are of its types; JSON may hold anything.

    JSON has tuples as lists, and numbers that happen to be whole without a point.
    """
    if not isinstance(values, dict):
        raise TypeError(f"{str(values)[:80]} is not a set of named values")
    return values | {
        field.name: _typed(field.name, field.type, values[field.name]) for field in fields(kind) if field.name in values
    }


def _typed(name: str, kind: type | UnionType | GenericAlias, value: object) -> object:
    """The value of one field, of its type where that is simple, or TypeError."""
    if get_origin(kind) is tuple:
        _, *others = get_args(kind)
        if type(value) is not list or any(type(size) is not int for size in value):
            raise TypeError(f"{name} must be whole numbers, not {str(value)[:80]}")
        if others != [...] and len(value) != 1 + len(others):
            raise TypeError(f"{name} must be {1 + len(others)} whole numbers, not {str(value)[:80]}")
        return tuple(value)
    allowed = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if float in allowed and type(value) is int:
        return float(value)
    if set(allowed) <= {int, float, str, bool, NoneType} and type(value) not in allowed:
        kinds = " or ".join(kind.__name__ for kind in allowed)
        raise TypeError(f"{name} must be of type {kinds}, not {str(value)[:80]!r}")
    return value
