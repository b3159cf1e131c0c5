"""The chapter of the structure: what its diagram is told is what the model computes for the current picture."""

import base64

import numpy as np
import pytest
import torch

from tests.app.pages.test_pages import EVERY_MODEL, HOW_IT_WORKS, ONE_EACH, explorer, model, notes, opened, test_input


def told(name: str, **query: str) -> dict:
    return explorer(opened(name, HOW_IT_WORKS, chapter="structure", **query))


def floats(text: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").copy())


@EVERY_MODEL
def test_the_diagram_has_every_layer_of_the_model_and_the_values_of_its_own_pass(name):
    app, loaded = opened(name, HOW_IT_WORKS, chapter="structure", x="i7"), model(name)[0]
    found, between = explorer(app), []
    hook = loaded.encoder[0].register_forward_hook(lambda layer, _, output: between.append(output.flatten()))
    x = test_input(name, 7)
    components = ["With components"] * loaded.config.linear
    assert any("a shortcut that is not drawn" in note for note in notes(app)) == loaded.config.linear
    correction = ["Correction"] * loaded.config.corrected + components
    assert [layer["kind"] for layer in found["encoder"]] == [
        *(type(each).__name__ for each in loaded.encoder),
        *correction,
    ]
    assert [layer["kind"] for layer in found["decoder"]] == [
        *(type(layer).__name__ for layer in loaded.decoder),
        *components,
    ]
    mu, sigma, eps = floats(found["latents"]).view(3, 1, -1)
    with torch.inference_mode():
        q, mean = loaded.encode(x), loaded.decode(mu + sigma * eps).mean
    hook.remove()
    first = floats(found["encoded"])[x.numel() :][: len(between[0])]
    torch.testing.assert_close(first, between[0], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(mu, q.mean, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(sigma, q.stddev, rtol=1e-3, atol=1e-4)
    for key, start, last in (("encoded", x, q.mean), ("decoded", None, mean)):
        values, layers = floats(found[key]), found["encoder" if key == "encoded" else "decoder"]
        sizes = [int(np.prod(layer["shape"])) for layer in layers]
        assert len(values) == sum(sizes) + x.numel()  # the layers, and x or the reconstruction
        if start is not None:
            assert torch.equal(values[: x.numel()], start.flatten())
            torch.testing.assert_close(values[-sizes[-1] :][: last.numel()], last.flatten(), rtol=1e-3, atol=1e-4)
        else:
            torch.testing.assert_close(values[-x.numel() :], last.flatten(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ONE_EACH)
def test_another_picture_is_another_diagram(name):
    one, other = (told(name, x=identity) for identity in ("i7", "i8"))
    assert one["rev"] != other["rev"]
    assert one["encoded"] != other["encoded"]
    assert one["input"].startswith("test picture 7")
