"""Run a function in a process of its own, and say how long it took and how much memory it held.

Memory is the high-water mark of the new process and of those it waited for, so that nothing the bench
itself holds counts.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_MARK = "measured apart: "


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes
    ----------
    value
        What the function returned, through JSON.
    seconds, cpu
        Wall and processor time of the call; imports and start of the process do not count.
    memory
        Highest resident memory in GB (10⁹ bytes) of the process, or of one it started if that is more.
    """

    value: Any
    seconds: float
    cpu: float
    memory: float


def apart(function: Callable[..., Any], *arguments: Any, env: Mapping[str, str] | None = None) -> Outcome:
    """Call a function of a module in a process of its own.

    Parameters
    ----------
    function
        Stands at the top of its module; takes and returns what JSON can say.
    *arguments
        What it takes.
    env
        Beside the environment of this process.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, function.__module__, function.__name__, json.dumps(arguments)],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if done.returncode or not found:
        raise RuntimeError(f"{function.__name__} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return Outcome(**json.loads(found[-1].removeprefix(_MARK)))


def _highest() -> float:
    status = Path("/proc/self/status")
    own = (
        next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        if status.exists()
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )
    started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(own, started) * 1024 / 1e9


def _main(module: str, name: str, arguments: str) -> None:
    function = getattr(importlib.import_module(module), name)
    began, worked = time.perf_counter(), time.process_time()
    value = function(*json.loads(arguments))
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    sys.stdout.write(
        f"\n{_MARK}{json.dumps({'value': value, 'seconds': seconds, 'cpu': cpu, 'memory': _highest()})}\n"
    )


if __name__ == "__main__":
    _main(*sys.argv[1:])
