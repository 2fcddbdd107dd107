"""The report as a page that keeps itself current: a server that reads run directories and writes
nothing to them.
"""

import contextlib
import gzip
import hashlib
import http.server
import ipaddress
import os
import re
import secrets
import socket
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
    "Referrer-Policy": "no-referrer",  # the address may hold the token
    "X-Content-Type-Options": "nosniff",
}
JPEG, PACKED_BYTES = "image/jpeg", 10_000
NICENESS = 10  # as of nice(1)


class Server(http.server.ThreadingHTTPServer):
    """Serves a tree on `host`; without one on this machine only, with one below a token that nobody
    can guess.

    Raises InputError where the address cannot be had; without a `port` it is PORT, or one that is
    free."""

    daemon_threads = True

    def __init__(self, root: Path, host: str | None = None, port: int | None = None) -> None:
        if root.exists() and not root.is_dir():
            raise InputError(f"{root}: is a file; give a directory of runs")
        self.tree, self._host = Tree(root), host
        self.prefix = f"/{secrets.token_urlsafe(16)}/" if host else "/"
        self.address_family = socket.AF_INET6 if host and ":" in host else socket.AF_INET
        for each in (PORT, 0) if port is None else (port,):
            try:
                super().__init__((host or LOOPBACK, each), Handler)
                return
            except (OSError, OverflowError) as error:
                why = getattr(error, "strerror", None) or error
        raise InputError(
            f"{host or LOOPBACK}, port {each}: cannot be served ({why}); give another --host or"
            " --port"
        )

    def server_bind(self) -> None:
        """As the base's grandfather: the base looks its own name up, which may take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = (
            str(self.server_address[0]),
            int(self.server_address[1]),
        )

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that went away is no error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def run(self) -> None:
        """Serve, behind the runs of this machine: their processor is theirs."""
        # Read at once, and with ordinary priority, so that the first page need not wait for a large
        # tree.
        threading.Thread(target=self.tree.data, daemon=True).start()
        with contextlib.suppress(OSError):
            os.nice(NICENESS)
        self.serve_forever()

    @property
    def address(self) -> str:
        """What to open."""
        name = socket.gethostname() if self._host in ("0.0.0.0", "::") else self._host or LOOPBACK
        return f"http://{f'[{name}]' if ':' in name else name}:{self.server_port}{self.prefix}"

    def is_meant(self, hosts: list[str]) -> bool:
        """Whether a request names this server: a page whose name was bound anew to this address
        names another one.

        An address in numbers cannot be bound to anything; a tunnel may have another port.
        """
        try:
            [host] = hosts
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            known = [self._host.lower(), socket.gethostname().lower()] if self._host else []
            return name in ("localhost", *known)
        return bool(self._host) or address.is_loopback


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD, nothing else: the page, its data, its pictures by their keys. No path
    of a file is read from a request."""

    server: Server
    server_version, sys_version = "stn", ""
    timeout = 60  # seconds for a connection that says nothing

    def do_GET(self) -> None:
        """Send the answer, its body not for HEAD."""
        try:
            status, kind, body, caching = self._answer()
        except Exception as error:  # whatever lies in the tree, the server goes on
            status, kind, body, caching = _said(
                HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {error}"
            )
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if status == HTTPStatus.OK and self.headers.get("If-None-Match") == tag:
            status, body = HTTPStatus.NOT_MODIFIED, b""
        packed = (
            kind != JPEG
            and len(body) > PACKED_BYTES
            and "gzip" in self.headers.get("Accept-Encoding", "")
        )
        body = gzip.compress(body, 1) if packed else body
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
        path, prefix = self.path.partition("?")[0], self.server.prefix
        if not self.server.is_meant(self.headers.get_all("Host") or []):
            return _said(
                HTTPStatus.FORBIDDEN,
                "another host is meant; open the address that the server printed",
            )
        if not secrets.compare_digest(path[: len(prefix)].encode(), prefix.encode()):
            return _said(HTTPStatus.FORBIDDEN, "open the whole address that the server printed")
        name = path[len(prefix) :]
        if name == "":
            return (
                HTTPStatus.OK,
                "text/html; charset=utf-8",
                document.html(None, POLICY).encode(),
                "no-cache",
            )
        if name == "data.json":
            return HTTPStatus.OK, "application/json", self.server.tree.data().encode(), "no-cache"
        key = re.fullmatch(r"picture/([0-9a-f]{16})\.jpg", name)
        picture = self.server.tree.picture(key[1]) if key else None
        if picture is None:
            return _said(HTTPStatus.NOT_FOUND, "there is nothing of this name")
        return (
            HTTPStatus.OK,
            JPEG,
            picture,
            "private, max-age=86400, immutable",
        )  # its address changes with the file

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is the run's."""


def serve(root: Path, host: str | None = None, port: int | None = None) -> None:
    """Serve the page over every run below `root`, which may come yet, until Ctrl-C; the address
    goes to stdout.
    """
    with Server(root, host, port) as server:
        print(server.address, flush=True)
        print("Ctrl-C ends it; it only reads, and the runs go on", file=sys.stderr)
        with contextlib.suppress(KeyboardInterrupt):
            server.run()


def serve_beside(root: Path) -> None:
    """Serve in a process of `live_process`, until the pipe to the run that started it closes; open
    a browser.
    """
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


def _said(status: HTTPStatus, text: str) -> tuple[HTTPStatus, str, bytes, str]:
    return status, "text/plain; charset=utf-8", f"{text}\n".encode(), "no-store"


if __name__ == "__main__":
    command_line.run_command(lambda: serve_beside(Path(sys.argv[1])))
