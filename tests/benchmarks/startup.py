"""How long until a visitor sees a picture: `python -m tests.benchmarks.startup [runs]`.

Starts `streamlit run streamlit_app.py` afresh, waits until it answers, opens each page in a headless Chromium that has
never seen it, and waits for the decoded picture. Then it goes by the sidebar from Explore to the latent map, which must
show its points and answer a pointer. It does so with the models that ship and with MANY, most of them links to those,
in turns. Prints medians in seconds.
"""

import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
MANY = 40  # models
# The server, with the models of another folder.
SERVER = """
from pathlib import Path
from vae.models import pretrained
pretrained.PRETRAINED = Path({!r})
from streamlit.web.cli import main
main()
"""
BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_up(address: str) -> None:
    while True:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.02)


def shelf(folder: Path, count: int) -> Path:
    """A folder of so many models: those that ship, and links to them under other names."""
    folder.mkdir()
    ship = sorted(path.parent for path in (ROOT / "pretrained").glob("*/card.json"))
    (folder / "chapters").symlink_to(ROOT / "pretrained" / "chapters")
    for number in range(count):
        copy = f"-{number}" if number >= len(ship) else ""
        (folder / f"{ship[number % len(ship)].name}{copy}").symlink_to(ship[number % len(ship)])
    return folder


def once(browser, pages: list[str], models: Path) -> dict[str, float]:
    port = free_port()
    options = ["--server.headless", "true", "--server.address", "127.0.0.1", "--server.port", str(port)]
    start = time.perf_counter()
    command = [sys.executable, "-c", SERVER.format(str(models)), "run", "streamlit_app.py", *options]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(address)
        seconds = {"server up": time.perf_counter() - start}
        for page in pages:
            context = browser.new_context()
            tab = context.new_page()
            start = time.perf_counter()
            tab.goto(f"{address}/{page}")
            tab.wait_for_selector('[data-testid="decoded"]', timeout=60_000)
            seconds[f"/{page}: first picture"] = time.perf_counter() - start
            context.close()
        seconds["to the latent map, points answer"] = navigate(browser, address)
    finally:
        server.terminate()
        server.wait()
    return seconds


def navigate(browser, address: str) -> float:
    """Seconds from the click on the sidebar's link until all points are drawn and the pointer moves the picture."""
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(address)
    tab.get_by_test_id("verdict").wait_for()
    tab.wait_for_timeout(2000)
    start = time.perf_counter()
    tab.get_by_role("link", name="Latent map").click()
    chart = tab.locator('[data-testid="map"][data-points="10000"]')
    chart.wait_for(timeout=60_000)
    box = chart.bounding_box()
    picture = tab.get_by_test_id("decoded")
    before = picture.get_attribute("data-z")
    while picture.get_attribute("data-z") == before:
        tab.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * (0.3 + 0.2 * (time.time() % 1)))
    seconds = time.perf_counter() - start
    context.close()
    return seconds


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER)
        ship = len(list((ROOT / "pretrained").glob("*/card.json")))
        shelves = {count: shelf(Path(folder) / str(count), count) for count in (ship, MANY)}
        results = {count: [] for count in shelves}
        for _ in range(runs):
            for count, models in shelves.items():
                results[count].append(once(browser, ["", "?model=portraits", "reconstruct"], models))
        browser.close()
    print(
        f"{f'seconds, median (worst) of {runs}':36}"
        + "".join(f"{f'{count} models':>16}" for count in results)
        + "   ratio"
    )
    for name in results[ship][0]:
        values = [[result[name] for result in results[count]] for count in results]
        medians = [statistics.median(one) for one in values]
        cells = (f"{median:.2f} ({max(one):.2f})" for median, one in zip(medians, values, strict=True))
        print(f"{name:36}" + "".join(f"{cell:>16}" for cell in cells) + f"{medians[1] / medians[0]:8.2f}")


if __name__ == "__main__":
    main()
