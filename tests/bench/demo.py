"""The medium demo company, built once and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from data.warehouse import Warehouse, contracts_version
from tests.bench.apart import ROOT
from tests.bench.figure import Options


def medium(options: Options) -> Path:
    """Home folder of the medium company under the contracts as they are now."""
    return _built(options, "medium")


def small(options: Options) -> Path:
    """Home folder of the small one."""
    return _built(options, "small")


def _built(options: Options, size: str) -> Path:
    home = options.kept / f"{size}-{contracts_version()}"
    current = Warehouse(home).current() if home.exists() else None
    if current is not None and current.contracts == contracts_version():
        return home
    shutil.rmtree(home, ignore_errors=True)
    fresh = options.scratch / size
    subprocess.run(
        [sys.executable, "-m", "data", "demo", "--size", size],
        cwd=ROOT,
        env={**os.environ, "EVENHAND_HOME": str(fresh)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    home.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(fresh, home)
    return home
