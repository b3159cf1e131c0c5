"""Serving: the shipped models in memory, and the persistent threads in which torch runs.

A fresh thread pays up to 64 ms for its first torch call, and Streamlit starts one after every idle moment; so no page
calls torch itself. Two threads share the work, because one record with its quadrature takes longer than a hand that
moves may wait:

- "live" answers what a hand is waiting for. Requests of one kind that wait at the same moment become one batch,
  whoever they come from. Large requests are cut into pieces, sketches make small batches, and small requests take
  turns with both: one of them waits for what runs and for one more batch, however many are drawing.
- "records" computes whole records, one after another.

Two more are for the true posteriors of models with two latents: "plane" answers while a hand draws, in some 20 ms each,
and "build" decodes a model's plane when it is first asked about, in passes of 60 ms that hold no lock of Python's.
"""

import logging
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from statistics import median
from threading import Condition, Lock, Thread

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from vae import bayes, checkpoint, data
from vae.ancestral import ancestry
from vae.bayes import Sides
from vae.company import Company, near
from vae.distributions import normal
from vae.exact import Grid
from vae.frame import Frame, Places, frame, places, sketch
from vae.models import VAE, Model
from vae.objective import importance_bound
from vae.posterior import Plane, Posterior, gap
from vae.refine import Refined, refine
from vae.structure import decoding

log = logging.getLogger(__name__)

ROWS = 64  # pictures in one batch: a few milliseconds on a slow core
SKETCHES = 8  # in one batch: each decodes `SKETCH_SAMPLES` + 1 pictures, so they take as long as 264
BOUND = 2000  # draws of a refined q's IWAE bound
WORTH = 1.2  # how many times as fast a lower precision must be before it serves


@dataclass(frozen=True)
class Precision:
    """What decodes pictures without numbers, and the milliseconds that one and `ROWS` of them took at start-up."""

    name: str
    one: float
    batch: float


@dataclass(frozen=True, eq=False)
class _Rows:
    """A request: the rows of each tensor, and where their results go."""

    function: Callable
    tensors: tuple[Tensor, ...]
    future: Future
    most: int

    def __len__(self) -> int:
        return len(self.tensors[0])

    def is_like(self, other: "_Rows") -> bool:
        return self.function == other.function and self._columns() == other._columns()

    def _columns(self) -> list[torch.Size]:
        return [tensor.shape[1:] for tensor in self.tensors]


@dataclass(frozen=True)
class _With:
    """A function of the library with its model or its company; equal to another one of the same two."""

    function: Callable
    subject: VAE | Company

    def __call__(self, *tensors: Tensor):
        return self.function(self.subject, *tensors)


@dataclass(frozen=True, eq=False)
class Comparison:
    """q beside p(z|x) for one picture. `built` is the share of the model's plane that is decoded, NaN where it failed;
    until it is 1 there is no `posterior`.
    """

    built: float
    sides: Sides
    posterior: Posterior | None


@dataclass(frozen=True, eq=False)
class Refinement:
    """The steps; for two latents the ELBO of the first and last q by quadrature, else the last's IWAE bound; or NaN."""

    steps: Refined
    bound: float
    first: float
    last: float


class Batcher:
    """One thread that runs `function(*tensors)` over rows, and together what waits together for the same function.

    A function takes tensors of equally many rows and gives a tensor, or a tuple of tensors, of as many rows.
    """

    def __init__(self, name: str):
        self._small: deque[_Rows] = deque()
        self._slow: deque[_Rows] = deque()  # of which fewer than ROWS make a batch
        self._pieces: deque[_Rows] = deque()
        self._turns = deque([self._slow, self._pieces])
        self._small_next = True
        self._changed = Condition()
        Thread(target=self._serve, name=name, daemon=True).start()

    def submit(self, function: Callable, *tensors: Tensor, most: int = ROWS) -> Future:
        """The future result; a batch has at most `most` rows. ValueError for more of them: cut them with `submit_all`.

        Where rows are slow, and `most` therefore less than `ROWS`, small requests pass in between.
        """
        if not 0 < len(tensors[0]) <= most:
            raise ValueError(f"a request has 1 to {most} rows, not {len(tensors[0])}")
        return self._put(self._slow if most < ROWS else self._small, function, tensors, most)

    def submit_all(self, function: Callable, *tensors: Tensor) -> list[Future]:
        """The same for any number of rows, in pieces that let small requests pass in between."""
        pieces = zip(*(tensor.split(ROWS) for tensor in tensors), strict=True)
        return [self._put(self._pieces, function, rows, ROWS) for rows in pieces]

    def _put(self, queue: deque[_Rows], function: Callable, tensors: tuple[Tensor, ...], most: int) -> Future:
        if len({len(tensor) for tensor in tensors}) > 1:
            raise ValueError(f"a request's tensors have equally many rows, not {[len(tensor) for tensor in tensors]}")
        future: Future = Future()
        with self._changed:
            queue.append(_Rows(function, tensors, future, most))
            self._changed.notify()
        return future

    def _serve(self) -> None:
        while True:
            self._run(self._take())

    def _take(self) -> list[_Rows]:
        """The oldest request of the queue whose turn it is and those like it, up to the most rows of a batch."""
        with self._changed:
            self._changed.wait_for(lambda: self._small or any(self._turns))
            queue = self._next_queue()
            batch, others = [queue.popleft()], []
            rows = len(batch[0])
            while queue:
                request = queue.popleft()
                if request.is_like(batch[0]) and rows + len(request) <= batch[0].most:
                    batch.append(request)
                    rows += len(request)
                else:
                    others.append(request)
            queue.extend(others)
            return batch

    def _next_queue(self) -> deque[_Rows]:
        """A queue that is not empty: every other time the small requests, in between slow ones and pieces in turn."""
        small = bool(self._small) and (self._small_next or not any(self._turns))
        self._small_next = not small
        if small:
            return self._small
        while not self._turns[0]:
            self._turns.rotate()
        queue = self._turns[0]
        self._turns.rotate()
        return queue

    @staticmethod
    def _run(batch: list[_Rows]) -> None:
        batch = [request for request in batch if request.future.set_running_or_notify_cancel()]
        if not batch:
            return
        sizes = [len(request) for request in batch]
        try:
            tensors = [torch.cat(parts) for parts in zip(*(request.tensors for request in batch), strict=True)]
            result = batch[0].function(*tensors)
            fields = [field.split(sizes) for field in ((result,) if isinstance(result, Tensor) else result)]
        except Exception as error:  # it is the callers', and the thread serves on
            for request in batch:
                request.future.set_exception(error)
            return
        rows = zip(*fields, strict=True)
        answers = [row[0] if isinstance(result, Tensor) else type(result)(*row) for row in rows]
        for request, answer in zip(batch, answers, strict=True):
            request.future.set_result(answer)


class Engine:
    """The models that ship, loaded once; every method may be called from any thread."""

    def __init__(self, device: str = "auto"):
        self._records = ThreadPoolExecutor(1, thread_name_prefix="vae-records")
        self._live = Batcher("vae-live")
        self._plane = ThreadPoolExecutor(1, thread_name_prefix="vae-plane")
        self._build = ThreadPoolExecutor(1, thread_name_prefix="vae-build")
        self._built: dict[str, float] = {}
        self._planes: dict[str, Plane] = {}
        self._device, self._loading, self._chapter_models = device, Lock(), {}
        self.models: dict[str, VAE] = {
            name: checkpoint.load_pretrained(name, device) for name in checkpoint.list_pretrained()
        }
        tested = {name: checkpoint.load_card(name)["data"]["name"] for name in self.models}
        pictures = {dataset: data.load(dataset, "test").images for dataset in set(tested.values())}
        self.company: dict[str, Company] = {
            name: Company(*checkpoint.load_encodings(name), pictures[dataset]) for name, dataset in tested.items()
        }
        self.precisions: dict[str, Precision] = {}
        self._decoders: dict[str, VAE] = {}
        self._grids: dict[str, Grid] = {}
        for name, model in self.models.items():
            self.precisions[name], self._decoders[name] = self._records.submit(_fastest, model).result()
            self.places(
                name, torch.zeros(1, model.latents)
            )  # the first call of each kernel in a thread is the slow one

    def model(self, name: str) -> VAE:
        """A model by its name; ValueError names what there is."""
        if name not in self.models:
            raise ValueError(f"there is no model {name!r}; there are: {', '.join(self.models)}")
        return self.models[name]

    def chapter_model(self, name: str) -> Model:
        """A model of the theory's chapters, of any family; loaded when it is first asked for."""
        with self._loading:
            if name not in self._chapter_models:
                self._chapter_models[name] = self.compute(checkpoint.load_pretrained, name, self._device)
            return self._chapter_models[name]

    def frame(self, name: str, x: Float[Tensor, "1 c h w"], seed: int = 0) -> Frame:
        """Everything about one picture under the model `name`."""
        return self._records.submit(self._frame, name, x, seed).result()

    def compute(self, function: Callable, *arguments):
        """The result of any longer computation of the library, on the records thread; it raises what that raises."""
        return self._records.submit(function, *arguments).result()

    def ask_places(self, name: str, z: Float[Tensor, "b d"], x: Float[Tensor, "b c h w"] | None = None) -> Future:
        """The future `Places`: what the model makes of each z, and of each x at its z."""
        return self._live.submit(_With(places, self.model(name)), z, *([] if x is None else [x]))

    def places(self, name: str, z: Float[Tensor, "b d"], x: Float[Tensor, "b c h w"] | None = None) -> Places:
        """The same, waited for."""
        return self.ask_places(name, z, x).result()

    def ask_sketch(self, name: str, x: Float[Tensor, "b c h w"]) -> Future:
        """The future `Sketch` of up to `SKETCHES` pictures that are being drawn."""
        return self._live.submit(_With(sketch, self.model(name)), x, most=SKETCHES)

    def ask_ancestry(self, name: str, z: Float[Tensor, "b d"], seeds: Int64[Tensor, " b"]) -> Future:
        """The future `Ancestry`: a picture drawn of each z, and its posterior."""
        return self._live.submit(_With(ancestry, self.model(name)), z, seeds)

    def ask_decoding(self, name: str, z: Float[Tensor, "b d"]) -> Future:
        """The future outputs of all layers of the decoder for each z."""
        return self._live.submit(_With(decoding, self.model(name)), z)

    def ask_near(self, name: str, z: Float[Tensor, "b d"]) -> Future:
        """The future `Near`: which encodings of the test set lie around each z."""
        self.model(name)  # or ValueError
        return self._live.submit(_With(near, self.company[name]), z)

    def ask_pictures(self, name: str, z: Float[Tensor, "n d"]) -> list[Future]:
        """The future mean pictures of p(x|z), in pieces."""
        self.model(name)  # or ValueError
        return self._live.submit_all(_With(_pictures, self._decoders[name]), z)

    def pictures(self, name: str, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """The same, waited for."""
        return torch.cat([piece.result() for piece in self.ask_pictures(name, z)])

    def has_plane(self, name: str) -> bool:
        """Whether a model's true posteriors can be drawn: it has two latents and binary pixels."""
        model = self.model(name)
        return model.latents == 2 and model.input_spec.levels == 2

    def ask_comparison(self, name: str, x: Float[Tensor, "1 c h w"], thorough: bool = False) -> Future:
        """The future `Comparison`; `thorough` is for a hand at rest, and takes half a second of the records thread.

        The first call begins to decode the model's plane, which is kept in the user's cache folder.
        """
        if not self.has_plane(name):
            raise ValueError(f"{name!r} has no plane: it takes two latents and binary pixels")
        with self._loading:
            if name not in self._built:
                self._built[name] = 0.0
                self._build.submit(self._build_plane, name)
        return (self._records if thorough else self._plane).submit(self._compare, name, x, thorough)

    def ask_refined(self, name: str, x: Float[Tensor, "1 c h w"]) -> Future:
        """The future `Refinement`: better and better q for one picture."""
        return self._records.submit(_refine, self.model(name), x)

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
            return Comparison(built, *bayes.sides(model, x))
        if not thorough:
            return Comparison(built, *bayes.sides(model, x, self._planes[name]))
        return Comparison(built, *bayes.sides(model, x, self._planes[name], self._grid(name), bayes.THOROUGH))

    def _frame(self, name: str, x: Tensor, seed: int) -> Frame:
        grid = self._grid(name) if self.model(name).latents == 2 else None
        others = self.company[name].mu, self.company[name].sigma
        return frame(self.model(name), x, seed, grid, self._planes.get(name), others)

    def _grid(self, name: str) -> Grid:
        if name not in self._grids:
            self._grids[name] = Grid(self.model(name))
        return self._grids[name]


def _refine(model: VAE, x: Float[Tensor, "1 c h w"]) -> Refinement:
    found, device = refine(model, x), next(model.parameters()).device
    first, last = (normal(found.mu[[i]].to(device), found.sigma[[i]].to(device)) for i in (0, -1))
    if model.latents == 2:
        return Refinement(found, math.nan, *(-gap(model, x, q, 0.0)[0] for q in (first, last)))
    with torch.inference_mode():
        bound = importance_bound(model, x.to(device), BOUND, torch.Generator(device).manual_seed(0), q=last)
    return Refinement(found, float(bound), math.nan, math.nan)


@torch.inference_mode()
def _pictures(model: VAE, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
    weight = next(model.decoder.parameters())
    return model.decode(z.to(weight.device, weight.dtype)).mean.float().cpu()


def _fastest(model: VAE) -> tuple[Precision, VAE]:
    """The model in the precision that decodes a batch fastest. Numbers need float32; a picture has 256 levels."""
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        candidate = model if dtype == torch.float32 else _rounded(model, dtype)
        milliseconds = [_milliseconds(candidate, rows) for rows in (1, ROWS)]
        found.append((Precision(str(dtype).removeprefix("torch."), *milliseconds), candidate))
    full, half = found
    return half if half[0].batch * WORTH < full[0].batch else full


def _rounded(model: VAE, dtype: torch.dtype) -> VAE:
    """A copy in `dtype` but for the decoder's first layer: most of the error came from rounding z itself."""
    copy = deepcopy(model).to(dtype)
    first = next(layer for layer in copy.decoder if isinstance(layer, nn.Linear)).float()
    first.register_forward_hook(lambda layer, inputs, output: output.to(dtype))
    return copy


def _milliseconds(model: VAE, rows: int) -> float:
    """The median of a few calls; what arrives on the CPU has been computed, on a GPU too."""
    z, seconds = torch.zeros(rows, model.latents), []
    for _ in range(8):
        start = time.perf_counter()
        _pictures(model, z)
        seconds.append(time.perf_counter() - start)
    return 1000 * median(seconds[2:])


_building = Lock()


def engine() -> Engine:
    """The one engine of this process, built on first use."""
    with _building:
        return _engine()


@cache
def _engine() -> Engine:
    return Engine()
