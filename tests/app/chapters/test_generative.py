"""The chapter of the generative and the recognition model: what its picture opens with."""

import base64
import re

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal

from tests.app.pages.test_pages import EVERY_MODEL, HOW_IT_WORKS, checked, explorer, model, notes, opened
from tests.registry import BITS, VECTORS
from vae.app.live import messages
from vae.models import pretrained


@EVERY_MODEL
def test_it_opens_with_a_sample_and_every_number_is_about_it(name):
    found = explorer(opened(name, HOW_IT_WORKS, chapter="model"))
    d, z = found["latents"], torch.tensor([found["z"]])
    content = base64.b64decode(found["answer"])[messages.HEADER.size :]
    numbers = torch.from_numpy(np.frombuffer(content[: 4 * (4 + 2 * d)], "<f4").copy())
    pixels = torch.from_numpy(np.frombuffer(content[4 * (4 + 2 * d) :], np.uint8).copy()).view(2, 1, *found["shape"])
    mean, x = pixels / 255
    with torch.inference_mode():
        likelihood, q = model(name)[0].decode(z), model(name)[0].encode(x)
    if name in BITS:
        assert set(pixels[1].unique().tolist()) == {0, 255}
        likelihood = Bernoulli(logits=model(name)[0].decoder(z))
    assert (mean - likelihood.mean).abs().max() <= 0.51 / 255
    expected = [Normal(0, 1).log_prob(z).sum(), likelihood.log_prob(x).sum(), q.log_prob(z).sum()]
    assert numbers[:3].tolist() == pytest.approx([float(value) for value in expected], abs=2e-3)
    assert float(numbers[3]) == pytest.approx(float(((z - q.mean).abs() < q.stddev).float().mean()))
    torch.testing.assert_close(numbers[4:], torch.cat([q.mean[0], q.stddev[0]]), rtol=1e-3, atol=1e-4)
    kl = pretrained.load_card(name)["numbers"]["kl_per_dimension"]
    assert [kl[index] for index in found["order"]] == sorted(kl, reverse=True)


@EVERY_MODEL
def test_it_says_how_many_numbers_lie_within_their_bars_and_a_second_count_agrees(name):
    app = opened(name, HOW_IT_WORKS, chapter="model")
    (said,) = (note for note in notes(app) if "within their bars" in note and "±" in note)
    share, error = map(float, re.search(r"([\d.]+) ± ([\d.]+) %", said).groups())
    generator, loaded = torch.Generator().manual_seed(77), model(name)[0]
    with torch.inference_mode():
        z = torch.randn(300, loaded.latents, generator=generator)
        x = drawn_again(loaded.decode(z), generator)
        q = loaded.encode(x)
        inside = ((z - q.mean).abs() < q.stddev).float().mean(1)
    again, its = 100 * float(inside.mean()), 100 * float(inside.std()) / 300**0.5
    assert abs(share - again) < 4 * (error**2 + its**2) ** 0.5
    assert share + 3 * error < 68.3  # so that the question's answer is right for every model


def drawn_again(likelihood: Independent, generator: torch.Generator) -> torch.Tensor:
    """Pictures of p(x|z): bits by torch, levels by the logistic's definition."""
    pixels = likelihood.base_dist
    if isinstance(pixels, Bernoulli):
        return torch.bernoulli(pixels.mean, generator=generator)
    u = torch.rand(pixels.loc.shape, generator=generator).clamp(1e-6, 1 - 1e-6)
    drawn = pixels.loc + pixels.log_scale.exp() * (u.log() - (-u).log1p())
    return drawn.mul(255).round().clamp(0, 255) / 255


def test_the_link_says_the_seed_and_z_and_opens_them():
    z = [round(0.1 * i - 1, 2) for i in range(24)]
    see = "_".join(["123", *(f"{value:.2f}" for value in z)])
    found = explorer(opened("mnist", HOW_IT_WORKS, chapter="model", see=see))
    assert found["z"] == pytest.approx(z)
    for wrong in (see + "_1", "x", see.replace("0.10", "99"), see.replace("0.10", "nan"), f"-{see}"):
        opens = explorer(opened("mnist", HOW_IT_WORKS, chapter="model", see=wrong))
        assert opens["z"] == explorer(opened("mnist", HOW_IT_WORKS, chapter="model"))["z"]


def test_another_model_brings_its_own_sample():
    first, second = VECTORS[:2]
    app = opened(first, HOW_IT_WORKS, chapter="model")
    app.session_state["model"] = second
    found = explorer(checked(app.run()))
    assert found["rev"].split()[0] == second
    assert len(found["z"]) == found["latents"] == model(second)[0].latents
