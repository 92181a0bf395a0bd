"""A web server on loopback that serves a folder, as well or as badly as a test wants."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Server:
    """What is served, its faults, and what was asked for and sent."""

    folder: Path
    url: str = ""
    ranges: bool = True
    conditions: bool = True
    #: bodies end after so many bytes, one entry a response, whatever their headers say
    cuts: list[int] = field(default_factory=list)
    #: added to the Content-Length of whole bodies
    lie: int = 0
    #: answers before anything else, one entry a response
    statuses: list[int] = field(default_factory=list)
    etags: bool = True
    requests: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    server = Server(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(server, self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{httpd.server_address[1]}/archives"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def answer(server: Server, handler: http.server.BaseHTTPRequestHandler) -> None:
    wanted = handler.headers.get("Range", "")
    name = handler.path.removeprefix("/archives/")
    server.requests.append((name, wanted))
    path = server.folder / name
    if server.statuses or not path.is_file():
        handler.send_error(server.statuses.pop(0) if server.statuses else 404)
        return
    data = path.read_bytes()
    etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
    start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and server.ranges else 0
    condition = handler.headers.get("If-Range")
    if condition and server.conditions and condition != etag:
        start = 0
    if start >= len(data):
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(data)}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    body = data[start:]
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
    handler.send_header("Content-Length", str(len(body) + (0 if start else server.lie)))
    if server.etags:
        handler.send_header("ETag", etag)
    handler.end_headers()
    body = body[: server.cuts.pop(0)] if server.cuts else body
    server.sent += len(body)
    with contextlib.suppress(ConnectionError):
        handler.wfile.write(body)
