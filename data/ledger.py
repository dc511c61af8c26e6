"""What was decided here, by whom, when and why: the only thing that a person's action ever writes.

Reads    decisions as the pages report them, each on what the person saw.
Returns  the decision that stands on each matter (`Ledger.state`), all on one (`Ledger.history`), and whether
         all of them are as they were recorded (`Ledger.verify`).
Source   Haber & Stornetta (1991), J. Cryptology 3(2), doi:10.1007/BF00196791 (chained digests);
         Crosby & Wallach (2009), USENIX Security 18 (why a head must be noted elsewhere).

One SQLite file, ``ledger.sqlite`` in the home folder, shared by all server processes of a host, and
``ledger.key`` beside it. Several hosts that write one ledger would need a database server; that is not here.

How it holds
------------
appended    A decision is never changed or removed: triggers refuse it. A correction is a new decision that
            names the old one.
chained     Each decision is a line of canonical JSON, and its digest is SHA-256 of the digest before it and
            that line. A change, a gap or another order breaks the chain. A cut at the end, or a whole chain
            made anew, breaks none: they are seen against a `Head` that was noted down elsewhere.
in turn     A decision names the revision of the matter that the person saw. Of two who act on the same, the
            second is refused with what the first decided (`ConflictError`), never merged.
erasable    The chain holds nobody's name or id, and no free text: people stand in it by a digest under the
            installation's key and a salt of their own, and reasons by a digest with a salt of their own. What
            these mean is kept beside the chain. `Ledger.forget` removes it, and the chain stays whole; with
            the salt gone, not even the key leads back to the person. Backups keep what they hold.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import polars as pl

from data.access import ROLES, Permission, Viewer
from data.auditing import Verification, audit
from data.chain import (
    GENESIS,
    Head,
    canonical,
    chained_digest,
    digest_of_person,
    digest_of_reason,
    told,
    written,
)
from data.problems import Problem
from data.sqlite import Columns, Store

Body: TypeAlias = "str | int | date | list[Body] | tuple[Body, ...] | Mapping[str, Body] | None"
"""What a decision says: texts, whole numbers, yes and no, days and moments, lists and mappings of them."""

LONGEST_REASON: Final = 2000
"""Characters."""
LONGEST_TEXT: Final = 200
"""Characters of a key or a text in a body: ids and names of kinds, no prose."""


_FIRST: Final = """
CREATE TABLE decisions (
    entry  INTEGER PRIMARY KEY,
    record TEXT NOT NULL,
    digest TEXT NOT NULL,
    kind     TEXT    NOT NULL GENERATED ALWAYS AS (json_extract(record, '$.kind')) STORED,
    key      TEXT    NOT NULL GENERATED ALWAYS AS (json_extract(record, '$.key')) STORED,
    revision INTEGER NOT NULL GENERATED ALWAYS AS (json_extract(record, '$.revision')) STORED,
    by       TEXT    NOT NULL GENERATED ALWAYS AS (json_extract(record, '$.by')) STORED,
    UNIQUE (kind, key, revision)
) STRICT;
CREATE TABLE people (
    keyed       TEXT PRIMARY KEY,
    salt        TEXT NOT NULL,
    namespace   TEXT NOT NULL,
    id          TEXT NOT NULL,
    name        TEXT NOT NULL,
    employee_id TEXT NOT NULL,
    UNIQUE (namespace, id, name, employee_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE reasons (
    entry INTEGER PRIMARY KEY,
    salt  TEXT NOT NULL,
    text  TEXT NOT NULL
) STRICT;
CREATE TRIGGER decisions_are_never_changed BEFORE UPDATE ON decisions
    BEGIN SELECT RAISE(ABORT, 'decisions are never changed'); END;
CREATE TRIGGER decisions_are_never_removed BEFORE DELETE ON decisions
    BEGIN SELECT RAISE(ABORT, 'decisions are never removed'); END;
CREATE TRIGGER decisions_are_only_appended BEFORE INSERT ON decisions
    WHEN NEW.entry <> (SELECT coalesce(max(entry), 0) + 1 FROM decisions)
      OR EXISTS (SELECT 1 FROM decisions
                 WHERE kind = json_extract(NEW.record, '$.kind') AND key = json_extract(NEW.record, '$.key')
                   AND revision = json_extract(NEW.record, '$.revision'))
    BEGIN SELECT RAISE(ABORT, 'decisions are only appended'); END;
CREATE TRIGGER people_are_never_changed BEFORE UPDATE ON people
    BEGIN SELECT RAISE(ABORT, 'who stands behind a decision is never changed'); END;
CREATE TRIGGER reasons_are_never_changed BEFORE UPDATE ON reasons
    BEGIN SELECT RAISE(ABORT, 'reasons are never changed'); END;
"""
_SECRET: Final = re.compile(rb"[0-9a-f]{64}")
_BLANK: Final = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and signs by name, but nothing to be seen."""
_OF_PERSON: Final = "FROM people WHERE :person <> '' AND :person IN (id, employee_id)"
"""Nobody goes by no id: an empty one would be everybody whose employee id is not known."""
_LAST: Final = "SELECT entry, digest FROM decisions ORDER BY entry DESC LIMIT 1"
_FRAME: Final[Columns] = {
    "entry": pl.Int64,
    "at": pl.Datetime("ms", "UTC"),
    "name": pl.String,
    "roles": pl.List(pl.String),
    "kind": pl.String,
    "key": pl.String,
    "revision": pl.Int64,
    "body": pl.String,
    "reason": pl.String,
    "corrects": pl.Int64,
    "digest": pl.String,
}


@dataclass(frozen=True)
class Kind:
    """A kind of decision.

    Attributes
    ----------
    needs
        The permission to decide so.
    says
        What its body may hold. Nothing that names a person.
    about_people
        Whether its key is an employee id, which the chain then holds as a digest.
    """

    needs: Permission
    says: frozenset[str]
    about_people: bool = False


ACKNOWLEDGE_WARNING: Final = "acknowledge_warning"
FORGET_PERSON: Final = "forget_person"

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        ACKNOWLEDGE_WARNING: Kind(
            Permission.ACKNOWLEDGE_WARNINGS,
            frozenset({"goal_id", "warning", "arose_on", "delay_percent", "version", "rules", "taken_back"}),
        ),
        FORGET_PERSON: Kind(Permission.FORGET_PEOPLE, frozenset({"people", "reasons"})),
    }
)
"""Kinds of decisions. Within whose reach the matter lies is for the page to see to."""


@dataclass(frozen=True)
class Decision:
    """Who decided what, when and why.

    Attributes
    ----------
    entry
        Its number in the ledger, from 1.
    at
        When, UTC.
    kind
        What kind of decision; a key of `KINDS`.
    key
        On what; for kinds about people the employee id, or, once erased, what stands in the chain for it.
    revision
        How many decisions on this key there are with it.
    by
        What stands in the chain for who decided.
    name, employee_id
        Who decided; None once erased. The id is None, too, where it was not known.
    roles
        The hats that let them.
    body
        What was decided; read-only.
    reason
        Why, in their words; None once erased.
    corrects
        Number of the decision this one corrects; None if it corrects none.
    digest
        What the next one is chained to.
    """

    entry: int
    at: datetime
    kind: str
    key: str
    revision: int
    by: str
    name: str | None
    employee_id: str | None
    roles: tuple[str, ...]
    body: Mapping[str, Any]
    reason: str | None
    corrects: int | None
    digest: str


class ConflictError(Problem):
    """Somebody decided on the same matter since the person looked.

    Attributes
    ----------
    standing
        The decision that stands; None if there is none (any more).
    """

    def __init__(self, problem: Problem, standing: Decision | None) -> None:
        super().__init__(problem.message, **problem.values)
        self.standing = standing


class Ledger(Store):
    """The decisions of an installation.

    Parameters
    ----------
    folder
        The home folder; the file and its key are made where missing.
    clock
        What time it is, with a time zone.

    Raises
    ------
    Problem
        The file cannot be opened, is another program's, or a newer release wrote it; or one of the file and
        its key is there without the other.
    """

    STEPS = (_FIRST,)
    HOLDS = MappingProxyType(
        {
            "decisions": ("entry", "record", "digest"),
            "people": ("keyed", "salt", "namespace", "id", "name", "employee_id"),
            "reasons": ("entry", "salt", "text"),
        }
    )

    def __init__(self, folder: Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._key_path = folder / "ledger.key"
        super().__init__(folder / "ledger.sqlite")

    # --- deciding ---------------------------------------------------------------------------------

    def append(
        self,
        viewer: Viewer,
        kind: str,
        *,
        key: str,
        body: Mapping[str, Body],
        reason: str,
        expected: int,
        corrects: int | None = None,
    ) -> Decision:
        """Record a decision. When this returns, it has reached the disk.

        Parameters
        ----------
        viewer
            Who decides.
        kind
            One of `KINDS`.
        key
            On what: the id of a warning, an employee id, …, as `Kind.about_people` says.
        body
            What is decided; only what the kind says, and nothing that names a person. No floats: they are
            written differently by different programs.
        reason
            Why, in their words.
        expected
            The revision the person saw: that of the decision that stood, 0 if there was none.
        corrects
            Number of the decision on the same matter that this one corrects.

        Raises
        ------
        ConflictError
            Another revision stands by now. Nothing is recorded.
        Problem
            The viewer may not decide so, the reason is missing or too long, or the disk refused.
        ValueError
            Kind, key, body or the decision to correct is not of the kind above.
        """
        rules = _kind(kind)
        if kind == FORGET_PERSON:
            raise ValueError("kind must not be forget_person: ask Ledger.forget, which erases, too")
        _check_text("key", key)
        line = _checked_body(kind, body)
        if isinstance(expected, bool) or expected < 0:
            raise ValueError(f"expected must be 0 or more; got {expected!r}")
        self._check_viewer(viewer, rules.needs)
        said = _checked_reason(reason)
        with self._recording() as write:
            chained = self._keyed(write, _Person("employee", key)) if rules.about_people else key
            standing = self._standing(write, kind, chained)
            if (standing.revision if standing else 0) != expected:
                raise _conflict(standing, by=self._keyed(write, _Person.deciding(viewer)))
            if corrects is not None and not self._is_on(write, corrects, kind, chained):
                raise ValueError(f"corrects must be a decision on the same matter; got {corrects!r}")
            return self._chain(
                write,
                viewer,
                kind=kind,
                key=chained,
                body=line,
                reason=said,
                revision=expected + 1,
                corrects=corrects,
            )

    def forget(self, viewer: Viewer, person: str, *, reason: str, reasons_of: Iterable[int] = ()) -> Decision:
        """Erase who stands behind decisions: the name and ids of a person, and the reasons about them.

        The decisions stay, and so does the chain; the erasure is itself a decision. Reasons the person wrote
        about other matters stay. Copies of the file keep what they hold.

        Parameters
        ----------
        viewer
            Who erases.
        person
            An employee id, or who signed in (``issuer|subject``).
        reason
            Why; it stays, so it must not name the person.
        reasons_of
            Numbers of further decisions whose reasons name the person in passing.

        Raises
        ------
        Problem
            The viewer may not, no decision is by or about such a person, or there is no such reason.
        """
        self._check_viewer(viewer, KINDS[FORGET_PERSON].needs)
        said = _checked_reason(reason)
        with self._recording() as write:
            # Noted first, so that whoever erases themselves is erased whole.
            self._keyed(write, _Person.deciding(viewer))
            people = [
                keyed
                for (keyed,) in write.execute(f"SELECT keyed {_OF_PERSON} ORDER BY keyed", {"person": person})
            ]
            if not people:
                raise Problem(
                    "No decision is by or about {person}. Give the employee id of the export files, or the "
                    "issuer and subject of the sign-in.",
                    person=person,
                )
            entries = {
                entry
                for keyed in people
                for (entry,) in write.execute(
                    "SELECT entry FROM decisions JOIN reasons USING (entry) WHERE key = ?", (keyed,)
                )
            }
            for entry in reasons_of:
                if not write.execute("SELECT 1 FROM reasons WHERE entry = ?", (entry,)).fetchone():
                    raise Problem("Decision {entry} has no reason that could be erased.", entry=entry)
                entries.add(entry)
            standing = self._standing(write, FORGET_PERSON, people[0])
            made = self._chain(
                write,
                viewer,
                kind=FORGET_PERSON,
                key=people[0],
                body=canonical({"people": people, "reasons": sorted(entries)}),
                reason=said,
                revision=standing.revision + 1 if standing else 1,
                corrects=None,
            )
            write.executemany("DELETE FROM people WHERE keyed = ?", [(keyed,) for keyed in people])
            write.executemany("DELETE FROM reasons WHERE entry = ?", [(entry,) for entry in entries])
        with self._lock:
            # What was deleted is overwritten with noughts, but the log still holds the pages from before.
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self._decisions("d.entry = ?", (made.entry,))[0]

    def signed_in_as(self, person: str) -> frozenset[str]:
        """As whom a person signed in when they decided: what else is kept about them goes by that name."""
        rows = self._rows(f"SELECT id {_OF_PERSON} AND namespace = 'signed_in'", {"person": person})
        return frozenset(subject for (subject,) in rows)

    # --- looking back -----------------------------------------------------------------------------

    def state(self, kind: str) -> Mapping[str, Decision]:
        """The decision that stands on each matter of a kind: key → the latest one.

        Who may see the matter may see what was decided on it: pages narrow this to what they show.

        Raises
        ------
        Problem
            One of them cannot be read: it is not as it was recorded.
        """
        _kind(kind)
        rows = self._decisions(
            "d.kind = ? AND d.entry IN (SELECT max(entry) FROM decisions WHERE kind = ? GROUP BY key)",
            (kind, kind),
        )
        return MappingProxyType({decision.key: decision for decision in rows})

    def history(self, kind: str, key: str) -> tuple[Decision, ...]:
        """All decisions on one matter, oldest first."""
        if not _kind(kind).about_people:
            return tuple(self._decisions("d.kind = ? AND d.key = ?", (kind, key)))
        person = _Person("employee", key)
        return tuple(
            self._decisions(
                "d.kind = ? AND d.key IN (SELECT keyed FROM people WHERE namespace = ? AND id = ?)",
                (kind, person.namespace, person.id),
            )
        )

    def decisions(self, viewer: Viewer, *, limit: int = 1000) -> pl.DataFrame:
        """All decisions, latest first, for those who may see the access log.

        One whose record cannot be read is left out; `verify` finds it.

        Returns
        -------
        pl.DataFrame
            entry, at (UTC), name and reason (null once erased), roles, kind, key, revision, body (JSON),
            corrects (null if none), digest.
        """
        if limit < 1:
            raise ValueError(f"limit must be at least 1; got {limit}")
        if not viewer.may(Permission.SEE_ACCESS_LOG):
            raise Problem(
                "All decisions are open only to people who have the right to see the access log, as auditors "
                "do."
            )
        rows = self._told("d.entry > (SELECT coalesce(max(entry), 0) FROM decisions) - ?", (limit,))
        found = [one for row in rows if (one := _readable(row)) is not None]
        return pl.DataFrame(
            [
                {
                    **{name: getattr(one, name) for name in _FRAME},
                    "roles": list(one.roles),
                    "body": canonical(one.body),
                }
                for one in reversed(found)
            ],
            schema=_FRAME,
        )

    # --- the chain --------------------------------------------------------------------------------

    def head(self) -> Head:
        """The last decision, to be noted down where nobody who can write this file can write."""
        return _head(self._rows(_LAST, ()))

    def holds(self, noted: Head) -> bool:
        """Whether the ledger has, at its place, the decision that a head was noted down of."""
        return bool(
            self._rows("SELECT 1 FROM decisions WHERE entry = ? AND digest = ?", (noted.entry, noted.digest))
        )

    def export_head(self, file: Path) -> Head:
        """Add a line with the time and the head to a file; `verify` is asked against all of them later.

        Raises
        ------
        Problem
            The file cannot be written.
        """
        head = self.head()
        with _writing(file, "a") as out:
            out(f"{written(self._clock())} {head}\n")
        return head

    def export(self, file: Path) -> Head:
        """Write the chain as lines of JSON, without names and reasons; returns where it ends.

        Each line holds ``record``, the text that was chained, and ``digest``: SHA-256 of the digest of the
        line before (64 noughts before the first), as text, and the record.

        Raises
        ------
        Problem
            The file cannot be written.
        """
        head = GENESIS
        with _writing(file, "w") as out, self._reading() as read:
            for entry, record, digest in read.execute(
                "SELECT entry, record, digest FROM decisions ORDER BY entry"
            ):
                out(json.dumps({"record": record, "digest": digest}, ensure_ascii=False) + "\n")
                head = Head(entry, digest)
        return head

    def verify(self, *, against: Iterable[Head] = ()) -> Verification:
        """Find any change, gap or false name; and, against heads noted down before, whether any was cut off.

        Parameters
        ----------
        against
            Heads this ledger had at some time.
        """
        with self._reading() as read:
            return audit(read, secret=self._secret, steps=self.STEPS, erasing=FORGET_PERSON, against=against)

    # --- inside -----------------------------------------------------------------------------------

    def _unusable(self, reason: str) -> Problem:
        return Problem(
            "The decision ledger {path} cannot be used: {reason}. Check that the account that runs the "
            "server can write to the folder and that no other program holds the file, or restore it from a "
            "backup. Do not delete it: what it holds stands nowhere else.",
            path=str(self.path),
            reason=reason,
        )

    def _newer(self) -> Problem:
        return Problem(
            "The decision ledger {path} was written by a newer release. Start that release.",
            path=str(self.path),
        )

    def _open(self) -> None:
        if self._key_path.exists() and not self.path.exists():
            raise self._gone()
        super()._open()

    def _still_there(self) -> None:
        # Emptied in place it is the same file to SQLite, which would confirm what nobody finds again.
        if self._file is not None and not self._connection.in_transaction and _is_empty(self.path):
            self._file = None
        super()._still_there()

    def _gone(self) -> Problem:
        return Problem(
            "The decision ledger {path} is gone or was emptied, and its key is still there. Restore the "
            "ledger from a backup; to begin an empty one, move {key} away.",
            path=str(self.path),
            key=str(self._key_path),
        )

    def _create(self) -> None:
        # The key is looked for first: another process that creates both makes the tables before the key.
        if self._key_path.exists() and not self._connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise self._gone()
        # Deleted values are overwritten, so that erasing erases.
        self._connection.execute("PRAGMA secure_delete = ON")
        super()._create()
        # The file first, then its key: a key without the file always means that the file was lost.
        with self._write() as write:
            if not self._key_path.exists():
                if write.execute("SELECT 1 FROM decisions").fetchone() is not None:
                    raise Problem(
                        "The key {key} of the decision ledger is gone. Restore it from a backup: without it "
                        "nobody can tell who stands behind the decisions.",
                        key=str(self._key_path),
                    )
                _write_secret(self._key_path)
            self._secret = self._key_path.read_bytes()
            if not _SECRET.fullmatch(self._secret):
                raise Problem(
                    "The key {key} of the decision ledger is damaged: it is not 64 digits or letters a to f. "
                    "Restore it from a backup: without it nobody can tell who stands behind the decisions.",
                    key=str(self._key_path),
                )

    def _rows(self, query: str, values: tuple[object, ...] | Mapping[str, object]) -> list[tuple[Any, ...]]:
        try:
            return super()._rows(query, values)
        except sqlite3.Error as error:
            raise self._unusable(str(error)) from error

    @contextmanager
    def _recording(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._write() as write:
                yield write
        except sqlite3.Error as error:
            raise Problem(
                "The decision was not recorded: {reason}. Try again; if it happens again, tell whoever runs "
                "Evenhand.",
                reason=str(error),
            ) from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own with one state of the file, so that a long look holds nobody up."""
        try:
            uri = f"{self.path.resolve().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as read:
                read.execute("BEGIN")
                yield read
        except sqlite3.Error as error:
            raise self._unusable(str(error)) from error

    @staticmethod
    def _check_viewer(viewer: Viewer, permission: Permission) -> None:
        if not viewer.may(permission):
            raise Problem("Your role does not allow this decision. Nothing was recorded.")

    def _keyed(self, write: sqlite3.Connection, person: _Person) -> str:
        """What stands in the chain for a person."""
        row = (person.namespace, person.id, person.name, person.employee_id)
        found = write.execute(
            "SELECT keyed FROM people WHERE namespace = ? AND id = ? AND name = ? AND employee_id = ?", row
        ).fetchone()
        if found is not None:
            return str(found[0])
        salt = secrets.token_hex(16)
        keyed = digest_of_person(self._secret, salt, row)
        write.execute(
            "INSERT INTO people (keyed, salt, namespace, id, name, employee_id) VALUES (?, ?, ?, ?, ?, ?)",
            (keyed, salt, *row),
        )
        return keyed

    def _standing(self, write: sqlite3.Connection, kind: str, chained: str) -> Decision | None:
        last = write.execute(
            "SELECT max(entry) FROM decisions WHERE kind = ? AND key = ?", (kind, chained)
        ).fetchone()[0]
        return None if last is None else self._decisions("d.entry = ?", (last,))[0]

    @staticmethod
    def _is_on(write: sqlite3.Connection, entry: int, kind: str, chained: str) -> bool:
        found = write.execute(
            "SELECT 1 FROM decisions WHERE entry = ? AND kind = ? AND key = ?", (entry, kind, chained)
        )
        return found.fetchone() is not None

    def _chain(
        self,
        write: sqlite3.Connection,
        viewer: Viewer,
        *,
        kind: str,
        key: str,
        body: str,
        reason: str,
        revision: int,
        corrects: int | None,
    ) -> Decision:
        """Add to the chain, inside the transaction that reads its head."""
        head = _head(write.execute(_LAST).fetchall())
        entry = head.entry + 1
        salt = secrets.token_hex(16)
        allowing = (role for role in viewer.roles if KINDS[kind].needs in ROLES[role].permissions)
        record = canonical(
            {
                "entry": entry,
                "at": self._clock(),
                "by": self._keyed(write, _Person.deciding(viewer)),
                "roles": sorted(role.value for role in allowing),
                "kind": kind,
                "key": key,
                "revision": revision,
                "corrects": corrects,
                "body": json.loads(body),
                "reason": digest_of_reason(salt, reason),
            }
        )
        write.execute(
            "INSERT INTO decisions (entry, record, digest) VALUES (?, ?, ?)",
            (entry, record, chained_digest(head.digest, record)),
        )
        write.execute("INSERT INTO reasons (entry, salt, text) VALUES (?, ?, ?)", (entry, salt, reason))
        return self._decisions("d.entry = ?", (entry,))[0]

    def _decisions(self, which: str, values: tuple[object, ...]) -> list[Decision]:
        """Decisions in order, with the people and reasons that were not erased."""
        return [_decision(row) for row in self._told(which, values)]

    def _told(self, which: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        return self._rows(
            "SELECT d.entry, d.record, d.digest, p.name, p.employee_id, r.text, k.id FROM decisions d"
            " LEFT JOIN people p ON p.keyed = d.by LEFT JOIN people k ON k.keyed = d.key"
            f" LEFT JOIN reasons r ON r.entry = d.entry WHERE {which} ORDER BY d.entry",
            values,
        )


@dataclass(frozen=True)
class _Person:
    """Somebody as the ledger knows them: as whom they signed in, or as a row of `employees`."""

    namespace: str
    id: str
    name: str = ""
    employee_id: str = ""

    @classmethod
    def deciding(cls, viewer: Viewer) -> _Person:
        return cls("signed_in", viewer.subject, viewer.name, viewer.employee_id or "")


def _kind(kind: str) -> Kind:
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    return KINDS[kind]


def _check_text(option: str, text: str) -> None:
    if not 0 < len(text) <= LONGEST_TEXT:
        raise ValueError(f"{option} must have 1 to {LONGEST_TEXT} characters; got {len(text)}")


def _checked_body(kind: str, body: Mapping[str, Body]) -> str:
    if unknown := sorted(set(body) - KINDS[kind].says):
        raise ValueError(f"body may hold {', '.join(sorted(KINDS[kind].says))}; got {', '.join(unknown)}")
    line = canonical(body)
    for text in _texts(json.loads(line)):
        _check_text("a text in the body", text)
    return line


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for inner in value:
                yield from _texts(inner)
        case dict():
            for inner in value.values():
                yield from _texts(inner)


def _checked_reason(reason: str) -> str:
    said = reason.strip()
    if not any(_is_seen(character) for character in said):
        raise Problem("Say why: a decision without a reason is not recorded.")
    if len(said) > LONGEST_REASON:
        raise Problem(
            "The reason is too long: {n} characters, and at most {most} are kept. Shorten it.",
            n=len(said),
            most=LONGEST_REASON,
        )
    for place, character in enumerate(reason, start=1):
        if unicodedata.category(character) == "Cs" or character == "\0":
            raise Problem(
                "Character {place} of the reason cannot be kept. Delete it and write it again.", place=place
            )
    return said


def _is_seen(character: str) -> bool:
    """Whether a character shows: no space, control or format character, and none that only looks empty."""
    return unicodedata.category(character)[0] not in "CZM" and character not in _BLANK


def _conflict(standing: Decision | None, *, by: str) -> ConflictError:
    if standing is None:
        return ConflictError(
            Problem(
                "The decision you saw does not stand any more. Nothing was recorded. Load the page again and "
                "decide on what it shows."
            ),
            None,
        )
    when = f"{standing.at:%Y-%m-%d %H:%M} UTC"
    why = standing.reason or "—"
    if standing.by == by:
        problem = Problem(
            "You decided on this already, on {when}: {reason}. Nothing further was recorded. Load the page "
            "again to see it.",
            when=when,
            reason=why,
        )
    else:
        problem = Problem(
            "{who} decided on this after you opened the page, on {when}: {reason}. Nothing of yours was "
            "recorded. Load the page again and decide on what stands now.",
            who=standing.name or "—",
            when=when,
            reason=why,
        )
    return ConflictError(problem, standing)


def _decision(row: tuple[Any, ...]) -> Decision:
    if (found := _readable(row)) is None:
        raise Problem(
            "Decision {entry} cannot be read: it is not as it was recorded. An auditor sees on the page "
            "Decisions what is wrong.",
            entry=row[0],
        )
    return found


def _readable(row: tuple[Any, ...]) -> Decision | None:
    """A decision as it is kept; None if its record was never written so."""
    entry, record, digest, name, employee_id, reason, about = row
    try:
        found = told(record, entry=entry)
    except ValueError:
        return None
    about_people = found["kind"] in KINDS and KINDS[found["kind"]].about_people
    return Decision(
        entry=found["entry"],
        at=datetime.fromisoformat(found["at"]),
        kind=found["kind"],
        key=about if about_people and about is not None else found["key"],
        revision=found["revision"],
        by=found["by"],
        name=name,
        employee_id=employee_id or None,
        roles=tuple(found["roles"]),
        body=MappingProxyType(found["body"]),
        reason=reason,
        corrects=found["corrects"],
        digest=digest,
    )


def _head(rows: list[tuple[Any, ...]]) -> Head:
    return Head(*rows[0]) if rows else GENESIS


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def _write_secret(path: Path) -> None:
    """Make the key of the installation, whole or not at all, readable by its owner only."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_hex(32).encode())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def _writing(file: Path, mode: str) -> Iterator[Callable[[str], object]]:
    try:
        with file.open(mode, encoding="utf-8") as out:
            yield out.write
    except OSError as error:
        raise Problem(
            "{file} cannot be written: {reason}. Name a file in a folder you may write to.",
            file=str(file),
            reason=error.strerror or type(error).__name__,
        ) from error
