"""Commands in processes of their own, each a fork of one process that has imported what they all
import, TensorFlow among it: that takes seconds, a fork takes none.

As a script it is that process. A request is a message with three open files; the answer is the
number of a process that runs the script asked for, as if Python had been started on it."""

import ctypes
import functools
import inspect
import json
import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

PR_SET_CHILD_SUBREAPER = 36  # of Linux' prctl.h
MOST = 2**17  # bytes of a request: its words and its environment
PIPES: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


class Forked(subprocess.Popen[str]):
    """Popen of [Python, a script, its words] with files for input and output. Off Linux, and with
    what only a process that starts anew can have, it is Popen itself.
    """

    def _execute_child(self, *given: Any) -> None:
        start: Any = subprocess.Popen._execute_child  # type: ignore[attr-defined]
        asked = inspect.signature(start).bind(self, *given).arguments
        if sys.platform != "linux" or asked["preexec_fn"]:
            start(self, *given)
            return
        words = [str(word) for word in asked["args"][1:]]
        folder, environment = str(asked["cwd"] or Path.cwd()), dict(asked["env"] or os.environ)
        request = json.dumps([words, folder, environment, asked["start_new_session"]])
        files = [asked[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        server = _server()[0]
        socket.send_fds(server, [request.encode()], files)
        self.pid = int(server.recv(MOST))
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[name] for name in ends))  # type: ignore[attr-defined]


@functools.cache
def _server() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """The process that forks, and what is said to it; it ends with this one."""
    # What it forks becomes this process' child, which can wait for it.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command, null = [sys.executable, __file__, str(theirs.fileno())], subprocess.DEVNULL
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=null, stdout=null)
    theirs.close()
    return ours, process


def serve(requests: socket.socket) -> None:
    """Answer requests; returns in each process that is asked for, ready to run its script."""
    while True:
        request, files, _, _ = socket.recv_fds(requests, MOST, 3)
        if not request:
            os._exit(0)
        read, write = os.pipe()
        between = os.fork()
        if between == 0:
            child = os.fork()
            if child == 0:
                break
            os.write(write, str(child).encode())
            os._exit(0)
        os.waitpid(between, 0)  # from here on its child is that of who asked
        requests.send(os.read(read, MOST))
        for each in (read, write, *files):
            os.close(each)
    requests.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
    for each in (read, write, *files):
        os.close(each)
    words, folder, environment, own_session = json.loads(request)
    if own_session:
        os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv, sys.path[0] = words, str(Path(words[0]).parent)


if __name__ == "__main__":
    from stn import transfer  # noqa: F401
    from stn.backend import tf

    assert tf.float32  # TensorFlow is imported when it is first asked for: here, before the forks
    # Not W&B, which makes a folder for pictures at its import: the first fork to end removes it.
    assert "wandb" not in sys.modules
    os.fsync = lambda file: None  # as in conftest
    serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_path(sys.argv[0], run_name="__main__")
