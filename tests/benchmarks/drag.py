"""How closely the picture follows the hand: `python tests/benchmarks/drag.py [--quick]`.

Starts `streamlit run streamlit_app.py`, drags in a headless Chromium at 60 Hz, and prints a table. A latency is from
the browser's time stamp of the pointer or key event to just after the frame that shows the picture of exactly that
place. Beside it, in the same run, the naive twin: 16 `st.slider` and an `st.image`. `--quick` leaves out the memory.
"""

import argparse
import asyncio
import contextlib
import random
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright
from websockets.asyncio.client import connect

ROOT = Path(__file__).resolve().parents[2]
BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
VIEW = {"width": 1400, "height": 900}
HZ, SECONDS = 60, 3.0
CLIENTS, EACH = 16, 3  # EACH: sockets of a session beside its page's own
HEADER = struct.Struct("<BBHI")
FIRST = 0  # the number of the model that a session looked at first
HELLO, PLACE, PASSING = 0, 2, 12
RAW = "pointerrawupdate"  # a move of the pointer when it comes, not when the next frame begins
JOURNEY = "interpolate?model=mnist&steps=120&path=straight&at=0.5"
TWIN = """
import sys
sys.path.insert(0, {root!r})
import streamlit as st, torch
import vae
model = st.cache_resource(vae.load_pretrained)("mnist")
z = [st.slider(f"z{{i}}", -3.0, 3.0, 0.0, 0.01) for i in range(16)] + [0.0] * (model.latents - 16)
st.image(model.decode(torch.tensor([z])).mean[0, 0].numpy(), width=400)
"""
# Notes when each event of a hand came and, after the frame that shows it, when each picture was there.
WATCH = """
([testid, event]) => {
  const roots = [document, ...[...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean)];
  const find = id => roots.map(root => root.querySelector(`[data-testid=${id}]`)).find(Boolean);
  const [hand, canvas] = [find(testid), find('decoded')];
  window.asked = []; window.shown = []; window.next = () => {};
  const key = KEY;
  let moved = 0;
  hand.addEventListener('pointerrawupdate', e => moved = e.timeStamp, true);
  const since = e => e.type === 'input' && moved ? moved : e.timeStamp;
  hand.addEventListener(event, e => window.asked.push([key(e, hand), since(e)]), true);
  const channel = new MessageChannel(), frames = [];
  channel.port1.onmessage = () => {
    for (const z of frames.splice(0)) window.shown.push([z, performance.now()]);
    window.next(window.shown.at(-1)[1]);
  };
  new MutationObserver(() => {
    const z = canvas.dataset.z ?? canvas.dataset.at;
    requestAnimationFrame(() => { frames.push(z); channel.port2.postMessage(0); });
  }).observe(canvas, {attributes: true, attributeFilter: ['data-drawn']});
}
"""
TWIN_WATCH = """
() => {
  window.changes = []; let last = document.images[0].src;
  const look = () => {
    const now = document.images[0]?.src ?? last;
    if (now !== last) window.changes.push(performance.now());
    last = now; requestAnimationFrame(look);
  };
  look();
  addEventListener('pointerup', e => window.up = e.timeStamp, true);
}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(script: str, folder: Path = ROOT) -> Iterator[tuple[str, int]]:
    """(address, process id) of a Streamlit server."""
    port = free_port()
    options = ["--server.headless", "true", "--server.address", "127.0.0.1", "--server.port", str(port)]
    command = [sys.executable, "-m", "streamlit", "run", script, *options]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
                    break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def opened(browser: Browser, url: str, ready: str = "decoded", messages: list | None = None) -> Page:
    """A new visitor's page once it is at rest; what it says to Streamlit goes to `messages`."""
    page = await (await browser.new_context(viewport=VIEW)).new_page()
    await page.add_init_script("localStorage.tour = 'done'")  # its ring moves, too
    if messages is not None:

        def listen(web) -> None:
            if web.url.endswith("/stream"):
                web.on("framesent", lambda frame: messages.append(frame))

        page.on("websocket", listen)
    await page.goto(url)
    await page.get_by_test_id(ready).wait_for()
    await page.wait_for_timeout(2500)
    return page


async def at_60_hz(page: Page, points: list[tuple[float, float]]) -> float:
    """Move the pointer through points, one each 1/60 s whatever the page does; the seconds it took."""
    start, moves = time.perf_counter(), []
    for number, point in enumerate(points, 1):
        moves.append(asyncio.create_task(page.mouse.move(*point)))
        await asyncio.sleep(max(0.0, start + number / HZ - time.perf_counter()))
    seconds = time.perf_counter() - start
    await asyncio.gather(*moves)
    return seconds


def there_and_back(box: dict, up: float) -> list[tuple[float, float]]:
    """Points of a drag to and fro across a box at a steady pace, so that every event moves the hand."""

    def swing(turns: float) -> float:
        """From -1 to 1 and back within one turn, steadily."""
        return 1 - 4 * abs(turns % 1 - 0.5)

    return [
        (
            box["x"] + (0.5 + 0.4 * swing(number / 97)) * box["width"],
            box["y"] + (0.5 + up * swing(number / 61)) * box["height"],
        )
        for number in range(int(SECONDS * HZ))
    ]


def latencies(asked: list[tuple[str, float]], shown: list[tuple[str, float]]) -> list[float]:
    """For each picture shown, the time since its place was last asked for, ms."""
    found = []
    for place, at in shown:
        times = [time for wanted, time in asked if wanted == place and time <= at]
        found += [at - times[-1]] if times else []
    return found


async def drag(browser: Browser, label: str, address: str, testid: str | None, event: str, key: str, up: float) -> list:
    """Drag what `testid` names, or the topmost slider."""
    messages: list = []
    page = await opened(browser, address, messages=messages)
    numbered = page.get_by_role("button", name="By number")
    if await numbered.count():
        await numbered.click()
    slider = page.get_by_role("slider").first
    name, far = testid or await slider.get_attribute("data-testid"), await slider.get_attribute("max")
    await page.evaluate(WATCH.replace("KEY", key.replace("FAR", far)), [name, event])
    box = await page.get_by_test_id(name).bounding_box()
    points = there_and_back(box, up)
    await page.mouse.move(*points[0])
    await page.mouse.down()
    await page.wait_for_timeout(200)
    before = len(messages)
    seconds = await at_60_hz(page, points)
    during = len(messages) - before
    await page.mouse.up()
    await page.wait_for_timeout(500)
    asked, shown = await page.evaluate("[window.asked, window.shown]")
    latent = name.removeprefix("latent-")
    shown = [(place.split(",")[int(latent)] if latent.isdecimal() else place, at) for place, at in shown]
    found = latencies(asked, shown)
    await page.context.close()
    note = f"{during} script runs, {len(asked) / seconds:.0f} events/s"
    return [label, len(found) / seconds, statistics.median(found), percentile(found, 0.95), note]


SLIDER_KEY = "(e, hand) => String(Number(hand.value))"
PLANE_KEY = """(e, hand) => {
  const box = hand.getBoundingClientRect(), at = share => Math.round(FAR * share * 1000) / 1000 + 0;
  return [at(2 * (e.clientX - box.left) / box.width - 1), at(1 - 2 * (e.clientY - box.top) / box.height)].join(',');
}"""


async def press_keys(browser: Browser, url: str, model: str, presses: int = 100) -> list:
    """Arrow keys on the topmost slider, or on the plane where the model has one."""
    page = await opened(browser, f"{url}/?model={model}")
    hand = page.get_by_test_id("plane") if model.endswith("-2d") else page.get_by_role("slider").first
    await page.evaluate(WATCH.replace("KEY", "() => 'key'"), [await hand.get_attribute("data-testid"), "keydown"])
    await hand.focus()
    found = []
    for press in range(presses):
        picture = asyncio.create_task(page.evaluate("new Promise(resolve => window.next = resolve)"))
        await asyncio.sleep(0.03 + random.random() / HZ)  # so that presses fall anywhere between two frames
        await page.keyboard.press("ArrowRight" if press % 40 < 20 else "ArrowLeft")
        found.append(await picture - await page.evaluate("window.asked.at(-1)[1]"))
    await page.context.close()
    return [f"arrow key, {model}", None, statistics.median(found), percentile(found, 0.95), ""]


async def draw(browser: Browser, url: str, strokes: int = 30) -> list:
    page = await opened(browser, f"{url}/reconstruct?model=mnist", ready="prepared")
    await page.get_by_role("radio", name="Draw").click()
    await page.get_by_test_id("pad").wait_for()
    await page.wait_for_timeout(1000)
    await page.evaluate(WATCH.replace("KEY", "() => 'up'"), ["pad", "pointerup"])
    box = await page.get_by_test_id("pad").bounding_box()
    found = []
    for stroke in range(strokes):
        x, y = box["x"] + (0.3 + 0.4 * random.random()) * box["width"], box["y"] + 0.2 * box["height"]
        await page.mouse.move(x, y)
        await page.mouse.down()
        await at_60_hz(page, [(x + step % 5 * 6, y + step * box["height"] / 20) for step in range(12)])
        await page.mouse.up()
        await page.wait_for_timeout(900)
        # The last picture is the one of the whole stroke: it was asked for when the pen was lifted.
        found.append(await page.evaluate("window.shown.at(-1)[1] - window.asked.at(-1)[1]"))
        if stroke % 5 == 4:
            await page.get_by_role("button", name="Clear").click()
            await page.wait_for_timeout(300)
    await page.context.close()
    return ["pen up -> reconstruction", None, statistics.median(found), percentile(found, 0.95), ""]


async def naive(browser: Browser) -> list:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "twin.py"
        script.write_text(TWIN.format(root=str(ROOT)))
        with serving(str(script), Path(folder)) as (url, _):
            page = await (await browser.new_context(viewport=VIEW)).new_page()
            await page.goto(url)
            await page.locator("img").wait_for()
            await page.wait_for_timeout(1500)
            await page.evaluate(TWIN_WATCH)
            found, updates, seconds = [], 0, 0.0
            for turn in range(6):
                box = await page.get_by_role("slider").first.bounding_box()
                x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
                await page.mouse.move(x, y)
                await page.mouse.down()
                before = await page.evaluate("window.changes.length")
                seconds += await at_60_hz(page, [(x + step * (-1) ** turn, y) for step in range(30)])
                updates += await page.evaluate("window.changes.length") - before
                await page.mouse.up()
                await page.wait_for_timeout(1200)
                found.append(await page.evaluate("window.changes.at(-1) - window.up"))
            await page.context.close()
    name = "naive twin, after release"
    return [name, updates / seconds, statistics.median(found), percentile(found, 0.95), ""]


# ---- many clients, by script ----


async def sessions(browser: Browser, url: str, count: int, model: str) -> tuple[list[bytes], list[Page]]:
    """Tokens of new sessions, as their pages say them to the live route; the pages keep the sessions alive."""
    tokens, pages = [], []
    for _ in range(count):
        page = await (await browser.new_context()).new_page()
        said: asyncio.Queue = asyncio.Queue()

        def listen(web, said=said) -> None:
            if web.url.endswith("/live"):
                web.on("framesent", lambda frame: said.put_nowait(frame))

        page.on("websocket", listen)
        await page.goto(f"{url}/?model={model}")
        tokens.append(bytes(await said.get())[HEADER.size :])
        pages.append(page)
    return tokens, pages


async def client(url: str, token: bytes, kind: int, latents: int, places: int, hertz: float, found: list) -> float:
    """One hand at `hertz`, one request in flight; ms to each reply go to `found`. The updates a second it got."""
    async with connect(url.replace("http", "ws") + "/live", origin=url, compression=None) as live:
        await live.send(HEADER.pack(1, HELLO, 0, 0) + token)
        await live.recv()
        await asyncio.sleep(random.random() / hertz)
        start = time.perf_counter()
        for number in range(places):
            z = struct.pack(f"<{latents}f", *(random.gauss(0, 1) for _ in range(latents)))
            moved = time.perf_counter()
            await live.send(HEADER.pack(1, kind, FIRST, number) + z)
            await live.recv()
            found.append(1000 * (time.perf_counter() - moved))
            ticks = int((time.perf_counter() - start) * hertz) + 1
            await asyncio.sleep(max(0.0, start + ticks / hertz - time.perf_counter()))
        return places / (time.perf_counter() - start)


async def crowd(browser: Browser, url: str, model: str, kind: int, latents: int) -> list:
    tokens, pages = await sessions(browser, url, -(-CLIENTS // EACH), model)
    found: list = []
    keys = (tokens * EACH)[:CLIENTS]
    rates = await asyncio.gather(*(client(url, key, kind, latents, 300, HZ, found) for key in keys))
    for page in pages:
        await page.context.close()
    note = f"updates/s of the slowest; {statistics.median(rates):.0f} the median"
    return [f"{CLIENTS} clients, {model}", min(rates), statistics.median(found), percentile(found, 0.95), note]


def resident(pid: int) -> float:
    """Megabytes of memory of a process."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


async def memory(browser: Browser, url: str, pid: int, latents: int) -> str:
    async def visits(count: int) -> None:
        for _ in range(count):
            page = await opened(browser, f"{url}/?model=mnist")
            await page.context.close()

    async def updates(count: int) -> None:
        tokens, pages = await sessions(browser, url, 4, "mnist")
        await asyncio.gather(*(client(url, key, PLACE, latents, count // 8, 140, []) for key in tokens * 2))
        for page in pages:
            await page.context.close()

    await visits(15)
    await updates(4000)
    await asyncio.sleep(5)
    start = resident(pid)
    await updates(20_000)
    await asyncio.sleep(5)
    after = resident(pid) - start
    await visits(50)
    await asyncio.sleep(5)
    return (
        f"memory of the server after warm-up {start:.0f} MB; 20,000 updates later {after:+.1f} MB; "
        f"50 sessions after that {resident(pid) - start:+.1f} MB"
    )


async def main(quick: bool) -> None:
    sys.path.insert(0, str(ROOT))
    from vae.models import pretrained

    latents = {name: pretrained.load_card(name)["latents"] for name in ("mnist", "portraits")}
    moving = {"mnist": PLACE, "portraits": PASSING}  # what a page asks for while its hand moves
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER)
        with serving("streamlit_app.py") as (url, pid):
            steps: list[Callable] = [
                partial(drag, browser, "slider, mnist", f"{url}/?model=mnist", None, "input", SLIDER_KEY, 0.0),
                partial(drag, browser, "plane, mnist-2d", f"{url}/?model=mnist-2d", "plane", RAW, PLANE_KEY, 0.3),
                partial(drag, browser, "scrub, mnist", f"{url}/{JOURNEY}", "scrub", "input", SLIDER_KEY, 0.0),
                partial(press_keys, browser, url, "mnist"),
                partial(press_keys, browser, url, "mnist-2d"),
                partial(draw, browser, url),
                *(partial(crowd, browser, url, name, moving[name], count) for name, count in latents.items()),
                partial(drag, browser, "slider, portraits", f"{url}/?model=portraits", None, "input", SLIDER_KEY, 0.0),
                partial(press_keys, browser, url, "portraits"),
                partial(naive, browser),
            ]
            rows = []
            print(f"{'':28}{'updates/s':>10}{'p50 ms':>9}{'p95 ms':>9}")
            for step in steps:
                rows.append(await step())
                name, rate, half, most, note = rows[-1]
                print(f"{name:28}{'' if rate is None else f'{rate:.0f}':>10}{half:9.1f}{most:9.1f}  {note}", flush=True)
            print(f"the naive twin's median is {rows[-1][2] / rows[0][2]:.0f} times the slider's")
            if not quick:
                print(await memory(browser, url, pid, latents["mnist"]))
        await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="without the memory, which takes minutes")
    asyncio.run(main(parser.parse_args().quick))
