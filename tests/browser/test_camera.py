"""A picture from the camera: Chromium's pretended one, which shows a disc on green."""

from playwright.sync_api import Page, expect

from tests.browser.seen import changes, seen


def before_the_camera(visitor, **context) -> tuple[Page, str]:
    """Reconstruct with the camera on, and what is seen."""
    someone = visitor(permissions=["camera"], **context)
    page = someone.opens("/reconstruct?model=mnist&x=i7")
    before = seen(page)
    page.get_by_role("radio", name="Camera").click()
    page.wait_for_function("document.querySelector('video')?.videoWidth > 0")
    return page, before


def test_a_photograph_is_what_the_page_is_about_until_it_is_put_away(visitor):
    page, before = before_the_camera(visitor)
    page.get_by_role("button", name="Take Photo").click()
    changes(page, before)
    expect(page.get_by_test_id("original")).to_be_visible()
