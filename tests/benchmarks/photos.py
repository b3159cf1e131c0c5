"""How long a photo takes: `python -m tests.benchmarks.photos [runs]`.

Starts the app, opens the page Photos in a headless Chromium, drops a JPEG of 12 megapixels on it, another one each
time, and waits for what comes back; then keeps fewer numbers by a key, and waits again. Prints medians in seconds, at
both sizes, and by how much the server's memory grew.
"""

import io
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.startup import BROWSER, ROOT, free_port, wait_until_up
from tests.browser.test_own import give

SIDES = (512, 1024)
# The canvas of what comes back, in the shadow root that it lies in.
BACK = (
    "[document, ...[...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean)]"
    ".map(root => root.querySelector('[data-testid=decoded]')).find(Boolean)"
)


def photo(seed: int) -> bytes:
    """A JPEG of 4,000 x 3,000 pixels: coarse shapes under fine noise, as a camera's files have it."""
    chance = np.random.default_rng(seed)
    coarse = Image.fromarray(chance.integers(0, 256, (24, 32, 3), np.uint8)).resize(
        (4000, 3000), Image.Resampling.BICUBIC
    )
    noisy = np.asarray(coarse).astype(np.int16) + chance.integers(-12, 13, (3000, 4000, 1), np.int16)
    out = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()


def dropped(page: Page, content: bytes) -> float:
    """Seconds from the drop until the photo has come back and is painted."""
    before = page.get_by_test_id("decoded").element_handle()
    give(page, "drop", "[data-testid=stMain]", content, "photo.jpg", "image/jpeg")
    start = time.perf_counter()
    page.wait_for_function(f"before => {BACK} && {BACK} !== before && {BACK}.dataset.drawn", arg=before)
    return time.perf_counter() - start


def kept(page: Page) -> float:
    """Seconds from a key on the slider until there is another picture."""
    page.get_by_test_id("keep").focus()
    before = page.get_by_test_id("decoded").get_attribute("data-see")
    start = time.perf_counter()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"before => {BACK}.dataset.see !== before", arg=before)
    return time.perf_counter() - start


def megabytes(process: subprocess.Popen, word: str = "VmRSS") -> float:
    """Of a process, now; or, of VmHWM, at most so far."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(word)) / 1024


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    port = free_port()
    options = ["--server.headless", "true", "--server.address", "127.0.0.1", "--server.port", str(port)]
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", *options]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(address)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER)
            page = browser.new_page()
            page.add_init_script("localStorage.tour = 'done'")
            start = time.perf_counter()
            page.goto(f"{address}/photos")
            page.wait_for_function(f"{BACK}?.dataset.drawn")
            print(f"page opened -> first photo came back     {time.perf_counter() - start:6.2f} s")
            before = megabytes(server)
            for side in SIDES:
                page.get_by_test_id(f"side-{side}").click()
                page.wait_for_timeout(5000)
                dropped(page, photo(1000 + side))  # the first of a size warms everything
                seconds = [dropped(page, photo(side + run)) for run in range(runs)]
                keys = []
                for _ in range(2 * runs):
                    page.wait_for_timeout(500)
                    keys.append(kept(page))
                print(
                    f"{side:5} pixels: 12-megapixel JPEG dropped -> it came back {statistics.median(seconds):6.2f} s "
                    f"({max(seconds):.2f}), key -> fewer numbers {statistics.median(keys):6.2f} s ({max(keys):.2f})"
                )
            grown, most = (megabytes(server, word) - before for word in ("VmRSS", "VmHWM"))
            print(f"the server's memory grew by {grown:.0f} MB, at most by {most:.0f}")
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
