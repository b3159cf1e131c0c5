"""A server on this machine that a test downloads from, and that fails as the test says."""

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Mirror(http.server.ThreadingHTTPServer):
    """A mirror of `files` (path -> bytes) with Range support; `script[path]` lists what it does first, then it behaves.

    `instead` are contents that a step of a script may name.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes], instead: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files, self.instead = files, instead
        self.script = {}
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Answer(http.server.BaseHTTPRequestHandler):
    def log_message(self, *words):
        pass

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        steps = self.server.script.get(self.path, [])
        step = steps.pop(0) if steps else "serve"
        body = self.server.files[self.path]
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and step != "ignore range" else 0
        if step in ("500", "404"):
            self.send_error(int(step))
            return
        if wanted and start >= len(body):
            self.send_error(416)
            return
        if step == "truncated":
            body = body[: len(body) // 2]
        body = self.server.instead.get(step, body)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        body = body[start:]
        self.wfile.write(body[: len(body) // 2] if step == "cut" else body)


@contextmanager
def serving(files: dict[str, bytes], instead: dict[str, bytes]) -> Iterator[Mirror]:
    server = Mirror(files, instead)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
