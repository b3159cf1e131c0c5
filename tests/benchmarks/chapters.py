"""How fast the chapters of How it works answer: `python -m tests.benchmarks.chapters [RUNS]`.

In a headless Chromium on the same cores: seconds from a click on a chapter's name to its first picture (medians over
visitors, each of whom opens every chapter once), the true posterior's updates a second while x is drawn on at 60 Hz,
and seconds from a click on Refine q to its 100 steps, and to the end of their animation. Prints a table.
"""

import asyncio
import shutil
import statistics
import sys
import time

from playwright.async_api import Browser, Page, async_playwright

from tests.benchmarks.drag import at_60_hz, opened, serving, there_and_back
from vae.app.chapters import CHAPTERS

BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# what each chapter's picture is known by once it is drawn
FIRST = {
    "model": "[data-testid=latents]",
    "structure": "[data-testid=plot]",
    "kl": "[data-testid=densities]",
    "bayes": "[data-testid=plane][data-drawn]",
    "training": "[data-testid=decoded][data-step]",
    "autoencoder": "[data-testid=meaning]",
    "beta": "[data-testid=curve]",
    "conditions": "[data-testid=class]",
    "layers": "[data-testid=layer-1]",
    "features": "[data-testid=accuracy]",
}


async def openings(browser: Browser, address: str, model: str) -> dict[str, float]:
    """Seconds to each chapter's first picture; from the last chapter to the first, so that each is come to anew."""
    keys = list(CHAPTERS)
    page = await opened(browser, f"{address}/how_it_works?model={model}&chapter={keys[0]}", "latents")
    seconds = {}
    for key in [*keys[1:], keys[0]]:
        start = time.perf_counter()
        await page.get_by_text(f"{keys.index(key) + 1} {CHAPTERS[key].WORD}", exact=True).click()
        await page.locator(FIRST[key]).first.wait_for()
        seconds[key] = time.perf_counter() - start
        await page.wait_for_timeout(1500)
    await page.context.close()
    return seconds


async def planar(browser: Browser, address: str) -> Page:
    """Chapter 4 with the plane there and the numbers taken thoroughly."""
    page = await opened(browser, f"{address}/how_it_works?model=mnist-2d&chapter=bayes", "plane")
    await page.locator("[data-testid=verdict][data-holds=true]").wait_for(timeout=120_000)
    await page.locator("[data-testid=plane][data-thorough=true]").wait_for()
    return page


async def contours(browser: Browser, address: str) -> float:
    """Updates a second of both posteriors while a hand draws."""
    page = await planar(browser, address)
    count = page.get_by_test_id("plane")
    box = await page.get_by_test_id("x").bounding_box()
    points = there_and_back(box, 0.3)
    await page.mouse.move(*points[0])
    await page.mouse.down()
    before = int(await count.get_attribute("data-answers"))
    seconds = await at_60_hz(page, points)
    after = int(await count.get_attribute("data-answers"))
    await page.mouse.up()
    await page.context.close()
    return (after - before) / seconds


async def refinement(browser: Browser, address: str) -> tuple[float, float]:
    """Seconds to the steps, and to the end of their animation."""
    page = await planar(browser, address)
    start = time.perf_counter()
    await page.get_by_test_id("refine").click()
    await page.get_by_test_id("elbo").wait_for()
    steps = time.perf_counter() - start
    await page.locator("[data-testid=refinement][data-done]").wait_for()
    whole = time.perf_counter() - start
    await page.context.close()
    return steps, whole


async def measured(runs: int) -> list[tuple[str, float, float]]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER)
        with serving("streamlit_app.py") as (address, _):
            await (await planar(browser, address)).context.close()  # the plane is there from now on
            found = [await openings(browser, address, "mnist") for _ in range(runs)]
            rates = [await contours(browser, address) for _ in range(runs)]
            refined = [await refinement(browser, address) for _ in range(runs)]
        await browser.close()
    rows = [(f"chapter {key}: first picture, s", [one[key] for one in found], max) for key in CHAPTERS]
    rows += [("contours while drawing, updates/s", rates, min)]
    rows += [("Refine q: 100 steps, s", [one[0] for one in refined], max)]
    rows += [("Refine q: to the end of the animation, s", [one[1] for one in refined], max)]
    return [(label, statistics.median(values), worst(values)) for label, values, worst in rows]


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"| {runs} runs | median | worst |\n|---|---|---|")
    for label, median, worst in asyncio.run(measured(runs)):
        print(f"| {label} | {median:.2f} | {worst:.2f} |")


if __name__ == "__main__":
    main()
