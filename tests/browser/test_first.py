"""The picture first, its numbers as they come."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE, free_port, serving
from tests.browser.seen import changes, seen
from tests.registry import VECTORS

# No record of a picture comes while there is a file of this name.
HELD = """
import time
from pathlib import Path
from vae.serve import planes
frame = planes._frame
def held(*arguments):
    while Path({!r}).exists():
        time.sleep(0.02)
    return frame(*arguments)
planes._frame = held
"""


@pytest.fixture(scope="module")
def holding(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The address of a server, and the path of the file that holds its records back."""
    folder = tmp_path_factory.mktemp("held")
    with serving(free_port(), folder / "stderr.txt", HELD.format(str(folder / "hold"))) as address:
        yield address, folder / "hold"


@pytest.mark.parametrize("name", VECTORS)
def test_another_picture_is_there_before_its_numbers(visitor, holding, name):
    someone = visitor(first=True)
    someone.server, hold = holding
    page = someone.opens(f"/reconstruct?model={name}")
    ledger, computing = page.get_by_test_id("ledger"), page.get_by_test_id("computing")
    page.get_by_text("Numbers of x").click()
    ledger.wait_for()
    hold.touch()
    try:
        before = seen(page)
        page.get_by_role("button", name="Another").click()
        changes(page, before)
        expect(computing).to_be_visible()
        expect(ledger).to_have_count(0)
    finally:
        hold.unlink()
    ledger.wait_for()
    expect(computing).to_have_count(0)


# Writes down how often a model's examples were chosen, which the first page needs.
CHOOSING = """
from pathlib import Path
from vae.app.session import kept
typical = kept._typical
def choosing(*arguments):
    with Path({!r}).open("a") as file:
        file.write("chosen ")
    return typical(*arguments)
kept._typical = choosing
"""


def test_what_the_first_page_needs_is_there_before_anybody_has_come(visitor, tmp_path):
    chosen = tmp_path / "chosen"
    with serving(free_port(), tmp_path / "stderr.txt", CHOOSING.format(str(chosen)), house=True) as address:
        end = time.monotonic() + PATIENCE
        while not chosen.exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        someone = visitor(first=True)
        someone.server = address
        someone.opens()
        assert chosen.read_text() == "chosen "
        someone.context.close()
