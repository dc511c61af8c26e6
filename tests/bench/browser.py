"""The server in a process of its own, and Chromium in front of it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

from tests.bench.apart import ROOT

CHROMIUM: Final = Path("/usr/bin/chromium")
TITLE: Final = "h1.eh-title"
AT_REST: Final = '[data-testid="stApp"][data-test-script-state="notRunning"]'


@contextlib.contextmanager
def serving(home: Path, *, root: Path = ROOT, script: Path | None = None) -> Iterator[str]:
    """Start the server of a checkout on a free port; its address, at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "pages.kit.server", "--port", port]
    if script is not None:
        begin = (
            "import sys; from pathlib import Path; from pages.kit.server import main;"
            "sys.exit(main(['--port', sys.argv[1]], script=Path(sys.argv[2])))"
        )
        command = [sys.executable, "-c", begin, port, str(script)]
    home.mkdir(parents=True, exist_ok=True)
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=root,
            env={**os.environ, "EVENHAND_HOME": str(home)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_health(url: str, seconds: float = 120) -> None:
    """Until the server says it is well."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise TimeoutError(url)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        yield found
        found.close()


def missing() -> str:
    """Why no browser can be had; empty if it can."""
    return "" if CHROMIUM.exists() else f"no Chromium at {CHROMIUM}"


def settled(page: Page, *, seconds: float = 60) -> None:
    """Until the page has its title and the script behind it rests."""
    page.wait_for_selector(TITLE, timeout=1000 * seconds)
    page.wait_for_selector(AT_REST, timeout=1000 * seconds)
