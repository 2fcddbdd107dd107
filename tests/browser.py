"""A headless Chromium that a test steers by the DevTools protocol: what it shows, what it asks a
server for.
"""

import fcntl
import itertools
import json
import os
import select
import subprocess
import tempfile
from typing import Any

from made_runs import CHROMIUM

OPTIONS = (
    *(
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-sync",
    ),
    *("--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"),
)
# What the protocol calls the keys that a test presses.
KEYS = {"Tab": 9, "Enter": 13}


class Browser:
    """One process with any number of pages; each message is JSON that ends with a zero byte."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        reads, self._to = _pipe()
        self._from, writes = _pipe()
        # Chromium reads from descriptor 3 and writes to 4.
        command = [
            "bash",
            "-c",
            f'exec "$@" 3<&{reads} 4>&{writes}',
            "bash",
            str(CHROMIUM),
            *OPTIONS,
        ]
        command += [f"--user-data-dir={self._profile.name}"]
        self._process = subprocess.Popen(
            command, pass_fds=(reads, writes), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for descriptor in (reads, writes):
            os.close(descriptor)
        self._numbers, self._rest = itertools.count(1), b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._profile.cleanup()

    def open(self, address: str, width: int = 1200, height: int = 800) -> "Page":
        """A new page at this address, in a window of its own: of the pages of one window only one
        is seen.
        """
        target = self.call("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        page = Page(
            self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        )
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        page.call("Emulation.setDeviceMetricsOverride", **metrics)
        page.call("Network.enable")
        page.call("Page.navigate", url=address)
        return page

    def call(self, method: str, session: str | None = None, **given: Any) -> dict[str, Any]:
        """The answer to a command; what happens meanwhile goes to `events`."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": given} | (
            {"sessionId": session} if session else {}
        )
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self._from], [], [], 120)[0], "the browser says nothing"
            data = os.read(self._from, 1 << 16)
            assert data, "the browser has ended"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


class Page:
    """One page of a browser."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **given)

    def value(self, expression: str) -> Any:
        """What an expression is in the page, as a plain value; a promise is waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str, seconds: int = 60) -> Any:
        """The expression's value once it is true; fails with the page's text if that does not come
        to be.
        """
        look = (
            f"const look = () => {{ try {{ return ({expression}); }} catch {{ return null; }} }};"
        )
        wait = f"const end = Date.now() + {1000 * seconds}; while (!look() && Date.now() < end)"
        wait += " await new Promise(wake => setTimeout(wake, 50));"
        found = self.value(f"(async () => {{ {look} {wait} return look(); }})()")
        assert found, f"{expression}: {found}; the page has: {self.text()}"
        return found

    def text(self) -> str:
        return self.value("document.body.innerText")

    def press(self, key: str) -> None:
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=KEYS[key],
                **text,
            )

    def asked_for(self, part: str) -> list[str]:
        """The addresses with `part` in them that this page has asked for until now."""
        self.value("0")  # so that what happened before it has been read
        sent = [
            each for each in self._browser.events if each["method"] == "Network.requestWillBeSent"
        ]
        own = [
            each["params"]["request"]["url"]
            for each in sent
            if each.get("sessionId") == self._session
        ]
        return [address for address in own if part in address]


def _pipe() -> tuple[int, int]:
    """A pipe whose descriptors are not 3 or 4."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]
