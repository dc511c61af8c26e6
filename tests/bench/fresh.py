"""How long from a fresh clone to an app that answers?

Two ways: with an environment that is there (what every later start takes), and with one that is built from
packages already downloaded.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.apart import ROOT
from tests.bench.browser import TITLE, chromium, missing, serving, wait_for_health
from tests.bench.figure import Figure, Options, at_most, load, reported, skipped

WHAT = "fresh clone → first page shown, small demo"


def run(options: Options) -> Iterator[Figure]:
    """Clone, make the demo company, start, open the first page."""
    if why := missing():
        yield skipped(WHAT, why, bar="≤ 30 s")
        return
    clone, home = options.scratch / "clone", options.scratch / "home"
    with chromium() as browser:
        began = time.perf_counter()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        cloned = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "data", "demo", "--if-empty"],
            cwd=clone,
            env={**os.environ, "EVENHAND_HOME": str(home)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        made = time.perf_counter()
        with serving(home, root=clone) as url:
            wait_for_health(url)
            well = time.perf_counter()
            page = browser.new_page()
            page.goto(url)
            page.wait_for_selector(TITLE, timeout=60_000)
            shown = time.perf_counter()
    yield at_most(
        WHAT,
        shown - began,
        30,
        unit=" s",
        digits=1,
        note=f"clone {cloned - began:.1f}, demo {made - cloned:.1f}, server {well - made:.1f}, "
        f"first page {shown - well:.1f} s; {load()}",
    )
    if not options.quick:
        yield _installation(options, clone, shown - began)


def _installation(options: Options, clone: Path, rest: float) -> Figure:
    wheels = options.kept / "wheels"
    what = f"{WHAT}, with an environment built from downloaded packages"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    got = subprocess.run(
        [*pip, "download", "-r", str(clone / "requirements.txt"), "-d", str(wheels)],
        capture_output=True,
        check=False,
    )
    if got.returncode:
        return skipped(what, "the packages cannot be downloaded")
    began = time.perf_counter()
    environment = options.scratch / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    subprocess.run(
        [environment / "bin" / "python", *pip[1:], "install", "--no-index", "--find-links", str(wheels), "-r",
         str(clone / "requirements.txt")],
        check=True,
    )  # fmt: skip
    took = time.perf_counter() - began
    return reported(what, took + rest, unit=" s", digits=1, note=f"installing {took:.1f} s; {load()}")
