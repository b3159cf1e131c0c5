"""Pictures in a real Chromium: small ones are seen as the squares they are made of, large ones without."""

import pytest

LOOKS = """() => [...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean)
  .flatMap((root) => [...root.querySelectorAll("canvas")])
  .filter((e) => e.checkVisibility() && e.width % SIDE === 0 && e.height % SIDE === 0)
  .map((e) => getComputedStyle(e).imageRendering)"""


@pytest.mark.parametrize("page", ["", "interpolate", "interpolate?mode=four", "latent_map"])
@pytest.mark.parametrize(("model", "side", "look"), [("mnist", 28, "pixelated"), ("portraits", 64, "auto")])
def test_pictures_of_few_pixels_are_seen_as_squares_and_those_of_many_smooth(visitor, page, model, side, look):
    opened = visitor().opens(f"/{page}{'&' if '?' in page else '?'}model={model}")
    opened.wait_for_function(f"() => ({LOOKS.replace('SIDE', str(side))})().length")
    opened.wait_for_timeout(1000)
    assert set(opened.evaluate(LOOKS.replace("SIDE", str(side)))) == {look}
