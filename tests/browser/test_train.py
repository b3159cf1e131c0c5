"""The page Train in a browser: from pictures of one's own to a network on every page, and back again from its file."""

import io
import re
from collections.abc import Callable, Iterator

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests import own_pictures
from tests.browser.conftest import Visitor, free_port, serving

LONG = 240_000  # ms: two slow cores train beside all other tests
# A server with trainings of its own, which need not wait for whoever else is at work here.
OWN = "import os\nos.environ |= {{'VAE_LAB_CACHE': {!r}, 'VAE_LAB_TRAIN_NICE': '1'}}\n"
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
        page.get_by_test_id(f"draws-{key}").wait_for()
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


def test_one_setting_switches_it_off(chromium, tmp_path):
    off = "import os\nos.environ['VAE_LAB_TRAINING'] = 'off'\n"
    with serving(free_port(), tmp_path / "stderr.txt", off) as address:
        one = Training(chromium, address)
        one.page.goto(f"{address}/train")
        expect(one.page.get_by_text("Training is switched off on this server")).to_be_visible()
        assert not one.problems
        one.context.close()
