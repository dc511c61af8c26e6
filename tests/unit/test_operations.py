"""What the operational store keeps, and what it lets nobody do."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from data import sqlite
from data.access import Role, Viewer
from data.operations import (
    KEEP_FILTERS,
    KEEP_LOG,
    KEEP_SESSIONS,
    KEEP_TOLD,
    Limits,
    Operations,
    SignIn,
    Standing,
)
from data.problems import Problem

ROOT = Path(__file__).parents[2]
MINUTE = timedelta(minutes=1)


class Clock:
    """A clock that only tests move."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Operations]:
    opened = Operations(tmp_path, clock=clock)
    yield opened
    opened.close()


def viewer(role: Role, subject: str = "https://idp|1") -> Viewer:
    return Viewer(subject=subject, name=subject[-1], roles=frozenset({role}))


HR = viewer(Role.HR_LEADERSHIP, "https://idp|hr")
AUDITOR = viewer(Role.AUDITOR, "https://idp|auditor")
EMPLOYEE = viewer(Role.EMPLOYEE, "https://idp|e")


def sign_in(clock: Clock, session_id: str = "s1", subject: str = "https://idp|e") -> SignIn:
    return SignIn(session_id, subject, "Wen Ke", "Chromium", issued_at=clock.now)


# --- sign-in sessions ---------------------------------------------------------------------------------


def test_a_fresh_sign_in_opens_a_session(store: Operations, clock: Clock) -> None:
    assert store.standing("s1") is Standing.UNKNOWN
    assert store.admit(sign_in(clock)) is Standing.OPEN
    assert store.standing("s1") is Standing.OPEN


def test_an_old_cookie_that_was_never_seen_opens_none(store: Operations, clock: Clock) -> None:
    old = SignIn("s1", "x", "x", "", issued_at=clock.now - timedelta(minutes=11))
    assert store.admit(old) is Standing.STALE
    assert store.admit(SignIn("s2", "x", "x", "", issued_at=None)) is Standing.STALE
    assert store.sessions(HR).is_empty()


def test_somebody_busy_stays_and_somebody_idle_must_sign_in_again(store: Operations, clock: Clock) -> None:
    presented = sign_in(clock)
    store.admit(presented)
    for _ in range(4):  # 4 · 29 = 116 minutes, never 30 without a page
        clock.now += 29 * MINUTE
        assert store.admit(presented) is Standing.OPEN
    clock.now += 31 * MINUTE
    assert store.admit(presented) is Standing.IDLE
    clock.now -= 31 * MINUTE  # nor does it open again, whatever the clock says
    assert store.admit(presented) is Standing.IDLE


def test_looking_whether_a_session_stands_is_no_activity(store: Operations, clock: Clock) -> None:
    store.admit(sign_in(clock))
    clock.now += 20 * MINUTE
    assert store.standing("s1") is Standing.OPEN
    clock.now += 11 * MINUTE  # 31 since the page ran
    assert store.standing("s1") is Standing.IDLE


def test_nobody_stays_longer_than_the_longest_time(store: Operations, clock: Clock) -> None:
    presented = sign_in(clock)
    store.admit(presented)
    for _ in range(48):  # 48 · 15 = 720 minutes = 12 hours, to the minute
        clock.now += 15 * MINUTE
        assert store.admit(presented) is Standing.OPEN
    clock.now += MINUTE
    assert store.admit(presented) is Standing.EXPIRED


def test_what_was_signed_out_or_revoked_never_opens_again(store: Operations, clock: Clock) -> None:
    store.admit(sign_in(clock, "s1"))
    store.admit(sign_in(clock, "s2"))
    store.sign_out("s1")
    store.revoke(HR, "s2")
    assert store.admit(sign_in(clock, "s1")) is Standing.SIGNED_OUT
    assert store.admit(sign_in(clock, "s2")) is Standing.REVOKED
    assert store.admit(sign_in(clock, "s3")) is Standing.OPEN


def test_one_may_end_ones_own_sessions_and_hr_leadership_everybodys(store: Operations, clock: Clock) -> None:
    store.admit(sign_in(clock, "mine", EMPLOYEE.subject))
    store.admit(sign_in(clock, "theirs", "https://idp|other"))
    assert store.sessions(EMPLOYEE)["session_id"].to_list() == ["mine"]
    assert store.sessions(HR)["session_id"].to_list() == ["mine", "theirs"]
    with pytest.raises(Problem, match="no such session"):
        store.revoke(EMPLOYEE, "theirs")
    assert store.standing("theirs") is Standing.OPEN
    store.revoke(EMPLOYEE, "mine")
    ended = store.sessions(HR).row(by_predicate=pl.col("session_id") == "mine", named=True)
    assert (ended["ended_why"], ended["ended_by"]) == ("revoked", EMPLOYEE.subject)


def test_the_list_of_sessions_counts_nobody_as_there_who_idled_out(store: Operations, clock: Clock) -> None:
    store.admit(sign_in(clock))
    clock.now += 31 * MINUTE
    assert store.sessions(HR)["ended_why"].to_list() == ["idle"]


def test_limits_come_from_the_environment_and_bad_ones_are_named() -> None:
    limits = Limits.of({"EVENHAND_IDLE_MINUTES": "5", "EVENHAND_SESSION_HOURS": "8"})
    assert (limits.idle, limits.absolute) == (5 * MINUTE, timedelta(hours=8))
    assert Limits.of({}) == Limits()
    for bad in ("soon", "0", "-3", "inf", "nan"):
        with pytest.raises(Problem, match="EVENHAND_IDLE_MINUTES"):
            Limits.of({"EVENHAND_IDLE_MINUTES": bad})
    with pytest.raises(Problem, match="absolute"):
        Limits.of({"EVENHAND_SESSION_HOURS": "1000"})  # more than 40 days


# --- access log ---------------------------------------------------------------------------------------


def test_the_log_says_who_did_what_latest_first(store: Operations, clock: Clock) -> None:
    store.record(EMPLOYEE, "looked", "mine", {"filters": {"cycle": ["2026"]}})
    clock.now += MINUTE
    store.record(HR, "downloaded", "ratings.csv", {})
    log = store.read_log(AUDITOR)
    assert log.select("subject", "action", "object").rows() == [
        (HR.subject, "downloaded", "ratings.csv"),
        (EMPLOYEE.subject, "looked", "mine"),
    ]
    assert json.loads(log["detail"][1]) == {"filters": {"cycle": ["2026"]}}
    assert store.read_log(AUDITOR, since=clock.now).height == 1
    assert store.read_log(AUDITOR, subject=EMPLOYEE.subject)["object"].to_list() == ["mine"]
    assert store.read_log(AUDITOR, action="downloaded")["object"].to_list() == ["ratings.csv"]


def test_only_who_may_see_the_log_reads_it(store: Operations) -> None:
    for role in (Role.HR_LEADERSHIP, Role.EXECUTIVE, Role.EMPLOYEE):
        with pytest.raises(Problem, match="access log"):
            store.read_log(viewer(role))


def test_the_same_look_counts_once_a_minute(store: Operations, clock: Clock) -> None:
    for seconds in (0, 30, 29):  # at 0, 30 and 59 s
        clock.now += timedelta(seconds=seconds)
        store.record(EMPLOYEE, "looked", "mine", {})
    assert store.read_log(AUDITOR).height == 1
    store.record(EMPLOYEE, "looked", "mine", {"filters": {"cycle": ["2025"]}})  # other filters
    store.record(HR, "looked", "mine", {})  # somebody else
    clock.now += timedelta(seconds=2)  # at 61 s
    store.record(EMPLOYEE, "looked", "mine", {})
    assert store.read_log(AUDITOR).height == 4


def test_every_download_counts(store: Operations) -> None:
    store.record(EMPLOYEE, "downloaded", "mine.csv", {})
    store.record(EMPLOYEE, "downloaded", "mine.csv", {})
    assert store.read_log(AUDITOR).height == 2


def test_signing_in_out_and_revoking_are_in_the_log(store: Operations, clock: Clock) -> None:
    store.admit(sign_in(clock, "s1"))
    store.admit(sign_in(clock, "s1"))
    store.sign_out("s1")
    store.sign_out("s1")
    store.admit(sign_in(clock, "s2"))
    store.revoke(HR, "s2")
    assert store.read_log(AUDITOR)["action"].to_list() == ["revoked", "signed_in", "signed_out", "signed_in"]


def test_the_log_can_be_neither_changed_nor_emptied(store: Operations) -> None:
    store.record(EMPLOYEE, "looked", "mine", {})
    other = sqlite3.connect(store.path)
    for statement in ("UPDATE access_log SET subject = 'x'", "DELETE FROM access_log"):
        with pytest.raises(sqlite3.IntegrityError, match="access log"):
            other.execute(statement)
    other.close()
    assert store.read_log(AUDITOR).height == 1


# --- recent filters -----------------------------------------------------------------------------------


def test_recent_filters_give_back_the_people_oldest_first(store: Operations, clock: Clock) -> None:
    first, second = frozenset({"E1", "E2", "伟"}), frozenset({"E1"})
    store.remember_filters("a", [first], about="ratings")
    clock.now += MINUTE
    store.remember_filters("a", [second], about="ratings")
    store.remember_filters("a", [second], about="goals")
    store.remember_filters("b", [second], about="ratings")
    assert store.recent_filters("a", about="ratings") == (first, second)
    assert store.recent_filters("a", about="goals") == (second,)
    assert store.recent_filters("c", about="ratings") == ()


def test_the_same_filter_is_kept_once_and_its_day_begins_anew(store: Operations, clock: Clock) -> None:
    asked = frozenset({"E1", "E2"})
    store.remember_filters("a", [asked], about="ratings")
    clock.now += timedelta(hours=23)
    store.remember_filters("a", [asked], about="ratings")
    clock.now += timedelta(hours=23)  # 46 hours after the first, 23 after the second
    assert store.recent_filters("a", about="ratings") == (asked,)
    clock.now += timedelta(hours=2)
    assert store.recent_filters("a", about="ratings") == ()


# --- what was told ------------------------------------------------------------------------------------


def test_each_notice_is_told_to_each_person_once(store: Operations) -> None:
    assert store.tell("a", ["W1", "W2"]) == {"W1", "W2"}
    assert store.tell("a", ["W2", "W3", "W3"]) == {"W3"}  # W2 is known, W3 counts once
    assert store.told("a", ["W1", "W2", "W3", "W4"]) == {"W1", "W2", "W3"}
    assert store.told("a", []) == store.told("b", ["W1"]) == frozenset()
    assert store.tell("b", ["W1"]) == {"W1"}


def test_what_was_told_is_kept_for_more_than_a_year_and_then_forgotten(
    store: Operations, clock: Clock
) -> None:
    store.tell("a", ["W1"])
    clock.now += KEEP_TOLD - timedelta(days=1)  # 399 days later
    store.tell("a", ["W1", "W2"])
    store.tidy()
    assert store.told("a", ["W1", "W2"]) == {"W1", "W2"}
    clock.now += timedelta(days=2)  # 401 days after W1, telling it again did not begin anew
    store.tidy()
    assert store.told("a", ["W1", "W2"]) == {"W2"}


def test_what_somebody_was_told_and_asked_goes_with_them(store: Operations) -> None:
    for subject in ("a", "b"):
        store.tell(subject, ["W1"])
        store.remember_filters(subject, [frozenset({"E1"})], about="ratings")
    store.forget("a")
    assert store.told("a", ["W1"]) == frozenset()
    assert store.recent_filters("a", about="ratings") == ()
    assert store.told("b", ["W1"]) == {"W1"}
    assert len(store.recent_filters("b", about="ratings")) == 1


def test_a_store_of_the_release_before_learns_to_tell_and_loses_nothing(tmp_path: Path, clock: Clock) -> None:
    store = Operations(tmp_path, clock=clock)
    store.record(EMPLOYEE, "downloaded", "mine.csv", {})
    store.close()
    with closing(sqlite3.connect(tmp_path / "operations.sqlite")) as other:  # as format 1 was
        other.execute("DROP TABLE told")
        other.execute("PRAGMA user_version = 1")
    again = Operations(tmp_path, clock=clock)
    assert again.tell("a", ["W1"]) == {"W1"}
    assert again.read_log(AUDITOR)["object"].to_list() == ["mine.csv"]
    again.close()


# --- retention ----------------------------------------------------------------------------------------


def test_tidying_removes_what_is_too_old_and_nothing_else(tmp_path: Path) -> None:
    clock = Clock(datetime.now(UTC) - KEEP_LOG - timedelta(days=1))
    store = Operations(tmp_path, clock=clock)
    store.record(EMPLOYEE, "looked", "long ago", {})
    clock.now = datetime.now(UTC) - KEEP_SESSIONS - timedelta(days=1)
    store.admit(sign_in(clock, "old"))
    clock.now = datetime.now(UTC) - KEEP_FILTERS - MINUTE
    store.remember_filters("a", [frozenset({"E1"})], about="ratings")
    clock.now = datetime.now(UTC)
    store.admit(sign_in(clock, "new"))
    store.tidy()
    # Signing in 41 days ago is still in the log, which is kept 365 days; looking 366 days ago is not.
    assert store.read_log(AUDITOR)["action"].to_list() == ["signed_in", "signed_in"]
    assert store.sessions(HR)["session_id"].to_list() == ["new"]
    assert store._rows("SELECT count(*) FROM recent_filters", ()) == [(0,)]
    store.close()


# --- the file -----------------------------------------------------------------------------------------


def test_only_the_owner_may_read_the_file(store: Operations) -> None:
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_a_store_of_a_newer_release_is_left_alone(store: Operations) -> None:
    other = sqlite3.connect(store.path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(Problem, match="newer release"):
        Operations(store.path.parent)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match="cannot be used"):
        Operations(tmp_path / "file")


def test_a_file_another_program_holds_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PATIENCE", timedelta(seconds=0.2))
    other = sqlite3.connect(tmp_path / "operations.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Problem, match="locked"):
        Operations(tmp_path)
    other.close()


@pytest.mark.parametrize(
    "foreign",
    [
        "CREATE TABLE sessions (n INTEGER)",
        "CREATE TABLE access_log (entry INTEGER, at INTEGER, subject TEXT)",
        # Says that it is ours, but holds nothing of ours.
        "PRAGMA user_version = 1",
    ],
)
def test_a_file_of_another_program_is_left_alone(tmp_path: Path, foreign: str) -> None:
    path = tmp_path / "operations.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute(foreign)
        other.commit()
        before = other.execute("SELECT name FROM sqlite_master").fetchall()
    with pytest.raises(Problem, match="cannot be used"):
        Operations(tmp_path)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == before


def test_a_file_that_was_removed_is_made_again_and_nothing_later_is_lost(
    store: Operations, clock: Clock
) -> None:
    store.record(EMPLOYEE, "downloaded", "before", {})
    for path in store.path.parent.glob("operations.sqlite*"):
        path.unlink()
    store.record(EMPLOYEE, "downloaded", "after", {})
    other = Operations(store.path.parent, clock=clock)
    assert other.read_log(AUDITOR)["object"].to_list() == ["after"]
    assert store.read_log(AUDITOR)["object"].to_list() == ["after"]
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    other.close()


def test_threads_and_processes_lose_nothing(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from data.access import Role; from data.operations import *;"
        "from data.sign_in import local_viewer;"
        "store = Operations(Path(sys.argv[1])); who = local_viewer(Role.EMPLOYEE);"
        "[store.record(who, 'downloaded', f'other {n}', {}) for n in range(40)]; store.close()"
    )
    # The file does not exist yet: all of them create it at the same moment.
    other = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT)
    store = Operations(tmp_path)
    failures: list[Exception] = []

    def write(thread: int) -> None:
        try:
            for n in range(10):
                store.record(EMPLOYEE, "downloaded", f"{thread} {n}", {})
                store.remember_filters("a", [frozenset({f"{thread}", f"{n}"})], about="ratings")
                store.recent_filters("a", about="ratings")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.wait(60) == 0
    assert failures == []
    found = store.read_log(AUDITOR)["object"]
    assert found.n_unique() == found.len() == 40 + 6 * 10
    store.close()


def test_a_session_ended_in_one_process_is_ended_in_the_other(tmp_path: Path, clock: Clock) -> None:
    here, there = Operations(tmp_path, clock=clock), Operations(tmp_path, clock=clock)
    here.admit(sign_in(clock))
    assert there.standing("s1") is Standing.OPEN
    there.revoke(HR, "s1")
    assert here.admit(sign_in(clock)) is Standing.REVOKED
    here.close()
    there.close()
