"""The house: it opens each page once, at leisure, and leaves nothing behind."""

import ast
import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import RuntimeState

from vae.app.chapters import CHAPTERS
from vae.app.door import opening

ROOT = Path(__file__).resolve().parents[3]
EMPTY, SOMEBODY = RuntimeState.NO_SESSIONS_CONNECTED, RuntimeState.ONE_OR_MORE_SESSIONS_CONNECTED


class Fake:
    """A runtime whose scripts end at once, or never."""

    def __init__(self, monkeypatch, ends: bool = True):
        self.ends, self.state, self.opened, self.here = ends, EMPTY, [], {}
        monkeypatch.setattr(opening.Runtime, "instance", lambda: self)

    def connect_session(self, client, user_info) -> str:
        self.here["house"] = client
        return "house"

    def handle_backmsg(self, session, message) -> None:
        asked = message.rerun_script
        self.opened.append(asked.page_name + bool(asked.query_string) * f"?{asked.query_string}")
        said = ForwardMsg()
        said.new_session.name = "begins"
        self.here[session].write_forward_msg(said)
        said.script_finished = ForwardMsg.FINISHED_SUCCESSFULLY
        if self.ends:
            self.here[session].write_forward_msg(said)

    def close_session(self, session) -> None:
        del self.here[session]


def test_the_house_opens_one_page_after_the_other_and_leaves(monkeypatch):
    fake = Fake(monkeypatch)
    rooms = ["", "one", "two?chapter=three"]
    asyncio.run(opening.come_in(rooms))
    assert fake.opened == rooms
    assert fake.here == {}


def test_while_somebody_is_there_it_opens_the_first_page_only_and_others_after_a_while(monkeypatch):
    fake = Fake(monkeypatch)
    fake.state = SOMEBODY
    monkeypatch.setattr(opening, "LEISURE", 0.5)

    async def watched() -> list[str]:
        coming = asyncio.create_task(opening.come_in(["", "one", "two"]))
        await asyncio.sleep(0.1)
        before = list(fake.opened)
        await asyncio.sleep(0.9)
        after = list(fake.opened)
        fake.state = EMPTY
        await asyncio.wait_for(coming, 10)
        return [before, after[:2], fake.opened]

    assert asyncio.run(watched()) == [[""], ["", "one"], ["", "one", "two"]]


def test_a_house_that_is_stopped_leaves_too(monkeypatch):
    fake = Fake(monkeypatch, ends=False)

    async def stopped() -> None:
        coming = asyncio.create_task(opening.come_in([""]))
        await asyncio.sleep(0.05)
        assert list(fake.here) == ["house"]
        coming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await coming

    asyncio.run(stopped())
    assert fake.here == {}


def test_the_house_opens_every_page_that_there_is():
    source = (ROOT / "streamlit_app.py").read_text()
    (said,) = re.findall(r"^PAGES = \((.*?)\)", source, re.MULTILINE | re.DOTALL)
    default, *others = re.findall(r'st\.Page\("vae/app/pages/(\w+)\.py"', source)
    assert re.findall(r'"(\w*)"', said) == ["", *others]
    assert default == "explore"


def test_the_house_opens_every_chapter_after_the_pages():
    asked = "import streamlit_app as app; print(*map(repr, app.rooms()), sep=','); print(app.PAGES)"
    *_, rooms, pages = subprocess.check_output([sys.executable, "-c", asked], cwd=ROOT, text=True).splitlines()
    chapters = [f"how_it_works?chapter={key}" for key in CHAPTERS]
    assert list(ast.literal_eval(rooms)) == [*ast.literal_eval(pages), *chapters]
