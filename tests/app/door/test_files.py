"""Files that never change: asked for once, compressed once, and the same for everybody."""

import asyncio
import gzip

import pytest
from starlette.datastructures import Headers
from starlette.responses import FileResponse, PlainTextResponse, Response

from vae.app.components import served
from vae.app.door import files
from vae.app.live import routes

STYLE = f"/{served.PATH}/{served.VERSION}/styles/lab.css"
FONT = next(path for path in sorted(files.unchanging()) if path.endswith(".woff2"))
GZIP = [(b"accept-encoding", b"gzip, br")]
WHOLE = served.FILES["styles/lab.css"]


class Counted:
    """An app below, and the requests that came through to it."""

    def __init__(self, answer: Response, first: Response | None = None):
        self.answer, self.first, self.asked = answer, first, []

    async def __call__(self, scope, receive, send) -> None:
        self.asked.append(scope)
        await asyncio.sleep(0.01)
        await ((self.first if len(self.asked) == 1 else None) or self.answer)(scope, receive, send)


async def get(app: files.Files, path: str = STYLE, headers=GZIP, method: str = "GET") -> tuple[int, Headers, bytes]:
    sent = []

    async def receive() -> dict:
        return {"type": "http.request"}

    async def send(message: dict) -> None:
        sent.append(message)

    await app({"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], Headers(raw=sent[0]["headers"]), body


def kept_for_good(body: bytes) -> Response:
    return Response(body, media_type="text/css", headers={"Cache-Control": "immutable"})


def test_a_file_is_asked_for_once_however_many_want_it_at_once_and_later():
    below = Counted(kept_for_good(WHOLE))

    async def visits() -> list[tuple[int, Headers, bytes]]:
        app = files.Files(below)
        return [*await asyncio.gather(*(get(app) for _ in range(30))), await get(app)]

    found = asyncio.run(visits())
    assert len(below.asked) == 1
    for status, headers, body in found:
        assert (status, headers["content-encoding"], headers["vary"]) == (200, "gzip", "Accept-Encoding")
        assert (headers["content-type"], headers["cache-control"]) == ("text/css; charset=utf-8", "immutable")
        assert int(headers["content-length"]) == len(body) < len(WHOLE) / 2
        assert gzip.decompress(body) == WHOLE


def test_nothing_of_whoever_asks_first_gets_into_what_all_others_get():
    below = Counted(kept_for_good(WHOLE))
    own = [(b"cookie", b"me"), (b"range", b"bytes=0-9"), (b"if-none-match", b"*"), (b"host", b"here")]
    asyncio.run(get(files.Files(below), headers=GZIP + own))
    assert below.asked[0]["headers"] == [(b"host", b"here")]


def test_what_others_add_to_one_answer_is_not_in_the_next():
    async def twice() -> Headers:
        app = files.Files(Counted(kept_for_good(WHOLE)))

        async def send(message: dict) -> None:
            message.get("headers", []).append((b"of-one", b"only"))

        await app({"type": "http", "method": "GET", "path": STYLE, "headers": GZIP}, None, send)
        return (await get(app))[1]

    assert "of-one" not in asyncio.run(twice())


def test_what_is_compressed_already_is_sent_as_it_lies_there():
    lying = files.STREAMLITS / FONT.removeprefix("/")
    status, headers, body = asyncio.run(get(files.Files(FileResponse(lying)), FONT))
    assert (status, body) == (200, lying.read_bytes())
    assert not {"content-encoding", "etag", "last-modified", "accept-ranges"} & set(headers)


@pytest.mark.parametrize(
    ("path", "headers", "method"),
    [
        (STYLE, [], "GET"),
        (STYLE, [(b"accept-encoding", b"br")], "GET"),
        (STYLE, GZIP, "HEAD"),
        (STYLE, GZIP, "POST"),
        (STYLE.replace(served.VERSION, "0" * 16), GZIP, "GET"),
        (f"{STYLE}/", GZIP, "GET"),
        ("/", GZIP, "GET"),
        ("/static/index.html", GZIP, "GET"),
        ("/_stcore/health", GZIP, "GET"),
    ],
)
def test_everything_else_passes_each_time_as_it_came(path, headers, method):
    below = Counted(PlainTextResponse("below"))
    app = files.Files(below)
    for _ in range(2):
        assert asyncio.run(get(app, path, headers, method))[2] == b"below"
    assert [scope["headers"] for scope in below.asked] == [headers, headers]


def test_a_file_that_could_not_be_had_is_asked_for_again():
    below = Counted(kept_for_good(WHOLE), first=PlainTextResponse("gone", 404))

    async def twice() -> list[int]:
        app = files.Files(below)
        return [(await get(app))[0] for _ in range(2)]

    assert asyncio.run(twice()) == [404, 200]


def test_who_waits_for_a_file_that_breaks_hears_of_it_and_the_next_asks_again():
    async def broken(scope, receive, send) -> None:
        await asyncio.sleep(0.01)
        raise OSError("no disk")

    async def asked(app: files.Files, times: int) -> list[type]:
        found = await asyncio.gather(*(get(app) for _ in range(times)), return_exceptions=True)
        return [type(error) for error in found]

    async def twice() -> list[list[type]]:
        app = files.Files(broken)
        return [await asked(app, times) for times in (2, 1)]

    assert asyncio.run(twice()) == [[OSError] * 2, [OSError]]


def test_streamlits_scripts_ours_and_plotlys_are_kept_below_a_base_path_too(monkeypatch):
    here = files.unchanging()
    assert {STYLE, routes.route(routes.PLOTLY)} <= here
    assert len([path for path in here if path.startswith("/static/js/")]) > 100
    monkeypatch.setattr(routes.st, "get_option", {"server.baseUrlPath": "lab"}.get)
    assert files.unchanging() == {f"/lab{path}" for path in here}
