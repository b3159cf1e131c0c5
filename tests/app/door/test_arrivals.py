"""Pictures for a training are read as they arrive: what is kept of them, of what else comes, and when that ends."""

import asyncio
import gzip
from types import SimpleNamespace

import pytest
from starlette.responses import PlainTextResponse
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from tests.data.own.uploads import as_file, idx, noise, photos
from tests.pictures.archives import archive
from vae.app.door import arrivals
from vae.data import own

PATH = "/_stcore/upload_file/{}/{}"


@pytest.fixture
def manager(monkeypatch):
    """Streamlit's store, and a session `me` whose script runs."""
    manager, here = MemoryUploadedFileManager("/_stcore/upload_file"), {"me", "you"}
    monkeypatch.setattr(arrivals, "_visits", {})
    monkeypatch.setattr(arrivals, "_manager", lambda: manager)
    runtime = SimpleNamespace(is_active_session=here.__contains__)
    monkeypatch.setattr(arrivals, "Runtime", SimpleNamespace(exists=lambda: True, instance=lambda: runtime))
    monkeypatch.setattr(arrivals, "get_script_run_ctx", lambda **_: SimpleNamespace(session_id="me"))
    manager.here = here
    return manager


def put(manager, files: list[tuple[str, bytes]], session: str = "me", status: int = 204) -> list[int]:
    """The statuses of uploads that come at once; a file's id is its name."""
    said = []

    async def streamlit(scope, receive, send) -> None:
        name = scope["path"].rsplit("/", 1)[1]
        manager.add_file(session, UploadedFileRec(name, name, "", dict(files)[name]))
        await PlainTextResponse("", status)(scope, receive, send)

    async def send(message: dict) -> None:
        said.append(message.get("status"))

    async def all_at_once() -> None:
        door = arrivals.Arrivals(streamlit)
        scopes = [{"type": "http", "method": "PUT", "path": PATH.format(session, name)} for name, _ in files]
        await asyncio.gather(*(door(scope, None, send) for scope in scopes))

    asyncio.run(all_at_once())
    return [one for one in said if one]


def held(manager, session: str = "me") -> dict[str, bytes]:
    return {name: file.data for name, file in manager.file_storage[session].items()}


def test_of_each_picture_a_small_copy_is_kept_and_no_byte_of_its_file(manager):
    arrivals.expect(True)
    files = [*photos(5), ("no.png", b"hello")]
    assert put(manager, files) == [204] * 6
    assert held(manager) == dict.fromkeys(dict(files), b"")
    found = own.together(part for name, _ in files if (part := arrivals.taken(name)) is not None)
    *_, expected = own.brought(own.taken(files)[0], 4000)
    assert (found.seen, found.refused) == (expected.seen, expected.refused)
    assert found.refused[0].startswith("no.png: This is not a PNG")
    assert arrivals.taken("0.png") is None  # it is taken once


@pytest.mark.parametrize(
    "content", [archive(*photos(2)), idx(noise(3, 9, 9)), gzip.compress(idx(noise(3, 9, 9)))], ids=["zip", "idx", "gz"]
)
def test_archives_and_pairs_wait_for_the_page(manager, content):
    arrivals.expect(True)
    put(manager, [("x", content)])
    assert held(manager) == {"x": content}
    assert arrivals.taken("x") is None


def test_uploads_to_other_pages_and_of_others_are_left_alone(manager):
    ((_, content),) = photos(1)
    put(manager, [("x", content)])
    arrivals.expect(True)
    put(manager, [("x", content)], "you")
    arrivals.expect(False)
    put(manager, [("y", content)])
    assert held(manager) == {"x": content, "y": content}
    assert held(manager, "you") == {"x": content}


def test_a_file_that_was_refused_is_not_read(manager):
    arrivals.expect(True)
    assert put(manager, photos(1), status=413) == [413]
    assert arrivals.taken("0.png") is None


def test_no_more_is_read_for_a_visit_than_a_training_may_have(manager, monkeypatch):
    monkeypatch.setenv("VAE_LAB_TRAIN_MEGAPIXELS", "1")
    arrivals.expect(True)
    files = [(str(n), as_file(noise(800, 800, seed=n))) for n in range(3)]
    put(manager, files)
    assert [len(content) > 0 for content in held(manager).values()].count(True) == 1  # the page says why


def test_what_was_read_for_a_session_that_is_over_is_forgotten(manager):
    arrivals.expect(True)
    put(manager, photos(1))
    manager.here.remove("me")
    arrivals._forget()
    assert arrivals._visits == {}
