"""What is seen of a training on the way: the same pictures at moments ever farther apart, a small file each."""

import base64
import io
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from scipy.linalg import orthogonal_procrustes
from torch import Tensor

from vae import data
from vae.distributions import kl_per_dimension
from vae.latent.directions import principal_directions
from vae.models import Model, files
from vae.pictures import films
from vae.train.own.held import HeldOut, is_past_its_best
from vae.train.own.linear import floor
from vae.train.own.words import said
from vae.train.run import Run

FOLDER = "watch"
ACROSS = 8  # pictures in a row: held-out ones, what comes back of them, and two rows of samples
POINTS = 400  # encodings of the scatter
FIRST, APART = 0.4, 1.12  # seconds to the second moment, and the factor between moments
WORTH = 6.0  # times that a moment must take before the next: looking is not to cost more than a seventh of the time
USED = 0.05  # nats that a latent tells, at least, of one that is used


class Watch:
    """To be called before each step and after the last: at its moments it writes what it sees into a folder.

    Of the averaged weights it keeps those with the best bound on the validation pictures (`vae.train.own.held`).
    `most` seconds may be trained; for those that are `waited` between steps it is no slower.
    """

    def __init__(self, run: Run, own: data.Own, folder: Path, most: float = math.inf):
        self.run, self.own, self.folder, self.most = run, own, folder / FOLDER, most
        self.waited = 0.0
        self.held = HeldOut(run, own, folder)
        test = own.part("test").images
        self.shown = self._as_read(test[: min(ACROSS, own.tested + own.validated)])
        self.spread = self._as_read(test[:POINTS])
        generator = torch.Generator().manual_seed(0)
        self.drawn = torch.randn(2 * ACROSS, run.recipe.model.latents, generator=generator)
        self.floor: float | None = None  # known after the first moment, which is not to wait for it
        self.frames = frames(folder)
        before = [frame for frame in self.frames if frame["step"] <= run.step]
        for frame in self.frames[len(before) :]:
            (self.folder / _name(frame["step"])).unlink(missing_ok=True)
        self.frames = before
        self.held.best = min((frame["validation"]["loss"] for frame in before), default=math.inf)
        self._since, self._next = time.monotonic(), 0.0
        self.place: np.ndarray | None = None

    @property
    def is_past_its_best(self) -> bool:
        """Whether it only learns by heart from here on."""
        losses = [frame["validation"]["loss"] for frame in self.frames]
        return is_past_its_best([frame["step"] for frame in self.frames], losses)

    def _as_read(self, images: Tensor) -> Float[Tensor, "n c h w"]:
        x = data.grey(images)
        return data.as_read(x, self.own.spec).to(self.run.device)

    def __call__(self, now: bool = False) -> None:
        """Look, where it is time, or `now`."""
        passed = time.monotonic() - self._since
        if not (now or passed >= self._next) or (self.frames and self.frames[-1]["step"] == self.run.step):
            return
        self.look()
        taken = time.monotonic() - self._since - passed
        gap = max(FIRST, (APART - 1) * passed, WORTH * taken)
        self._next = passed + taken + gap

    def look(self) -> None:
        """Write what the averaged weights make of the pictures now; nothing where they are no numbers."""
        run, model = self.run, self.run.average.module
        if run.step and self.floor is None:
            self.floor = floor(self.own, run.recipe.model.latents, self.own.part("validation").images)
        numbers, was = self.held.numbers(), model.training
        model.eval()
        with torch.no_grad():
            frame = self._seen(model, numbers)
        model.train(was)
        if not all(math.isfinite(value) for part in numbers.values() for value in part.values()):
            return
        frame["words"] = said([*self.frames, frame])
        frame["left"] = self._left()
        self.frames.append(frame)
        with files.whole(self.folder / _name(run.step)) as draft:
            draft.write_text(json.dumps(frame))
        self.held.keep(frame["validation"]["loss"])

    def _seen(self, model: Model, numbers: dict[str, dict[str, float]]) -> dict:
        run, q = self.run, model.encode(self.spread)
        kl, mu = kl_per_dimension(q, model.prior).mean(0).cpu(), q.mean.cpu()
        return {
            "step": run.step,
            "steps": run.steps,
            "epoch": round(run.step / run.steps_per_epoch, 2),
            "seconds": round(run.seconds, 1),
            "beta": run.beta,
            **numbers,
            "floor": self.floor,
            "kl": [round(float(value), 3) for value in kl],
            "used": int((kl > USED).sum()),
            "points": self._placed(mu).tolist() if bool(mu.isfinite().all()) else [],
            "sheet": base64.b64encode(self._sheet(model)).decode(),
        }

    def _left(self) -> float | None:
        """Seconds of training that are left by its steps, as fast as those were that this process took, or by its
        time."""
        taken = self.run.step - self.run.first_step
        if not taken:
            return None
        each = (time.monotonic() - self._since - self.waited) / taken
        return round(max(0.0, min(each * (self.run.steps - self.run.step), self.most - self.run.seconds)), 1)

    def _placed(self, mu: Float[Tensor, "n d"]) -> Float[np.ndarray, "n 2"]:
        """The encodings in the plane: as they are, or their first two principal components, turned towards where they
        were before, so that nothing moves that only the axes did."""
        centred = (mu - mu.mean(0)).double()
        place = mu.double().numpy() if mu.shape[1] == 2 else (centred @ principal_directions(mu).T.double()).numpy()
        if mu.shape[1] == 1:
            place = np.concatenate([place[:, :1], np.zeros_like(place[:, :1])], 1)
        if mu.shape[1] > 2 and self.place is not None:
            place = place @ orthogonal_procrustes(place, self.place)[0]
        self.place = place
        return place.round(3)

    def _sheet(self, model: Model) -> bytes:
        """Held-out pictures, what comes back of them, and samples, as one file: JPEG in colour, PNG of bits."""
        x = self.shown
        blank = x.new_zeros(ACROSS - len(x), *x.shape[1:])
        back = model.decode(model.encode(x).mean).mean
        samples = model.decode(self.drawn.to(x.device)).mean
        sheet = films.sheet(films.as_frames(torch.cat([x, blank, back, blank, samples]).float().cpu()), ACROSS)
        out = io.BytesIO()
        if sheet.ndim == 2:
            Image.fromarray(sheet).save(out, "PNG", optimize=True)
        else:
            Image.fromarray(sheet).save(out, "JPEG", quality=88, subsampling=0)
        return out.getvalue()


def frames(folder: Path) -> list[dict]:
    """All that was written into a folder, in the order of the steps."""
    return [json.loads(path.read_text()) for path in watched(folder)]


def watched(folder: Path) -> list[Path]:
    """The files of the moments that were written into a folder, in the order of the steps."""
    return sorted((folder / FOLDER).glob("*.json"))


def _name(step: int) -> str:
    return f"{step:08}.json"
