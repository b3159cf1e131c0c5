"""The house comes in first: what pages load and compute for everybody is there before their visitors are.

Streamlit imports pandas with the first component, a page its own modules, a model's examples are chosen once, and a
chapter loads the models that it compares; for all that, a second or more, thirty who came at once waited together.
These are visits like any other, so that nothing has to be listed here.
"""

import asyncio
import gc
from collections.abc import Iterable

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import Runtime, RuntimeState
from streamlit.runtime.session_manager import SessionClient

LEISURE = 30.0  # seconds for which the house waits before its next page while others are there


class House(SessionClient):
    """A visitor who only waits for the end of the page's script."""

    def __init__(self):
        self.saw_all = asyncio.Event()

    def write_forward_msg(self, msg: ForwardMsg) -> None:
        if msg.WhichOneof("type") == "script_finished":
            self.saw_all.set()


async def come_in(pages: Iterable[str]) -> None:
    """Open pages one after the other, by the last part of their addresses and what these ask for; in the running
    server's event loop.
    """
    runtime = Runtime.instance()
    for number, page in enumerate(pages):
        if number:
            await _leisure(runtime)
        await _visit(runtime, page)
        gc.collect()
        gc.freeze()  # with all that the visit has loaded: no later collection looks at it


async def _visit(runtime: Runtime, page: str) -> None:
    house, asked = House(), BackMsg()
    asked.rerun_script.page_name, _, asked.rerun_script.query_string = page.partition("?")
    session = runtime.connect_session(house, {})
    try:
        runtime.handle_backmsg(session, asked)
        await house.saw_all.wait()
    finally:
        runtime.close_session(session)


async def _leisure(runtime: Runtime) -> None:
    clock = asyncio.get_running_loop().time
    end = clock() + LEISURE
    while runtime.state == RuntimeState.ONE_OR_MORE_SESSIONS_CONNECTED and clock() < end:
        await asyncio.sleep(0.2)
