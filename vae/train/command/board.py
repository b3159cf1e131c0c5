"""Scalars for TensorBoard, where it is installed: nothing of it is imported before."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from vae.train import saved
from vae.train.loop import Metrics


class Board:
    """Event files in a run's folder, beside its log; nothing where `tensorboard` is not installed.

    A run that goes on after a `step` replaces what was written of later ones.
    """

    def __init__(self, folder: Path, step: int):
        self._writer = None
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def report(self, metrics: Metrics, held_out: Mapping[str, dict[str, float]]) -> None:
        """What the log says, as scalars. Where it cannot be written is a warning, and the last try."""
        if self._writer is None:
            return
        scalars = {
            "train/loss": metrics.loss,
            "train/distortion": -metrics.log_likelihood,
            "train/rate": metrics.kl,
            "learning_rate": metrics.learning_rate,
            "beta": metrics.beta,
        }
        for part, numbers in held_out.items():
            kind = "held_out" if part == "validation" else "looked_at_of_train"
            scalars |= {f"{kind}/{name}": value for name, value in numbers.items()}
        try:
            for name, value in scalars.items():
                self._writer.add_scalar(name, value, metrics.step)
            self._writer.flush()
        except OSError as error:
            saved.warn(f"Nothing more is written for TensorBoard: {error.strerror or error}.")
            self._writer = None

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()
