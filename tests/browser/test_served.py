"""How modules and styles come: once, of one version, and with a sentence where they do not."""

import re

import pytest
from playwright.sync_api import Page, Route, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.benchmarks.release import RELEASES, Stream
from tests.browser.seen import DECODED, changes, seen
from tests.registry import VECTORS
from vae.app.components import served
from vae.models import pretrained

DEEP = next(name for name in VECTORS if pretrained.load_card(name)["latents"] > 2)
EXPLORE = re.compile(r"/components/\w+/instruments/explore\.js$")
# Any change of what is served is another version.
UPDATED = "from vae.app.look import glossary; glossary.SPELLED[' '] = 'nat'"


KB = 1024


def moves(page: Page) -> None:
    """The first slider moves the picture."""
    before = seen(page)
    slider = page.get_by_role("slider").first
    slider.focus()
    page.keyboard.press("PageUp" if float(slider.input_value()) < 0 else "PageDown")
    changes(page, before)


def test_a_page_loads_each_file_once_and_all_of_one_version(visitor):
    someone = visitor(first=True)
    page = someone.opens(f"/?model={DEEP}")
    for link in ("Latent map", "Explore", "Interpolate", "Explore"):
        page.get_by_role("link", name=link).click()
        page.get_by_test_id("decoded").wait_for()
        someone.rests()
    found = [url for url in someone.requests if "/components/" in url]
    assert {url.split("/components/")[1].split("/")[0] for url in found} == {served.VERSION}
    assert any(EXPLORE.search(url) for url in found)
    own = [url for url in found if not url.endswith("colours.css")]  # which the page wears, and each component
    assert len(own) == len(set(own))


PAGES = ["", "latent_map", "interpolate", "reconstruct", "photos", "train", "how_it_works", "models"]


def test_to_open_a_page_runs_its_script_once(visitor):
    for path in PAGES:
        someone = visitor(first=True)  # of its own: what a page still fetches would be cut off by the next
        stream = Stream(someone.page)
        someone.page.goto(f"{someone.server}/{path}?model={DEEP}")
        someone.rests()
        someone.page.wait_for_timeout(500)  # what a component says once it is there
        begun = [frame for frame in stream.frames if ForwardMsg.FromString(frame).WhichOneof("type") == "new_session"]
        assert len(begun) == 1, path


def test_a_first_visit_fetches_a_third_of_what_it_runs(visitor):
    page = visitor(first=True).opens(f"/?model={DEEP}")
    sizes = "key => performance.getEntriesByType('resource').reduce((sum, one) => sum + one[key], 0)"
    whole, sent = (page.evaluate(sizes, key) for key in ("decodedBodySize", "encodedBodySize"))
    assert whole > 2000 * KB
    assert sent < 1400 * KB


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_of_the_hand_brings_no_script_and_no_data_that_is_there(visitor, name):
    someone = visitor(first=True)
    path, release = RELEASES[name]
    stream = Stream(someone.page)
    page = someone.opens(path)
    page.wait_for_timeout(2000)  # what still comes of the beginning
    for turn in range(2):
        found = stream.brings(lambda turn=turn: release(page, turn))
        assert 0 < found.code < 200, found
        assert 0 < found.data < KB / 2, found
        assert found.whole <= 2.5 * KB, found


# The component's place on the page, and which edition of its data it holds.
PLACE = f"window.instruments.get({DECODED}.closest('.lab').parentNode)"


def test_what_builds_on_data_that_never_came_is_asked_for_whole(visitor):
    someone = visitor(first=True)
    path, pick = RELEASES["Latent map, a place"]
    page = someone.opens(path)
    pick(page, 0)
    page.wait_for_function(f"{PLACE}.told !== null")
    someone.rests()
    page.evaluate(f"{PLACE}.edition = {PLACE}.told = 'another'")  # Python thinks that it holds what it said before
    pick(page, 1)
    page.wait_for_function(f"{PLACE}.edition !== 'another'")


def test_a_module_that_is_not_there_any_more_says_to_reload_and_is_there_after_that(visitor):
    someone = visitor(first=True)
    gone = [True]

    def answer(route: Route) -> None:
        if gone[0]:
            route.fulfill(status=404)
        else:
            route.continue_()

    someone.page.route(EXPLORE, answer)
    someone.page.goto(f"{someone.server}/?model={DEEP}")
    expect(someone.page.get_by_role("alert")).to_contain_text("Reload the page")
    assert someone.problems
    assert all("explore.js" in problem for problem in someone.problems), someone.problems
    someone.problems.clear()
    gone.clear()
    gone.append(False)
    someone.page.reload()
    someone.sees_a_picture()
    expect(someone.page.get_by_role("alert")).to_have_count(0)


def test_a_page_goes_on_with_the_modules_of_a_server_that_was_updated(visitor, restarting):
    someone = visitor(first=True)
    someone.server = restarting.address
    page = someone.opens(f"/?model={DEEP}")
    someone.is_live()
    restarting.stop()
    restarting.start(UPDATED)
    page.wait_for_selector("[data-testid=stApp][data-test-connection-state=CONNECTED]")
    page.wait_for_function(
        "old => performance.getEntriesByType('resource').some(({ name }) => "
        "name.endsWith('/instruments/explore.js') && !name.includes(old))",
        arg=served.VERSION,
    )
    someone.rests()
    expect(page.get_by_role("status")).to_have_text("")
    expect(page.get_by_test_id("decoded")).to_have_count(1)
    moves(page)
    someone.problems.clear()  # of the time without a server


def test_an_instrument_that_arrives_when_its_page_was_left_is_not_begun(visitor):
    someone = visitor(first=True)
    page, held, sockets = someone.page, [], []
    page.route(EXPLORE, lambda route: held.append(route))
    page.on("websocket", lambda socket: sockets.append(socket.url))
    with page.expect_request(EXPLORE):
        page.goto(f"{someone.server}/?model={DEEP}")
    someone.rests()
    page.get_by_role("link", name="Models").click()
    page.get_by_role("heading", name="Models", level=1).wait_for()
    someone.rests()
    assert len(held) == 1
    held[0].continue_()
    page.wait_for_function(
        "performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/instruments/explore.js'))"
    )
    page.wait_for_timeout(500)
    assert not [url for url in sockets if url.endswith("/live")]
    expect(page.get_by_role("alert")).to_have_count(0)
