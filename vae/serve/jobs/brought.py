"""What somebody brings of a network: which of the files it is, and under which names they are kept."""

from pathlib import Path

from vae.models import checkpoint, elsewhere
from vae.models.guard import refuse_ending
from vae.pictures.files import unmarked

NAMELESS = ("model", "diffusion_pytorch_model", "diffusion_pytorch_model.fp16", "vae")  # which say nothing of it


def uploaded(files: list[tuple[str, bytes]]) -> dict[str, bytes]:
    """Names as `vae.load` knows them in a folder -> bytes, of files that were dropped; ValueError, in a sentence or
    two, where they are no network."""
    kinds: dict[str, list[bytes]] = {".safetensors": [], ".json": []}
    for name, content in files:
        path = Path(unmarked(name))
        refuse_ending(path)
        if path.suffix.lower() not in kinds:
            raise ValueError(f"{path} is neither a .safetensors file nor a config.json.")
        kinds[path.suffix.lower()].append(content)
    weights, configs = kinds.values()
    if len(weights) != 1 or len(configs) > 1:
        raise ValueError(
            f"A network is one .safetensors file, and at most one config.json; {len(weights)} and {len(configs)} came."
        )
    if configs:
        return {elsewhere.CONFIG: configs[0], elsewhere.WEIGHTS[0]: weights[0]}
    return {checkpoint.WEIGHTS: weights[0]}


def on_disk(place: Path, root: Path) -> dict[str, Path]:
    """The same of a file, or a folder, that lies below another one; ValueError where a link leads out of that."""
    if place.is_file():
        refuse_ending(place)
        found = {checkpoint.WEIGHTS: place}
    elif weights := elsewhere.foreign(place):
        found = {elsewhere.CONFIG: weights.parent / elsewhere.CONFIG, elsewhere.WEIGHTS[0]: weights}
    else:
        found = {checkpoint.WEIGHTS: place / checkpoint.WEIGHTS}
    for path in found.values():
        if not path.is_file() or not path.resolve().is_relative_to(root):
            raise ValueError(
                f"There is no {path.name} in {place.name}: a network is a .safetensors file, or a folder of diffusers."
            )
    return found


def called(names: list[str]) -> str:
    """What a network may be called, by the names of its files and folders, the innermost first."""
    return next((name for name in names if name and name not in NAMELESS), "My network")
