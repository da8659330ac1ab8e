"""Firefox, driven by Marionette: length-prefixed JSON over a socket."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.processes import TEST_TIMEOUT

FIREFOX = "/usr/bin/firefox-esr"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element's reference: WebDriver, section "Elements"."""

PREFERENCES = {
    "marionette.port": 0,
    "browser.sessionhistory.max_total_viewers": -1,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
}


class MarionetteError(Exception):
    """The error that Firefox returns to a failed command."""


class Firefox:
    """A headless Firefox for the duration of a ``with`` block, with its back-forward cache enabled as shipped."""

    def __init__(self, folder: Path, scripts: bool = True) -> None:
        self.folder, self.count = folder, 0
        folder.mkdir()
        wanted = {**PREFERENCES, "javascript.enabled": scripts}
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in wanted.items())
        (folder / "user.js").write_text("\n".join(lines))

    def __enter__(self) -> Firefox:
        command = [FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        port = next(
            (int(m[1]) for line in self.process.stdout if (m := re.search(r"Listening on port (\d+)", line))), 0
        )
        assert port, "Firefox ended"
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TEST_TIMEOUT)
        self._read()
        self.send_command("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.send_command("Marionette:Quit", flags=["eForceQuit"])
        self.socket.close()
        self.process.wait(TEST_TIMEOUT)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def send_command(self, command: str, **parameters: Any) -> Any:
        """Send a command, and return its result. Raises MarionetteError."""
        self.count += 1
        text = json.dumps([0, self.count, command, parameters])
        self.socket.sendall(f"{len(text.encode())}:{text}".encode())
        _, _, error, result = self._read()
        if error:
            raise MarionetteError(error["message"])
        return result["value"] if isinstance(result, dict) and set(result) == {"value"} else result

    def open(self, address: str) -> None:
        self.send_command("WebDriver:Navigate", url=address)

    def back(self) -> None:
        self.send_command("WebDriver:Back")

    @property
    def address(self) -> str:
        return str(self.send_command("WebDriver:GetCurrentURL"))

    @property
    def source(self) -> str:
        return str(self.send_command("WebDriver:GetPageSource"))

    def find(self, selector: str) -> str:
        return str(self.send_command("WebDriver:FindElement", using="css selector", value=selector)[ELEMENT])

    def press(self, selector: str) -> None:
        """Click an element that leads to another page; Marionette waits for the page."""
        self.send_command("WebDriver:ElementClick", id=self.find(selector))

    def choose(self, selector: str) -> None:
        """Choose a radio button with the space bar, because the masthead may cover it for the pointer."""
        self.send_command("WebDriver:ElementSendKeys", id=self.find(selector), text=" ")

    def type(self, selector: str, text: str) -> None:
        found = self.find(selector)
        self.send_command("WebDriver:ElementClear", id=found)
        self.send_command("WebDriver:ElementSendKeys", id=found, text=text)

    def _read(self) -> Any:
        size = b""
        while not size.endswith(b":"):
            size += self._bytes(1)
        return json.loads(self._bytes(int(size[:-1])))

    def _bytes(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            more = self.socket.recv(count - len(found))
            assert more, "Firefox ended"
            found += more
        return found
