"""Auditors read what was decided and whether the record holds; what was noted down can be compared."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from data.access import Role
from data.chain import Head
from data.ledger import ACKNOWLEDGE_WARNING, Ledger
from data.operations import Operations
from data.sign_in import local_viewer
from tests.pages.conftest import Open, words

PAGE = "pages/sources/decisions.py"
MANAGER = local_viewer(Role.MANAGER, name="Ann <b>Li</b>", employee_id="E0007")
LEADER = local_viewer(Role.HR_LEADERSHIP, name="Wen Ke")
AUDITOR = local_viewer(Role.AUDITOR)


@pytest.fixture
def decided(tmp_path: Path) -> Path:
    """Two decisions on one warning and one on another, known to the access log as the pages note them."""
    with closing(Ledger(tmp_path)) as ledger, closing(Operations(tmp_path)) as store:

        def decide(warning: str, reason: str, **body: str | int) -> None:
            standing = ledger.state(ACKNOWLEDGE_WARNING).get(warning)
            ledger.append(
                MANAGER,
                ACKNOWLEDGE_WARNING,
                key=warning,
                body=body,
                reason=reason,
                expected=standing.revision if standing else 0,
                corrects=standing.entry if standing else None,
            )
            store.record(MANAGER, "decided", ACKNOWLEDGE_WARNING, {"head": str(ledger.head())})

        decide("G1/chance/2026-09-01", "Spoke to the supplier", goal_id="G1", delay_percent=71)
        decide("G1/chance/2026-09-01", "Wrong goal", taken_back=True)
        decide("G2/stale/2026-09-08", "On leave", goal_id="G2", arose_on="2026-09-08")
    return tmp_path


def cut(home: Path) -> None:
    with closing(sqlite3.connect(home / "ledger.sqlite")) as other:
        guard = "decisions_are_never_removed"
        ((sql,),) = other.execute("SELECT sql FROM sqlite_master WHERE name = ?", (guard,)).fetchall()
        other.execute(f"DROP TRIGGER {guard}")
        other.execute("DELETE FROM decisions WHERE entry = 3")
        other.execute("DELETE FROM reasons WHERE entry = 3")
        other.execute(sql)
        other.commit()


def test_who_decided_what_when_and_why_is_read_newest_first(open_app: Open, decided: Path) -> None:
    app = open_app(decided, PAGE, role="auditor")
    assert not app.exception
    said = words(app)
    assert "3 decisions are on record, each as it was made and none missing." in said
    assert "by Ann &lt;b&gt;Li&lt;/b&gt;" in said
    table = app.dataframe[0].value
    assert table["No."].to_list() == [3, 2, 1]
    assert table["As"].to_list() == ["Manager"] * 3
    assert table["Decision"].to_list() == [
        "acknowledged a warning about goal G2",
        "took an acknowledgement back",
        "acknowledged a warning about goal G1",
    ]
    assert table["About"].to_list() == ["G2/stale/2026-09-08", *["G1/chance/2026-09-01"] * 2]
    assert table["Why"].to_list() == ["On leave", "Wrong goal", "Spoke to the supplier"]
    assert table["What was seen"][2] == "probability of delay 71 %"
    assert table["Corrects no."].to_list()[1] == 1


def test_before_the_first_decision_the_page_says_what_will_stand_there(
    open_app: Open, tmp_path: Path
) -> None:
    app = open_app(tmp_path, PAGE, role="auditor")
    assert not app.exception
    assert "Nothing has been decided yet." in words(app)
    assert not app.dataframe
    assert not app.text_input


def test_a_head_noted_down_before_is_compared(open_app: Open, decided: Path) -> None:
    with closing(Ledger(decided)) as ledger:
        first = ledger.history(ACKNOWLEDGE_WARNING, "G1/chance/2026-09-01")[0]
        latest = ledger.head()
    app = open_app(decided, PAGE, role="auditor")
    assert app.code[0].value == str(latest)
    for noted, answer in (
        (str(Head(1, first.digest)), "Decision 1 is still the one that was noted down."),
        (f"2026-09-14T08:30:00.000Z {latest}", "Decision 3 is still the one that was noted down."),
        (str(Head(1, latest.digest)), "Decision 1 is not the one that was noted down"),
        (str(Head(9, latest.digest)), "Decision 9 is not the one that was noted down"),
        (str(Head(0, "0" * 64)), "nothing to compare"),
        ("3:abc", "3:abc is no head of a ledger."),
    ):
        app.text_input[0].set_value(noted).run()
        assert not app.exception
        assert answer in words(app)


def test_what_was_cut_off_is_the_first_thing_said(open_app: Open, decided: Path) -> None:
    cut(decided)
    app = open_app(decided, PAGE, role="auditor")
    said = words(app)
    assert "Something about the record is wrong in 1 place" in said
    assert "Decision 3 is not the one that was noted down" in said
    assert "on record" not in said
    assert app.dataframe[0].value["No."].to_list() == [2, 1]


def test_a_record_that_cannot_be_read_is_told_and_the_others_are_shown(open_app: Open, decided: Path) -> None:
    with closing(sqlite3.connect(decided / "ledger.sqlite")) as other:
        other.execute("DROP TRIGGER decisions_are_never_changed")
        record = '{"kind":"acknowledge_warning","key":"w1","revision":1,"by":"x"}'
        other.execute("UPDATE decisions SET record = ? WHERE entry = 2", (record,))
        other.commit()
    app = open_app(decided, PAGE, role="auditor")
    assert not app.exception
    assert "Decision 2 was not written by Evenhand." in words(app)
    assert app.dataframe[0].value["No."].to_list() == [3, 1]


def test_an_erased_person_is_shown_as_erased(open_app: Open, decided: Path) -> None:
    with closing(Ledger(decided)) as ledger:
        ledger.forget(LEADER, "E0007", reason="Asked for it", reasons_of=[3])
    app = open_app(decided, PAGE, role="auditor")
    table = app.dataframe[0].value
    assert table["Who"].to_list() == ["Wen Ke", "(erased)", "(erased)", "(erased)"]
    assert table["Why"].to_list() == ["Asked for it", "(erased)", "Wrong goal", "Spoke to the supplier"]
    assert table["Decision"][0] == "erased a person from the record"
    assert "Ann" not in words(app)


def test_a_ledger_that_is_gone_is_said_to_be_gone(open_app: Open, decided: Path) -> None:
    for path in decided.glob("ledger.sqlite*"):
        path.unlink()
    app = open_app(decided, PAGE, role="auditor")
    assert not app.exception
    assert "The decision ledger cannot be read" in words(app)
    assert "is gone" in words(app)


def test_opening_it_is_noted_in_the_access_log(open_app: Open, decided: Path) -> None:
    open_app(decided, PAGE, role="auditor")
    with closing(Operations(decided)) as store:
        looked = store.read_log(AUDITOR, action="looked")
        assert "decisions" in looked["object"].to_list()
        decisions = store.read_log(AUDITOR, action="decided")
    assert [Head.read(json.loads(detail)["head"]).entry for detail in decisions["detail"]] == [3, 2, 1]


DECIDING = """
import streamlit as st
from data.access import Permission
from data.ledger import ACKNOWLEDGE_WARNING, ConflictError
from pages.kit import session
viewer = session.require(Permission.ACKNOWLEDGE_WARNINGS)
try:
    session.decide(viewer, ACKNOWLEDGE_WARNING, key="W", body={}, reason="Known", expected=0)
except ConflictError as conflict:
    st.caption(str(conflict))
"""


def test_a_decision_made_on_a_page_stands_in_the_access_log_with_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENHAND_HOME", str(tmp_path))
    app = AppTest.from_string(DECIDING).run()
    assert not app.exception
    with closing(Ledger(tmp_path)) as ledger, closing(Operations(tmp_path)) as store:
        assert ledger.head().entry == 1
        assert store.heads(AUDITOR) == (ledger.head(),)
    app.run()  # the same press again
    assert "You decided on this already" in words(app)
    with closing(Ledger(tmp_path)) as ledger, closing(Operations(tmp_path)) as store:
        assert ledger.head().entry == 1
        assert len(store.heads(AUDITOR)) == 1
