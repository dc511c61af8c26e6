"""What the gate lets through: pages run as AppTest runs them, with and without sign-in configured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from data.access import Role
from data.operations import Operations
from data.sign_in import local_viewer
from data.warehouse import Warehouse, create_tables, new_version_id
from tests.company import frames

PAGE = """
import streamlit as st
from data.access import Permission
from pages.kit import session
viewer = session.require(Permission.SEE_DISTRIBUTIONS)
session.record("looked", "distributions", cycle="2026")
st.write("FIGURES", viewer.subject)
"""
APP = """
import streamlit as st
from pages.kit import reader, session
viewer = session.gate()
session.choose_role(reader.language())
st.write(f"as {*map(str, viewer.roles),} of {*viewer.departments,} {viewer.employee_id}")
"""
ROLES = 'ask = "the HR systems desk"\n[people."https://idp|hr"]\nroles = ["hr_leadership"]\n'
AUDITOR = local_viewer(Role.AUDITOR)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVENHAND_HOME", str(tmp_path))
    (tmp_path / "roles.toml").write_text(ROLES)
    return tmp_path


@pytest.fixture
def address() -> Iterator[Callable[[str], None]]:
    before = config.get_option("server.address")
    yield lambda address: config.set_option("server.address", address)
    config.set_option("server.address", before)


def at(script: str, *, user: dict[str, Any] | None = None) -> AppTest:
    """A run; with ``user``, sign-in is configured."""
    test = AppTest.from_string(script)
    if user is not None:
        test.secrets["auth"] = {"client_id": "evenhand"}
        test.user = user
    return test.run()


def signed_in(sub: str = "hr", **more: object) -> dict[str, Any]:
    return {
        "is_logged_in": True,
        "iss": "https://idp",
        "sub": sub,
        "iat": int(time.time()),
        "nonce": "n",
    } | more


def shown(test: AppTest) -> str:
    assert not test.exception
    return " ".join([*(m.value for m in test.markdown), *(h.proto.body for h in test.get("html"))])


def log(home: Path) -> list[tuple[Any, ...]]:
    store = Operations(home)
    rows = store.read_log(AUDITOR).select("subject", "action", "object").reverse().rows()
    store.close()
    return rows


# --- local mode ---------------------------------------------------------------------------------------


def test_in_local_mode_a_page_opens_as_hr_leadership_and_says_so_in_the_log(home: Path) -> None:
    assert "FIGURES" in shown(at(PAGE))
    assert log(home) == [("local/hr_leadership", "looked", "distributions")]


def test_whoever_sits_there_may_see_it_as_an_employee_and_is_refused(home: Path) -> None:
    test = at(APP + PAGE)
    test.selectbox(key="local_role").set_value(Role.EMPLOYEE).run()
    said = shown(test)
    assert "FIGURES" not in said
    assert "It needs the right to see how ratings are spread." in said
    assert "Choose another role" in said
    assert log(home)[-1] == ("local/employee", "refused", "see_distributions")


@pytest.mark.parametrize("outside", ["0.0.0.0", "192.0.2.7", "", "evenhand.example.com"])
def test_without_sign_in_a_server_on_another_address_answers_nobody(
    home: Path, address: Callable[[str], None], outside: str
) -> None:
    address(outside)
    said = shown(at(PAGE))
    assert "FIGURES" not in said
    assert "only the computer it runs on" in said


def test_local_mode_offers_departments_and_people_of_the_company_to_stand_in_for(home: Path) -> None:
    published(home)
    test = at(APP)
    test.selectbox(key="local_role").set_value(Role.HR_PARTNER).run()
    # The first below the one root, which would be the whole company; choosing nothing more is enough.
    assert "as ('hr_partner',) of ('eng',) None" in shown(test)
    test.selectbox(key="local_department").set_value("sales").run()
    assert "as ('hr_partner',) of ('sales',) None" in shown(test)
    test.selectbox(key="local_role").set_value(Role.MANAGER).run()
    # Ben leads Dee, Eli and Fay; Ada leads Ben and Cai, Cai leads Gus and Hua.
    assert list(test.selectbox(key="local_person_manager").options) == ["Ben", "Ada", "Cai"]
    assert "as ('manager',) of () ben" in shown(test)
    test.selectbox(key="local_person_manager").set_value("cai").run()
    assert "as ('manager',) of () cai" in shown(test)


def test_whom_one_stands_in_for_is_told_apart_in_what_is_remembered() -> None:
    subjects = [
        local_viewer(Role.HR_LEADERSHIP).subject,
        local_viewer(Role.MANAGER, employee_id="ben").subject,
        local_viewer(Role.MANAGER, employee_id="cai").subject,
        local_viewer(Role.HR_PARTNER, departments=frozenset({"sales"})).subject,
    ]
    assert subjects == [
        "local/hr_leadership",
        "local/manager/ben",
        "local/manager/cai",
        "local/hr_partner/sales",
    ]


# --- with sign-in -------------------------------------------------------------------------------------


def test_nobody_signed_in_sees_the_sign_in_screen_and_nothing_else(home: Path) -> None:
    test = at(PAGE, user={})
    assert "FIGURES" not in shown(test)
    assert [button.key for button in test.button] == ["sign_in"]
    assert log(home) == []


def test_whoever_signed_in_and_has_a_role_sees_the_page(home: Path) -> None:
    assert "FIGURES https://idp|hr" in shown(at(PAGE, user=signed_in()))
    assert [entry[1] for entry in log(home)] == ["signed_in", "looked"]


def test_whoever_has_no_role_is_told_whom_to_ask(home: Path) -> None:
    said = shown(at(PAGE, user=signed_in("stranger")))
    assert "FIGURES" not in said
    assert "ask the HR systems desk" in said
    assert "https://idp|stranger" in said


def test_a_name_is_text_and_never_markup(home: Path) -> None:
    said = shown(at(PAGE, user=signed_in("stranger", name="<img src=x onerror=alert(1)>")))
    assert "<img" not in said
    assert "&lt;img" in said


def test_a_session_ended_elsewhere_shows_nothing_on_the_next_run(home: Path) -> None:
    test = at(PAGE, user=signed_in())
    store = Operations(home)
    admin = local_viewer(Role.HR_LEADERSHIP)
    store.revoke(admin, store.sessions(admin)["session_id"][0])
    store.close()
    said = shown(test.run())
    assert "FIGURES" not in said
    assert "This session was ended" in said


def test_a_role_taken_away_in_the_file_is_gone_on_the_next_run(home: Path) -> None:
    test = at(PAGE, user=signed_in())
    assert "FIGURES" in shown(test)
    (home / "roles.toml").write_text('ask = "nobody"\n')
    assert "FIGURES" not in shown(test.run())


def test_an_old_cookie_without_a_session_opens_nothing(home: Path) -> None:
    said = shown(at(PAGE, user=signed_in(iat=int(time.time()) - 3600)))
    assert "FIGURES" not in said
    assert "too old" in said


@pytest.mark.parametrize("user", [{"is_logged_in": "yes"}, {"is_logged_in": 1}, {"is_logged_in": None}])
def test_signed_in_means_true_and_nothing_like_it(home: Path, user: dict[str, Any]) -> None:
    said = shown(at(PAGE, user=signed_in() | user))
    assert "FIGURES" not in said


def test_a_roles_file_with_a_mistake_lets_nobody_in_and_shows_nothing_of_it(home: Path) -> None:
    (home / "roles.toml").write_text('[people."https://idp|hr"]\nroles = ["top secret boss"]\n')
    said = shown(at(PAGE, user=signed_in()))
    assert "FIGURES" not in said
    assert "not set up correctly" in said
    assert "top secret boss" not in said


def test_signing_out_ends_the_session(home: Path) -> None:
    test = at(APP + 'if st.button("Leave"):\n    session.sign_out()\n', user=signed_in())
    test.button[0].click().run()
    store = Operations(home)
    assert store.sessions(local_viewer(Role.HR_LEADERSHIP))["ended_why"].to_list() == ["signed_out"]
    store.close()


# --- the log ------------------------------------------------------------------------------------------


CHOOSING = """
import streamlit as st
from data.access import Permission
from pages.kit import session
session.require(Permission.SEE_LENIENCY)
st.multiselect("Departments", ["sales", "eng", "ops"], key="department", bind="query-params")
st.selectbox("Rater", ["ben", "cai"], key="rater", bind="query-params")
st.text_input("Rule", key="rule", bind="query-params")
st.selectbox("Language", ["en", "zh"], key="lang", bind="query-params")
session.record("looked", "leniency")
"""


def test_the_log_keeps_the_choices_in_force_and_nothing_else_of_the_address(home: Path) -> None:
    test = AppTest.from_string(CHOOSING)
    test.query_params["department"] = ["sales", "eng"]
    test.query_params["lang"] = "zh"
    test.query_params["anything"] = "x" * 200_000
    test.query_params["rule"] = "y" * 200_000
    test.run()
    assert not test.exception
    store = Operations(home)
    detail = json.loads(store.read_log(AUDITOR)["detail"][0])
    store.close()
    # The rater is the default one, which the address does not name.
    assert detail == {"filters": {"department": ["sales", "eng"], "rater": ["ben"], "rule": ["y" * 100]}}


def test_a_log_that_cannot_be_written_does_not_stop_the_reader(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Operations, "record", full)
    assert "FIGURES" in shown(at(PAGE))
    assert "access log could not be written" in caplog.text


def published(home: Path) -> None:
    """The company of eight as the published version."""
    warehouse = Warehouse(home)
    with warehouse.importing():
        draft = warehouse.draft() / "new.duckdb"
        with duckdb.connect(str(draft)) as connection:
            create_tables(connection)
            for table, frame in frames().items():
                connection.register("incoming", frame.with_columns(pl.col(pl.Enum).cast(pl.String)))
                connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
                connection.unregister("incoming")
        now = datetime.now(UTC)
        warehouse.publish(draft, version_id=new_version_id(now), created_at=now, rows={})
