"""From pictures of one's own to a network that is explored, taken away and brought again, in seconds:

    python -m tests.benchmarks.own FOLDER|ZIP ...

Starts `streamlit run streamlit_app.py` with an empty cache, gives each folder or archive to the page Train in a
headless Chromium, presses Train as the page suggests it, and opens Explore. Then the network's file is taken away, the
server is started again, and the file is brought: until it can be explored. Prints a row for each.
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.benchmarks.drag import serving

BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LONG = 1_800_000  # ms
COUNT = re.compile(r"^[\d,]+ pictures, ")
HEAD = ("", "pictures", "understood", "first picture", "network", "explored", "file, MB", "brought again")


@contextlib.contextmanager
def visitor(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(LONG)
    page.add_init_script("localStorage.tour = 'done'")
    page.goto(address)
    yield page
    context.close()


def given(source: Path) -> list[str]:
    """The files that are chosen."""
    return [str(source)] if source.is_file() else sorted(str(path) for path in source.rglob("*") if path.is_file())


def explored(page: Page) -> float:
    """Seconds until Explore shows a picture of the network that the page is about."""
    start = time.perf_counter()
    page.get_by_role("button", name="Explore it").click()
    page.get_by_test_id("decoded").wait_for()
    return time.perf_counter() - start


def learnt(browser: Browser, url: str, source: Path, kept: Path) -> list[float | int]:
    """How many pictures, and seconds: until they were understood; from the press to the first picture, to the network;
    to Explore; and the megabytes of the file."""
    with visitor(browser, f"{url}/train") as page:
        files = page.locator("[data-testid=stFileUploader] input[type=file]")
        files.wait_for(state="attached")
        start = time.perf_counter()
        files.set_input_files(given(source))
        page.get_by_test_id("train-sheet").wait_for()
        understood = time.perf_counter() - start
        count = int(page.get_by_text(COUNT).first.inner_text().split()[0].replace(",", ""))
        start = time.perf_counter()
        page.get_by_role("button", name="Train", exact=True).click()
        page.locator("[data-testid=sheet][src]").wait_for()
        first = time.perf_counter() - start
        page.get_by_role("button", name="Explore it").wait_for()
        done = time.perf_counter() - start
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        download.value.save_as(kept)
        return [count, understood, first, done, explored(page), kept.stat().st_size / 1e6]


def brought(browser: Browser, url: str, kept: Path) -> float:
    """Seconds from the press until the network of a file can be explored."""
    with visitor(browser, f"{url}/train") as page:
        page.get_by_text("A network that I kept").click()
        page.get_by_text("Drop its .safetensors file here").wait_for()
        page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(str(kept))
        button = page.get_by_role("button", name="Open it")
        button.wait_for()
        start = time.perf_counter()
        button.click()
        page.get_by_role("button", name="Explore it").wait_for()
        explored(page)
        return time.perf_counter() - start


def main(sources: list[Path]) -> None:
    print(" | ".join(HEAD))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as cache:
        os.environ["VAE_LAB_CACHE"] = cache
        path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER)
        rows = []
        with serving("streamlit_app.py") as (url, _):
            for number, source in enumerate(sources):
                rows.append(learnt(browser, url, source, Path(cache, f"{number}.safetensors")))
        with serving("streamlit_app.py") as (url, _):
            for number, (source, row) in enumerate(zip(sources, rows, strict=True)):
                again = brought(browser, url, Path(cache, f"{number}.safetensors"))
                seconds = " | ".join(f"{value:.1f}" for value in [*row[1:], again])
                print(f"{source.name} | {row[0]} | {seconds}", flush=True)
        browser.close()


if __name__ == "__main__":
    main([Path(one) for one in sys.argv[1:]] or sys.exit(__doc__))
