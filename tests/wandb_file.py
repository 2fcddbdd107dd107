"""Reads a W&B run file: a LevelDB log of protobuf records, since W&B itself has only a reader in
Go.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import wandb
from wandb.proto.wandb_internal_pb2 import Record

# The log format of LevelDB (doc/log_format.md), after a header of W&B's own: ident, magic number,
# version.
HEADER, IDENT, MAGIC = struct.Struct("<4sHB"), b":W&B", 0xBEE1
CHUNK, BLOCK = struct.Struct("<IHB"), 2**15  # checksum, length, type; bytes a block
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(run_dir: Path) -> list[Record]:
    """All records of the one W&B run in a run directory; AssertionError if its file is not
    whole.
    """
    # the service writes what this process logged a little later, and has written it when it ends
    wandb.teardown()
    [path] = run_dir.glob("wandb/offline-run-*/*.wandb")
    return [Record.FromString(data) for data in _logged(path.read_bytes())]


def of_kind(run_dir: Path, kind: str) -> list[Any]:
    """The records of one kind, such as `run`, `history`, `summary` or `exit`."""
    return [
        getattr(record, kind)
        for record in records(run_dir)
        if record.WhichOneof("record_type") == kind
    ]


def config(run_dir: Path) -> dict[str, Any]:
    """The configuration that the run was started with."""
    [run] = of_kind(run_dir, "run")
    return {
        item.key: json.loads(item.value_json) for item in run.config.update if item.key != "_wandb"
    }


def history(run_dir: Path) -> dict[int, dict[str, Any]]:
    """What was logged, by step; a picture's parts are `progress.path` and the like."""
    return {record.step.num: _values(record.item) for record in of_kind(run_dir, "history")}


def summary(run_dir: Path) -> dict[str, Any]:
    """The summary as it stood at the end."""
    values: dict[str, Any] = {}
    for record in of_kind(run_dir, "summary"):
        values |= _values(record.update)
    return values


def _values(items: Any) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def _logged(data: bytes) -> Iterator[bytes]:
    assert HEADER.unpack_from(data)[:2] == (IDENT, MAGIC)
    position, parts = HEADER.size, b""
    while position < len(data):
        left = BLOCK - position % BLOCK
        if left < CHUNK.size:  # too little for a chunk: the block ends in zeros
            position += left
            continue
        checksum, length, kind = CHUNK.unpack_from(data, position)
        body = data[position + CHUNK.size : position + CHUNK.size + length]
        assert len(body) == length and zlib.crc32(bytes([kind]) + body) == checksum
        assert (kind in (MIDDLE, LAST)) == bool(parts)
        parts += body
        if kind in (FULL, LAST):
            yield parts
            parts = b""
        position += CHUNK.size + length
    assert not parts
