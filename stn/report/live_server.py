"""The live page: a server for the report that reads run directories and writes nothing to them."""

import contextlib
import functools
import gzip
import hashlib
import http.server
import ipaddress
import os
import re
import socketserver
import sys
import threading
import webbrowser
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stn import command_line
from stn.errors import InputError
from stn.report import document
from stn.report.tree import Tree

PORT = 8642  # any that is mostly free
LOOPBACK = "127.0.0.1"
POLICY = (
    document.POLICY.replace("data:", "'self' data:")
    + "; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY + "; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
JPEG, PACKED_BYTES = "image/jpeg", 10_000
NICENESS = 10  # as of nice(1)


class Server(http.server.ThreadingHTTPServer):
    """Serves a tree of runs to this machine only: it listens on the loopback address.

    Without a `port` it takes PORT, or a free one. Raises InputError if `port` cannot be used."""

    daemon_threads = True
    # Connections that may wait to be accepted. Of five, the base class's, most of a thousand at
    # once were still waiting after a minute; so many are answered in three seconds.
    request_queue_size = 1024

    def __init__(self, root: Path, port: int | None = None) -> None:
        if root.exists() and not root.is_dir():
            raise InputError(f"{root}: is a file; give a directory of runs")
        self.tree = Tree(root)
        for each in (PORT, 0) if port is None else (port,):
            try:
                super().__init__((LOOPBACK, each), Handler)
                return
            except (OSError, OverflowError) as error:
                why = getattr(error, "strerror", None) or error
        raise InputError(f"{LOOPBACK}, port {each}: cannot be served ({why}); give another --port")

    def server_bind(self) -> None:
        """Bind without the base class's look-up of the machine's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = (
            str(self.server_address[0]),
            int(self.server_address[1]),
        )

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent when a browser closed its connection."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def run(self) -> None:
        """Serve at low priority, so that the runs keep the CPU."""
        # The first reading starts at once and at normal priority: a large tree takes a while.
        threading.Thread(target=self.tree.data, daemon=True).start()
        with contextlib.suppress(OSError):
            os.nice(NICENESS)
        self.serve_forever()

    @property
    def address(self) -> str:
        """What to open."""
        return f"http://{LOOPBACK}:{self.server_port}/"


def is_loopback(hosts: list[str]) -> bool:
    """Whether a request's Host headers name this machine, by whatever port: a tunnel has its own.

    It refuses pages of strangers whose name was rebound to the loopback address."""
    try:
        [host] = hosts
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD with the page, its data, and its pictures by their keys.

    No file name is ever taken from a request."""

    server: Server
    server_version, sys_version = "stn", ""
    timeout = 60  # seconds for a connection that says nothing

    def do_GET(self) -> None:
        """Send the answer; HEAD gets no body."""
        try:
            status, kind, body, caching = self._answer()
        except Exception as error:  # whatever lies in the tree, the server goes on
            status, kind, body, caching = _said(
                HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {error}"
            )
        with _preparing:
            tag = _tag(body)
        if status == HTTPStatus.OK and self.headers.get("If-None-Match") == tag:
            status, body = HTTPStatus.NOT_MODIFIED, b""
        packed = (
            kind != JPEG
            and len(body) > PACKED_BYTES
            and "gzip" in self.headers.get("Accept-Encoding", "")
        )
        with _preparing:
            body = _packed(body) if packed else body
        self.send_response(status)
        sent = {
            "Content-Type": kind,
            "Cache-Control": caching,
            "ETag": tag,
            "Content-Length": str(len(body)),
        }
        for name, value in (
            HEADERS | sent | ({"Content-Encoding": "gzip"} if packed else {})
        ).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def _answer(self) -> tuple[HTTPStatus, str, bytes, str]:
        path = self.path.partition("?")[0]
        if not is_loopback(self.headers.get_all("Host") or []):
            return _said(
                HTTPStatus.FORBIDDEN,
                "another host is meant; open the address that the server printed",
            )
        if path == "/":
            return (
                HTTPStatus.OK,
                "text/html; charset=utf-8",
                document.html(None, POLICY).encode(),
                "no-cache",
            )
        if path == "/data.json":
            return HTTPStatus.OK, "application/json", self.server.tree.data(), "no-cache"
        key = re.fullmatch(r"/picture/([0-9a-f]{16})\.jpg", path)
        picture = self.server.tree.picture(key[1]) if key else None
        if picture is None:
            return _said(HTTPStatus.NOT_FOUND, "there is nothing of this name")
        # Its address changes with the file.
        return HTTPStatus.OK, JPEG, picture, "private, max-age=86400, immutable"

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal belongs to the run."""


def serve(root: Path, port: int | None = None) -> None:
    """Serve the page over every run below `root` until Ctrl-C, and print its address.

    Runs may start later."""
    with Server(root, port) as server:
        print(server.address, flush=True)
        print("Ctrl-C ends it; it only reads, and the runs go on", file=sys.stderr)
        with contextlib.suppress(KeyboardInterrupt):
            server.run()


def serve_alongside(root: Path) -> None:
    """Serve next to a run that started this process, until its pipe closes, and open a browser."""
    with Server(root) as server:
        print(f"live: {server.address}", file=sys.stderr, flush=True)
        threading.Thread(target=server.run, daemon=True).start()
        # Without a screen Python would open a browser that draws in the terminal, where there is
        # such.
        if sys.platform in ("darwin", "win32") or any(
            map(os.environ.get, ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))
        ):
            threading.Thread(target=webbrowser.open, args=[server.address], daemon=True).start()
        sys.stdin.read()


# Of a large tree once for a thousand who ask at once, who would take gigabytes.
_preparing = threading.Lock()


@functools.lru_cache(maxsize=8)
def _tag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'


@functools.lru_cache(maxsize=8)
def _packed(body: bytes) -> bytes:
    return gzip.compress(body, 1)


def _said(status: HTTPStatus, text: str) -> tuple[HTTPStatus, str, bytes, str]:
    return status, "text/plain; charset=utf-8", f"{text}\n".encode(), "no-store"


if __name__ == "__main__":
    command_line.run_command(lambda: serve_alongside(Path(sys.argv[1])))
