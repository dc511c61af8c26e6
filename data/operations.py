"""Who is signed in, who looked at what, and which groups somebody just asked about.

The operational store is one SQLite file, ``operations.sqlite`` in the home folder, shared by all server
processes of a host. It holds nothing that an export could bring back and nothing that decides about
people; decisions live in the ledger.

Reads    what the pages report: a sign-in, a look, a download, a filter.
Returns  polars frames for the pages that show sessions and the access log.

What is kept, and for how long
------------------------------
sign-in sessions  40 days from sign-in: longer than any browser keeps the cookie, so that a cookie that
                  was ended here stays ended.
access log        365 days, then removed by `Operations.tidy`. Younger rows can be neither changed nor
                  removed, triggers refuse it. (At least six months are asked for by the Cybersecurity Law
                  of the People's Republic of China, 2017 text, article 21(3).)
recent filters    24 hours: the ids of the people a filter selected, sorted and compressed. The ids
                  themselves are kept, not digests, because refusing a difference needs to know *how many*
                  people two selections differ by. Only `recent_filters` reads them.
what was told     400 days: which notices somebody was sent, so that each is sent once. Longer than a year,
                  so that what comes up again with the next yearly cycle is not taken for known.

A revocation that was confirmed has reached the disk; see `data.sqlite`.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import polars as pl

from data.access import Permission, Viewer
from data.chain import Head
from data.problems import Problem
from data.sqlite import Columns, Store, ms, span_ms

KEEP_SESSIONS: Final = timedelta(days=40)
KEEP_LOG: Final = timedelta(days=365)
KEEP_FILTERS: Final = timedelta(hours=24)
KEEP_TOLD: Final = timedelta(days=400)
LOOK_AGAIN: Final = timedelta(minutes=1)
"""Looking at the same page with the same filters again within this time is the same look."""

Action = Literal[
    "signed_in", "signed_out", "revoked", "refused", "looked", "downloaded", "imported", "decided"
]

_LARGE: Final = 100_000
"""Bytes of a compressed selection; some 50,000 people."""

_FIRST: Final = f"""
CREATE TABLE IF NOT EXISTS sessions (
    session_id TEXT PRIMARY KEY,
    subject    TEXT NOT NULL,
    name       TEXT NOT NULL,
    device     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    ended_at   INTEGER,
    ended_why  TEXT,
    ended_by   TEXT,
    CHECK ((ended_at IS NULL) = (ended_why IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_by_subject ON sessions (subject);
CREATE TABLE IF NOT EXISTS access_log (
    entry   INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    subject TEXT NOT NULL,
    name    TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    detail  TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS access_log_by_subject ON access_log (subject, at);
CREATE INDEX IF NOT EXISTS access_log_by_time ON access_log (at);
CREATE TRIGGER IF NOT EXISTS access_log_is_never_changed BEFORE UPDATE ON access_log
    BEGIN SELECT RAISE(ABORT, 'the access log is never changed'); END;
CREATE TRIGGER IF NOT EXISTS access_log_is_kept BEFORE DELETE ON access_log
    WHEN OLD.at > (unixepoch('now') - {int(KEEP_LOG.total_seconds())}) * 1000
    BEGIN SELECT RAISE(ABORT, 'the access log is kept'); END;
CREATE TABLE IF NOT EXISTS recent_filters (
    subject TEXT NOT NULL,
    about   TEXT NOT NULL,
    digest  BLOB NOT NULL,
    at      INTEGER NOT NULL,
    people  BLOB NOT NULL,
    PRIMARY KEY (subject, about, digest)
) STRICT, WITHOUT ROWID;
"""
_SECOND: Final = """
CREATE TABLE IF NOT EXISTS told (
    subject TEXT NOT NULL,
    notice  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (subject, notice)
) STRICT, WITHOUT ROWID;
"""

_SESSIONS: Final[Columns] = {
    "session_id": pl.String,
    "subject": pl.String,
    "name": pl.String,
    "device": pl.String,
    "created_at": pl.Datetime("ms", "UTC"),
    "seen_at": pl.Datetime("ms", "UTC"),
    "ended_at": pl.Datetime("ms", "UTC"),
    "ended_why": pl.String,
    "ended_by": pl.String,
}
_LOG: Final[Columns] = {
    "entry": pl.Int64,
    "at": pl.Datetime("ms", "UTC"),
    "subject": pl.String,
    "name": pl.String,
    "action": pl.String,
    "object": pl.String,
    "detail": pl.String,
}


class Standing(StrEnum):
    """How a sign-in session stands."""

    OPEN = "open"
    UNKNOWN = "unknown"
    STALE = "stale"
    IDLE = "idle"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SIGNED_OUT = "signed_out"


@dataclass(frozen=True)
class Limits:
    """How long a sign-in lasts.

    Attributes
    ----------
    idle
        Without any page run for this long, sign in again.
    absolute
        So long after signing in, sign in again, however busy.
    fresh
        A sign-in that was never seen here must have been issued within this time: an old cookie does not
        open a session after the store was lost or tidied.
    """

    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=12)
    fresh: timedelta = timedelta(minutes=10)

    def __post_init__(self) -> None:
        for limit in fields(self):
            if getattr(self, limit.name) <= timedelta(0):
                raise ValueError(f"{limit.name} must be longer than nought; got {getattr(self, limit.name)}")
        if self.absolute + self.fresh > KEEP_SESSIONS:
            raise ValueError(f"absolute must be shorter than {KEEP_SESSIONS}; got {self.absolute}")

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Limits:
        """Read ``EVENHAND_IDLE_MINUTES`` and ``EVENHAND_SESSION_HOURS``; the rest keeps its default."""
        usual = cls()
        try:
            return cls(
                idle=_span(environment, "EVENHAND_IDLE_MINUTES", "minutes", usual.idle),
                absolute=_span(environment, "EVENHAND_SESSION_HOURS", "hours", usual.absolute),
            )
        except (ValueError, OverflowError) as error:
            raise Problem(
                "The limits of a sign-in are not usable: {reason}. Correct EVENHAND_IDLE_MINUTES or "
                "EVENHAND_SESSION_HOURS, or remove them.",
                reason=str(error),
            ) from error


@dataclass(frozen=True)
class SignIn:
    """One sign-in as a browser presents it.

    Attributes
    ----------
    session_id
        Digest of what the identity provider said at this sign-in; unique to it, useless as a cookie.
    subject, name
        Who.
    device
        The browser, in its own words, so that people recognise their sessions.
    issued_at
        When the provider issued it; None if it did not say.
    """

    session_id: str
    subject: str
    name: str
    device: str
    issued_at: datetime | None


class Operations(Store):
    """The operational store.

    Parameters
    ----------
    folder
        The home folder; created (readable by its owner only) where missing.
    limits
        How long a sign-in lasts.
    clock
        What time it is, with a time zone.

    Raises
    ------
    Problem
        The file cannot be opened, is another program's, or a newer release wrote it.
    """

    STEPS = (_FIRST, _SECOND)
    HOLDS = MappingProxyType({"sessions": _SESSIONS, "access_log": _LOG, "told": ("subject", "notice", "at")})

    def __init__(
        self,
        folder: Path,
        *,
        limits: Limits | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.limits = limits or Limits()
        self._clock = clock
        super().__init__(folder / "operations.sqlite")

    # --- sign-in sessions -------------------------------------------------------------------------

    def admit(self, sign_in: SignIn) -> Standing:
        """Open a session at the first sight of a fresh sign-in; afterwards say how it stands.

        Being admitted counts as activity. A session past a limit is ended here, for good.
        """
        now = self._now()
        standing = self._check(sign_in.session_id, now, touch=True)
        if standing is not Standing.UNKNOWN:
            return standing
        if sign_in.issued_at is None or abs(ms(sign_in.issued_at) - now) > span_ms(self.limits.fresh):
            return Standing.STALE
        with self._write() as write:
            opened = write.execute(
                "INSERT INTO sessions (session_id, subject, name, device, created_at, seen_at)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (sign_in.session_id, sign_in.subject, sign_in.name, sign_in.device[:200], now, now),
            ).rowcount
            if opened:
                _append(
                    write, (now, sign_in.subject, sign_in.name, "signed_in", sign_in.device[:200], _json({}))
                )
        return self._check(sign_in.session_id, now, touch=False)

    def standing(self, session_id: str) -> Standing:
        """How a session stands, without counting as activity."""
        return self._check(session_id, self._now(), touch=False)

    def sign_out(self, session_id: str) -> None:
        """End one's own session; the cookie that belongs to it opens nothing any more."""
        self._end(session_id, Standing.SIGNED_OUT, by=None)

    def sessions(self, viewer: Viewer) -> pl.DataFrame:
        """The sessions a viewer may end: all with the right to manage sessions, else their own.

        Returns
        -------
        pl.DataFrame
            One row per session, latest first: session_id, subject, name, device, created_at, seen_at,
            ended_at, ended_why, ended_by. ``ended_at`` is null while it is open.
        """
        self._end_overdue()
        everyone = viewer.may(Permission.MANAGE_SESSIONS)
        return self._frame(
            f"SELECT {', '.join(_SESSIONS)} FROM sessions WHERE ? OR subject = ?"
            " ORDER BY created_at DESC, session_id",
            (everyone, viewer.subject),
            _SESSIONS,
        )

    def revoke(self, viewer: Viewer, session_id: str) -> None:
        """End a session: anybody's with the right to manage sessions, else one's own.

        Raises
        ------
        Problem
            There is no such session among those the viewer may end.
        """
        allowed = self.sessions(viewer).filter(pl.col("session_id") == session_id)
        if allowed.is_empty():
            raise Problem("There is no such session among those you may end. Load the list again.")
        self._end(session_id, Standing.REVOKED, by=viewer)

    # --- access log -------------------------------------------------------------------------------

    def record(self, viewer: Viewer, action: Action, object: str, detail: Mapping[str, object]) -> None:  # noqa: A002
        """Append who did what to what.

        The same look again within a minute is not written again.
        """
        now = self._now()
        if action == "looked" and self._looked(viewer.subject, object, _json(detail), now):
            return
        with self._write() as write:
            # Asked again inside the transaction: another process may have written it meanwhile.
            if action == "looked" and self._looked(viewer.subject, object, _json(detail), now):
                return
            _append(write, (now, viewer.subject, viewer.name, action, object, _json(detail)))

    def read_log(
        self,
        viewer: Viewer,
        *,
        since: datetime | None = None,
        subject: str | None = None,
        action: Action | None = None,
        limit: int = 1000,
    ) -> pl.DataFrame:
        """The access log, latest first.

        Parameters
        ----------
        viewer
            Needs the right to see the access log.
        since
            Only entries from this time on.
        subject
            Only what this person did.
        action
            Only what was done in this way.
        limit
            At most so many entries.

        Returns
        -------
        pl.DataFrame
            entry, at (UTC), subject, name, action, object, detail (JSON).
        """
        if limit < 1:
            raise ValueError(f"limit must be at least 1; got {limit}")
        if not viewer.may(Permission.SEE_ACCESS_LOG):
            raise Problem(
                "The access log is open only to people who have the right to see it, as auditors do."
            )
        return self._frame(
            f"SELECT {', '.join(_LOG)} FROM access_log WHERE at >= ? AND (? IS NULL OR subject = ?)"
            " AND (? IS NULL OR action = ?) ORDER BY entry DESC LIMIT ?",
            (ms(since) if since else 0, subject, subject, action, action, limit),
            _LOG,
        )

    def heads(self, viewer: Viewer) -> tuple[Head, ...]:
        """The heads of the decision ledger that stand in the access log, one for each decision of a year.

        They are in another file than the ledger: what was cut off its end is missed here.
        """
        log = self.read_log(viewer, action="decided", limit=1_000_000)
        return tuple(Head.read(str(json.loads(detail)["head"])) for detail in log["detail"])

    # --- recent filters ---------------------------------------------------------------------------

    def remember_filters(self, subject: str, selections: Iterable[frozenset[str]], *, about: str) -> None:
        """Keep which people somebody was shown figures about, for 24 hours.

        Parameters
        ----------
        subject
            Who asked.
        selections
            Employee ids, one set per filter answered and per group shown.
        about
            What was asked about them (the measure): only selections about the same thing can be
            subtracted from each other.
        """
        packed = {
            hashlib.sha256(one).digest(): one
            for people in selections
            for one in [zlib.compress(json.dumps(sorted(people), separators=(",", ":")).encode())]
        }
        now = self._now()
        fresh = {
            row[0]
            for row in self._rows(
                "SELECT digest FROM recent_filters WHERE subject = ? AND about = ? AND at > ?",
                (subject, about, now - span_ms(LOOK_AGAIN)),
            )
        }
        new = [(subject, about, digest, now, one) for digest, one in packed.items() if digest not in fresh]
        if not new:
            return
        with self._write() as write:
            write.executemany(
                "INSERT INTO recent_filters (subject, about, digest, at, people) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (subject, about, digest) DO UPDATE SET at = excluded.at",
                new,
            )
            write.execute("DELETE FROM recent_filters WHERE at < ?", (now - span_ms(KEEP_FILTERS),))

    def recent_filters(self, subject: str, *, about: str) -> tuple[frozenset[str], ...]:
        """The selections somebody asked about in the last 24 hours, oldest first."""
        rows = self._rows(
            "SELECT people FROM recent_filters WHERE subject = ? AND about = ? AND at >= ?"
            " ORDER BY at, digest",
            (subject, about, self._now() - span_ms(KEEP_FILTERS)),
        )
        # Very large selections are not kept in memory: 256 of them would fill it.
        return tuple(_remembered(packed) if len(packed) < _LARGE else _unpacked(packed) for (packed,) in rows)

    # --- what was told ----------------------------------------------------------------------------

    def told(self, subject: str, notices: Iterable[str]) -> frozenset[str]:
        """Those of the notices that somebody was told before.

        Parameters
        ----------
        subject
            Who, as `tell` was given them.
        notices
            Ids, such as those of warnings.
        """
        asked = frozenset(notices)
        rows = self._rows(
            "SELECT notice FROM told WHERE subject = ? AND notice IN (SELECT value FROM json_each(?))",
            (subject, json.dumps(sorted(asked))),
        )
        return frozenset(notice for (notice,) in rows)

    def tell(self, subject: str, notices: Iterable[str]) -> frozenset[str]:
        """Note that somebody was told, for 400 days; telling again changes nothing.

        Returns
        -------
        frozenset of str
            Those nobody had noted before: of two who tell the same at once, one gets each.
        """
        now = self._now()
        with self._write() as write:
            return frozenset(
                notice
                for notice in sorted(set(notices))
                if write.execute(
                    "INSERT INTO told (subject, notice, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    (subject, notice, now),
                ).rowcount
            )

    def forget(self, subject: str) -> None:
        """Remove what somebody was told and asked about.

        The access log stays as long as it must be kept, and sessions until no cookie can open them again.
        """
        with self._write() as write:
            write.execute("DELETE FROM told WHERE subject = ?", (subject,))
            write.execute("DELETE FROM recent_filters WHERE subject = ?", (subject,))

    # --- retention --------------------------------------------------------------------------------

    def tidy(self) -> None:
        """Remove what is older than it is kept. Called when the server starts."""
        now = self._now()
        with self._write() as write:
            write.execute("DELETE FROM sessions WHERE created_at < ?", (now - span_ms(KEEP_SESSIONS),))
            write.execute("DELETE FROM recent_filters WHERE at < ?", (now - span_ms(KEEP_FILTERS),))
            write.execute("DELETE FROM access_log WHERE at < ?", (now - span_ms(KEEP_LOG),))
            write.execute("DELETE FROM told WHERE at < ?", (now - span_ms(KEEP_TOLD),))

    # --- inside -----------------------------------------------------------------------------------

    def _unusable(self, reason: str) -> Problem:
        return Problem(
            "The operational store {path} cannot be used: {reason}. Check that the account that runs the "
            "server can write to the folder and that no other program holds the file, or move the file "
            "away to begin a new one.",
            path=str(self.path),
            reason=reason,
        )

    def _newer(self) -> Problem:
        return Problem(
            "The operational store {path} was written by a newer release. Start that release, or move the "
            "file away to begin a new one.",
            path=str(self.path),
        )

    def _now(self) -> int:
        return ms(self._clock())

    def _check(self, session_id: str, now: int, *, touch: bool) -> Standing:
        rows = self._rows(
            "SELECT created_at, seen_at, ended_why FROM sessions WHERE session_id = ?", (session_id,)
        )
        if not rows:
            return Standing.UNKNOWN
        created, seen, ended = rows[0]
        if ended is not None:
            return Standing(ended)
        over = self._overdue(created, seen, now)
        if over is not None:
            self._end(session_id, over, by=None)
            return over
        # A write for every run would be a disk flush for every run.
        step = min(span_ms(timedelta(seconds=15)), span_ms(self.limits.idle) // 4)
        if touch and now - seen >= step:
            with self._write() as write:
                write.execute(
                    "UPDATE sessions SET seen_at = max(seen_at, ?) WHERE session_id = ? AND ended_at IS NULL",
                    (now, session_id),
                )
        return Standing.OPEN

    def _overdue(self, created: int, seen: int, now: int) -> Standing | None:
        if now - created > span_ms(self.limits.absolute):
            return Standing.EXPIRED
        if now - seen > span_ms(self.limits.idle):
            return Standing.IDLE
        return None

    def _end_overdue(self) -> None:
        now = self._now()
        for session_id, created, seen in self._rows(
            "SELECT session_id, created_at, seen_at FROM sessions WHERE ended_at IS NULL", ()
        ):
            over = self._overdue(created, seen, now)
            if over is not None:
                self._end(session_id, over, by=None)

    def _end(self, session_id: str, why: Standing, *, by: Viewer | None) -> None:
        now = self._now()
        with self._write() as write:
            ended = write.execute(
                "UPDATE sessions SET ended_at = ?, ended_why = ?, ended_by = ?"
                " WHERE session_id = ? AND ended_at IS NULL RETURNING subject, name, device",
                (now, why.value, by.subject if by else None, session_id),
            ).fetchone()
            if ended is None:
                return
            subject, name, device = ended
            if by is not None:
                detail = {"session_id": session_id, "subject": subject}
                _append(write, (now, by.subject, by.name, "revoked", name, _json(detail)))
            elif why is Standing.SIGNED_OUT:
                _append(write, (now, subject, name, "signed_out", device, _json({})))

    def _looked(self, subject: str, object: str, detail: str, now: int) -> bool:  # noqa: A002
        rows = self._rows(
            "SELECT 1 FROM access_log WHERE subject = ? AND at > ? AND action = 'looked'"
            " AND object = ? AND detail = ? LIMIT 1",
            (subject, now - span_ms(LOOK_AGAIN), object, detail),
        )
        return bool(rows)


def _append(write: sqlite3.Connection, entry: tuple[int, str, str, Action, str, str]) -> None:
    write.execute(
        "INSERT INTO access_log (at, subject, name, action, object, detail) VALUES (?, ?, ?, ?, ?, ?)", entry
    )


def _span(environment: Mapping[str, str], name: str, unit: str, usual: timedelta) -> timedelta:
    given = environment.get(name, "").strip()
    return timedelta(**{unit: float(given)}) if given else usual


def _json(detail: Mapping[str, object]) -> str:
    return json.dumps(detail, ensure_ascii=False, sort_keys=True, default=str)


def _unpacked(packed: bytes) -> frozenset[str]:
    # Interned, because the same people are in many selections.
    return frozenset(map(sys.intern, json.loads(zlib.decompress(packed))))


_remembered = lru_cache(maxsize=256)(_unpacked)
