"""Serving: the shipped models in memory, and the persistent threads in which torch runs.

A fresh thread pays up to 64 ms for its first torch call, and Streamlit starts one after every idle moment; so no page
calls torch itself. Several threads share the work, because one record with its quadrature takes longer than a hand
that moves may wait:

- "live" answers what a hand that moves is waiting for. Requests of one kind that wait at the same moment become one
  batch of a few milliseconds, whoever they come from.
- "large" does the same for what takes longer: drawings, pictures drawn of the prior, a place's company, whole sheets of
  pictures, cut into pieces, and q where a decoder corrects it.
- "records" are two threads for whole records and whatever else takes longer. A visitor has one of them at most.

Two more are for the true posteriors of models with two latents: "plane" answers while a hand draws, in some 20 ms each,
and "build" decodes a model's plane when it is first asked about, in passes of 60 ms that hold no lock of Python's.

In all of them visitors take turns (`vae.serve.turns`), and what was computed is charged to the one who asked.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from threading import Lock

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vae import data
from vae.inference import identity
from vae.inference.evidence import Grid
from vae.inference.posterior import Plane
from vae.inference.record import Frame, frame, glimpse, sketch
from vae.inference.refine import refine
from vae.inference.structure import decoding
from vae.latent.ancestral import ancestry
from vae.latent.encodings import Company, near
from vae.latent.places import Encoded, Places, encoded, passing, places
from vae.models import VAE, Model, pretrained
from vae.serve.batcher import ROWS, Batcher
from vae.serve.planes import Comparison, refined
from vae.serve.precision import Precision, decoded, fastest
from vae.serve.turns import Callers, Turns

log = logging.getLogger(__name__)

SKETCHES = 8  # in one batch: each decodes `SKETCH_SAMPLES` + 1 pictures, so they take as long as 264
RECORDS = 2  # threads for what takes longer: while one visitor has one of them, the other serves everybody else
# Numbers of a card that pages show.
SHOWN = (
    *("negative_elbo", "negative_iw", "kl", "kl_per_dimension", "active_units"),
    *("linear_probe", "nearest_neighbours", "weighed_neighbours"),
)


@dataclass(frozen=True)
class _With:
    """A function of the library with its model or its company; equal to another one of the same two."""

    function: Callable
    subject: VAE | Company

    def __call__(self, *tensors: Tensor):
        return self.function(self.subject, *tensors)


class Engine:
    """The models that ship, loaded once; every method may be called from any thread.

    `callers` says for whom, and whether a caller that waits still wants to; whoever serves visitors sets it.
    """

    def __init__(self, device: str = "auto"):
        self.callers = Callers()
        self._records = Turns("vae-records", RECORDS)
        self._live = Batcher("vae-live")
        self._large = Batcher("vae-large", behind=True)
        self._plane = Turns("vae-plane")
        self._build = Turns("vae-build")
        self._built: dict[str, float] = {}
        self._planes: dict[str, Plane] = {}
        self._device, self._chapter_models = device, {}
        self._making: defaultdict[str, Lock] = defaultdict(Lock)  # what is made once, by whoever asks first
        self._building = Lock()
        self.models: dict[str, VAE] = {}
        self.broken: dict[str, str] = {}  # of those that cannot be served: why
        self.company: dict[str, Company] = {}
        self.precisions: dict[str, Precision] = {}
        self._decoders: dict[str, VAE] = {}
        self._grids: dict[str, Grid] = {}
        for name in pretrained.list_pretrained():
            try:
                self._load(name)
            except ValueError as error:
                log.warning("the model %s is not served: %s", name, error)
                self.broken[name] = pretrained.shown(error)

    def _load(self, name: str) -> None:
        """Serve a model of pretrained/; ValueError where anything of it is damaged."""
        model, card = pretrained.load_pretrained(name, self._device), pretrained.load_card(name)
        if missing := [number for number in SHOWN if number not in card["numbers"]]:
            raise ValueError(f"the card of {name} does not say {missing[0]}: `python -m vae.evaluate {name}` writes it")
        if not isinstance(model, VAE) or card["latents"] != model.latents:
            raise ValueError(f"the card of {name} is that of another model")
        pictures, (mu, sigma) = data.load(card["data"]["name"], "test").images, pretrained.load_encodings(name)
        if mu.shape != (len(pictures), model.latents):
            raise ValueError(f"the encodings of {name} are {tuple(mu.shape)}, not {(len(pictures), model.latents)}")
        precision, decoder = self._records.submit(fastest, model).result()
        self.precisions[name], self._decoders[name] = precision, decoder
        self.company[name] = Company(mu, sigma, pictures)
        self.models[name] = model
        # the first call of each kernel in a thread is the slow one
        z = torch.zeros(1, model.latents)
        for asked in (self.ask_passing(name, z), self.ask_places(name, z), *self.ask_pictures(name, z)):
            asked.result()

    def model(self, name: str) -> VAE:
        """A model by its name; ValueError names what there is."""
        if name not in self.models:
            raise ValueError(f"there is no model {name!r}; there are: {', '.join(self.models)}")
        return self.models[name]

    def chapter_model(self, name: str) -> Model:
        """A model of the theory's chapters, of any family; loaded when it is first asked for."""
        with self._making[f"chapter {name}"]:
            if name not in self._chapter_models:
                loading = self._records.submit(pretrained.load_pretrained, name, self._device)  # for everybody
                self._chapter_models[name] = self.callers.wait(loading)
            return self._chapter_models[name]

    def frame(self, name: str, x: Float[Tensor, "1 c h w"], seed: int = 0) -> Frame:
        """Everything about one picture under the model `name`."""
        self.callers.hold_on()
        return self.compute(self._frame, name, x, seed)

    def ask_glimpse(self, name: str, x: Float[Tensor, "b c h w"], seeds: Int64[Tensor, " b"]) -> Future:
        """The future `Glimpse`: what of the records of pictures is there at once."""
        return self._ask_of(name, glimpse, x, seeds)

    def compute(self, function: Callable, *arguments):
        """The result of any longer computation of the library, on a records thread; it raises what that raises.

        Busy where too many wait already.
        """
        return self.callers.wait(self._records.submit(function, *arguments, visitor=self.callers.visitor()))

    def ask_places(self, name: str, z: Float[Tensor, "b d"], x: Float[Tensor, "b c h w"] | None = None) -> Future:
        """The future `Places`: what the model makes of each z, and of each x at its z."""
        return self._ask_of(name, places, z, *([] if x is None else [x]))

    def ask_passing(
        self,
        name: str,
        z: Float[Tensor, "b d"],
        x: Float[Tensor, "b c h w"] | None = None,
        q: Encoded | None = None,
    ) -> Future:
        """The future `Places` while a hand moves; `q` is the posterior of each x."""
        return self._ask(self._live, _With(passing, self.model(name)), z, *([] if x is None else [x, *q]))

    def ask_encoded(self, name: str, x: Float[Tensor, "b c h w"]) -> Future:
        """The future `Encoded`: q(z|x)."""
        return self._ask_of(name, encoded, x)

    def places(self, name: str, z: Float[Tensor, "b d"], x: Float[Tensor, "b c h w"] | None = None) -> Places:
        """The same, waited for."""
        self.callers.hold_on()
        return self.callers.wait(self.ask_places(name, z, x))

    def ask_sketch(self, name: str, x: Float[Tensor, "b c h w"]) -> Future:
        """The future `Sketch` of up to `SKETCHES` pictures that are being drawn."""
        return self._ask(self._large, _With(sketch, self.model(name)), x, most=SKETCHES)

    def ask_ancestry(self, name: str, z: Float[Tensor, "b d"], seeds: Int64[Tensor, " b"]) -> Future:
        """The future `Ancestry`: a picture drawn of each z, and its posterior."""
        return self._ask(self._large, _With(ancestry, self.model(name)), z, seeds)

    def ask_decoding(self, name: str, z: Float[Tensor, "b d"]) -> Future:
        """The future outputs of all layers of the decoder for each z."""
        return self._ask(self._live, _With(decoding, self.model(name)), z)

    def ask_near(self, name: str, z: Float[Tensor, "b d"]) -> Future:
        """The future `Near`: which encodings of the test set lie around each z."""
        self.model(name)  # or ValueError
        return self._ask(self._large, _With(near, self.company[name]), z)

    def ask_pictures(self, name: str, z: Float[Tensor, "n d"]) -> list[Future]:
        """The future mean pictures of p(x|z), in pieces."""
        self.model(name)  # or ValueError
        return self._large.submit_all(_With(decoded, self._decoders[name]), z, visitor=self.callers.visitor())

    def pictures(self, name: str, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """The same, waited for."""
        return torch.cat([self.callers.wait(piece) for piece in self.ask_pictures(name, z)])

    def _ask(self, batcher: Batcher, function: Callable, *tensors: Tensor, most: int = ROWS) -> Future:
        return batcher.submit(function, *tensors, most=most, visitor=self.callers.visitor())

    def _ask_of(self, name: str, function: Callable, *tensors: Tensor) -> Future:
        """A function that forms q(z|x): ten times as long where the decoder corrects it."""
        model = self.model(name)
        return self._ask(self._large if model.config.corrected else self._live, _With(function, model), *tensors)

    def has_plane(self, name: str) -> bool:
        """Whether a model's true posteriors can be drawn: it has two latents and binary pixels."""
        model = self.model(name)
        return model.latents == 2 and model.input_spec.levels == 2

    def ask_comparison(self, name: str, x: Float[Tensor, "1 c h w"], thorough: bool = False) -> Future:
        """The future `Comparison`; `thorough` is for a hand at rest, and takes half a second of a records thread.

        The first call begins to decode the model's plane, which is kept in the user's cache folder. Busy where too
        many wait already.
        """
        if not self.has_plane(name):
            raise ValueError(f"{name!r} has no plane: it takes two latents and binary pixels")
        with self._building:
            if name not in self._built:
                self._built[name] = 0.0
                self._build.submit(self._build_plane, name)
        turns = self._records if thorough else self._plane
        return turns.submit(self._compare, name, x, thorough, visitor=self.callers.visitor())

    def ask_refined(self, name: str, x: Float[Tensor, "1 c h w"]) -> Future:
        """The future `Refinement`: better and better q for one picture. Busy where too many wait already."""
        return self._records.submit(refined, self.model(name), x, visitor=self.callers.visitor())

    def _build_plane(self, name: str) -> None:
        def progress(share: float) -> None:
            self._built[name] = min(share, 0.99)  # it is all there once the plane is

        try:
            self._planes[name] = Plane(self.model(name), data.cache_folder("planes"), progress)
            self._built[name] = 1.0
            blank = torch.zeros(1, *self.model(name).input_spec.shape)
            self._records.submit(refine, self.model(name), blank, 1)  # torch's first gradient takes a second longer
        except Exception:  # a thread of its own: nobody else would hear of it
            log.warning("the plane of %s cannot be built", name, exc_info=True)
            self._built[name] = math.nan

    def _compare(self, name: str, x: Tensor, thorough: bool) -> Comparison:
        built, model = self._built[name], self.model(name)
        if built != 1:
            return Comparison(built, *identity.sides(model, x))
        if not thorough:
            return Comparison(built, *identity.sides(model, x, self._planes[name]))
        return Comparison(built, *identity.sides(model, x, self._planes[name], self._grid(name), identity.THOROUGH))

    def _frame(self, name: str, x: Tensor, seed: int) -> Frame:
        grid = self._grid(name) if self.model(name).latents == 2 else None
        return frame(self.model(name), x, seed, grid, self._planes.get(name))

    def _grid(self, name: str) -> Grid:
        with self._making[f"grid {name}"]:
            if name not in self._grids:
                self._grids[name] = Grid(self.model(name))
            return self._grids[name]


_building = Lock()


def engine() -> Engine:
    """The one engine of this process, built on first use."""
    with _building:
        return _engine()


@cache
def _engine() -> Engine:
    return Engine()
