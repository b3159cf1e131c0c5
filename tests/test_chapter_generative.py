"""The chapter of the generative and the recognition model: what its picture opens with."""

import base64

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

import vae
from tests.test_app import EVERY_MODEL, checked, explorer, model, opened
from vae.app import live

HOW_IT_WORKS = "vae/app/how_it_works.py"


def told(name: str) -> tuple[dict, np.ndarray, np.ndarray]:
    """(data, numbers, bytes of the picture) that the chapter's component opens with."""
    found = explorer(opened(name, HOW_IT_WORKS, chapter="model"))
    content = base64.b64decode(found["answer"])[live.HEADER.size :]
    split = 4 * (6 + found["latents"])
    return found, np.frombuffer(content[:split], "<f4"), np.frombuffer(content[split:], np.uint8)


@EVERY_MODEL
def test_the_picture_is_the_mean_of_the_sample_and_its_prior_density_the_closed_form(name):
    found, numbers, picture = told(name)
    z = torch.tensor([found["z"]])
    with torch.inference_mode():
        mean = model(name)[0].decode(z).mean[0]
    assert z.shape == (1, model(name)[0].latents)
    assert np.abs(picture / 255 - mean.flatten().numpy()).max() <= 0.51 / 255
    assert numbers[0] == pytest.approx(float(Normal(0, 1).log_prob(z).sum()), abs=1e-3)
    assert np.isnan(numbers[3:6]).all()  # there is no input here to be about


@EVERY_MODEL
def test_the_way_back_is_that_of_a_picture_drawn_from_the_likelihood(name):
    """KL by torch's own function; both numbers among those of 400 other draws, by their mean and spread."""
    found, numbers, _ = told(name)
    loaded, z = model(name)[0], torch.tensor([found["z"]])

    def back(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        q = loaded.encode(x)
        kl = kl_divergence(Normal(q.mean, q.stddev), Normal(0.0, 1.0)).sum(1)
        return kl, ((q.mean - z) / q.stddev).square().mean(1).sqrt()

    with torch.inference_mode():
        mean = loaded.decode(z).mean
        noise = torch.rand(mean.shape[1:], generator=torch.Generator().manual_seed(0))
        its_own = back((noise < mean).float())
        others = back(torch.bernoulli(mean.expand(400, -1, -1, -1), generator=torch.Generator().manual_seed(1)))
    for number, own, other in zip((numbers[6:].sum(), numbers[2]), its_own, others, strict=True):
        assert number == pytest.approx(float(own), rel=1e-3)
        assert abs(number - other.mean()) < 5 * other.std()


def test_another_model_brings_its_own_sample():
    first, second = vae.list_pretrained()[:2]
    app = opened(first, HOW_IT_WORKS, chapter="model")
    app.session_state["model"] = second
    found = explorer(checked(app.run()))
    assert found["rev"] == second
    assert len(found["z"]) == found["latents"] == model(second)[0].latents
