"""Directions by names that visitors gave: how long a step is, and what a link says of them and must not."""

import base64
import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vae.latent.named import Kept, deviation
from vae.latent.named.kept import LETTERS, MOST, ROOM, as_text, fitting, parse, tidy


def normals(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_step_raises_the_place_along_the_direction_by_the_standard_deviation_of_the_encodings():
    mu, direction = normals(400, 5) * torch.tensor([3.0, 1.0, 0.5, 2.0, 0.1]) + 4, normals(5, seed=1)
    places = [
        sum(m * v for m, v in zip(row, direction.tolist(), strict=True)) / float(direction.norm())
        for row in mu.tolist()
    ]
    mean = sum(places) / len(places)
    spread = (sum((place - mean) ** 2 for place in places) / len(places)) ** 0.5
    step = deviation(mu, direction)
    assert float(step @ direction / direction.norm()) == pytest.approx(spread, rel=1e-5)
    assert float(step.norm()) == pytest.approx(spread, rel=1e-5)  # and it goes nowhere else
    assert torch.allclose(deviation(mu, 9 * direction), step)


def test_a_link_gives_back_names_and_steps_to_within_half_a_level():
    steps = [0.3 * normals(24, seed=seed) for seed in range(MOST)]
    names = ["0 − 1", "ﷺ" * LETTERS, "<b>bold</b>", "a", "selection A (300) − all others"[:LETTERS], "~,;/?&=%"]
    kept = [Kept.of(name, step) for name, step in zip(names, steps, strict=True)]
    found = parse(as_text(kept), 24)
    assert found == kept  # to the last bit: what was measured of one is found again
    for one, name, step in zip(found, names, steps, strict=True):
        assert one.name == name
        assert float((one.step - step).abs().max()) <= float(step.abs().max()) / 127 / 2 * 1.001


@given(st.text(), st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=40))
def test_any_name_and_step_is_said_or_refused(name, numbers):
    try:
        one = Kept.of(name, torch.tensor(numbers))
    except ValueError:
        assert not tidy(name) or max(map(abs, numbers)) < 1e-30
        return
    assert parse(as_text([one]), len(numbers)) == [one]


@given(st.text() | st.text("AB-_c09"), st.integers(1, 40))
def test_any_text_is_directions_or_refused(text, latents):
    try:
        found = parse(text, latents)
    except ValueError:
        return
    assert as_text(found).rstrip("A") == text.rstrip("A")


def said(name: bytes, scale: float, levels: list[int]) -> bytes:
    return struct.pack("<Bf", len(name), scale) + name + struct.pack(f"<{len(levels)}b", *levels)


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


GOOD = said(b"a", 0.01, [1, -127])
BAD = {
    "one latent too few": said(b"a", 0.01, [1]),
    "one too many": said(b"a", 0.01, [1, 2, 3]),
    "only a head": GOOD[:3],
    "half of a second": GOOD + said(b"b", 0.01, [1, 2])[:-1],
    "not a number": said(b"a", float("nan"), [1, 2]),
    "infinitely far": said(b"a", float("inf"), [1, 2]),
    "backwards": said(b"a", -0.01, [1, 2]),
    "far too far": said(b"a", 1e30, [1, 2]),
    "nowhere by its scale": said(b"a", 0.0, [1, 2]),
    "nowhere by its levels": said(b"a", 0.01, [0, 0]),
    "no name": said(b"", 0.01, [1, 2]),
    "a name of blanks": said(b"  ", 0.01, [1, 2]),
    "a name in two lines": said(b"a\nb", 0.01, [1, 2]),
    "a name that turns the text around": said("a\u202eb".encode(), 0.01, [1, 2]),
    "a name that is no text": said(b"\xff\xfe", 0.01, [1, 2]),
    "a long name": said(b"a" * 31, 0.01, [1, 2]),
    "one name twice": GOOD + GOOD,
    "seven": b"".join(said(str(i).encode(), 0.01, [1, 2]) for i in range(MOST + 1)),
    "ten thousand": b"".join(said(str(i).encode(), 0.01, [1, 2]) for i in range(10_000)),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_what_a_hand_made_link_says_wrongly_is_refused(content):
    assert parse(encoded(GOOD), 2)[0].levels == (1, -127)
    with pytest.raises(ValueError, match=r"\w{3}"):
        parse(encoded(content), 2)


@pytest.mark.parametrize("text", ["", "!", "A", "AAA A", "AAAA==", "+/+/", "<b>", "٣٣٣٣", "A" * 10**6])
def test_what_is_not_in_the_links_letters_is_refused(text):
    with pytest.raises(ValueError, match=r"\w{3}"):
        parse(text, 2)


def test_of_more_than_a_link_has_room_for_the_first_ones_are_said_whole():
    kept = [Kept.of(f"{number}" + "ﷺ" * (LETTERS - 1), normals(256, seed=number)) for number in range(MOST)]
    some = fitting(kept)
    assert some == kept[: len(some)]
    assert 0 < len(some) < MOST
    assert len(as_text(some)) <= ROOM < len(as_text(kept[: len(some) + 1]))
    assert parse(as_text(some), 256) == some
    small = Kept.of("small", torch.ones(256))
    assert fitting([kept[0], small]) == [kept[0], small]


@pytest.mark.parametrize(
    ("written", "tidied"),
    [
        ("  a \n\t b  ", "a b"),
        ("\u202eevil\u200b", "evil"),
        ("x" * 99, "x" * LETTERS),
        ("a" * (LETTERS - 1) + " b", "a" * (LETTERS - 1)),
        ("\ud800", ""),
        ("<script>", "<script>"),
    ],
)
def test_a_name_is_one_line_of_what_can_be_seen(written, tidied):
    assert tidy(written) == tidied
    assert tidy(tidied) == tidied


@pytest.mark.parametrize("step", [torch.zeros(3), torch.tensor([1e9, 0, 0]), torch.tensor([torch.nan, 0, 0])])
def test_a_step_that_leads_nowhere_is_no_direction(step):
    with pytest.raises(ValueError, match="no direction"):
        Kept.of("a", step)
