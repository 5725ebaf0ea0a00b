"""A headless Chromium, driven through the DevTools protocol over a pair of pipes
(--remote-debugging-pipe).

Messages are JSON objects ended by a zero byte: commands to the browser's file 3, answers and events
from its file 4.
"""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-background-networking",
)
PATIENCE = 60.0  # seconds for one answer: the machine may be busy


def binary() -> str | None:
    """The browser's path, None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One page: `call` sends a command, `events` holds everything the page has told since."""

    def __init__(self, out: int, back: int) -> None:
        self.out, self.back, self.rest, self.sent = out, back, b"", 0
        self.events: list[dict[str, Any]] = []
        self.session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self.rest:
            if time.monotonic() > deadline:
                raise TimeoutError("the browser gave no answer")
            try:
                read = os.read(self.back, 1 << 20)
            except BlockingIOError:
                time.sleep(0.01)
                continue
            if not read:
                raise EOFError("the browser has ended")
            self.rest += read
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; RuntimeError with the browser's words where it
        refuses.
        """
        self.sent += 1
        message: dict[str, Any] = {"id": self.sent, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self.sent:
                break
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def open(self, path: Path) -> None:
        """Load a file and wait until the page and its images are there."""
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; RuntimeError where it throws."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true; TimeoutError where it does not become so."""
        deadline = time.monotonic() + PATIENCE
        while not self.ask(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"still not true: {expression}")
            time.sleep(0.02)

    def size(self, width: int, height: int = 900) -> None:
        """Set the window's size in CSS pixels; below 600 wide it is a phone."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def scheme(self, name: str) -> None:
        """Let the reader prefer "light" or "dark"."""
        self.call(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}]
        )

    def press(self, key: str) -> None:
        """Press and release a key by its name, as "ArrowRight" or "Tab"."""
        code = {"Tab": 9, "Enter": 13, "Escape": 27}.get(key, 0)
        text = {"text": "\r"} if key == "Enter" else {}
        self.call(
            "Input.dispatchKeyEvent",
            type="keyDown",
            key=key,
            code=key,
            windowsVirtualKeyCode=code,
            **text,
        )
        self.call(
            "Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code
        )

    def point(self, x: float, y: float) -> None:
        """Move the pointer to a place in the window."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Save what is seen, or the whole page, as PNG."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))


def _far(ends: tuple[int, int]) -> list[int]:
    """The ends of a pipe above the files 3 and 4, which the browser's ends are copied to."""
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved


@contextmanager
def tab(program: str, profile: Path) -> Iterator[Tab]:
    """A page of a new browser with an empty profile; the browser ends with the block."""
    (theirs_in, out), (back, theirs_out) = _far(os.pipe()), _far(os.pipe())
    os.set_blocking(back, False)
    start = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out} </dev/null >/dev/null 2>&1'
    command = ["bash", "-c", start, program, *OPTIONS, f"--user-data-dir={profile}"]
    process = subprocess.Popen(command, pass_fds=(theirs_in, theirs_out))
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Tab(out, back)
    finally:
        os.close(out)
        process.terminate()
        process.wait(PATIENCE)
        os.close(back)
