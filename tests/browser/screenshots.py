"""Takes the README's pictures of the running app: `python tests/browser/screenshots.py http://localhost:8501`."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parent / "pictures"
VIEWS = (("explore", "", "light"), ("reconstruct", "reconstruct", "dark"))


def main() -> None:
    address = sys.argv[1].rstrip("/")
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, path, scheme in VIEWS:
            page = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme=scheme)
            page.goto(f"{address}/{path}")
            page.wait_for_selector('[data-testid="decoded"]', timeout=60_000)
            page.wait_for_timeout(3000)
            page.screenshot(path=FOLDER / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
