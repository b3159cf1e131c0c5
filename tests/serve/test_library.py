"""Models that come and go: whose they are, when they are loaded, and what goes with them."""

import gc
import hashlib
import json
import shutil
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

import vae
from vae.models import checkpoint, pretrained
from vae.serve import library as module
from vae.serve.asked import PLACES
from vae.serve.engine import engine
from vae.serve.library import Library
from vae.serve.precision import Precision

NAMES = vae.list_pretrained()
CHAPTERS = pretrained.list_pretrained(chapters=True)


@pytest.fixture
def library() -> Library:
    return Library(engine())


@pytest.fixture
def mine(tmp_path) -> Path:
    """A model that does not ship, in a folder."""
    return Path(shutil.copytree(pretrained.PRETRAINED / "mnist-2d", tmp_path / "mine"))


def until_gone(*refs: weakref.ref) -> None:
    """Wait until nobody holds these any more: a thread may still be at the end of its last job."""
    end = time.monotonic() + 60
    while any(ref() is not None for ref in refs):
        assert time.monotonic() < end, "somebody holds it"
        gc.collect()
        time.sleep(0.01)


def test_what_ships_is_everybodys_and_nothing_is_loaded_before_it_is_asked_for(library, monkeypatch):
    monkeypatch.setattr(module, "load", lambda *arguments: pytest.fail("loaded"))
    here = Library(engine())
    assert sorted(entry.name for entry in here.visible()) == NAMES
    assert here.visible() == here.visible("somebody")
    assert sorted(entry.name for entry in here.chapters()) == CHAPTERS
    assert here.broken == {}


def test_an_entry_says_what_the_weights_and_the_card_say(library):
    for entry in [*library.visible(), *library.chapters()]:
        model, card = vae.load_pretrained(entry.name, "cpu"), pretrained.load_card(entry.name)
        assert entry.config == model.config
        assert entry.card == card
        assert entry.latents == model.latents
        assert entry.bytes == 4 * sum(weight.numel() for weight in model.state_dict().values())
        assert entry.fingerprint == hashlib.sha256(entry.weights.read_bytes()).hexdigest()


def test_a_model_of_ones_own_is_seen_by_its_owner_alone_until_they_go(library, mine):
    entry = library.add("me", mine)
    assert library.visible("me") == [*library.visible(), entry]
    assert entry not in library.visible("you")
    assert library.find("mine", "me") is entry
    for owner in ("you", None):
        with pytest.raises(ValueError, match="no model 'mine'"):
            library.find("mine", owner)
    z = torch.zeros(1, 2)
    assert engine().answer(PLACES, library.lease(entry), z).mean.isfinite().all()
    library.end("me")
    assert library.visible("me") == library.visible()
    with pytest.raises(ValueError, match="no model 'mine'"):
        library.find("mine", "me")


def test_what_is_derived_of_a_model_goes_when_its_owner_goes_and_nobody_holds_it(library, mine):
    entry = library.add("me", mine)
    loaded = library.lease(entry)
    loaded.derived("something", lambda: torch.zeros(3))
    gone = weakref.ref(loaded), weakref.ref(loaded.model)
    library.end("me")
    assert gone[0]() is loaded  # whoever holds it has it
    del loaded
    until_gone(*gone)


def test_a_model_that_is_asked_for_once_more_after_its_owner_went_is_not_kept(library, mine):
    entry = library.add("me", mine)
    library.end("me")
    gone = weakref.ref(library.lease(entry))  # a socket may still have asked
    until_gone(gone)


@pytest.mark.parametrize("name", ["mine", "mnist"])
def test_a_name_is_used_once(library, mine, name):
    library.add("me", mine)
    folder = mine if name == "mine" else mine.rename(mine.with_name("mnist"))
    with pytest.raises(ValueError, match=f"there is a model '{name}' already"):
        library.add("me", folder)
    if name == "mine":
        assert library.add("you", folder) is not library.find("mine", "me")


def test_more_than_an_owner_may_have_is_refused_in_one_sentence(library, mine, monkeypatch):
    size = json.loads((mine / "card.json").read_text())["parameters"] * 4
    monkeypatch.setattr(module, "MOST_WEIGHTS", 2 * size - 1)
    library.add("me", mine)
    second = shutil.copytree(mine, mine.with_name("second"))
    with pytest.raises(ValueError, match=r"this model takes \d+ MB, and of the \d+ MB .* \d+ MB are taken") as refusal:
        library.add("me", second)
    assert "\n" not in str(refusal.value)
    assert library.add("you", second).owner == "you"  # each has as much
    assert [entry.name for entry in library.visible("me")][-1] == "mine"


def test_a_damaged_one_is_refused_and_leaves_nothing(library, mine):
    (mine / checkpoint.WEIGHTS).write_bytes(b"garbage")
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        library.add("me", mine)
    assert library.visible("me") == library.visible()
    assert library.broken == {}  # it is no shipped one


def test_where_memory_is_short_the_one_used_longest_ago_is_let_go_with_all_that_is_derived_from_it(monkeypatch):
    # whichever precision is the faster in this moment: a copy in another one takes memory
    monkeypatch.setattr(module, "fastest", lambda model: (Precision("float32", 1.0, 1.0), model))
    probe = Library(engine())
    sizes = {name: probe.lease(probe.find(name)).bytes for name in NAMES}
    first, second, third = sorted(NAMES, key=sizes.get)[:3]
    small = Library(engine(), budget=sizes[first] + sizes[second] + sizes[third] - 1)
    held = {name: small.lease(small.find(name)) for name in (first, second)}
    held[first].derived("something", lambda: torch.zeros(5))
    gone = {name: weakref.ref(loaded) for name, loaded in held.items()}
    held.clear()
    gc.collect()
    assert all(one() is not None for one in gone.values())  # there is room for both
    small.lease(small.find(second))  # so that the first is the one used longest ago
    small.lease(small.find(third))
    until_gone(gone[first])
    assert gone[second]() is not None
    assert small.lease(small.find(first)).known("something") is None  # loaded anew


def test_what_is_derived_counts_as_much_as_it_says_and_is_made_once(library):
    loaded = library.lease(library.find(NAMES[0]))
    before, made = loaded.bytes, []
    with ThreadPoolExecutor(8) as visitors:
        found = list(visitors.map(lambda _: loaded.derived("key", lambda: made.append(1) or object(), 1000), range(32)))
    assert len(set(map(id, found))) == len(made) == 1
    assert loaded.bytes == before + 1000


def test_while_somebody_holds_a_model_it_is_not_loaded_a_second_time():
    tiny = Library(engine(), budget=1)
    first = tiny.lease(tiny.find(NAMES[0]))
    tiny.lease(tiny.find(NAMES[1]))
    assert tiny.lease(tiny.find(NAMES[0])) is first


def test_whoever_asks_at_the_same_moment_gets_the_same_model_and_who_leaves_takes_it_from_nobody(library):
    entry = library.find(NAMES[0])
    futures = [library.ask(entry) for _ in range(20)]
    assert futures[3].cancel()
    found = [future.result(60) for number, future in enumerate(futures) if number != 3]
    assert len(set(map(id, found))) == 1


def test_weights_that_have_become_another_models_are_not_served(library, mine):
    entry = library.add("me", mine)
    shutil.copy(pretrained.PRETRAINED / "mnist" / checkpoint.WEIGHTS, mine)
    with pytest.raises(ValueError, match="have become those of another model"):
        library.lease(entry)
    assert library.visible("me") == library.visible()
