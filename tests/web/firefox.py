"""Firefox for tests of the page, driven by WebDriver BiDi: its own build is not one that Playwright can drive.

Source: WebDriver BiDi, https://w3c.github.io/webdriver-bidi/.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from websockets.sync.client import ClientConnection, connect

LISTENING = "WebDriver BiDi listening on "
PATIENCE = 20.0
PREFERENCES: dict[str, object] = {
    "media.navigator.streams.fake": True,  # the microphone hums a tone
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,  # sound may start without a real click
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.enabled": False,
}


class Firefox:
    """A browser with one tab."""

    def __init__(self, socket: ClientConnection) -> None:
        """Begin a session."""
        self._socket = socket
        self._last = 0
        self.call("session.new", capabilities={})
        self._tab = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its result."""
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv(timeout=PATIENCE))).get("id") != self._last:
            pass  # an event
        assert answer["type"] == "success", answer
        return dict(answer["result"])

    def open(self, url: str) -> None:
        """Load a page."""
        self.call("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page, as if the reader had just clicked."""
        found = self._evaluated(f"Promise.resolve({script}).then(JSON.stringify)")
        return json.loads(found["value"]) if found["type"] == "string" else None

    def wait(self, script: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate(script):
            assert time.monotonic() < end, f"never: {script}"
            time.sleep(0.05)

    def choose(self, selector: str, file: Path) -> None:
        """Choose a file."""
        found = self._evaluated(f"document.querySelector({json.dumps(selector)})")
        self.call("input.setFiles", context=self._tab, element={"sharedId": found["sharedId"]}, files=[str(file)])

    def _evaluated(self, script: str) -> dict[str, Any]:
        target = {"context": self._tab}
        answer = self.call("script.evaluate", expression=script, target=target, awaitPromise=True, userActivation=True)
        assert answer["type"] == "success", answer
        return dict(answer["result"])


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """A browser with a profile in a folder; without Firefox the test is skipped."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("no firefox on this machine")
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    (folder / "user.js").write_text("\n".join(lines))
    command = [program, "--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", "0"]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stderr is not None
            with connect(f"{_address(process.stderr)}/session", max_size=None) as socket:
                yield Firefox(socket)
        finally:
            process.kill()


def _address(output: IO[str]) -> str:
    """Where it listens."""
    for line in output:
        if line.startswith(LISTENING):
            return line.removeprefix(LISTENING).strip()
    raise AssertionError("Firefox does not start")
