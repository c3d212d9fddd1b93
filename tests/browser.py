"""A page in a real browser: Chromium, headless, driven over its DevTools protocol."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from websocket import create_connection  # comes with Jupyter

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
KEYS = {"ArrowLeft": 37, "ArrowRight": 39, "ArrowDown": 40, "Backspace": 8, "Enter": 13}
_PATIENCE = 60  # seconds; a busy machine starts a browser slowly


def find_browser() -> str | None:
    """Path of a Chromium, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def browser(program: str, profile: Path):
    """A running browser whose storage lies in ``profile``; ended by its own process id."""
    profile.mkdir(parents=True, exist_ok=True)
    port_file = profile / "DevToolsActivePort"
    port_file.unlink(missing_ok=True)
    options = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--remote-debugging-port=0", "--remote-allow-origins=*",
        f"--user-data-dir={profile}", "about:blank",
    ]  # fmt: skip
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(lambda: port_file.is_file() and len(port_file.read_text().splitlines()) > 1, "a start")
        port, path = port_file.read_text().splitlines()[:2]
        yield Page(f"ws://127.0.0.1:{port}{path}")
    finally:
        process.terminate()
        process.wait(timeout=_PATIENCE)


class Page:
    """One tab."""

    def __init__(self, address: str) -> None:
        self._socket = create_connection(address, timeout=_PATIENCE)
        self._number, self._session = 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method: str, **parameters):
        """One command of the protocol; its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._number:  # events in between are of no interest
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def open(self, address: str) -> None:
        """Load a page and wait until it is there."""
        self.get("window.isLeft = true")  # or the page that is there would pass for the same loaded anew
        self.call("Page.navigate", url=address)
        there = f"!window.isLeft && location.href === {address!r} && document.readyState"
        _wait(lambda: self.get(there) == "complete", address)

    def get(self, expression: str):
        """The value of a JavaScript expression."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press and let go a key."""
        known = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **known, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **known)

    def shown(self, name: str) -> bool:
        """Whether the element of this id can be seen."""
        return self.get(f"document.getElementById({name!r}).checkVisibility()")

    def downloads_to(self, folder: Path) -> None:
        """Where saved files go."""
        folder.mkdir(exist_ok=True)
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))


def wait_for(path: Path) -> Path:
    """The file, once it is there and whole."""
    _wait(lambda: path.is_file() and path.stat().st_size > 0, path)
    return path


def _wait(holds, what) -> None:
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end, f"waited {_PATIENCE} s for {what}"
        time.sleep(0.05)
