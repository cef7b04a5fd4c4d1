"""Debian's headless Chromium, driven by its ChromeDriver over the WebDriver protocol (https://www.w3.org/TR/webdriver2/)."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Browser", "chromium"]

DEADLINE_SECONDS = 120.0
ARGUMENTS = [
    "--headless",
    "--no-sandbox",  # it does not run as root otherwise; it visits the tests' own pages alone
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Browser:
    """One window."""

    def __init__(self, port: int, profile: Path) -> None:
        self._port = port
        options = {"args": [*ARGUMENTS, f"--user-data-dir={profile}"]}
        wanted = {"acceptInsecureCerts": True, "goog:chromeOptions": options}  # the server's certificate is the tests'
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE_SECONDS)
        connection.request(method, path, json.dumps(body) if method == "POST" else None)
        said = json.loads(connection.getresponse().read())["value"]
        connection.close()
        assert not (isinstance(said, dict) and "error" in said), said
        return said

    def visit(self, url: str) -> None:
        """Open a page, and wait until it is there."""
        self._ask("POST", f"{self._session}/url", {"url": url})

    @property
    def title(self) -> str:
        """What the window is called."""
        title: str = self._ask("GET", f"{self._session}/title")
        return title

    def text(self, selector: str) -> str:
        """Return the text that a person sees of an element."""
        (element,) = self._ask(
            "POST", f"{self._session}/element", {"using": "css selector", "value": selector}
        ).values()
        text: str = self._ask("GET", f"{self._session}/element/{element}/text")
        return text

    def close(self) -> None:
        """End Chromium."""
        self._ask("DELETE", self._session)


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """Run a browser with an empty profile until the block ends."""
    command = ["chromedriver", "--port=0", f"--log-path={folder / 'chromedriver.log'}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            port = next(int(found[1]) for line in driver.stdout if (found := re.search(r"on port (\d+)\.", line)))
            browser = Browser(port, folder / "profile")
            try:
                yield browser
            finally:
                browser.close()
        finally:
            driver.terminate()
