"""Whoever looks after the installation can check the ledger, note its head, hand it out, erase a person."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from data.__main__ import main
from data.access import Role, Viewer
from data.ledger import ACKNOWLEDGE_WARNING, Ledger
from data.operations import Operations

PARTNER = Viewer("https://idp|7", "Ann Li", frozenset({Role.HR_PARTNER}), "E0007")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("EVENHAND_HOME", str(home))
    return home


@pytest.fixture
def decided(home: Path) -> Path:
    """A home with three decisions, which the access log knows of."""
    with closing(Ledger(home)) as ledger, closing(Operations(home)) as store:
        for n in range(3):
            ledger.append(
                PARTNER, ACKNOWLEDGE_WARNING, key=f"W{n}", body={}, reason="Spoke to the owner", expected=0
            )
            store.record(PARTNER, "decided", ACKNOWLEDGE_WARNING, {"head": str(ledger.head())})
    return home


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def cut(home: Path, *, from_entry: int) -> None:
    """Remove the last decisions as somebody would who knows SQLite."""
    with closing(sqlite3.connect(home / "ledger.sqlite")) as other:
        guard = "decisions_are_never_removed"
        ((sql,),) = other.execute("SELECT sql FROM sqlite_master WHERE name = ?", (guard,)).fetchall()
        other.execute(f"DROP TRIGGER {guard}")
        other.execute("DELETE FROM decisions WHERE entry >= ?", (from_entry,))
        other.execute("DELETE FROM reasons WHERE entry >= ?", (from_entry,))
        other.execute(sql)
        other.commit()


def test_a_sound_ledger_is_said_to_be_sound_with_its_head(
    decided: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("ledger", "head") == 0
    head = capsys.readouterr().out.strip()
    assert head.startswith("3:")
    assert run("ledger", "verify", "--against", head) == 0
    said = capsys.readouterr().out
    assert "sound: 3 decisions, none changed and none missing" in said
    assert f"Head: {head}" in said


@pytest.mark.parametrize(
    "command", [("verify",), ("head",), ("export", "x"), ("forget", "E1", "--reason", "x")]
)
def test_without_decisions_nothing_is_made(
    home: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("ledger", *command) == 0
    assert "Nothing has been decided here yet" in capsys.readouterr().out
    assert not home.exists()


def test_what_was_cut_off_is_missed_because_the_access_log_knows_of_it(
    decided: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut(decided, from_entry=3)
    assert run("ledger", "verify") == 1
    said = capsys.readouterr().out
    assert "Decision 3 is not the one that was noted down" in said
    assert "not sound" in said


def test_what_was_cut_off_is_missed_against_a_file_of_heads(
    decided: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = tmp_path / "heads.txt"
    for _ in range(2):
        assert run("ledger", "head", "--to", heads) == 0
    assert len(heads.read_text().splitlines()) == 2
    for path in decided.glob("operations.sqlite*"):
        path.unlink()
    cut(decided, from_entry=2)
    capsys.readouterr()
    assert run("ledger", "verify") == 0  # nothing else tells
    assert run("ledger", "verify", "--against", heads) == 1
    assert "Decision 3 is not the one" in capsys.readouterr().out


def test_a_head_that_is_none_is_named(decided: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ledger", "verify", "--against", "3:abc") == 1
    assert "3:abc is no head" in capsys.readouterr().err


def test_the_chain_is_handed_out_without_names(
    decided: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("ledger", "export", tmp_path / "chain.jsonl") == 0
    assert "Wrote 3 decisions" in capsys.readouterr().out
    lines = (tmp_path / "chain.jsonl").read_text("utf-8")
    assert [json.loads(json.loads(line)["record"])["entry"] for line in lines.splitlines()] == [1, 2, 3]
    assert "Ann Li" not in lines


def test_a_person_is_erased_from_decisions_and_from_what_they_were_told(
    decided: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(Operations(decided)) as store:
        subjects = (PARTNER.subject, "local/manager/E0007", "local/manager/E0008")
        for subject in subjects:  # by sign-in, by letter, and somebody else
            store.tell(subject, ["W1"])
    assert run("ledger", "forget", "E0007", "--reason", "Asked for it", "--reason-of", 2) == 0
    assert "decision 4 says so" in capsys.readouterr().out
    with closing(Ledger(decided)) as ledger, closing(Operations(decided)) as store:
        state = ledger.state(ACKNOWLEDGE_WARNING)
        assert [(one.name, one.reason) for one in state.values()] == [
            (None, "Spoke to the owner"),
            (None, None),
            (None, "Spoke to the owner"),
        ]
        assert [bool(store.told(subject, ["W1"])) for subject in subjects] == [False, False, True]
    assert run("ledger", "verify") == 0
    assert run("ledger", "forget", "E0007", "--reason", "again") == 1
    assert "No decision is by or about E0007" in capsys.readouterr().err


def test_verifying_the_data_verifies_the_decisions_too(
    decided: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("employee_id,display_name,email,hire_date\n1,Ann,a@x.example,2020-01-01\n")
    assert run("import", people, "--as-of", "2026-03-01") == 0
    capsys.readouterr()
    assert run("verify") == 0
    assert "The decision ledger is sound: 3 decisions" in capsys.readouterr().out
    cut(decided, from_entry=3)
    assert run("verify") == 1
