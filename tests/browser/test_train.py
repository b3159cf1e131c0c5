"""The page Train in a browser: from pictures of one's own to a network on every page, and back again from its file."""

import base64
import io
import re
import zipfile
from collections.abc import Callable, Iterator

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests import own_pictures
from tests.browser.conftest import Visitor, free_port, serving
from vae.app.live import routes

LONG = 240_000  # ms: two slow cores train beside all other tests
# A server with trainings of its own, which need not wait for whoever else is at work here.
OWN = "import os\nos.environ |= {{'VAE_LAB_CACHE': {!r}, 'VAE_LAB_TRAIN_NICE': '1'}}\n"
# One on which every training has begun, and comes no farther.
IDLE = (
    OWN
    + """
import subprocess, sys
os.environ['VAE_LAB_TRAIN_AT_ONCE'] = '9'
from vae.serve.jobs import queue
endless = [sys.executable, "-c", "import sys; sys.stdin.read()"]
queue.begun = lambda folder, limited: subprocess.Popen(endless, stdin=subprocess.PIPE)
"""
)
KEY = re.compile(r"training=(mine-[0-9a-f]{32})")


def files(count: int = 60, folder: str = "") -> list[dict]:
    """Pictures as a visitor has them: ten times as large, on white."""
    found = []
    for place, picture in enumerate(own_pictures.pictures(count)):
        out = io.BytesIO()
        image = Image.fromarray(255 - picture[0].numpy()).resize((280, 280), Image.Resampling.BICUBIC)
        image.save(out, "PNG")
        found.append({"name": f"{folder}{place}.png", "mimeType": "image/png", "buffer": out.getvalue()})
    return found


class Training(Visitor):
    """Somebody at the page Train."""

    def brings(self, pictures: list[dict]) -> Page:
        """Drop them, and wait until they are understood."""
        self.page.goto(f"{self.server}/train")
        self.page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(pictures)
        self.page.get_by_test_id("train-sheet").wait_for()
        self.rests()
        return self.page

    def begins(self) -> str:
        """Press the button, and wait for the first picture; the key."""
        self.page.get_by_role("button", name="Train", exact=True).click()
        expect(self.page.get_by_test_id("sheet")).to_have_attribute("src", re.compile("^data:"), timeout=LONG)
        self.page.wait_for_url(KEY)
        return KEY.search(self.page.url)[1]

    def asks(self, pictures: list[dict]) -> str:
        """Bring them and press the button; the key."""
        self.brings(pictures).get_by_role("button", name="Train", exact=True).click()
        self.page.wait_for_url(KEY)
        return KEY.search(self.page.url)[1]

    def hears(self, key: str, tell: Callable[[int], dict]) -> None:
        """From now on it is told of the training what `tell` says, of the moments from a number on."""

        def answer(route: Route) -> None:
            told = {"stand": "training", "before": 0, "why": "", "said": "", "measures": False, "frames": []}
            wish = {"pause": False, "steps": 0, "slow": False, "stop": False}
            found = told | {"steps": [], "wish": wish} | tell(int(route.request.url.rsplit("/", 1)[1]))
            route.fulfill(json=found)

        self.page.route(re.compile(rf"/{key}/\d+$"), answer)

    def has_learned(self) -> None:
        expect(self.page.get_by_test_id("stand")).to_have_text(
            "It has learned. This is your network now.", timeout=LONG
        )
        self.page.get_by_role("button", name="Explore it").wait_for()


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Callable[[], str]]:
    """The address of a server that can be started again, with the same trainings."""
    folder = tmp_path_factory.mktemp("lab")
    with serving(free_port(), folder / "stderr.txt", OWN.format(str(folder))) as address:
        yield address


@pytest.fixture(scope="module")
def idle(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("idle")
    with serving(free_port(), folder / "stderr.txt", IDLE.format(str(folder))) as address:
        yield address


@pytest.fixture
def watches(chromium, idle) -> Iterator[Training]:
    """Somebody whose training has begun and comes no farther."""
    one = Training(chromium, idle)
    yield one
    one.context.close()
    assert not one.problems, "\n".join(one.problems)


@pytest.fixture
def trains(chromium, lab) -> Iterator[Callable[..., Training]]:
    made = []

    def make(**context: object) -> Training:
        made.append(Training(chromium, lab, **context))
        return made[-1]

    yield make
    problems = [problem for one in made for problem in one.problems]
    for one in made:
        one.context.close()
    assert not problems, "\n".join(problems)


def test_drawings_become_a_network_on_every_page_that_outlives_the_server(chromium, tmp_path):
    cache, kept, port = str(tmp_path / "cache"), tmp_path / "kept.safetensors", free_port()
    with serving(port, tmp_path / "first.txt", OWN.format(cache)) as address:
        one = Training(chromium, address, accept_downloads=True)
        page = one.brings(files())
        expect(page.get_by_text("60 pictures, 280 x 280 pixels, grey.")).to_be_visible()
        key = one.begins()
        one.has_learned()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        download.value.save_as(kept)
        page.get_by_role("button", name="Explore it").click()
        one.sees_a_picture()
        for name in ("Latent map", "Interpolate", "Reconstruct"):
            page.get_by_role("link", name=name, exact=True).first.click()
            expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
            one.sees_a_picture()
            assert f"model={key}" in page.url
        page.get_by_role("link", name="Models", exact=True).first.click()
        expect(page.locator("[data-testid^=draws-]").first).to_have_attribute("data-testid", f"draws-{key}")
        assert not one.problems
        one.context.close()
    with serving(port, tmp_path / "second.txt", OWN.format(cache)) as address:
        other = Training(chromium, address)
        other.opens(f"/?model={key}")
        expect(other.page.get_by_text("“My pictures”").first).to_be_visible()
        other.page.goto(f"{address}/train")
        other.page.get_by_text("A network that I kept").click()
        other.page.get_by_text("Drop its .safetensors file here").wait_for()
        other.page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(str(kept))
        other.page.get_by_role("button", name="Open it").click()
        expect(other.page.get_by_test_id("stand")).to_have_text("It is here, and measured.", timeout=LONG)
        other.page.get_by_role("button", name="Explore it").click()
        other.sees_a_picture()
        assert not other.problems
        other.context.close()


def test_it_pauses_takes_single_steps_and_goes_on_by_keys(trains):
    one = trains()
    page = one.brings(files())
    page.get_by_text("Good", exact=True).click()
    one.rests()
    one.begins()
    page.get_by_test_id("wish-pause").press("Enter")
    page.get_by_test_id("wish-step").wait_for()
    expect(page.get_by_test_id("stand")).to_contain_text("It pauses.")
    moment = page.get_by_test_id("moment")
    page.wait_for_timeout(1500)
    before = int(moment.get_attribute("max"))
    page.get_by_test_id("wish-step").press("Enter")
    expect(moment).to_have_attribute("max", str(before + 1))
    page.get_by_test_id("wish-step").press("Enter")
    expect(moment).to_have_attribute("max", str(before + 2))
    moment.press("Home")
    expect(page.get_by_test_id("when")).to_have_text("step 0, epoch 0")
    page.get_by_test_id("wish-stop").press("Enter")
    expect(page.get_by_test_id("stand")).to_have_text("Stopped, and kept: it can go on from here.", timeout=LONG)
    page.get_by_test_id("wish-go").press("Enter")
    expect(page.get_by_test_id("wish-pause")).to_be_visible(timeout=LONG)
    page.get_by_test_id("wish-stop").click()
    expect(page.get_by_test_id("stand")).to_contain_text("Stopped", timeout=LONG)


def moment(step: int) -> dict:
    """What is seen of a training, made up."""
    out = io.BytesIO()
    Image.new("L", (16, 8), 90).save(out, "PNG")
    loss = {"distortion": 90.0 - step, "rate": 1.0 + step, "negative_elbo": 91.0, "loss": 91.0}
    sheet = base64.b64encode(out.getvalue()).decode()
    told = {"train": loss, "validation": loss, "floor": None, "kl": [1.0, 0.0], "points": [], "words": [], "left": None}
    return told | {"step": step, "steps": 100, "epoch": step / 10, "sheet": sheet}


def test_single_steps_that_are_asked_for_quickly_are_all_taken_and_the_key_stays_where_it_is(watches):
    key = watches.asks(files())
    page = watches.page
    page.get_by_test_id("wish-pause").press("Enter")
    expect(page.get_by_test_id("wish-go")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("wish-step")).to_be_focused()
    for _ in range(5):
        page.keyboard.press("Enter")
    expect(page.get_by_test_id("wish-step")).to_be_focused()

    def asked() -> dict:
        return page.request.get(f"{watches.server}/{routes.MINE}/{key}/0").json()["wish"]

    page.wait_for_timeout(3000)
    assert asked() == {"pause": True, "steps": 5, "slow": False, "stop": False}
    page.get_by_test_id("wish-slow").press("Enter")
    page.wait_for_timeout(2000)
    assert asked() == {"pause": True, "steps": 5, "slow": True, "stop": False}


def test_what_a_lost_process_had_seen_after_its_last_save_is_taken_back(watches):
    page, key = watches.page, watches.asks(files())
    steps = [0, 10, 20, 30]
    watches.hears(key, lambda since: {"steps": steps, "frames": [moment(step) for step in steps[since:]]})
    expect(page.get_by_test_id("when")).to_have_text("step 30, epoch 3")
    steps[2:] = [12, 14, 16, 18, 19]  # more than there were, which a count would not tell
    expect(page.get_by_test_id("when")).to_have_text("step 19, epoch 1")
    expect(page.get_by_test_id("moment")).to_have_attribute("max", "6")
    points = page.get_by_test_id("curve-rate").locator("polyline.held").get_attribute("points").split()
    assert [float(point.split(",")[0]) for point in points] == sorted({float(point.split(",")[0]) for point in points})


def test_before_there_is_anything_to_see_no_empty_picture_is_shown_and_the_words_are_true(watches):
    page, key, told = watches.page, watches.asks(files()), {"stand": "waiting", "before": 2}
    watches.hears(key, lambda since: told)
    stand, note = page.get_by_test_id("stand"), page.get_by_test_id("note")
    expect(stand).to_have_text("It waits: 2 trainings are before this one.")
    for hidden in ("moment", "scatter", "kl", "curve-rate", "rows"):
        expect(page.get_by_test_id(hidden)).to_be_hidden()
    told.update(before=0)
    expect(stand).to_have_text("It begins …")
    sees = lambda *steps: {"steps": list(steps), "frames": [moment(step) for step in steps]}  # noqa: E731
    told.update(stand="training", **sees(0))
    expect(page.get_by_test_id("scatter")).to_be_visible()
    expect(stand).to_have_text("It begins …")
    watches.page.unroute_all()
    watches.hears(key, lambda since: sees(0, 50) | {"frames": sees(0, 50)["frames"][since:], "said": "It takes half."})
    expect(stand).to_have_text("Epoch 5 of 10")
    expect(note).to_have_text("It takes half.")


def test_a_training_that_failed_before_its_first_picture_shows_why_alone(watches):
    page, key = watches.page, watches.asks(files())
    watches.hears(key, lambda since: {"stand": "failed", "why": "It needs more memory."})
    expect(page.get_by_test_id("stand")).to_have_text("It needs more memory.")
    for hidden in ("sheet", "moment", "scatter", "curve-rate"):
        expect(page.get_by_test_id(hidden)).to_be_hidden()


def test_classes_are_named_beside_their_colours_and_rows_on_a_narrow_screen_too(chromium, idle):
    one = Training(chromium, idle, viewport={"width": 390, "height": 844})
    pictures = [picture | {"name": f"{'ab'[place % 2]}/{place}.png"} for place, picture in enumerate(files(40))]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for picture in pictures:
            archive.writestr(picture["name"], picture["buffer"])
    key = one.asks([{"name": "a.zip", "mimeType": "application/zip", "buffer": out.getvalue()}])
    one.hears(key, lambda since: {"steps": [0], "frames": [moment(0)][since:]})
    expect(one.page.get_by_test_id("rows")).to_be_visible()
    expect(one.page.get_by_test_id("classes").locator("span")).to_have_text(["a", "b"])
    assert not one.problems
    one.context.close()


def test_a_page_that_is_closed_stops_nothing_and_its_address_is_a_key(trains):
    one = trains()
    one.brings(files())
    key = one.begins()
    one.context.close()
    stranger = trains()
    stranger.page.goto(f"{stranger.server}/train")
    stranger.page.locator("[data-testid=stFileUploader]").wait_for()
    assert key not in stranger.page.content()
    friend = trains()
    friend.page.goto(f"{friend.server}/train?training={key}")
    friend.has_learned()
    friend.page.get_by_role("button", name="Delete", exact=False).first.click()
    friend.page.get_by_role("button", name="Delete all of it").click()
    friend.page.locator("[data-testid=stFileUploader]").wait_for()
    gone = trains()
    gone.page.goto(f"{gone.server}/train?training={key}")
    expect(gone.page.get_by_text("The link asks for a training that is not here")).to_be_visible()


def test_a_page_that_is_loaded_anew_has_all_trainings_of_its_tab_and_another_tab_none(watches, chromium, idle):
    page = watches.page
    keys = set()
    for _ in range(2):
        key = watches.asks(files())
        watches.hears(key, lambda since: {"stand": "stopped"})  # so that nobody asks on, also not while it is deleted
        expect(page.get_by_test_id("stand")).to_contain_text("Stopped")
        keys.add(key)
    assert len(keys) == 2
    page.reload()
    page.get_by_role("button", name="Train another").click()
    expect(page.get_by_role("button", name="My pictures: training")).to_have_count(2)
    page.get_by_role("button", name="My pictures: training").first.click()
    page.get_by_role("button", name="Delete", exact=False).first.click()
    page.get_by_role("button", name="Delete all of it").click()
    expect(page.get_by_role("button", name="My pictures: training")).to_have_count(1)
    page.goto(f"{idle}/train")
    expect(page.get_by_role("button", name="My pictures: training")).to_have_count(1)
    other = Training(chromium, idle)
    other.page.goto(f"{idle}/train")
    other.page.locator("[data-testid=stFileUploader]").wait_for()
    other.rests()
    expect(other.page.get_by_role("button", name="My pictures: training")).to_have_count(0)
    assert not other.problems
    other.context.close()


@pytest.mark.parametrize("width", [390, 820, 1100])
def test_what_is_chosen_before_a_training_lies_on_the_screen_with_its_words(chromium, idle, width):
    one = Training(chromium, idle, viewport={"width": width, "height": 900})
    page = one.brings(files())
    best = page.get_by_role("radio", name="Best")
    best.scroll_into_view_if_needed()
    box = best.bounding_box()
    assert box["x"] + box["width"] <= width
    for name in ("They become", "What is taken of each"):
        spare = page.get_by_role("combobox", name=name).evaluate("e => e.clientWidth - e.scrollWidth")
        assert spare >= 0, name
    assert not one.problems
    one.context.close()


def test_a_training_that_somebody_else_deletes_is_gone_from_every_page(trains):
    one, other = trains(), trains()
    key = one.asks(files())
    other.page.goto(f"{other.server}/train?training={key}")
    other.page.get_by_test_id("wishes").locator("button").first.wait_for()
    one.page.get_by_role("button", name="Delete", exact=False).first.click()
    one.page.get_by_role("button", name="Delete all of it").click()
    other.page.locator("[data-testid=stFileUploader]").wait_for()
    expect(other.page.get_by_text("The link asks for a training that is not here")).to_be_visible()
    for visit in (one, other):  # the one question that finds it gone
        visit.problems[:] = [said for said in visit.problems if "404" not in said and "ERR_ABORTED" not in said]


def test_one_setting_switches_it_off(chromium, tmp_path):
    off = "import os\nos.environ['VAE_LAB_TRAINING'] = 'off'\n"
    with serving(free_port(), tmp_path / "stderr.txt", off) as address:
        one = Training(chromium, address)
        one.page.goto(f"{address}/train")
        expect(one.page.get_by_text("Training is switched off on this server")).to_be_visible()
        assert not one.problems
        one.context.close()
