"""The browser side on its way there: modules and styles, each at an address that says the version of them all.

A browser may keep what it has of a version for good, and all that a page loads is of one version. Who asks for another
one has a page from before the server was updated, or after, and is not found.
"""

import hashlib
import json
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from vae.app.live.exchange import EXCHANGES
from vae.app.live.layouts import as_lists
from vae.app.live.messages import Kind
from vae.app.look import COLOURS, QUIET, glossary
from vae.pictures import MAX_BYTES

FOLDER = Path(__file__).parent
PATH = "components"  # below the page's own server
KINDS = {".js": "text/javascript", ".css": "text/css"}
NAMES = {"x": "x", "x̂": "xhat", "z": "z", "mu": "mu", "sigma": "sigma", "eps": "eps"}


def told() -> str:
    """The module of what Python tells all scripts: the glossary, how messages are called, and how answers lie."""
    values = {
        "TERMS": {name: term._asdict() for name, term in glossary.TERMS.items()},
        "SPELLED": glossary.SPELLED,
        "PATTERN": glossary.PATTERN,
        "KINDS": {kind.name: int(kind) for kind in Kind},
        "MOST_BYTES": MAX_BYTES,
        "LAYOUTS": {int(kind): as_lists(row.layout) for kind, row in EXCHANGES.items()},
    }
    return "".join(
        f"export const {name} = {json.dumps(value, ensure_ascii=False)};\n" for name, value in values.items()
    )


def colours() -> str:
    """The style that names the colours, on the page and in each component; on pictures they are the dark page's."""
    named = "".join(f"  --{css}: {COLOURS[name].css};\n" for name, css in NAMES.items())
    return f".stApp, [data-st-overlay-root], :host, .dark {{\n{named}  --quiet: {QUIET.css};\n}}\n"


def _files() -> dict[str, bytes]:
    """All that is served: what lies in this folder, and what is written here."""
    made = {"shared/told.js": told(), "styles/colours.css": colours()}
    lying = [file for file in FOLDER.rglob("*") if file.suffix in KINDS]
    kept = {file.relative_to(FOLDER).as_posix(): file.read_bytes() for file in lying}
    return {name: text.encode() for name, text in made.items()} | kept


def _version(files: dict[str, bytes]) -> str:
    """A hash of names and contents."""
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(b"%d %s %d " % (len(name.encode()), name.encode(), len(content)) + content)
    return whole.hexdigest()[:16]


FILES = _files()
VERSION = _version(FILES)
LOADER = FILES["load.js"]
# What each page has from its beginning: its own module, which has to be there before Streamlit writes the first
# address, and what it or most instruments need, so that they need not wait for one another.
WORN = (
    "colours",
    "page",
    "around",
    "lab",
    "map",
    "journey",
    "posterior",
    "narrow",
)  # by the page, or by all instruments
AS_FETCH = 'rel="preload" as="fetch" crossorigin="anonymous"'
HEAD = "".join(
    [
        f'<script type="module" src="{PATH}/{VERSION}/page.js"></script>',
        *(f'<link {AS_FETCH} href="{PATH}/{VERSION}/styles/{name}.css">' for name in WORN),
        *(
            f'<link rel="modulepreload" href="{PATH}/{VERSION}/{name}">'
            for name in sorted(FILES)
            if name.startswith(("shared/", "page/"))
        ),
    ]
).encode()


async def file(request: Request) -> Response:
    """The route: a file of this version, to be kept for good."""
    name = request.path_params["file"]
    if request.path_params["version"] != VERSION or name not in FILES:
        return PlainTextResponse("There is no such file in this version.", 404, {"Cache-Control": "no-store"})
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(FILES[name], media_type=KINDS[Path(name).suffix], headers=kept)
