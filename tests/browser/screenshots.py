"""Takes the README's pictures of the running app: `python tests/browser/screenshots.py http://localhost:8501`.

Names behind the address take these alone.
"""

import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent / "pictures"
VIEWS = (
    ("explore", "?model=mnist", "light"),
    ("map", "latent_map?model=mnist-2d", "dark"),
    ("interpolate", "interpolate?model=mnist&at=0.45", "light"),
    ("draw", "reconstruct?model=mnist", "dark"),
    ("portraits", "?model=portraits", "light"),
    ("photos", "photos?photo=1__512&show=4_0.0_0_0.5_compared", "light"),
    ("bayes", "how_it_works?chapter=bayes&model=mnist-2d&x=i1260", "light"),
    ("train", "train", "light"),
    ("training", "how_it_works?chapter=training&model=mnist&see=path.17.0", "dark"),
)
THREE = [
    (0.3, 0.22),
    (0.55, 0.15),
    (0.68, 0.28),
    (0.6, 0.42),
    (0.45, 0.48),
    (0.64, 0.54),
    (0.68, 0.7),
    (0.55, 0.84),
    (0.3, 0.78),
]


def draw(page: Page) -> None:
    """A three on the pad."""
    page.get_by_role("radio", name="Draw").click()
    box = page.get_by_test_id("pad").bounding_box()
    points = [(box["x"] + across * box["width"], box["y"] + down * box["height"]) for across, down in THREE]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point)
    page.mouse.up()


def train(page: Page, address: str) -> None:
    """A network that has learned from garments of the lab, which takes a minute."""
    page.goto(f"{address}/train")
    page.get_by_text("Pictures of this lab").click()
    page.get_by_text("Clothes and shoes", exact=True).last.click()
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url(re.compile("training=mine-"))
    page.wait_for_timeout(90_000)


def main() -> None:
    address, *only = sys.argv[1].rstrip("/"), *sys.argv[2:]
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, path, scheme in VIEWS:
            if only and name not in only:
                continue
            page = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme=scheme)
            page.add_init_script("localStorage.tour = 'done'")
            if name == "train":
                train(page, address)
            else:
                page.goto(f"{address}/{path}")
                page.get_by_test_id("plane" if name == "bayes" else "decoded").wait_for(timeout=60_000)
            page.wait_for_timeout(3000)
            if name == "portraits":  # an elf in warmer light
                page.get_by_role("button", name="elf").click()
                page.wait_for_timeout(800)
                page.get_by_test_id("named-warmth").focus()
                for _ in range(3):
                    page.keyboard.press("PageUp")
                page.wait_for_timeout(1500)
            if name == "draw":
                draw(page)
                page.wait_for_timeout(3000)
            if name == "map":
                page.get_by_role("button", name="Decoded").click()
                page.wait_for_timeout(3000)
            if name == "bayes":
                page.locator("[data-testid=plane][data-thorough=true]").wait_for(timeout=60_000)
                page.wait_for_timeout(2000)
            if name in ("bayes", "training"):  # from the chapter's name on
                page.get_by_role("heading", level=2).first.evaluate("e => e.scrollIntoView()")
                page.wait_for_timeout(500)
            page.screenshot(path=FOLDER / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
