"""Training pictures that a run never saw: what recipes are chosen by, so that the test set need not be looked at."""

import torch

from vae import data
from vae.data import Split
from vae.models import Autoencoder, Model
from vae.models.device import upload
from vae.objective import elbo

SAMPLES, ROWS, SEED = 10, 500, 0


@torch.inference_mode()
def validate(model: Model, held_out: Split) -> dict:
    """-ELBO of held-out pictures, nats: a mean, and its standard error from picture to picture.

    Each grey picture is binarised once, and q sampled SAMPLES times, always with the same noise. Of an autoencoder it
    is -log p(x|z).
    """
    device, generator = model.device, torch.Generator(model.device).manual_seed(SEED)
    grey = data.grey(held_out.images)
    bits = data.binarise(grey, torch.Generator().manual_seed(data.BINARISATION_SEED))
    x, y = upload(bits if model.input_spec.levels == 2 else grey, device), upload(held_out.labels, device)
    was, found = model.training, []
    model.eval()
    for part, labels in zip(x.split(ROWS), y.split(ROWS), strict=True):
        told = model.given(labels) if model.config.classes else model
        if isinstance(model, Autoencoder):
            found.append(model.decode(model.encode(part).mean).log_prob(part))
        else:
            found.append(elbo(told, part, SAMPLES, generator))
    model.train(was)
    values = -torch.cat(found).cpu()
    return {
        "negative_elbo": round(float(values.mean()), 3),
        "error": round(float(values.std() / len(values) ** 0.5), 3),
        "pictures": len(values),
    }
