"""A running server with a home of its own, an identity provider, and a browser."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SECRET = "5f1c9a7be0d24386a9c15d7e3b8f60427c6d91e8ab3f05d4"
PEOPLE = {
    "hr": {"email": "hr@firm.test", "name": "Hu Rong", "groups": ["evenhand-hr", "everybody"]},
    "worker": {"email": "worker@firm.test", "name": "Wen Ke", "email_verified": True},
    "stranger": {"email": "stranger@firm.test", "name": "Sheng Ren", "email_verified": True},
}
ROLES = """
ask = "the HR systems desk"

[claim]
name = "groups"
[claim.roles]
"evenhand-hr" = ["hr_leadership"]

[people."worker@firm.test"]
roles = ["employee"]
employee_id = "E7"
"""


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    url: str
    home: Path
    process: subprocess.Popen[bytes]


Start = Callable[..., Running]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a server on a free loopback port, with a home of its own; stops all of them afterwards.

    Without ``provider`` in local mode; ``script`` is the real app unless named; ``home`` may bring data.
    """
    started: list[subprocess.Popen[bytes]] = []

    def run(
        *,
        provider: str | None = None,
        script: Path = ROOT / "app.py",
        home: Path | None = None,
        **environment: str,
    ) -> Running:
        home = home or tmp_path_factory.mktemp("home")
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        (home / "secrets.toml").write_text(secrets_toml(url, provider) if provider else "")
        (home / "roles.toml").write_text(ROLES)
        begin = (
            "import sys; from pathlib import Path; from pages.kit.server import main;"
            "sys.exit(main(['--port', sys.argv[1]], script=Path(sys.argv[2])))"
        )
        with (home / "server.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", begin, str(port), str(script)],
                cwd=ROOT,
                env={**os.environ, "EVENHAND_HOME": str(home), **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        started.append(process)
        wait_for(f"{url}/health", process)
        return Running(url, home, process)

    yield run
    for process in started:
        stop(process)


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    """A real OpenID provider in a process of its own."""
    port = free_port()
    claims = [["--user-claims", json.dumps({"sub": sub, **said})] for sub, said in PEOPLE.items()]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "oidc_provider_mock",
            "-p",
            str(port),
            *(part for pair in claims for part in pair),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    wait_for(f"{url}/.well-known/openid-configuration", process)
    yield url
    stop(process)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, started once a module: while it runs, its event loop would stand in the way of others."""
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=SWITCHES)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a profile of its own, in English."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def secrets_toml(url: str, provider: str) -> str:
    """Sign-in at that provider."""
    return f"""
[auth]
redirect_uri = "{url}/oauth2callback"
cookie_secret = "{SECRET}"
client_id = "evenhand"
client_secret = "known-to-the-provider"
server_metadata_url = "{provider}/.well-known/openid-configuration"
client_kwargs = {{ scope = "openid email profile", prompt = "login" }}
"""


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 40) -> None:
    """Until it answers; fails at once if the process ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the process for {url} ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise TimeoutError(url)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and wait for it."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
