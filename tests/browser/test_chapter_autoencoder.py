"""The chapter on autoencoders in a real Chromium: one hand moves both models."""

import re

import numpy as np
from playwright.sync_api import expect

import vae
from tests.browser.seen import changes, greys, seen
from vae import data

NAME = "mnist-2d"


def test_keys_and_mouse_move_both_models_along_their_own_ways_without_a_rerun(visitor):
    someone = visitor(viewport={"width": 1400, "height": 1000})
    page = someone.opens(f"/how_it_works?chapter=autoencoder&model={NAME}&x=i3")
    before, requests = seen(page), len(someone.requests)
    page.get_by_test_id("scrub").focus()
    page.keyboard.press("Home")
    changes(page, before)
    x = data.fixed_binarisation("mnist")[3:4].float()
    for testid, name in (("decoded", NAME), ("way-autoencoder", f"{NAME}-ae")):
        model = vae.load_pretrained(name)
        start = model.decode(model.encode(x).mean).mean[0, 0].mul(255).round().int().numpy()
        assert np.abs(greys(page, testid) - start).max() <= 1
    box, at_start, map_before = page.get_by_test_id("scrub").bounding_box(), seen(page), seen(page, "map-autoencoder")
    page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    changes(page, at_start)
    page.mouse.up()
    assert page.get_by_test_id("decoded").get_attribute("data-at") == "16"
    assert seen(page, "map-autoencoder") != map_before
    assert len(someone.requests) == requests


def test_a_sample_is_chosen_in_both_models_and_can_be_drawn_again(visitor):
    page = visitor(viewport={"width": 390, "height": 844}).opens(f"/how_it_works?chapter=autoencoder&model={NAME}")
    maps = [seen(page, f"map-{side}") for side in ("autoencoder", "vae")]
    page.get_by_role("button", name="Show it without a guess").click()
    page.get_by_test_id("sample-vae-2").focus()
    page.keyboard.press("Enter")
    for side, before in zip(("autoencoder", "vae"), maps, strict=True):
        expect(page.get_by_test_id(f"sample-{side}-2")).to_have_attribute("aria-pressed", "true")
        assert seen(page, f"map-{side}") != before
    label = page.get_by_test_id("sample-vae-0").get_attribute("aria-label")
    page.get_by_role("button", name="Draw again").click()
    expect(page.get_by_test_id("sample-vae-0")).not_to_have_attribute("aria-label", label)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_back_brings_the_other_pair_and_the_other_model(visitor):
    page = visitor().opens("/how_it_works?chapter=autoencoder&model=mnist&pair=fashion-2d")
    page.get_by_role("combobox", name="The network has learned").click()
    page.get_by_role("option", name="Handwritten digits, 2 numbers", exact=True).click()
    expect(page).to_have_url(re.compile("pair=mnist-2d"))
    page.go_back()
    expect(page.get_by_role("radio", name="Clothes and shoes, 2 numbers")).to_be_checked()
    expect(page).to_have_url(re.compile(r"model=mnist&.*pair=fashion-2d"))
