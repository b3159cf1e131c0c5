"""Serving: the shipped models in memory, and the one thread in which torch runs.

A fresh thread pays up to 64 ms for its first torch call, and Streamlit starts one after every idle moment; so all
pages hand their work to this thread and wait for the result.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from vae import checkpoint
from vae.exact import Grid
from vae.frame import Frame, RoundTrip, frame, round_trip
from vae.models import VAE

Result = TypeVar("Result")


class Engine:
    """The models that ship, loaded once; every method may be called from any thread."""

    def __init__(self, device: str = "auto"):
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="vae-engine")
        self.models: dict[str, VAE] = self._run(self._load, device)
        self._grids: dict[str, Grid] = {}

    def model(self, name: str) -> VAE:
        """A model by its name; ValueError names what there is."""
        if name not in self.models:
            raise ValueError(f"there is no model {name!r}; there are: {', '.join(self.models)}")
        return self.models[name]

    def frame(self, name: str, x: Float[Tensor, "1 c h w"], seed: int = 0) -> Frame:
        """Everything about one picture under the model `name`."""
        return self._run(self._frame, name, x, seed)

    def round_trip(self, name: str, z: Float[Tensor, " d"]) -> RoundTrip:
        """What the model `name` makes of z."""
        return self._run(round_trip, self.model(name), z)

    def decode(self, name: str, z: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        """The mean pictures of p(x|z)."""
        return self._run(self._decode, name, z)

    def _frame(self, name: str, x: Tensor, seed: int) -> Frame:
        model = self.model(name)
        if model.latents == 2 and name not in self._grids:
            self._grids[name] = Grid(model)
        return frame(model, x, seed, self._grids.get(name))

    @torch.inference_mode()
    def _decode(self, name: str, z: Tensor) -> Tensor:
        model = self.model(name)
        return model.decode(z.to(next(model.parameters()).device)).mean.cpu()

    def _run(self, function: Callable[..., Result], *arguments) -> Result:
        return self._worker.submit(function, *arguments).result()

    @staticmethod
    def _load(device: str) -> dict[str, VAE]:
        models = {name: checkpoint.load_pretrained(name, device) for name in checkpoint.list_pretrained()}
        with torch.inference_mode():
            for model in models.values():  # the first call of each kernel is the slow one
                z = torch.zeros(1, model.latents, device=next(model.parameters()).device)
                model.encode(model.decode(z).mean)
        return models


_building = Lock()


def engine() -> Engine:
    """The one engine of this process, built on first use."""
    with _building:
        return _engine()


@cache
def _engine() -> Engine:
    return Engine()
