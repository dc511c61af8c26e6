"""Decisions stay as they were made, nobody overrides what they have not seen, and people can be erased."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType

import pytest

from data import ledger as ledger_module
from data.access import ROLES, Permission, Role, Viewer
from data.chain import GENESIS, Head, canonical
from data.ledger import ACKNOWLEDGE_WARNING, FORGET_PERSON, KINDS, ConflictError, Decision, Kind, Ledger
from data.problems import Problem

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 9, 14, 8, 30, tzinfo=UTC)


class Clock:
    """A clock that only tests move."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, clock=clock)
    yield opened
    opened.close()


def viewer(role: Role, name: str = "Wen Ke", employee_id: str | None = "E0042") -> Viewer:
    return Viewer(f"https://idp|{name}", name, frozenset({role, Role.EMPLOYEE}), employee_id)


HR = viewer(Role.HR_LEADERSHIP)
PARTNER = viewer(Role.HR_PARTNER, "Ann Li", "E0007")
AUDITOR = viewer(Role.AUDITOR, "Bo Wang", None)
BODY = {"goal_id": "G1", "warning": "chance", "arose_on": date(2026, 9, 1), "delay_percent": 71}


def acknowledge(
    ledger: Ledger,
    key: str = "G1/chance/2026-09-01",
    *,
    by: Viewer = HR,
    expected: int = 0,
    reason: str = "Spoke to the supplier",
    corrects: int | None = None,
) -> Decision:
    return ledger.append(
        by, ACKNOWLEDGE_WARNING, key=key, body=BODY, reason=reason, expected=expected, corrects=corrects
    )


# --- deciding -----------------------------------------------------------------------------------------


def test_a_decision_says_who_when_why_and_what(ledger: Ledger) -> None:
    made = acknowledge(ledger, reason="  Spoke to the supplier\n")
    assert (made.entry, made.revision, made.at, made.kind) == (1, 1, NOW, "acknowledge_warning")
    assert (made.name, made.employee_id, made.roles) == ("Wen Ke", "E0042", ("hr_leadership",))
    assert (made.key, made.reason, made.corrects) == ("G1/chance/2026-09-01", "Spoke to the supplier", None)
    assert dict(made.body) == {**BODY, "arose_on": "2026-09-01"}
    assert ledger.history(ACKNOWLEDGE_WARNING, made.key) == (made,)


@pytest.mark.parametrize("role", list(Role))
def test_only_who_holds_the_permission_of_its_kind_decides(ledger: Ledger, role: Role) -> None:
    allowed = Permission.ACKNOWLEDGE_WARNINGS in ROLES[role].permissions
    assert allowed == (
        role in {Role.EXECUTIVE, Role.HR_LEADERSHIP, Role.HR_PARTNER, Role.MANAGER}
    )  # those who see goals and act on them; not the auditor
    if allowed:
        assert acknowledge(ledger, by=viewer(role)).roles == (role.value,)
    else:
        with pytest.raises(Problem, match="does not allow"):
            acknowledge(ledger, by=viewer(role))
        assert ledger.head() == GENESIS


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 2001])
def test_a_decision_without_a_reason_or_with_an_essay_is_not_recorded(ledger: Ledger, reason: str) -> None:
    with pytest.raises(Problem, match=r"Say why|too long"):
        acknowledge(ledger, reason=reason)
    assert ledger.head() == GENESIS


@pytest.mark.parametrize("reason", ["\u200b", "\x00", " \u200b\ufeff\u2060 ", "\u3164", "\u2800", "\ufe0f"])
def test_a_reason_of_which_nothing_can_be_seen_is_none(ledger: Ledger, reason: str) -> None:
    with pytest.raises(Problem, match="Say why"):
        acknowledge(ledger, reason=reason)
    assert ledger.head() == GENESIS


@pytest.mark.parametrize("reason", [" ab\ud800c", " ab\x00c"])
def test_a_reason_with_a_character_that_cannot_be_kept_is_refused_naming_it(
    ledger: Ledger, reason: str
) -> None:
    with pytest.raises(Problem, match="Character 4 of the reason"):
        acknowledge(ledger, reason=reason)
    assert ledger.head() == GENESIS


@pytest.mark.parametrize("reason", ["好", "👍", "?", "می\u200cخواهم"])
def test_a_short_reason_in_any_writing_is_kept_as_it_is(ledger: Ledger, reason: str) -> None:
    assert acknowledge(ledger, reason=reason).reason == reason


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"owner": "E0042"}, "may hold"),
        ({"delay_percent": 71.0}, "floats"),
        ({"arose_on": datetime(2026, 9, 1)}, "time zone"),
        ({"goal_id": "x" * 201}, "characters"),
        ({"goal_id": {"title": "x" * 201}}, "characters"),
        ({"goal_id": object()}, "only what JSON knows"),
        ({"goal_id": "\ud800"}, "surrogates"),
    ],
)
def test_a_body_holds_only_what_its_kind_says_and_can_be_written_in_one_way(
    ledger: Ledger, body: dict[str, object], wrong: str
) -> None:
    with pytest.raises(ValueError, match=wrong):
        ledger.append(HR, ACKNOWLEDGE_WARNING, key="W", body=body, reason="x", expected=0)  # type: ignore[arg-type]
    assert ledger.head() == GENESIS


def test_kinds_keys_and_revisions_are_checked_first(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="kind must be one of acknowledge_warning"):
        ledger.append(HR, "promote", key="W", body={}, reason="x", expected=0)
    with pytest.raises(ValueError, match=r"Ledger\.forget"):
        ledger.append(HR, FORGET_PERSON, key="W", body={}, reason="x", expected=0)
    with pytest.raises(ValueError, match="key must"):
        acknowledge(ledger, "")
    with pytest.raises(ValueError, match="expected must"):
        acknowledge(ledger, expected=-1)


# --- in turn ------------------------------------------------------------------------------------------


def test_of_two_who_saw_the_same_the_second_is_refused_and_told_what_the_first_did(
    ledger: Ledger, clock: Clock
) -> None:
    first = acknowledge(ledger, by=PARTNER)
    clock.now += timedelta(minutes=3)
    with pytest.raises(ConflictError, match=r"Ann Li .* on 2026-09-14 08:30 UTC: Spoke") as refused:
        acknowledge(ledger, by=HR, reason="Cut the scope")
    assert refused.value.standing == first
    assert ledger.head().entry == 1
    # Having seen it, the second may decide again.
    assert acknowledge(ledger, by=HR, expected=1, reason="Cut the scope").revision == 2


def test_a_double_click_records_one_decision_and_says_so(ledger: Ledger) -> None:
    acknowledge(ledger)
    with pytest.raises(ConflictError, match="You decided on this already"):
        acknowledge(ledger)
    assert ledger.head().entry == 1


def test_who_saw_more_than_the_ledger_holds_is_refused(ledger: Ledger) -> None:
    # As after restoring an older backup.
    with pytest.raises(ConflictError, match="does not stand any more") as refused:
        acknowledge(ledger, expected=1)
    assert refused.value.standing is None


def test_decisions_on_different_matters_do_not_meet(ledger: Ledger) -> None:
    assert [acknowledge(ledger, key).revision for key in ("W1", "W2", "W3")] == [1, 1, 1]


def test_a_refused_decision_leaves_no_trace_of_who_tried(ledger: Ledger) -> None:
    acknowledge(ledger, by=PARTNER)
    with pytest.raises(ConflictError):
        acknowledge(ledger, by=HR)
    assert ledger._rows("SELECT name FROM people", ()) == [("Ann Li",)]


# --- corrections and replay ---------------------------------------------------------------------------


def test_a_correction_is_a_new_decision_that_names_the_old_one(ledger: Ledger) -> None:
    old = acknowledge(ledger, "W1")
    other = acknowledge(ledger, "W2")
    new = ledger.append(
        PARTNER,
        ACKNOWLEDGE_WARNING,
        key="W1",
        body={"taken_back": True},
        reason="Wrong goal",
        expected=1,
        corrects=old.entry,
    )
    assert ledger.history(ACKNOWLEDGE_WARNING, "W1") == (old, new)
    assert ledger.state(ACKNOWLEDGE_WARNING) == {"W1": new, "W2": other}
    assert (new.corrects, dict(new.body)) == (old.entry, {"taken_back": True})


@pytest.mark.parametrize("corrects", [2, 3, 0])
def test_only_a_decision_on_the_same_matter_can_be_corrected(ledger: Ledger, corrects: int) -> None:
    acknowledge(ledger, "W1")
    acknowledge(ledger, "W2")  # entry 2 is on another matter, 3 is yet to come, 0 never was
    with pytest.raises(ValueError, match="corrects must"):
        acknowledge(ledger, "W1", expected=1, corrects=corrects)
    assert ledger.head().entry == 2


def test_a_restart_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    made = acknowledge(ledger)
    ledger.close()
    again = Ledger(tmp_path)
    assert again.state(ACKNOWLEDGE_WARNING) == {made.key: made}
    assert acknowledge(again, expected=1).by == made.by  # the same person under the same digest
    assert again.verify().is_sound
    again.close()


def test_all_decisions_are_for_those_who_see_the_access_log(ledger: Ledger, clock: Clock) -> None:
    for n in range(3):
        acknowledge(ledger, f"W{n}")
        clock.now += timedelta(hours=1)
    found = ledger.decisions(AUDITOR)
    assert found["entry"].to_list() == [3, 2, 1]
    assert found["at"][0] == NOW + timedelta(hours=2)
    assert found["name"].to_list() == ["Wen Ke"] * 3
    assert found["roles"].to_list() == [["hr_leadership"]] * 3
    assert json.loads(found["body"][0])["delay_percent"] == 71
    assert ledger.decisions(AUDITOR, limit=2)["entry"].to_list() == [3, 2]
    with pytest.raises(Problem, match="access log"):
        ledger.decisions(HR)
    with pytest.raises(ValueError, match="limit"):
        ledger.decisions(AUDITOR, limit=0)


# --- the chain ----------------------------------------------------------------------------------------


def test_the_canonical_text_of_a_value_is_one_whatever_its_order_and_time_zone() -> None:
    china = timezone(timedelta(hours=8))
    moment = datetime(2026, 9, 14, 16, 30, tzinfo=china)  # 08:30 UTC
    assert (
        canonical({"b": [1, True, None], "a": moment}) == '{"a":"2026-09-14T08:30:00.000Z","b":[1,true,null]}'
    )
    assert canonical({"a": NOW, "b": (1, True, None)}) == canonical({"b": [1, True, None], "a": moment})
    assert canonical({"目标": date(2026, 9, 1)}) == '{"目标":"2026-09-01"}'


@pytest.mark.parametrize("value", [0.5, float("nan"), {1: "x"}, {"x": {1, 2}}, b"x", datetime(2026, 1, 1)])
def test_what_could_be_written_in_two_ways_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"float|keys|JSON|time zone"):
        canonical(value)


def test_the_chain_can_be_checked_by_anybody_with_a_few_lines(ledger: Ledger, tmp_path: Path) -> None:
    for n in range(4):
        acknowledge(ledger, f"W{n}")
    assert ledger.export(tmp_path / "chain.jsonl") == ledger.head()
    digest = "0" * 64
    for line in (tmp_path / "chain.jsonl").read_text("utf-8").splitlines():
        told = json.loads(line)
        digest = hashlib.sha256((digest + told["record"]).encode()).hexdigest()
        assert digest == told["digest"]
    assert str(ledger.head()) == f"4:{digest}"


def test_the_chain_holds_no_name_no_id_of_a_person_and_no_free_text(ledger: Ledger, tmp_path: Path) -> None:
    acknowledge(ledger, reason="Wen Ke asked Ann Li")
    ledger.export(tmp_path / "chain.jsonl")
    chain = (tmp_path / "chain.jsonl").read_text("utf-8")
    assert [word for word in ("Wen", "Ke", "Ann", "asked", "E0042", "idp") if word in chain] == []
    assert "hr_leadership" in chain


def test_a_head_is_read_as_it_was_noted_down(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.export_head(tmp_path / "heads") == GENESIS
    acknowledge(ledger)
    assert ledger.export_head(tmp_path / "heads") == ledger.head()
    lines = (tmp_path / "heads").read_text().splitlines()
    assert [Head.read(line) for line in lines] == [GENESIS, ledger.head()]
    assert lines[1].startswith("2026-09-14T08:30:00.000Z 1:")
    for wrong in ("", "1", "1:abc", f"x1:{'0' * 64}", f"1:{'0' * 65}"):
        with pytest.raises(Problem, match="no head"):
            Head.read(wrong)


def test_a_file_that_cannot_be_written_is_named(ledger: Ledger, tmp_path: Path) -> None:
    for write in (ledger.export, ledger.export_head):
        with pytest.raises(Problem, match="cannot be written"):
            write(tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE decisions SET digest = 'x'",
        "DELETE FROM decisions",
        "UPDATE people SET name = 'x'",
        "UPDATE reasons SET text = 'x'",
        "INSERT INTO decisions (entry, record, digest) SELECT 4, record, digest FROM decisions LIMIT 1",
        "INSERT INTO decisions (entry, record, digest) VALUES (9, '{}', 'x')",
        "INSERT OR REPLACE INTO decisions (entry, record, digest) SELECT entry, record, 'x' FROM decisions",
        "INSERT OR REPLACE INTO decisions (entry, record, digest) SELECT 3, record, 'x' FROM decisions",
    ],
)
def test_nothing_can_be_changed_removed_or_slipped_in(ledger: Ledger, statement: str) -> None:
    acknowledge(ledger, "W1")
    acknowledge(ledger, "W2")
    with (
        closing(sqlite3.connect(ledger.path)) as other,
        pytest.raises(sqlite3.IntegrityError, match=r"never|only appended"),
    ):
        other.execute(statement)
    assert ledger.head().entry == 2
    assert ledger.verify().is_sound


def tamper(ledger: Ledger, *statements: str, quietly: bool = True) -> None:
    """Change the file as somebody would who knows SQLite: guards away, change, guards back."""
    with closing(sqlite3.connect(ledger.path)) as other:
        guards = other.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            other.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            other.execute(statement)
        for _, sql in guards if quietly else ():
            other.execute(sql)
        other.commit()


def faults(ledger: Ledger, *against: Head) -> list[str]:
    return [str(fault) for fault in ledger.verify(against=against).faults]


CHANGED = "UPDATE decisions SET record = replace(record, '\"delay_percent\":71', '\"delay_percent\":17')"


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (f"{CHANGED} WHERE entry = 2", ["Decision 2 is not as it was recorded."]),
        (f"{CHANGED} WHERE entry = 3", ["Decision 3 is not as it was recorded."]),
        (
            "UPDATE decisions SET digest = replace(digest, substr(digest, 1, 1), 'x') WHERE entry = 2",
            # Neither fits the record before it, nor the one after it.
            ["Decision 2 is not as it was recorded.", "Decision 3 is not as it was recorded."],
        ),
        ("DELETE FROM decisions WHERE entry = 2", ["Decisions 2 to 2 are missing."]),
        ("DELETE FROM decisions WHERE entry < 3", ["Decisions 1 to 2 are missing."]),
        (
            "UPDATE reasons SET text = 'x' WHERE entry = 2",
            ["The reason of decision 2 is not as it was recorded."],
        ),
        (
            "DELETE FROM reasons WHERE entry = 2",
            ["The reason of decision 2 is gone, and nobody recorded erasing it."],
        ),
        (
            "DELETE FROM people WHERE name = 'Wen Ke'",
            ["Who made decision 2 is gone, and nobody recorded erasing it."],
        ),
    ],
)
def test_a_change_is_found_where_it_was_made(ledger: Ledger, statement: str, found: list[str]) -> None:
    for n, by in enumerate((PARTNER, HR, HR)):
        acknowledge(ledger, f"W{n}", by=by)
    assert faults(ledger) == []
    tamper(ledger, statement)
    said = faults(ledger)
    assert said[: len(found)] == found


def test_another_name_behind_a_decision_is_found(ledger: Ledger) -> None:
    made = acknowledge(ledger)
    tamper(ledger, "UPDATE people SET name = 'Somebody Else'")
    assert faults(ledger) == [f"Another name was put behind the decisions of {made.by[:12]}."]


def test_decisions_in_another_order_are_found(ledger: Ledger) -> None:
    for n in range(3):
        acknowledge(ledger, f"W{n}")
    tamper(
        ledger,
        "UPDATE decisions SET entry = -2 WHERE entry = 2",
        "UPDATE decisions SET entry = 2 WHERE entry = 3",
        "UPDATE decisions SET entry = 3 WHERE entry = -2",
    )
    assert "Decision 2 is not as it was recorded." in faults(ledger)


def test_what_was_cut_off_the_end_shows_only_against_a_head_noted_before(ledger: Ledger) -> None:
    for n in range(3):
        acknowledge(ledger, f"W{n}")
    before = ledger.head()
    tamper(ledger, "DELETE FROM decisions WHERE entry = 3", "DELETE FROM reasons WHERE entry = 3")
    assert faults(ledger) == []  # a chain alone cannot tell
    (said,) = faults(ledger, before)
    assert said.startswith(f"Decision 3 is not the one that was noted down ({before.digest})")
    assert faults(ledger, ledger.head()) == []


def test_a_chain_made_anew_from_a_changed_entry_shows_only_against_a_head(ledger: Ledger) -> None:
    for n in range(3):
        acknowledge(ledger, f"W{n}")
    early, late = Head(1, ledger.history(ACKNOWLEDGE_WARNING, "W0")[0].digest), ledger.head()
    records = [record for (record,) in ledger._rows("SELECT record FROM decisions ORDER BY entry", ())]
    records[1] = records[1].replace('"delay_percent":71', '"delay_percent":17')
    digest, forged = "0" * 64, []
    for entry, record in enumerate(records, start=1):
        digest = hashlib.sha256((digest + record).encode()).hexdigest()
        forged.append(f"UPDATE decisions SET record = '{record}', digest = '{digest}' WHERE entry = {entry}")
    tamper(ledger, *forged)
    assert faults(ledger) == []
    assert faults(ledger, early) == []  # before the change all is the same
    assert len(faults(ledger, early, late)) == 1


def test_a_chain_made_anew_with_revisions_that_do_not_follow_is_found(ledger: Ledger) -> None:
    acknowledge(ledger, "W0")
    ((record,),) = ledger._rows("SELECT record FROM decisions", ())
    record = record.replace('"revision":1', '"revision":7')
    digest = hashlib.sha256(("0" * 64 + record).encode()).hexdigest()
    tamper(ledger, f"UPDATE decisions SET record = '{record}', digest = '{digest}'")
    assert faults(ledger) == ["Decision 1 was not written by Evenhand."]


def test_guards_that_were_removed_or_weakened_are_missed(ledger: Ledger) -> None:
    acknowledge(ledger)
    tamper(ledger, quietly=False)
    assert len(faults(ledger)) == 5
    tamper(
        ledger,
        "CREATE TRIGGER decisions_are_never_removed BEFORE DELETE ON decisions WHEN 0"
        " BEGIN SELECT RAISE(ABORT, 'x'); END",
    )
    assert any("decisions_are_never_removed" in fault for fault in faults(ledger))


def test_many_faults_are_counted_and_the_first_told(ledger: Ledger) -> None:
    for n in range(23):
        acknowledge(ledger, f"W{n}")
    tamper(ledger, CHANGED)
    found = ledger.verify()
    # 23 records changed: each fails against its own digest, and the next is chained to that digest again.
    assert (len(found.faults), found.more) == (20, 3)
    assert not found.is_sound


def test_a_damaged_file_is_said_to_be_damaged(ledger: Ledger, tmp_path: Path) -> None:
    for n in range(200):
        acknowledge(ledger, f"W{n}")
    ledger.close()
    path = tmp_path / "ledger.sqlite"
    content = bytearray(path.read_bytes())
    content[40_000:60_000] = bytes(20_000)
    path.write_bytes(bytes(content))
    with closing(Ledger(tmp_path)) as again:
        assert any("damaged" in fault for fault in faults(again))


RECORD = {
    "entry": 2,
    "at": "2026-09-14T08:30:00.000Z",
    "by": "x",
    "roles": [],
    "kind": ACKNOWLEDGE_WARNING,
    "key": "W1",
    "revision": 1,
    "corrects": None,
    "body": {},
    "reason": "x",
}


@pytest.mark.parametrize(
    "record",
    [
        {name: RECORD[name] for name in ("kind", "key", "revision", "by")},
        {**RECORD, "more": 1},
        {**RECORD, "entry": 7},
        {**RECORD, "entry": True},
        {**RECORD, "at": 1},
        {**RECORD, "at": "2026-09-14"},
        {**RECORD, "roles": [[]]},
        {**RECORD, "corrects": 10**30},
        {**RECORD, "body": []},
        {**RECORD, "body": {"delay_percent": 0.5}},
        {**RECORD, "body": {"delay_percent": json.loads("[" * 900 + "]" * 900)}},
    ],
)
def test_a_record_that_cannot_be_read_is_a_fault_and_hides_no_other(
    ledger: Ledger, record: dict[str, object]
) -> None:
    for n in range(3):
        acknowledge(ledger, f"W{n}")
    forged = json.dumps(record, sort_keys=True, separators=(",", ":"))
    tamper(ledger, f"UPDATE decisions SET record = '{forged}' WHERE entry = 2")
    assert {
        "Decision 2 is not as it was recorded.",
        "Decision 2 was not written by Evenhand.",
    } <= set(faults(ledger))
    assert ledger.decisions(AUDITOR)["entry"].to_list() == [3, 1]
    with pytest.raises(Problem, match="Decision 2 cannot be read"):
        ledger.state(ACKNOWLEDGE_WARNING)
    with pytest.raises(Problem, match="Decision 2 cannot be read"):
        acknowledge(ledger, "W1", expected=1)
    assert acknowledge(ledger, "W2", expected=1).revision == 2


# --- erasing ------------------------------------------------------------------------------------------


@pytest.fixture
def about_people(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Kind]:
    """Kinds with one whose decisions are about people."""
    kind = Kind(Permission.ACKNOWLEDGE_WARNINGS, frozenset({"level"}), about_people=True)
    kinds = MappingProxyType({**KINDS, "rate": kind})
    monkeypatch.setattr(ledger_module, "KINDS", kinds)
    return kinds


def files_hold(folder: Path, words: str) -> list[str]:
    return [path.name for path in folder.glob("ledger*") if words.encode() in path.read_bytes()]


def test_an_erased_person_is_in_no_file_and_the_chain_stays_whole(ledger: Ledger, tmp_path: Path) -> None:
    before = acknowledge(ledger, by=PARTNER)
    head = ledger.head()
    acknowledge(ledger, "W2", by=HR)
    assert files_hold(tmp_path, "Ann Li")
    made = ledger.forget(HR, "E0007", reason="Asked for erasure")
    assert (made.kind, made.name, made.reason) == (FORGET_PERSON, "Wen Ke", "Asked for erasure")
    assert [files_hold(tmp_path, word) for word in ("Ann Li", "E0007")] == [[], []]
    after = ledger.history(ACKNOWLEDGE_WARNING, before.key)[0]
    assert (after.name, after.employee_id, after.by, after.digest) == (None, None, before.by, before.digest)
    assert after.reason == "Spoke to the supplier"  # about a matter, not about the person
    assert ledger.state(ACKNOWLEDGE_WARNING)["W2"].name == "Wen Ke"
    assert ledger.verify(against=[head, ledger.head()]).is_sound


def test_a_person_is_found_by_sign_in_as_well_as_by_employee_id(ledger: Ledger) -> None:
    acknowledge(ledger, by=PARTNER)
    assert ledger.signed_in_as("E0007") == {PARTNER.subject}
    assert ledger.signed_in_as("") == frozenset()
    ledger.forget(HR, PARTNER.subject, reason="x")
    assert ledger.history(ACKNOWLEDGE_WARNING, "G1/chance/2026-09-01")[0].name is None


def test_decisions_about_an_erased_person_lose_their_reasons_and_their_key(
    ledger: Ledger, tmp_path: Path, about_people: Mapping[str, Kind]
) -> None:
    made = ledger.append(HR, "rate", key="E0099", body={"level": 3}, reason="Ill in March", expected=0)
    assert (made.key, ledger.history("rate", "E0099")) == ("E0099", (made,))
    ledger.export(tmp_path / "chain.jsonl")
    assert "E0099" not in (tmp_path / "chain.jsonl").read_text("utf-8")
    with pytest.raises(ConflictError):
        ledger.append(PARTNER, "rate", key="E0099", body={"level": 4}, reason="x", expected=0)
    ledger.forget(HR, "E0099", reason="Left")
    assert [files_hold(tmp_path, word) for word in ("E0099", "Ill in March")] == [[], []]
    (left,) = ledger.state("rate").values()
    assert (left.reason, len(left.key), left.body["level"]) == (None, 64, 3)
    assert ledger.history("rate", "E0099") == ()
    assert ledger.verify().is_sound


def test_reasons_that_name_a_person_in_passing_can_be_erased_with_them(
    ledger: Ledger, tmp_path: Path
) -> None:
    acknowledge(ledger, "W1", by=PARTNER)
    named = acknowledge(ledger, "W2", reason="Ann Li is on leave")
    with pytest.raises(Problem, match="no reason that could be erased"):
        ledger.forget(HR, "E0007", reason="x", reasons_of=[named.entry, 99])
    assert ledger.state(ACKNOWLEDGE_WARNING)["W1"].name == "Ann Li"  # all or nothing
    ledger.forget(HR, "E0007", reason="x", reasons_of=[named.entry])
    assert files_hold(tmp_path, "Ann Li") == []
    assert ledger.verify().is_sound


def test_who_returns_after_erasure_is_somebody_else_to_the_chain(ledger: Ledger) -> None:
    before = acknowledge(ledger, "W1", by=PARTNER)
    ledger.forget(HR, "E0007", reason="x")
    assert acknowledge(ledger, "W2", by=PARTNER).by != before.by


def test_whoever_erases_themselves_is_erased_too(ledger: Ledger, tmp_path: Path) -> None:
    acknowledge(ledger)
    made = ledger.forget(HR, "E0042", reason="I leave")
    assert made.name is None
    assert files_hold(tmp_path, "Wen Ke") == []
    assert ledger.verify().is_sound


def test_erasing_takes_the_permission_and_somebody_to_erase(ledger: Ledger) -> None:
    acknowledge(ledger)
    for role in set(Role) - {Role.HR_LEADERSHIP, Role.DATA_STEWARD}:
        with pytest.raises(Problem, match="does not allow"):
            ledger.forget(viewer(role), "E0042", reason="x")
    acknowledge(ledger, "W2", by=viewer(Role.EXECUTIVE, "Dana", None))
    for nobody in ("E9", "", "employee"):  # Dana's employee id is not known: the empty one is not hers
        with pytest.raises(Problem, match=f"No decision is by or about {nobody}"):
            ledger.forget(HR, nobody, reason="x")
    with pytest.raises(Problem, match="Say why"):
        ledger.forget(HR, "E0042", reason=" ")
    assert ledger.head().entry == 2


# --- the file -----------------------------------------------------------------------------------------


def test_only_the_owner_may_read_the_ledger_and_its_key(ledger: Ledger, tmp_path: Path) -> None:
    acknowledge(ledger)
    files = sorted(path for path in tmp_path.iterdir() if path.name.startswith("ledger"))
    assert {"ledger.key", "ledger.sqlite"} <= {path.name for path in files}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_ledger_of_a_newer_release_is_left_alone(ledger: Ledger, tmp_path: Path) -> None:
    with closing(sqlite3.connect(ledger.path)) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(Problem, match="newer release"):
        Ledger(tmp_path)


@pytest.mark.parametrize("foreign", ["CREATE TABLE decisions (n INTEGER)", "PRAGMA user_version = 1"])
def test_a_file_of_another_program_is_left_alone(tmp_path: Path, foreign: str) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as other:
        other.execute(foreign)
        other.commit()
    with pytest.raises(Problem, match="cannot be used"):
        Ledger(tmp_path)
    assert not (tmp_path / "ledger.key").exists()


def test_a_ledger_that_was_removed_is_missed_and_not_begun_anew(ledger: Ledger, tmp_path: Path) -> None:
    acknowledge(ledger)
    for path in tmp_path.glob("ledger.sqlite*"):
        path.rename(path.with_name(f"moved-{path.name}"))
    for _ in range(2):
        with pytest.raises(Problem, match="is gone"):
            acknowledge(ledger, expected=1)
        with pytest.raises(Problem, match="is gone"):
            Ledger(tmp_path)
    for path in tmp_path.glob("moved-*"):
        path.rename(path.with_name(path.name.removeprefix("moved-")))
    assert acknowledge(ledger, expected=1).entry == 2  # restored, without a restart


def test_a_ledger_that_was_emptied_is_missed_and_not_begun_anew(ledger: Ledger, tmp_path: Path) -> None:
    acknowledge(ledger)
    ledger.close()
    kept = (tmp_path / "ledger.sqlite").read_bytes()
    (tmp_path / "ledger.sqlite").write_bytes(b"")
    for path in (tmp_path / "ledger.sqlite-wal", tmp_path / "ledger.sqlite-shm"):
        path.unlink(missing_ok=True)
    for _ in range(2):
        with pytest.raises(Problem, match="was emptied"):
            Ledger(tmp_path)
    for path in tmp_path.glob("ledger.sqlite*"):
        path.unlink()
    (tmp_path / "ledger.sqlite").write_bytes(kept)
    with closing(Ledger(tmp_path)) as again:
        assert acknowledge(again, expected=1).entry == 2


def test_nothing_is_confirmed_into_a_ledger_that_was_emptied_under_a_running_server(ledger: Ledger) -> None:
    acknowledge(ledger)
    ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all of it in the file, none in the log
    os.truncate(ledger.path, 0)
    for _ in range(2):
        with pytest.raises(Problem, match="was emptied"):
            acknowledge(ledger, "W2")
        with pytest.raises(Problem, match="was emptied"):
            ledger.state(ACKNOWLEDGE_WARNING)


def test_a_ledger_that_lost_a_table_under_a_running_server_is_said_to_be_unusable(
    ledger: Ledger, tmp_path: Path
) -> None:
    acknowledge(ledger)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as other:
        other.execute("DROP TABLE decisions")
        other.commit()
    with pytest.raises(Problem, match=r"cannot be used: no such table"):
        ledger.state(ACKNOWLEDGE_WARNING)


@pytest.mark.parametrize("key", [b"", b"0" * 63, b"0" * 65, b"0" * 64 + b"\n", b"g" * 64, b"\xff" * 64])
def test_a_key_that_was_never_made_so_is_refused(ledger: Ledger, tmp_path: Path, key: bytes) -> None:
    acknowledge(ledger)
    (tmp_path / "ledger.key").write_bytes(key)
    with pytest.raises(Problem, match=r"key .* is damaged"):
        Ledger(tmp_path)


def test_a_ledger_without_its_key_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    acknowledge(ledger)
    (tmp_path / "ledger.key").unlink()
    with pytest.raises(Problem, match=r"key .* is gone"):
        Ledger(tmp_path)


def test_a_foreign_file_put_in_its_place_is_refused_every_time(ledger: Ledger, tmp_path: Path) -> None:
    acknowledge(ledger)
    for path in tmp_path.glob("ledger.sqlite*"):
        path.unlink()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as other:
        other.execute("CREATE TABLE decisions (n INTEGER)")
    for _ in range(3):
        with pytest.raises(Problem, match="cannot be used"):
            acknowledge(ledger, expected=1)


def test_a_kill_between_file_and_key_does_no_harm(ledger: Ledger, tmp_path: Path) -> None:
    ledger.close()
    (tmp_path / "ledger.key").unlink()
    with closing(Ledger(tmp_path)) as again:
        assert acknowledge(again).entry == 1


def test_what_the_disk_refuses_is_said_not_to_be_recorded(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledge(ledger)
    ledger._connection.execute("PRAGMA max_page_count = 1")  # no page more than there are

    def decide_until_it_is_full() -> None:
        for n in range(200):
            acknowledge(ledger, f"X{n}")

    with pytest.raises(Problem, match=r"not recorded: .*full"):
        decide_until_it_is_full()
    ledger._connection.execute("PRAGMA max_page_count = 1000000")
    assert ledger.verify().is_sound
    assert acknowledge(ledger, "after").revision == 1


WRITER = """
import sys
from pathlib import Path
from data.access import Role
from data.ledger import ConflictError, Ledger
from data.sign_in import local_viewer
folder, own, n = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
ledger, who = Ledger(folder), local_viewer(Role.MANAGER, employee_id=own)
won = 0
for i in range(n):
    ledger.append(who, "acknowledge_warning", key=f"{own}/{i}", body={}, reason="own", expected=0)
    standing = ledger.state("acknowledge_warning").get("contested")
    try:
        ledger.append(
            who, "acknowledge_warning", key="contested", body={}, reason="contested",
            expected=standing.revision if standing else 0,
        )
        won += 1
    except ConflictError:
        pass
print(won)
"""


def test_eight_processes_at_once_lose_nothing_and_override_nothing(tmp_path: Path) -> None:
    # The file does not exist yet: all of them create it at the same moment.
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), f"w{n}", "15"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(8)
    ]
    won = [int(writer.communicate(timeout=60)[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 8
    with closing(Ledger(tmp_path)) as ledger:
        assert ledger.verify().is_sound
        assert len(ledger.state(ACKNOWLEDGE_WARNING)) == 8 * 15 + 1
        contested = ledger.history(ACKNOWLEDGE_WARNING, "contested")
        assert [decision.revision for decision in contested] == list(range(1, sum(won) + 1))
        assert ledger.head().entry == 8 * 15 + sum(won)
        assert len({decision.by for decision in contested}) <= 8
