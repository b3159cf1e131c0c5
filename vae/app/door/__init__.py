"""The door: what may be held, sent and logged by strangers, before anybody knows who they are."""

from starlette.middleware import Middleware

from vae.app.door import connections, origins, repeats, uploads
from vae.app.door.arrivals import Arrivals
from vae.app.door.base import Base
from vae.app.door.busy import say as say_busy
from vae.app.door.files import Files
from vae.app.door.headers import Headers
from vae.app.door.uploads import Uploads

__all__ = ["MIDDLEWARE", "close", "say_busy"]

MIDDLEWARE = [Middleware(one) for one in (Headers, Files, Uploads, Arrivals, Base)]


def close() -> int:
    """Put all limits in place, once in a server's process; how many live sockets there may be at once."""
    files = connections.open_files()
    connections.guard(files)
    repeats.bound()
    uploads.let_in()
    origins.ask_nobody()
    return files // connections.EACH_SOCKET
