"""High likelihood, and yet no digit: a disc's ELBO beside a digit's, and what the judge says of both."""

import re

import pytest

from tests.app.pages.test_pages import HOW_IT_WORKS, checked, model, opened
from vae.app.chapters import likelihood
from vae.inference.record import sketch


def said(app) -> str:
    return " ".join(re.sub("<.*?>", "", one.proto.body) for one in app.main.get("html"))


@pytest.mark.parametrize(("name", "thing"), [("mnist", "digit"), ("fashion-2d", "garment")])
def test_the_disc_has_its_own_elbo_which_many_test_pictures_do_not_reach_and_is_called_strange(name, thing):
    app = opened(name, HOW_IT_WORKS, chapter="bayes")
    app.session_state["disc"] = True
    checked(app.run())
    entry = likelihood.library().find(name)
    seen = sketch(model(name)[0], likelihood.discs(entry))
    elbos = seen.reconstruction - seen.kl_per_dimension.sum(1)
    (slider,) = (one for one in app.slider if one.label == "Radius of the disc")
    assert slider.value == likelihood.RADII[int(elbos.argmax())]
    text = said(app)
    assert f"ELBO {float(elbos.max()):.1f} nats. Probably no {thing}.".replace("-", "−") in text
    share = int(re.search(rf"higher than that of (\d+) % of real {thing}s", text)[1])
    assert share > 50
    checked(slider.set_value(12).run())
    assert f"ELBO {float(elbos[-1]):.1f} nats".replace("-", "−") in said(app)
