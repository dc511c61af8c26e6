"""An import that is killed leaves the last good version in force, whole, and the next import goes through.

`kill_imports` kills the real process at random moments; the bench runs it with many more kills.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import narwhals as nw

from data.verification import verify
from data.warehouse import Warehouse

ROWS = 4_000
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Tally:
    """What became of a series of kills.

    Attributes
    ----------
    kills
        Processes that died by our hand.
    finished
        Processes that were done before the kill came.
    published
        Killed processes whose version was in force all the same: they died after the last step.
    broken
        Versions that could not be opened or broke a rule, afterwards.
    lost
        Rows missing that a finished import had put in, or that were there only in part.
    """

    kills: int
    finished: int
    published: int
    broken: int
    lost: int


def kill_imports(home: Path, folder: Path, *, kills: int, seed: int) -> Tally:
    """Import file after file, killing the process at a random moment of each import.

    Parameters
    ----------
    home
        An empty home folder.
    folder
        Where to write the files to import.
    kills
        How many processes to kill.
    seed
        Of the moments.
    """
    draw = random.Random(seed)
    warehouse = Warehouse(home)
    base = _people(folder, 0)
    process = _start(home, base)
    began = _wait_for_draft(warehouse, process)
    while process.poll() is None and warehouse.current() is None:
        time.sleep(0.002)
    lasts = time.monotonic() - began
    assert process.wait() == 0, "the import that nobody kills must go through"
    expected = {0}
    done, finished, published, broken, lost = 0, 0, 0, 0, 0
    number = 0
    while done < kills:
        number += 1
        process = _start(home, _people(folder, number))
        began = _wait_for_draft(warehouse, process)
        time.sleep(max(0.0, began + draw.uniform(0, 1.1 * lasts) - time.monotonic()))
        process.kill()
        killed = process.wait() != 0
        done += killed
        finished += not killed
        if not killed:
            lasts *= 0.8  # the first import was a slow one: aim earlier
        found = _imports_in(warehouse)
        if found is None:
            broken += 1
            continue
        there = {n for n, rows in found.items() if rows == ROWS}
        if killed and number in there:
            published += 1
            expected.add(number)
        if not killed:
            expected.add(number)
        lost += len(expected ^ there) + sum(rows != ROWS for rows in found.values())
    last = number + 1
    assert _start(home, _people(folder, last)).wait() == 0, "after all kills an import must go through"
    if _imports_in(warehouse) != dict.fromkeys({*expected, last}, ROWS):
        lost += 1
    current = warehouse.current()
    broken += current is None or verify(current).height
    assert not list(warehouse.folder.glob(".draft-*")), "drafts of killed imports must be swept"
    files = {path.name for path in warehouse.folder.glob("*.duckdb")}
    assert files == {version.path.name for version in warehouse.versions()}
    return Tally(done, finished, published, broken, lost)


def _people(folder: Path, number: int) -> Path:
    """A roster of people nobody else brings."""
    path = folder / f"people-{number}.csv"
    rows = "".join(f"{number}-{i},Person {i},p{i}@{number}.example,2020-01-01\n" for i in range(ROWS))
    path.write_text(f"employee_id,display_name,email,hire_date\n{rows}", encoding="utf-8")
    return path


def _start(home: Path, path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "data", "import", str(path)],
        cwd=ROOT,
        env={**os.environ, "EVENHAND_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _wait_for_draft(warehouse: Warehouse, process: subprocess.Popen[bytes]) -> float:
    """Wait until the import has begun; leftovers of the last kill do not count, for it sweeps them first."""
    before = set(warehouse.folder.glob(".draft-*"))
    while process.poll() is None and not set(warehouse.folder.glob(".draft-*")) - before:
        time.sleep(0.002)
    return time.monotonic()


def _imports_in(warehouse: Warehouse) -> dict[int, int] | None:
    """Number of each import → its rows, or None if the current version cannot be read."""
    try:
        people = warehouse.open().query(lambda tables: tables("employees").select(nw.col("employee_id")))
    except Exception:
        return None
    numbers = people["employee_id"].str.split("-").list.first().value_counts()
    return {int(number): rows for number, rows in numbers.iter_rows()}


def test_killed_imports_break_nothing_and_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    tally = kill_imports(tmp_path / "home", folder, kills=6, seed=20260301)
    assert tally.kills == 6
    assert (tally.broken, tally.lost) == (0, 0)
