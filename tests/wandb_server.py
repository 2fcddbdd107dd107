"""A W&B server of one machine: what its client of version 0.31 sends while a run goes, and no more.

GraphQL for the run itself and its resumption, a stream of history lines, uploads of files. What it
holds is read from `runs`; what the protocol has besides is answered with nothing."""

import contextlib
import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENTITY = {"id": "entity", "name": "me"}


@dataclass
class Stored:
    """A run as the server has it."""

    name: str
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)  # display name, group, tags
    files: dict[str, bytes] = field(default_factory=dict)
    exit_code: int | None = None


class Server(ThreadingHTTPServer):
    """`url` is where it listens; `answers=False` drops every connection, as a network that is
    gone."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.runs: dict[str, Stored] = {}
        self.answers = True

    def graphql(self, operation: str, told: dict[str, Any]) -> dict[str, Any]:
        """The answer to one query or mutation."""
        if operation == "RunResumeStatus":
            found = self.runs.get(told["name"])
            project = {"id": "project", "name": told["project"], "entity": ENTITY}
            return {"model": project | {"bucket": found and _resumed(found)}}
        if operation == "UpsertBucket":
            inserted = told["name"] not in self.runs
            run = self.runs.setdefault(told["name"], Stored(told["name"]))
            run.config = json.loads(told["config"] or "{}") or run.config
            run.said |= {key: value for key, value in told.items() if value is not None}
            return {"upsertBucket": {"bucket": _bucket(run), "inserted": inserted}}
        if operation == "CreateRunFiles":
            places = [
                {"name": name, "uploadUrl": f"{self.url}/upload/{told['run']}/{name}"}
                for name in told["files"]
            ]
            made = {"runID": told["run"], "uploadHeaders": [], "files": places}
            return {"createRunFiles": made}
        return {}

    def stream(self, name: str, told: dict[str, Any]) -> None:
        """History lines at their places, the newest summary, and the end."""
        run = self.runs[name]
        for file, part in (told.get("files") or {}).items():
            lines = [json.loads(line) for line in part["content"] if file.endswith("history.jsonl")]
            run.history[part["offset"] : part["offset"] + len(lines)] = lines
            if file == "wandb-summary.json":
                run.summary = json.loads(part["content"][-1])
        if told.get("complete"):
            run.exit_code = told["exitcode"]


def _bucket(run: Stored) -> dict[str, Any]:
    return {
        "id": f"id of {run.name}",
        "name": run.name,
        "displayName": run.said.get("displayName") or run.name,
        "description": "",
        "config": json.dumps(run.config),
        "sweepName": None,
        "project": {"id": "project", "name": run.said["project"], "entity": ENTITY},
        "historyLineCount": len(run.history),
    }


def _resumed(run: Stored) -> dict[str, Any]:
    last = [json.dumps(line) for line in run.history[-1:]]
    return _bucket(run) | {
        "summaryMetrics": json.dumps(run.summary),
        "logLineCount": 0,
        "eventsLineCount": 0,
        "historyTail": json.dumps(last),
        "eventsTail": "[]",
        "tags": run.said.get("tags") or [],
        "notes": "",
        "wandbConfig": json.dumps({"t": 1}),
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # a client that has ended
            super().handle()

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.server.answers:
            self.close_connection = True
            return
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        answer: dict[str, Any] = {}
        parts = self.path.strip("/").split("/")
        if parts[-1] == "graphql":
            asked = json.loads(body)
            name, variables = asked.get("operationName") or "", asked.get("variables") or {}
            answer = {"data": self.server.graphql(name, variables)}
        elif parts[-1] == "file_stream":
            self.server.stream(parts[-2], json.loads(body))
        elif parts[0] == "upload":
            self.server.runs[parts[1]].files["/".join(parts[2:])] = body
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_PUT = do_GET = do_POST


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """A server in a thread, for the time of the block."""
    with Server() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield server
        finally:
            server.shutdown()
