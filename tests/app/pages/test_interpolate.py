"""The Interpolate page without a browser: what it computes, what its links say, and what cannot be said to it."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

import vae
from tests.registry import BITS, VECTORS
from vae import data, latent
from vae.app.session import inputs
from vae.app.session.ids import Own
from vae.models import pretrained

NAMES = VECTORS
EVERY_MODEL = pytest.mark.parametrize("name", NAMES)
ENDS = [7, 0, 3, 20]
PAGE = "vae/app/pages/interpolate.py"


def opened(name: str, **query: str) -> AppTest:
    app = AppTest.from_file("../../../streamlit_app.py", default_timeout=60)
    for key, value in {"model": name, "ends": ",".join(f"i{index}" for index in ENDS), **query}.items():
        app.query_params[key] = value
    app.run()
    # a page change clears the query, as a link does; what the link says comes with the page
    for key, value in {"model": name, "ends": ",".join(f"i{index}" for index in ENDS), **query}.items():
        app.query_params[key] = value
    app.switch_page(PAGE).run()
    assert not app.exception, app.exception[0].value
    return app


def told(app: AppTest) -> dict:
    """What Python tells the component."""
    (element,) = app.main.get("bidi_component")
    return json.loads(element.proto.json)


def floats(text: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").copy())


def encodings(name: str) -> torch.Tensor:
    x = data.test_inputs(pretrained.load_card(name)["data"]["name"])[ENDS]
    return vae.load_pretrained(name).encode(x).mean.detach()


def shown(means: torch.Tensor) -> np.ndarray:
    """Pictures as a strip has them: grey ones without a channel."""
    levels = means.detach().mul(255).round().numpy().transpose(0, 2, 3, 1)
    return levels if levels.shape[-1] > 1 else levels[..., 0]


@EVERY_MODEL
def test_the_paths_and_their_pictures_are_the_librarys(name):
    app = opened(name, mode="two", steps="24")
    ways, (a, b) = told(app)["ways"], encodings(name)[:2]
    # to follow a path through large pictures takes half a minute
    assert list(ways) == ["straight", "spherical"] + ["following"] * (name in BITS)
    model = vae.load_pretrained(name)
    for word, path in (("straight", latent.lerp(a, b, 24)), ("spherical", latent.slerp(a, b, 24))):
        z = floats(ways[word]["z"]).view(24, -1)
        torch.testing.assert_close(z, path, atol=1e-4, rtol=1e-4)
        with Image.open(io.BytesIO(base64.b64decode(ways[word]["strip"]))) as strip:
            frames = np.stack(np.split(np.asarray(strip), 24, axis=1))
        away = np.abs(frames - shown(model.decode(z).mean))
        assert away.max() <= 1 if name in BITS else away.mean() < 2  # colours go as WebP
    for way in ways.values():
        z = floats(way["z"]).view(24, -1)
        torch.testing.assert_close(z[[0, -1]], torch.stack([a, b]), atol=1e-4, rtol=1e-4)
        assert {len(floats(text)) for text in way["series"].values()} == {24}


@EVERY_MODEL
def test_the_square_runs_between_the_four(name):
    app = opened(name, mode="four")
    found = told(app)
    assert [end["letter"] for end in found["ends"]] == list("ABCD")
    torch.testing.assert_close(
        torch.tensor([end["mu"] for end in found["ends"]]), encodings(name), atol=1e-4, rtol=1e-4
    )
    with Image.open(io.BytesIO(base64.b64decode(found["square"]["strip"]))) as strip:
        frames = np.split(np.asarray(strip), 81, axis=1)
    corners = np.stack([frames[0], frames[8], frames[72], frames[80]])
    expected = shown(vae.load_pretrained(name).decode(encodings(name)).mean)
    away = np.abs(corners - expected)  # pictures without numbers may be decoded in bfloat16, and colours go as WebP
    assert away.max() <= 4 if name in BITS else away.mean() < 3


@EVERY_MODEL
def test_each_path_is_judged_by_numbers_that_other_means_give_too(name):
    """Steps by an integral of Fisher's metric between neighbours, of colours by the distance of their pictures; density
    by torch's mixture, norms by numpy."""
    ways, model = told(opened(name, mode="two", steps="24"))["ways"], vae.load_pretrained(name, "cpu")
    mu, sigma = pretrained.load_encodings(name)
    a, b = encodings(name)[:2]
    others = ((mu - a).abs().amax(1) > 3e-3) & ((mu - b).abs().amax(1) > 3e-3)  # the ends do not count themselves
    components = Independent(Normal(mu[others].double(), sigma[others].double()), 1)
    mixture = MixtureSameFamily(Categorical(torch.ones(len(components.mean), dtype=torch.float64)), components)
    for way in ways.values():
        z, judged = floats(way["z"]).view(24, -1), way["judged"]
        with torch.inference_mode():
            p = model.decode(z).mean.flatten(1).double()
        steps = fisher_steps(p.clamp(1e-7, 1 - 1e-7)) if name in BITS else torch.cdist(p[:-1], p[1:]).diagonal()
        assert judged["length"] == pytest.approx(float(steps.sum()), rel=2e-3)
        assert judged["largest_step"] == pytest.approx(float(steps.max()), rel=2e-3)
        assert judged["lowest_density"] == pytest.approx(float(mixture.log_prob(z.double()).min()), abs=2e-3, rel=1e-6)
        norms = np.sqrt((z.numpy() ** 2).sum(1) / z.shape[1])
        assert judged["shell"] == pytest.approx([norms.min(), norms.max()], rel=1e-5)


def fisher_steps(p: torch.Tensor) -> torch.Tensor:
    """How far apart neighbours in p (n, pixels) are: root of the sum over pixels of (int dp / sqrt(p (1 - p)))^2.

    The integral by quadrature over log-odds, where it is 1 / (2 cosh(l / 2)) dl.
    """
    logit = torch.logit(p)
    fine = torch.lerp(logit[:-1, None], logit[1:, None], torch.linspace(0, 1, 201, dtype=p.dtype)[None, :, None])
    return torch.trapezoid(0.5 / torch.cosh(fine / 2), fine, dim=1).square().sum(1).sqrt()


@EVERY_MODEL
def test_arithmetic_adds_the_whole_difference_at_two_thirds(name):
    app = opened(name, mode="sum", steps="60")
    z = floats(told(app)["ways"]["sum"]["z"]).view(61, -1)
    a, b, c, _ = encodings(name)
    torch.testing.assert_close(z[0], c, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(z[40], a - b + c, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "query",
    [
        {"ends": "upload,drawing,,"},
        {"ends": "i99999,b!!!,s-1,x" + "y" * 5000},
        {"ends": ",".join(["i1"] * 500)},
        {"mode": "seven", "steps": "1000000", "path": "../..", "at": "nan,inf,1e9"},
        {"at": "-5"},
    ],
)
def test_what_a_link_should_not_say_is_ignored(query):
    app = opened(NAMES[0], **query)
    found = told(app)
    assert found["mode"] == "two"
    assert len(floats(found["ways"]["straight"]["series"]["kl"])) == 60
    assert all(0 <= share <= 1 for share in found["at"])
    assert all(end["name"].startswith("test picture") for end in found["ends"])


def test_a_link_names_only_pictures_that_are_the_same_for_everyone():
    """What is computed for ids is kept for all sessions: a session's own upload must never be one of them."""
    app = AppTest.from_file("../../../streamlit_app.py", default_timeout=60)
    app.session_state["drawing"] = bytes(inputs.PAD) * inputs.PAD
    app.query_params["ends"] = "drawing,upload"
    app.switch_page(PAGE).run()
    assert not app.exception
    assert not any(isinstance(one, Own) for one in app.session_state["ends.mnist"])


def test_the_address_says_what_is_seen():
    app = opened(NAMES[0], mode="sum", steps="24", path="spherical", at="0.25")
    said = {key: app.query_params[key] for key in ("mode", "steps", "ends", "at")}
    assert {key: value[0] if isinstance(value, list) else value for key, value in said.items()} == {
        "mode": "sum", "steps": "24", "ends": "i7,i0,i3,i20", "at": "0.25",
    }  # fmt: skip


def test_an_end_that_is_reconstructed_poorly_is_said_to_be():
    """Of bits at random no model of digits or clothes makes anything."""
    noise = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0)).lt(0.5).float()
    bits = "b" + base64.urlsafe_b64encode(np.packbits(noise.numpy().astype(bool))).decode().rstrip("=")
    app = opened(NAMES[0], ends=f"i7,{bits},,")
    first, second = told(app)["ends"]
    assert first["poor"] == ""
    assert second["poor"] == "is reconstructed worse than 100 % of the test pictures are"


def test_a_sample_of_the_prior_is_the_same_picture_in_every_session():
    first, again = (told(opened(NAMES[0], ends="s12,i0,,"))["ends"][0] for _ in range(2))
    assert first == again
    assert first["name"] == "a sample of the prior"
    assert told(opened(NAMES[0], ends="s13,i0,,"))["ends"][0]["pixels"] != first["pixels"]


def test_the_visitors_own_picture_is_where_the_first_journey_begins():
    app = AppTest.from_file("../../../streamlit_app.py", default_timeout=60)
    for key, value in {"model": NAMES[0], "x": "i77"}.items():
        app.query_params[key] = value
    app.run()
    app.switch_page(PAGE).run()
    assert told(app)["ends"][0]["name"].startswith("test picture 77:")
