"""Writers that are killed lose no decision that was confirmed, and leave no half of one.

`kill_writers` kills real processes at random moments; run it with more kills from a shell to be surer.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from data.ledger import ACKNOWLEDGE_WARNING, Ledger

ROOT = Path(__file__).parents[2]
WRITER = """
import sys
from pathlib import Path
from data.access import Role
from data.ledger import Ledger
from data.sign_in import local_viewer
ledger, who = Ledger(Path(sys.argv[1])), local_viewer(Role.MANAGER, employee_id=sys.argv[2])
with open(sys.argv[3], "w", buffering=1) as confirmed:
    confirmed.write("begun\\n")
    for n in range(1_000_000):
        key = f"{sys.argv[2]}/{n}"
        made = ledger.append(who, "acknowledge_warning", key=key, body={}, reason=key, expected=0)
        confirmed.write(f"{made.entry} {made.digest} {key}\\n")
"""


@dataclass(frozen=True)
class Tally:
    """What became of a series of kills.

    Attributes
    ----------
    kills
        Processes that died by our hand, all of them while writing.
    confirmed
        Decisions whose writer was told that they are recorded.
    lost
        Of these, those that are not there as they were confirmed.
    unsound
        Rounds after which the chain did not verify, or no longer held a head it had before.
    """

    kills: int
    confirmed: int
    lost: int
    unsound: int


def kill_writers(home: Path, folder: Path, *, rounds: int, writers: int, seed: int) -> Tally:
    """Let several processes decide, and kill all of them at a random moment; again and again.

    Parameters
    ----------
    home
        An empty home folder.
    folder
        Where writers note what was confirmed to them.
    rounds, writers
        How often, and how many at once.
    seed
        Of the moments.
    """
    draw = random.Random(seed)
    confirmed: dict[int, tuple[str, str]] = {}
    heads, kills, unsound = [], 0, 0
    for turn in range(rounds):
        notes = [folder / f"{turn}-{n}" for n in range(writers)]
        running = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(home), note.name, str(note)],
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            for note in notes
        ]
        while not all(note.exists() and note.read_text() for note in notes):
            died = [process.stderr.read() for process in running if process.poll() and process.stderr]
            assert died == []
            time.sleep(0.005)
        for process in running:
            time.sleep(draw.uniform(0, 0.15))
            process.kill()
        for process in running:
            process.wait()
            kills += process.returncode == -9
            if process.stderr:
                process.stderr.close()
        for note in notes:
            # The last line may be cut: then nobody was told.
            for line in note.read_text().splitlines(keepends=True)[1:]:
                if line.endswith("\n"):
                    entry, digest, key = line.split()
                    confirmed[int(entry)] = (digest, key)
        with closing(Ledger(home)) as ledger:
            heads.append(ledger.head())
            unsound += not ledger.verify(against=heads).is_sound
    with closing(Ledger(home)) as ledger:
        there = {
            decision.entry: (decision.digest, decision.key)
            for decision in ledger.state(ACKNOWLEDGE_WARNING).values()
        }
    lost = sum(there.get(entry) != told for entry, told in confirmed.items())
    return Tally(kills, len(confirmed), lost, unsound)


def test_killed_writers_lose_nothing_that_was_confirmed(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    tally = kill_writers(tmp_path / "home", folder, rounds=4, writers=4, seed=20260914)
    assert tally.kills == 16
    assert tally.confirmed > 16
    assert (tally.lost, tally.unsound) == (0, 0)
