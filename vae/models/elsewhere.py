"""A model from a user's own file or folder: one that the lab wrote, or an autoencoder as diffusers keeps them.

Nothing of a folder is run: its configuration is JSON, its weights are safetensors, and the networks are the lab's own
(`vae.models.families.kl`, `vae.models.families.tiny`).
"""

from dataclasses import dataclass, fields
from pathlib import Path

from torch import Tensor

from vae.models import AutoencoderKL, AutoencoderTiny, Config, Model, checkpoint
from vae.models.guard import refuse_ending
from vae.models.spaces import Pictures

CONFIG = "config.json"
WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors")
MOST_CONFIG = 256 * 1024  # bytes of a config.json, which has some hundreds
PHOTO = Pictures(3, None, None, 256, "photo")
# Older files call the layers of attention so, and some have them as 1 x 1 convolutions.
OLD_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
ATTENTION = "mid_block.attentions.0."


@dataclass(frozen=True)
class Kind:
    """How a config.json of diffusers is read: by which model, and what its keys may say beside that model's own.

    `only` has the values of keys that say something of the network, of which no other is known here; of a list, those
    of its entries. `unsaid` keys say nothing of it.
    """

    model: type[Model]
    only: dict[str, tuple]
    unsaid: tuple[str, ...]


KINDS = {
    "AutoencoderKL": Kind(
        AutoencoderKL,
        {
            "in_channels": (3,),
            "out_channels": (3,),
            "act_fn": ("silu", "swish"),
            "down_block_types": ("DownEncoderBlock2D",),
            "up_block_types": ("UpDecoderBlock2D",),
            "latents_mean": (None,),
            "latents_std": (None,),
        },
        ("sample_size", "force_upcast"),
    ),
    "AutoencoderTiny": Kind(
        AutoencoderTiny,
        {
            "in_channels": (3,),
            "out_channels": (3,),
            "act_fn": ("relu",),
            "upsample_fn": ("nearest",),
            "upsampling_scaling_factor": (2,),
        },
        # the second is the decoder's once more; the others are for latents that are kept as bytes
        ("force_upcast", "block_out_channels", "latent_magnitude", "latent_shift"),
    ),
}


def load(path: Path | str, device: str = "auto", most: int | None = None) -> Model:
    """A frozen model in eval mode, float32, from a file or folder of one's own; nothing in it is ever run.

    `path` is a .safetensors file that `checkpoint.save` wrote, a folder with that as model.safetensors, or a folder of
    diffusers with config.json and diffusion_pytorch_model.safetensors of an AutoencoderKL or AutoencoderTiny, itself or
    as vae/ in it. The latter become models of photos: x (b, 3, h, w) in [0, 1], z a map
    (b, channels, h / step, w / step), see `vae.models.families.kl` and `vae.models.families.tiny`.

    `most` is how many bytes the weights may have. ValueError where a file may run code, is damaged or too large, does
    not fit its configuration, or is of a network that is not known here.
    """
    path = Path(path)
    if not path.is_dir():
        return checkpoint.load(path, device, most)
    if (weights := foreign(path)) is not None:
        return _from_diffusers(weights, device, most)
    if (path / checkpoint.WEIGHTS).is_file():
        return checkpoint.load(path / checkpoint.WEIGHTS, device, most)
    for file in sorted([*path.glob("*"), *path.glob("vae/*")]):
        refuse_ending(file)
    raise ValueError(
        f"there are no weights in {path}: it needs {checkpoint.WEIGHTS}, or {CONFIG} and {WEIGHTS[0]}, itself or in vae"
    )


def foreign(path: Path) -> Path | None:
    """The weights in a folder of diffusers, itself or in vae; None where it is no such folder."""
    places = [folder / name for folder in (path, path / "vae") for name in WEIGHTS]
    return next((place for place in places if place.is_file()), None)


def _from_diffusers(weights: Path, device: str, most: int | None) -> Model:
    config = read_config(weights.parent / CONFIG)
    _, tensors = checkpoint.read(weights, most)
    return checkpoint.assembled(config, dict(_renamed(*item) for item in tensors.items()), weights, device)


def read_config(path: Path) -> Config:
    """The configuration of the lab that a config.json of diffusers means.

    ValueError where it is missing, too large, no JSON, of another class, says something that is not known here, or a
    value that the network cannot have.
    """
    if not path.is_file():
        raise ValueError(f"there is no {path}, which says what network the weights beside it are of")
    if (size := path.stat().st_size) > MOST_CONFIG:
        raise ValueError(f"{path} is not read: it has {size:,} bytes, of at most {MOST_CONFIG:,}")
    values = checkpoint.as_facts(path.read_bytes().decode("utf-8", "replace"), str(path))
    said = values.get("_class_name")
    if not isinstance(said, str) or said not in KINDS:
        raise ValueError(f"_class_name in {path} must be {' or '.join(KINDS)}, not {str(said)[:80]!r}")
    try:
        return _translated(KINDS[said], values)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path} is of no {said} that can be read here: {str(error)[:200]}") from error


def _translated(kind: Kind, values: dict) -> Config:
    config = kind.model.Config
    own = {field.name for field in fields(config) if field.init} - {"spec", "latents"}
    taken: dict[str, object] = {"latents": values.get("latent_channels", 4)}
    for key, value in values.items():
        if key == "shift_factor" and value is None:  # that is none
            continue
        if key in own:
            taken[key] = value
        elif key in kind.only:
            _check_only(key, value, kind.only[key])
        elif key not in (*kind.unsaid, "latent_channels") and not key.startswith("_"):
            raise ValueError(f"{key[:80]} is not known here")
    found = config(spec=PHOTO, **checkpoint.typed(config, taken))
    for key in ("down_block_types", "up_block_types"):
        if len(values.get(key, ())) not in (0, found.stages):
            raise ValueError(f"{key} has {len(values[key])} entries, and there are {found.stages} block_out_channels")
    return found


def _check_only(key: str, value: object, known: tuple) -> None:
    for one in value if isinstance(value, list) else [value]:
        if one not in known:
            raise ValueError(f"{key} must be {' or '.join(map(str, known))}, not {str(one)[:80]}")


def _renamed(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    """A weight under today's name, and as today's linear layer has it."""
    start, middle, end = name.partition(ATTENTION)
    old, dot, kind = end.rpartition(".")
    if not middle or old not in OLD_NAMES:
        return name, tensor
    return f"{start}{middle}{OLD_NAMES[old]}{dot}{kind}", tensor.flatten(1) if tensor.ndim == 4 else tensor
