"""Is a ledger as it was recorded?

Reads    one state of the ledger's file, its key, and heads that were noted down elsewhere.
Returns  `Verification`: the last decision there is, and everything that is wrong, in order.
Source   Crosby & Wallach (2009), USENIX Security 18: a chain shows changes and gaps; what was cut off its
         end, and a chain made anew, show only against a head from elsewhere.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from data.chain import GENESIS, Head, chained_digest, digest_of_person, digest_of_reason, told
from data.problems import Problem

FAULTS_TOLD: Final = 20
"""Faults told one by one; the others are counted."""


@dataclass(frozen=True)
class Verification:
    """Whether a ledger is as it was recorded.

    Attributes
    ----------
    head
        The last decision there is.
    faults
        What is wrong, the first of them; empty if all is well.
    more
        How many faults there are besides.
    """

    head: Head
    faults: tuple[Problem, ...] = ()
    more: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def audit(
    read: sqlite3.Connection, *, secret: bytes, steps: Sequence[str], erasing: str, against: Iterable[Head]
) -> Verification:
    """Find any change, gap or false name; and, against heads noted down before, whether any was cut off.

    Parameters
    ----------
    read
        A connection with one state of the file.
    secret
        The key of the installation.
    steps
        The scripts that made the file.
    erasing
        The kind of decision by which people and reasons are erased; its body names them.
    against
        Heads this ledger had at some time.
    """
    found = _Audit(secret, erasing, {noted for noted in against if noted != GENESIS})
    try:
        found.file(read, steps)
        found.people(read)
        found.decisions(read)
    except sqlite3.DatabaseError as error:
        found.damaged(str(error))
    found.conclude()
    return Verification(found.head, tuple(found.told), found.more)


class _Audit:
    """Faults in the order they are found, the first ones told and the others counted."""

    def __init__(self, secret: bytes, erasing: str, noted: set[Head]) -> None:
        self.head = GENESIS
        self.told: list[Problem] = []
        self.more = 0
        self._secret = secret
        self._erasing = erasing
        self._noted = noted
        self._known: set[str] = set()
        self._people_gone: dict[str, int] = {}
        self._reasons_gone: list[int] = []
        self._people_erased: set[str] = set()
        self._reasons_erased: set[int] = set()
        self._revisions: dict[tuple[str, str], int] = {}

    def file(self, read: sqlite3.Connection, steps: Sequence[str]) -> None:
        """Whether the file is whole, and what refuses changes is all there, as it was made."""
        ((said,),) = read.execute("PRAGMA integrity_check(1)").fetchall()
        if said != "ok":
            self.damaged(said)
        parts = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        with closing(sqlite3.connect(":memory:")) as made:
            for script in steps:
                made.executescript(script)
            wanted = dict(made.execute(parts).fetchall())
        there = dict(read.execute(parts).fetchall())
        for name in sorted(set(wanted) | set(there)):
            if wanted.get(name) != there.get(name):
                self._tell(
                    Problem(
                        "{name}, which guards the ledger, was removed or changed: decisions could be "
                        "altered since. Restore the ledger from a backup.",
                        name=name,
                    )
                )

    def people(self, read: sqlite3.Connection) -> None:
        """Whether those behind the decisions are the ones the chain was made with."""
        rows = read.execute("SELECT keyed, salt, namespace, id, name, employee_id FROM people ORDER BY keyed")
        for keyed, salt, *person in rows:
            self._known.add(keyed)
            if keyed != digest_of_person(self._secret, salt, person):
                self._tell(
                    Problem("Another name was put behind the decisions of {person}.", person=keyed[:12])
                )

    def decisions(self, read: sqlite3.Connection) -> None:
        """Whether each decision follows from the one before, and its reason is the one it was made with."""
        rows = read.execute(
            "SELECT d.entry, d.record, d.digest, d.kind, d.key, d.revision, d.by, r.salt, r.text"
            " FROM decisions d LEFT JOIN reasons r ON r.entry = d.entry ORDER BY d.entry"
        )
        for entry, record, digest, *columns, salt, text in rows:
            if entry > self.head.entry + 1:
                first, last = self.head.entry + 1, entry - 1
                self._tell(Problem("Decisions {first} to {last} are missing.", first=first, last=last))
            elif digest != chained_digest(self.head.digest, record):
                self._tell(Problem("Decision {entry} is not as it was recorded.", entry=entry))
            self.head = Head(entry, digest)
            self._noted.discard(self.head)
            try:
                found = told(record, entry=entry)
                if not self._follows(found, columns):
                    raise ValueError(entry)
                self._beside(found, entry, salt, text)
            except (ValueError, LookupError, TypeError):
                self._tell(Problem("Decision {entry} was not written by Evenhand.", entry=entry))

    def damaged(self, reason: str) -> None:
        """The file itself is broken."""
        self._tell(
            Problem("The file of the ledger is damaged: {reason}. Restore it from a backup.", reason=reason)
        )

    def conclude(self) -> None:
        """What is known only at the end: what was erased by a decision, and which heads were never met."""
        for entry in (n for keyed, n in self._people_gone.items() if keyed not in self._people_erased):
            self._tell(
                Problem("Who made decision {entry} is gone, and nobody recorded erasing it.", entry=entry)
            )
        for entry in (n for n in self._reasons_gone if n not in self._reasons_erased):
            self._tell(
                Problem(
                    "The reason of decision {entry} is gone, and nobody recorded erasing it.", entry=entry
                )
            )
        for noted in sorted(self._noted, key=str):
            self._tell(
                Problem(
                    "Decision {entry} is not the one that was noted down ({digest}): decisions were cut off "
                    "or made anew.",
                    entry=noted.entry,
                    digest=noted.digest,
                )
            )

    def _follows(self, found: dict[str, Any], columns: list[object]) -> bool:
        matter = (found["kind"], found["key"])
        self._revisions[matter] = self._revisions.get(matter, 0) + 1
        return (
            columns == [found[name] for name in ("kind", "key", "revision", "by")]
            and found["revision"] == self._revisions[matter]
        )

    def _beside(self, found: dict[str, Any], entry: int, salt: str | None, text: str | None) -> None:
        """What is kept beside the chain for one decision."""
        if found["kind"] == self._erasing:
            self._people_erased.update(found["body"]["people"])
            self._reasons_erased.update(found["body"]["reasons"])
        if found["by"] not in self._known:
            self._people_gone.setdefault(found["by"], entry)
        if salt is None or text is None:
            self._reasons_gone.append(entry)
        elif found["reason"] != digest_of_reason(salt, text):
            self._tell(Problem("The reason of decision {entry} is not as it was recorded.", entry=entry))

    def _tell(self, fault: Problem) -> None:
        if len(self.told) < FAULTS_TOLD:
            self.told.append(fault)
        else:
            self.more += 1
