"""What tests of several layers share."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from data import demo
from data.importing import run_import


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the small demo company; whichever worker comes first builds it."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if os.environ.get("PYTEST_XDIST_WORKER") else shared
    home, done = shared / "demo-home", shared / "demo-home-done"
    try:
        home.mkdir()
    except FileExistsError:
        deadline = time.monotonic() + 300
        while not done.exists():
            assert time.monotonic() < deadline, "the other worker did not finish the demo company"
            time.sleep(0.1)
        return home
    made = demo.write(home / "demo", size="small")
    run_import([made.exports], home=home, as_of=demo.AS_OF, now=datetime(2026, 10, 1, tzinfo=UTC))
    # Once for all workers and for every server they start.
    subprocess.run(
        [sys.executable, "-m", "pages.kit.learn"],
        cwd=Path(__file__).resolve().parents[1],
        env={**os.environ, "EVENHAND_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    done.touch()
    return home
