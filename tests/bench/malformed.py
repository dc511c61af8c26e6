"""Does a malformed file ever bring anything but a clear message?"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from data.__main__ import main as command
from tests.bench.apart import ROOT, apart
from tests.bench.figure import Figure, Options, none_of, reported
from tests.exports.fuzz import broken

SEED = 20260427


def run(options: Options) -> Iterator[Figure]:
    """Check every broken file as the command line does; some of them in a process of their own."""
    count = 60 if options.quick else 600
    folder, home = options.scratch / "in", {"EVENHAND_HOME": str(options.scratch / "home")}
    apart(write, str(folder), count)
    outcome = apart(checked, str(folder), env=home)
    found = outcome.value
    yield none_of(
        "malformed files: exceptions",
        len(found["raised"]),
        of=f"{count} files",
        note="; ".join(found["raised"][:5]) or f"{found['codes']} by exit code; {outcome.memory:.2f} GB",
    )
    yield none_of(
        "malformed files: no message, or none that names the file",
        len(found["mute"]),
        of=f"{count} files",
        note="; ".join(found["mute"][:5]),
    )
    yield reported(
        "malformed files for which only the general message is left",
        len(found["general"]),
        unit=f" of {count}",
        digits=0,
        note="; ".join(found["general"][:5]),
    )
    files = sorted(path for path in folder.iterdir() if path.is_file())[:: 12 if options.quick else 20]
    traced = [path.name for path in files if _leaves_a_trace(path, home)]
    yield none_of(
        "malformed files: tracebacks shown by the real command", len(traced), of=f"{len(files)} files",
        note="; ".join(traced[:5]),
    )  # fmt: skip


def write(folder: str, count: int) -> int:
    """Write the files; how many."""
    return sum(1 for _ in broken(Path(folder), count, SEED))


def checked(folder: str) -> dict[str, object]:
    """`python -m data check` of each file of a folder, in this process."""
    raised: list[str] = []
    mute: list[str] = []
    general: list[str] = []
    codes: Counter[int] = Counter()
    for path in sorted(path for path in Path(folder).iterdir() if path.is_file()):
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                codes[command(["check", str(path)])] += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            raised.append(f"{path.name}: {type(error).__name__}: {str(error)[:120]}")
            continue
        text = said.getvalue()
        if not text.strip() or path.name not in text:
            mute.append(f"{path.name}: {text.strip()[:120]!r}")
        if "cannot be read (" in text or "This did not work" in text:
            general.append(f"{path.name}: {text.strip().splitlines()[0][:160]}")
    return {"raised": raised, "mute": mute, "general": general, "codes": dict(codes)}


def _leaves_a_trace(path: Path, home: dict[str, str]) -> bool:
    done = subprocess.run(
        [sys.executable, "-m", "data", "check", str(path)],
        cwd=ROOT,
        env={**os.environ, **home},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    return "Traceback" in said or path.name not in said
