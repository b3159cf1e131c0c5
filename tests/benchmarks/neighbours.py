"""What one visitor takes from another: `python tests/benchmarks/neighbours.py [--seconds 6] [KIND ...]`.

Starts `streamlit run streamlit_app.py`. One visitor moves a slider 60 times a second and opens Reconstruct again and
again; beside them another one asks for one kind of thing on four sockets, as fast as answers come. Prints a table: the
slider's p95 and the visits' median, calm and beside each kind, in turns. No browser: both speak the two protocols.
"""

import argparse
import asyncio
import contextlib
import itertools
import random
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path

from drag import HEADER, HELLO, HZ, PLACE, percentile, serving
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ROOT = Path(__file__).resolve().parents[2]
SOCKETS = 4  # of one session: as many as it may have
PIXELS = 28 * 28
SIDE = 256  # pixels of the largest drawing
ENDED = ForwardMsg.FINISHED_SUCCESSFULLY
TOKEN = re.compile(rb'"token":\s*"([0-9a-f]{32})"')


def floats(count: int) -> bytes:
    return struct.pack(f"<{count}f", *(random.gauss(0, 1) for _ in range(count)))


def scrawl() -> bytes:
    """A large drawing of many strokes."""
    rows = bytearray(SIDE * SIDE)
    for _ in range(12):
        top, left = random.randrange(SIDE - 90), random.randrange(SIDE - 90)
        for step in range(80):
            place = (top + step) * SIDE + left + step // 2
            rows[place : place + 9] = bytes([255]) * 9
    return struct.pack("<HH", SIDE, SIDE) + bytes(rows)


def bits() -> bytes:
    return bytes(random.getrandbits(1) for _ in range(PIXELS))


# What the other visitor asks for: kind of message, model, body. The models are those that it takes longest with.
ASKED: dict[str, tuple[int, str, Callable[[], bytes]]] = {
    "PLACE": (PLACE, "mnist-2d", lambda: floats(2)),
    "PICTURES": (3, "fashion", lambda: floats(1024 * LATENTS["fashion"])),
    "DRAWING": (4, "mnist-2d", scrawl),
    "EXAMPLE": (6, "fashion", lambda: struct.pack("<I", random.randrange(10_000))),
    "NEAR": (7, "fashion", lambda: floats(LATENTS["fashion"])),
    "ANCESTRY": (8, "mnist-2d", lambda: floats(2) + struct.pack("<I", random.getrandbits(32))),
    "DECODING": (9, "fashion", lambda: floats(LATENTS["fashion"])),
    "POSTERIOR": (10, "mnist-2d", lambda: b"\0" + bits()),
    "thorough": (10, "mnist-2d", lambda: b"\1" + bits()),
    "REFINE": (11, "mnist", bits),
}
FIRST = 0  # the number of the model that a session looked at first
PAGES = ["reruns", "broken off"]
TRAINING = "a training"  # of their own pictures, 64 x 64 in colour, as the page Train begins one
BROKEN_OFF = 100  # visits, all before anything is measured
LATENTS = {"mnist": 24, "fashion": 24, "mnist-2d": 2}


# ---- the two protocols ----


def asked_for(page: str, query: str) -> bytes:
    message = BackMsg()
    message.rerun_script.page_name = page
    message.rerun_script.query_string = query
    return message.SerializeToString()


@contextlib.asynccontextmanager
async def stream(url: str) -> AsyncIterator[ClientConnection]:
    """A session's connection to Streamlit."""
    address = url.replace("http", "ws") + "/_stcore/stream"
    async with connect(address, origin=url, subprotocols=["streamlit"], max_size=None, compression=None) as session:
        yield session


async def run(session: ClientConnection, page: str, query: str) -> bytes | None:
    """Run a page's script to its end; the session's token where the page holds it."""
    await session.send(asked_for(page, query))
    token = None
    while True:
        content = await session.recv()
        token = found[1] if (found := TOKEN.search(content)) else token
        message = ForwardMsg.FromString(content)
        if message.WhichOneof("type") == "script_finished" and message.script_finished == ENDED:
            return token


async def visit(url: str) -> float:
    """Seconds until Reconstruct is there for a newcomer, with a picture that nobody asked for before."""
    start = time.perf_counter()
    async with stream(url) as session:
        await run(session, "reconstruct", f"model=mnist&x=i{random.randrange(10_000)}")
    return time.perf_counter() - start


@contextlib.asynccontextmanager
async def live(url: str, token: bytes) -> AsyncIterator[ClientConnection]:
    address = url.replace("http", "ws") + "/live"
    async with connect(address, origin=url, compression=None, max_size=None) as socket:
        await socket.send(HEADER.pack(1, HELLO, 0, 0) + token)
        await socket.recv()
        yield socket


# ---- one visitor ----


async def slide(url: str, token: bytes, over: asyncio.Event) -> list[float]:
    """ms from each of a slider's moves, 60 a second, to its answer."""
    found = []
    async with live(url, token) as socket:
        start = time.perf_counter()
        for number in itertools.count():
            if over.is_set():
                return found
            moved = time.perf_counter()
            await socket.send(HEADER.pack(1, PLACE, FIRST, number) + floats(LATENTS["mnist"]))
            await socket.recv()
            found.append(1000 * (time.perf_counter() - moved))
            ticks = int((time.perf_counter() - start) * HZ) + 1
            await asyncio.sleep(max(0.0, start + ticks / HZ - time.perf_counter()))
    return found


async def measure(url: str, token: bytes, seconds: float) -> tuple[float, float]:
    """(p95 of the slider, ms; median of the visits, s), one after the other: they would take from each other."""
    visits, end = [], time.perf_counter() + seconds
    while len(visits) < 3 or time.perf_counter() < end:
        visits.append(await visit(url))
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    return percentile(await slide(url, token, over), 0.95), statistics.median(visits)


# ---- the other one, in a process of its own ----


async def flood(url: str, token: bytes, kind: int, model: int, body: Callable[[], bytes]) -> None:
    while True:
        with contextlib.suppress(ConnectionClosed):  # refused: at once again
            async with live(url, token) as socket:
                for number in itertools.count():
                    await socket.send(HEADER.pack(1, kind, model, number) + body())
                    await socket.recv()
                    print("answer", flush=True)
        await asyncio.sleep(0.1)


async def break_off(url: str) -> None:
    async with stream(url) as session:
        await session.send(asked_for("reconstruct", f"model=mnist-2d&x=i{random.randrange(10_000)}"))
        await asyncio.sleep(0.05)


async def train() -> None:
    """The process that the page Train would start; each step's report is an answer."""
    sys.path.insert(0, str(ROOT))
    from vae import data
    from vae.data import own
    from vae.serve.jobs import asked
    from vae.serve.jobs.asked import Asked
    from vae.serve.jobs.limits import Limits
    from vae.serve.jobs.queue import begun
    from vae.train import saved
    from vae.train.own.presets import preset

    portraits = data.DATASETS["portraits"]
    pictures = own.own_set("Portraits", (), portraits.spec, *vars(data.test_set("portraits")).values())
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "training")
        folder.mkdir()
        own.save(pictures, folder / own.FILE)
        recipe = asdict(preset("training", own.opened(pictures), "best"))
        asked.write(folder, Asked("training", "Portraits", recipe))
        process = begun(folder, Limits())
        reports = 0
        while process.poll() is None:
            log = folder / saved.LOG
            there = len(log.read_text().splitlines()) if log.is_file() else 0
            for _ in range(there - reports):
                print("answer", flush=True)
            reports = there
            await asyncio.sleep(0.2)


async def other(url: str, name: str) -> None:
    if name == TRAINING:
        await train()
    async with stream(url) as session:
        kind, model, body = ASKED.get(name, (None, "mnist-2d", None))
        token = await run(session, "", f"model={model}")
        if name in ASKED:
            sockets = (flood(url, token, kind, FIRST, body) for _ in range(SOCKETS))
            await asyncio.gather(*sockets)
        while name == "reruns":
            await run(session, "reconstruct", f"model=mnist-2d&x=i{random.randrange(10_000)}")
            print("answer", flush=True)
        if name == "broken off":
            for _ in range(BROKEN_OFF // 10):
                await asyncio.gather(*(break_off(url) for _ in range(10)))
            print("answer", flush=True)
            await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def beside(url: str, name: str) -> AsyncIterator[Callable[[], int]]:
    """The other visitor asks inside; gives how often it was answered."""
    command = [sys.executable, __file__, "--other", url, name]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        await asyncio.to_thread(process.stdout.readline)  # the first answer: from now on it is at it
        answers = [0]

        def count() -> None:
            for _ in process.stdout:
                answers[0] += 1

        counting = asyncio.create_task(asyncio.to_thread(count))
        yield lambda: answers[0]
    finally:
        process.kill()
        process.wait()
    await counting


async def main(names: list[str], seconds: float) -> None:
    sys.path.insert(0, str(ROOT))
    with serving("streamlit_app.py") as (url, _):
        async with stream(url) as session:
            token = await run(session, "", "model=mnist")
            for _ in range(3):
                await visit(url)
            async with stream(url) as first:  # the plane is built before anything is measured
                token_2d = await run(first, "", "model=mnist-2d")
                async with live(url, token_2d) as socket:
                    built = 0.0
                    while built != 1.0:
                        await socket.send(HEADER.pack(1, 10, FIRST, 0) + b"\0" + bits())
                        (built,) = struct.unpack_from("<f", await socket.recv(), HEADER.size)
                        await asyncio.sleep(0.2)
            print(f"{'':20}{'answers/s':>10}{'slider p95 ms: calm':>21}{'beside':>8}{'x':>6}", end="")
            print(f"{'Reconstruct s: calm':>21}{'beside':>8}{'limit':>8}")
            for name in names:
                calm = await measure(url, token, seconds)
                start = time.perf_counter()
                async with beside(url, name) as answers:
                    found = await measure(url, token, seconds)
                    rate = answers() / (time.perf_counter() - start)
                limit = 2 * calm[1] + 0.5
                row = f"{name:20}{rate:10.1f}{calm[0]:21.1f}{found[0]:8.1f}{found[0] / calm[0]:6.1f}"
                print(f"{row}{calm[1]:21.2f}{found[1]:8.2f}{limit:8.2f}", flush=True)
                await asyncio.sleep(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=[*ASKED, *PAGES, TRAINING], help="what the other visitor does")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    parser.add_argument("--other", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    asyncio.run(other(given.other, *given.names) if given.other else main(given.names, given.seconds))
