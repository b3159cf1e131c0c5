"""The browser side as far as it can be judged without a browser: what is served, and that it is whole."""

import asyncio
import json
import re
from pathlib import PurePosixPath
from urllib.parse import unquote

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.routing import Route

from vae.app import components
from vae.app.components import served
from vae.app.look import glossary

IMPORTED = re.compile(r'^import .*?from "(.*?)";|^import "(.*?)";|^\} from "(.*?)";', re.MULTILINE)
WORN = re.compile(r'"([\w/]+\.css)"')
MODULES = sorted(name for name in served.FILES if name.endswith(".js"))


APP = Starlette(routes=[Route(f"/{served.PATH}/{{version}}/{{file:path}}", served.file)])


def asked(path: str, method: str = "GET") -> tuple[int, Headers, bytes]:
    """(status, headers, content) of the answer to a request for a path as it stands in an address."""
    sent = []

    async def receive() -> dict:
        return {"type": "http.request"}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": unquote(path), "headers": [], "query_string": b""}
    asyncio.run(APP(scope, receive, send))
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], Headers(raw=sent[0]["headers"]), content


def address(name: str, version: str = served.VERSION) -> str:
    return f"/{served.PATH}/{version}/{name}"


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_imports_and_wears_is_served(name):
    text = served.FILES[name].decode()
    for found in IMPORTED.findall(text):
        path = "".join(found)
        assert path.startswith("."), f"{name} imports {path}: there is no bundler"
        assert resolved(name, path) in served.FILES, f"{name} imports {path}"
    for style in WORN.findall(text):
        assert f"styles/{style}" in served.FILES, f"{name} wears {style}"


def resolved(name: str, path: str) -> str:
    """The name of a file that a module calls by a relative path."""
    parts = list(PurePosixPath(name).parent.parts)
    for part in path.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


@pytest.mark.parametrize(("name", "kind"), [("page.js", "text/javascript"), ("styles/page.css", "text/css")])
def test_a_file_is_served_with_its_kind_to_be_kept_for_good(name, kind):
    status, headers, content = asked(address(name))
    assert status == 200
    assert content == served.FILES[name] == (served.FOLDER / name).read_bytes()
    assert headers["content-type"] == f"{kind}; charset=utf-8"
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert asked(address(name), "POST")[0] == 405


@pytest.mark.parametrize(
    "path",
    [
        address("page.js", "0" * 16),
        address("page.js", ""),
        address("served.py"),
        address("__init__.py"),
        address(""),
        address("shared"),
        address("shared/../page.js"),
        address("../session.py"),
        address("%2e%2e/session.py"),
        address("..%2fsession.py"),
        address("/etc/passwd"),
        address("page.js%00"),
        address("page.js/"),
    ],
)
def test_nothing_else_is_served_and_no_one_remembers_that(path):
    status, headers, _ = asked(path)
    assert status == 404
    assert headers.get("cache-control", "no-store") == "no-store"


def test_the_version_is_another_for_every_change_of_a_name_or_a_content():
    before = dict(served.FILES)
    name, content = next(iter(before.items()))
    others = [
        {**before, name: content + b" "},
        {**before, "another.js": b""},
        {key: value for key, value in before.items() if key != name},
        {**{key: value for key, value in before.items() if key != name}, f"{name}x": content},
    ]
    versions = {served._version(files) for files in (before, *others)}
    assert len(versions) == 5
    assert served.VERSION in versions


def test_a_page_begins_with_files_of_this_version_that_are_there():
    found = re.findall(r'(?:href|src)="(.*?)"', served.HEAD.decode())
    assert {f"{served.PATH}/{served.VERSION}/{name}" for name in ("page.js", "styles/page.css")} <= set(found)
    for path in found:
        assert path.removeprefix(f"{served.PATH}/{served.VERSION}/") in served.FILES


def test_the_loader_can_stand_inside_a_page():
    assert b"</script" not in served.LOADER.lower()


def test_words_and_colours_are_part_of_what_is_served():
    assert all(json.dumps(word, ensure_ascii=False) in served.told() for word in glossary.TERMS)
    assert all(f"--{name}:" in served.colours() for name in served.NAMES.values())


def test_each_component_is_a_module_of_its_own():
    source = (served.FOLDER / "__init__.py").read_text()
    modules = re.findall(r'= _(?:component|mounting)\("\w+", "(.*?)"', source)
    assert len(set(modules)) == len(modules) > 10
    exporting = {name for name, text in served.FILES.items() if re.search(rb"^export default ", text, re.MULTILINE)}
    assert set(modules) == exporting
    assert callable(components.explorer)


# ---- what is sent of the data ----


@pytest.fixture
def state(monkeypatch) -> dict:
    """A visitor's state."""
    found: dict = {}
    monkeypatch.setattr(components.st, "session_state", found)
    return found


WHOLE = {"live": {"heard": None}, "rev": "a", "z": [0.0], "levels": "x" * 10_000}


def test_all_is_sent_until_the_component_says_that_it_holds_it(state):
    first = components._news("explore", WHOLE, False)
    assert first == WHOLE | {"edition": first["edition"]}
    assert components._news("explore", WHOLE, False) == first
    state["explore"] = {"held": first["edition"]}
    assert components._news("explore", WHOLE, False) == {"since": first["edition"]}
    state["explore"] = {"held": None}
    assert components._news("explore", WHOLE, False) == first


def test_what_has_changed_is_sent_where_the_component_looks_at_it(state):
    first = components._news("explore", WHOLE, False)["edition"]
    state["explore"] = {"held": first}
    moved = WHOLE | {"z": [1.0]}
    assert components._news("explore", moved, False) == {"since": first}
    assert components._news("explore", moved, True) == {"since": first, "z": [1.0]}
    assert components._news("explore", moved | {"live": 1}, False) == {"since": first, "live": 1}
    assert components._news("explore", moved | {"rev": "b"}, False) == {"since": first, "z": [1.0], "rev": "b"}
    assert components._news("explore", WHOLE, True) == {"since": first}


def test_all_is_sent_again_where_much_has_changed_and_where_the_names_have(state):
    first = components._news("map", WHOLE, True)["edition"]
    state["map"] = {"held": first}
    much = WHOLE | {"levels": "y" * 10_000}
    second = components._news("map", much, True)
    assert second == much | {"edition": second["edition"]}
    assert second["edition"] != first
    assert components._news("map", much, True) == second  # it still says that it holds the first
    state["map"] = {"held": second["edition"]}
    named = much | {"more": 1}
    assert components._news("map", named, True) == named | {"edition": components._news("map", named, True)["edition"]}


def test_another_session_does_not_take_an_edition_for_its_own(state):
    state["explore"] = {"held": components._news("explore", WHOLE, False)["edition"]}
    state.pop("explore.sent")
    assert components._news("explore", WHOLE, False).keys() == WHOLE.keys() | {"edition"}


def test_folders_have_twelve_entries_at_most_and_files_400_lines():
    folders = [served.FOLDER, *(path for path in served.FOLDER.rglob("*") if path.is_dir() and path.name[:2] != "__")]
    assert all(len([one for one in folder.iterdir() if one.name[:2] != "__"]) <= 12 for folder in folders)
    assert not [name for name, content in served.FILES.items() if content.count(b"\n") > 400]
