"""What takes longer than a moment has a quiet sign above the page, for which nothing makes way."""

import time

from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.conftest import free_port, serving
from tests.browser.seen import changes, seen
from tests.browser.test_live import DEEP, FLAT

# Whether the sign is seen: it is an animation, which may have a delay.
SIGNED = """() => document.getAnimations()
  .some((one) => one.animationName === "busy" && one.effect.getComputedTiming().progress !== null)"""
# Where everything is.
BOXES = """() => [document, ...[...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean)]
  .flatMap((root) => [...root.querySelectorAll("[data-testid], canvas, button, h1")])
  .map((e) => Object.values(e.getBoundingClientRect().toJSON()).map(Math.round))"""
SLEEPY = """
import time
from vae.app import look
head = look.head
def slow(*said):
    time.sleep(1.5)
    return head(*said)
look.head = slow
"""


class Slow:
    """The live socket of a page, whose answers may be held back."""

    def __init__(self, page: Page):
        self.held, self.holds = [], False
        page.route_web_socket("**/live", self._route)

    def _route(self, route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def answered(message: bytes) -> None:
            if self.holds:
                self.held.append(lambda: route.send(message))
            else:
                route.send(message)

        server.on_message(answered)

    def let_go(self) -> None:
        self.holds = False
        for send in self.held:
            send()
        self.held.clear()


def opened(visitor, path: str) -> tuple[Page, Slow]:
    someone = visitor()
    slow = Slow(someone.page)
    page = someone.opens(path)
    someone.is_live()
    someone.rests()
    page.wait_for_timeout(500)
    return page, slow


def test_an_answer_that_is_late_has_the_sign_until_it_comes_and_nothing_moves(visitor):
    page, slow = opened(visitor, f"/?model={DEEP}")
    before, boxes = seen(page), page.evaluate(BOXES)
    slow.holds = True
    page.get_by_role("slider").first.focus()
    page.keyboard.press("PageUp")
    start = time.monotonic()
    page.wait_for_selector("body[data-waits]", state="attached")
    assert time.monotonic() - start > 0.25
    page.wait_for_function(SIGNED)
    assert len(boxes) > 40
    assert page.evaluate(BOXES) == boxes
    assert seen(page) == before
    slow.let_go()
    changes(page, before)
    page.wait_for_selector("body:not([data-waits])", state="attached")
    assert not page.evaluate(SIGNED)


def test_answers_that_come_at_once_have_no_sign(visitor):
    page, _ = opened(visitor, f"/?model={FLAT}")
    page.evaluate(
        "() => { window.signs = 0; new MutationObserver((all) => (window.signs += all.length))"
        ".observe(document.body, { attributeFilter: ['data-waits'] }); }"
    )
    page.get_by_role("slider").first.focus()
    before = seen(page)
    for _ in range(20):
        page.keyboard.press("ArrowUp")
    changes(page, before)
    page.wait_for_timeout(600)
    assert page.evaluate("window.signs") == 0


def test_a_page_that_is_left_takes_its_sign_along(visitor):
    page, slow = opened(visitor, f"/?model={DEEP}")
    slow.holds = True
    page.get_by_role("slider").first.focus()
    page.keyboard.press("PageUp")
    page.wait_for_selector("body[data-waits]", state="attached")
    page.get_by_role("link", name="Glossary").click()
    expect(page.get_by_role("heading", name="Glossary")).to_be_visible()
    page.wait_for_selector("body:not([data-waits])", state="attached")


def test_a_script_that_is_slow_has_the_sign_too_and_not_before_it_is(visitor, tmp_path):
    with serving(free_port(), tmp_path / "stderr.txt", SLEEPY) as address:
        someone = visitor(first=True)
        someone.server = address
        someone.page.goto(f"{address}/glossary")
        someone.rests()
        assert not someone.page.evaluate(SIGNED)
        someone.page.get_by_role("link", name="Models").click()
        someone.page.wait_for_selector("[data-testid=stApp][data-test-script-state=running]")
        start = time.monotonic()
        someone.page.wait_for_function(SIGNED)
        assert time.monotonic() - start > 0.15  # of the 0.3 s, some have gone by on the way here
        someone.rests()
        assert not someone.page.evaluate(SIGNED)
