"""What a page shows, whether Streamlit or a component drew it."""

from playwright.sync_api import Page

# Components live in shadow roots, where querySelector does not look.
DECODED = (
    "[document, ...[...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean)]"
    ".map(root => root.querySelector('[data-testid=decoded]')).find(Boolean)"
)


def seen(page: Page, testid: str = "decoded") -> str:
    """A picture on the page, an <img> or a canvas, as a data URL."""
    return page.get_by_test_id(testid).evaluate("e => e.src ?? e.toDataURL()")


def changes(page: Page, before: str) -> str:
    """Wait until the decoded picture is another than before, and loaded; the picture as a data URL."""
    now = f"({DECODED}?.src ?? {DECODED}?.toDataURL())"
    page.wait_for_function(f"before => {DECODED} && {now} !== before && {DECODED}.naturalWidth !== 0", arg=before)
    return seen(page)
