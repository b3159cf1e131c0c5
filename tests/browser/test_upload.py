"""An upload outlives the connection that it came by as what its address keeps of it, and the page says so."""

import re

from playwright.sync_api import expect

from tests.browser.seen import changes, seen
from tests.browser.test_app import phone_photo, upload


def test_an_upload_whose_server_restarts_falls_back_to_the_bits_of_the_link(chromium, restarting):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{restarting.address}/reconstruct?model=mnist")
    page.get_by_text("Compare with another network").wait_for()
    before = seen(page)
    upload(page, "photo.jpg", "image/jpeg", phone_photo())
    changes(page, before)
    expect(page.get_by_text("your picture, prepared")).to_be_visible()
    page.wait_for_function("() => new URL(location).searchParams.get('x')?.startsWith('b')")
    x = seen(page, "x")
    restarting.stop()
    restarting.start()
    page.get_by_role("button", name="Draw it again").click()
    expect(page.get_by_text(re.compile("Your picture itself is gone"))).to_be_visible(timeout=60_000)
    expect(page.get_by_text("your picture, prepared")).to_be_visible()
    assert seen(page, "x") == x
    other = context.new_page()  # to whom it is a link
    other.goto(page.url)
    expect(other.get_by_text("a picture from a link, prepared")).to_be_visible()
    expect(other.get_by_text(re.compile("Your picture itself is gone"))).to_have_count(0)
    context.close()
