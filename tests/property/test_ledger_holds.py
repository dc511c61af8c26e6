"""Whatever is decided, by whomever, in whatever order: replay is right, and no change goes unseen."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.access import Role, Viewer
from data.chain import canonical, chained_digest
from data.ledger import ACKNOWLEDGE_WARNING, ConflictError, Ledger

NAMES = ("Ann Li", "王小明", "O'Brien; DROP TABLE", "李'\"{}")
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@dataclass(frozen=True)
class Step:
    """Somebody decides, having seen a revision that may be out of date."""

    person: int
    key: str
    behind: int
    percent: int


steps = st.lists(
    st.builds(
        Step,
        person=st.integers(0, len(NAMES) - 1),
        key=st.sampled_from(["W1", "W2", "目标/3"]),
        behind=st.sampled_from([0, 0, 0, 1]),
        percent=st.integers(-5, 105),
    ),
    min_size=1,
    max_size=12,
)


def viewer(person: int) -> Viewer:
    return Viewer(f"https://idp|{person}", NAMES[person], frozenset({Role.HR_PARTNER}), f"E-{person}")


@contextmanager
def decided(by: list[Step]) -> Iterator[tuple[Ledger, dict[str, list[Step]]]]:
    """A ledger after these steps, and what a list per key would hold."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder), clock=lambda: datetime(2026, 9, 14, tzinfo=UTC))
        model: dict[str, list[Step]] = {}
        for step in by:
            stands = len(model.get(step.key, []))
            try:
                ledger.append(
                    viewer(step.person),
                    ACKNOWLEDGE_WARNING,
                    key=step.key,
                    body={"delay_percent": step.percent},
                    reason=f"why {NAMES[step.person]}",
                    expected=max(0, stands - step.behind),
                )
            except ConflictError:
                assert step.behind > 0
                assert stands > 0
            else:
                model.setdefault(step.key, []).append(step)
        try:
            yield ledger, model
        finally:
            ledger.close()


@given(steps)
@settings(max_examples=20, deadline=None)
def test_replay_gives_what_was_decided_and_the_chain_is_sound(by: list[Step]) -> None:
    with decided(by) as (ledger, model):
        state = ledger.state(ACKNOWLEDGE_WARNING)
        assert {key: (one.revision, one.body["delay_percent"], one.name) for key, one in state.items()} == {
            key: (len(taken), taken[-1].percent, NAMES[taken[-1].person]) for key, taken in model.items()
        }
        for key, taken in model.items():
            found = ledger.history(ACKNOWLEDGE_WARNING, key)
            assert [one.body["delay_percent"] for one in found] == [step.percent for step in taken]
            assert [one.revision for one in found] == list(range(1, len(taken) + 1))
        assert ledger.verify(against=[ledger.head()]).is_sound


@given(steps, st.data())
@settings(max_examples=40, deadline=None)
def test_no_change_anywhere_goes_unseen(by: list[Step], data: st.DataObject) -> None:
    with decided(by) as (ledger, _):
        noted = ledger.head()
        table, column = data.draw(
            st.sampled_from(
                [
                    *(("decisions", column) for column in ("record", "digest")),
                    *(("reasons", column) for column in ("salt", "text")),
                    *(("people", column) for column in ("salt", "namespace", "id", "name", "employee_id")),
                ]
            )
        )
        with closing(sqlite3.connect(ledger.path)) as other:
            guards = other.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in guards:
                other.execute(f"DROP TRIGGER {name}")
            key = "keyed" if table == "people" else "entry"
            rows = other.execute(f"SELECT {key}, {column} FROM {table} ORDER BY {key}").fetchall()
            row, value = data.draw(st.sampled_from(rows))
            place = data.draw(st.integers(0, len(value) - 1))
            changed = value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]
            try:
                other.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (changed, row))
            except sqlite3.Error:
                return  # no record at all any more: the file itself refuses it
            for _, sql in guards:
                other.execute(sql)
            other.commit()
        assert not ledger.verify(against=[noted]).is_sound


@given(steps, st.integers(0, 11))
@settings(max_examples=15, deadline=None)
def test_no_cut_goes_unseen_where_the_head_was_noted(by: list[Step], left: int) -> None:
    with decided(by) as (ledger, _):
        noted = ledger.head()
        cut = min(left, noted.entry - 1)
        with closing(sqlite3.connect(ledger.path)) as other:
            guards = other.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in guards:
                other.execute(f"DROP TRIGGER {name}")
            other.execute("DELETE FROM decisions WHERE entry > ?", (cut,))
            other.execute("DELETE FROM reasons WHERE entry > ?", (cut,))
            for _, sql in guards:
                other.execute(sql)
            other.commit()
        assert ledger.verify().is_sound  # nothing in the chain itself tells
        assert not ledger.verify(against=[noted]).is_sound


@given(steps, st.sets(st.integers(0, len(NAMES) - 1)))
@settings(max_examples=15, deadline=None)
def test_erasing_anybody_erases_them_and_nobody_else_and_breaks_nothing(
    by: list[Step], leaving: set[int]
) -> None:
    hr = Viewer("https://idp|hr", "HR", frozenset({Role.HR_LEADERSHIP}))
    with decided(by) as (ledger, model):
        noted = ledger.head()
        acted = {step.person for taken in model.values() for step in taken}
        for person in sorted(leaving & acted):
            ledger.forget(hr, f"E-{person}", reason="asked")
        for key, taken in model.items():
            assert [one.name for one in ledger.history(ACKNOWLEDGE_WARNING, key)] == [
                None if step.person in leaving else NAMES[step.person] for step in taken
            ]
        named = {name for (name,) in ledger._rows("SELECT name FROM people WHERE id <> ?", (hr.subject,))}
        assert named == {NAMES[person] for person in acted - leaving}
        assert ledger.verify(against=[noted, ledger.head()]).is_sound


@given(steps)
@settings(max_examples=10, deadline=None)
def test_the_chain_never_holds_who_decided_or_why_in_words(by: list[Step]) -> None:
    with decided(by) as (ledger, _):
        chain = [json.loads(record) for (record,) in ledger._rows("SELECT record FROM decisions", ())]
        said = json.dumps(chain, ensure_ascii=False)
        assert [word for word in (*NAMES, "why", "E-", "https://idp") if word in said] == []


@given(json_values)
def test_canonical_text_gives_the_value_back_and_knows_no_order(value: object) -> None:
    line = canonical(value)
    assert json.loads(line) == value
    assert canonical(json.loads(line)) == line
    if isinstance(value, dict):
        assert canonical(dict(reversed(value.items()))) == line


@given(json_values, json_values)
def test_different_values_have_different_texts_and_digests(one: object, other: object) -> None:
    # True == 1 in Python, and not in JSON: compare as JSON does.
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (canonical(one) == canonical(other)) == same
    assert (chained_digest("0" * 64, canonical(one)) == chained_digest("0" * 64, canonical(other))) == same


@given(
    st.recursive(
        st.floats(), lambda inner: st.lists(inner, min_size=1) | st.dictionaries(text, inner, min_size=1)
    )
)
def test_no_float_is_recorded_however_deep(value: object) -> None:
    with pytest.raises(ValueError, match="float"):
        canonical(value)
