"""The letter of new warnings: once to each addressee, within their reach, harmless wherever it is opened."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
import streamlit as st

from analytics.disclosure import Released, release
from analytics.goals.warning import EarlyWarnings
from analytics.goals.warning_chart import Known
from analytics.language import Language
from analytics.reports import digest
from analytics.theme import wide
from data.access import Permission, Role
from data.ledger import ACKNOWLEDGE_WARNING, Ledger
from data.operations import Operations
from data.sign_in import local_viewer
from data.warehouse import Warehouse
from pages.kit import digest as command
from pages.kit import load_strategy
from tests.warned_company import AS_OF, SPITEFUL, loaded

EN, ZH = Language("en"), Language("zh")
ALL = "2026-01-01"

Write = Callable[..., int]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return loaded(tmp_path_factory.mktemp("warned"))


@pytest.fixture
def home(company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The company's data with decisions and operations of its own."""
    own = tmp_path / "home"
    own.mkdir()
    (own / "warehouse").symlink_to(company / "warehouse")
    monkeypatch.setenv("EVENHAND_HOME", str(own))
    st.cache_resource.clear()
    return own


@pytest.fixture
def write(home: Path, tmp_path: Path) -> Write:
    """Writes a letter and returns the exit code; the file is ``tmp_path/out<ending>``."""

    def written(who: str, *more: str, out: str = "out.txt") -> int:
        return command.main(["--for", who, "--out", str(tmp_path / out), "--since", ALL, *more])

    return written


def read(tmp_path: Path, name: str = "out.txt") -> str:
    return (tmp_path / name).read_text("utf-8-sig")


# --- to whom, and how often ---------------------------------------------------------------------------


def test_each_warning_is_told_once(write: Write, tmp_path: Path) -> None:
    assert write("hr_leadership") == command.DONE
    assert "3 new warnings" in read(tmp_path)
    assert write("hr_leadership") == command.NOTHING_NEW
    assert "No new warning since 1 Jan 2026." in read(tmp_path)
    assert "Open ten branches" not in read(tmp_path)


def test_what_one_was_told_another_is_told_too(write: Write, tmp_path: Path) -> None:
    assert write("hr_leadership") == command.DONE
    assert write("executive") == command.DONE
    assert "3 new warnings" in read(tmp_path)


def test_a_rehearsal_is_not_telling(write: Write) -> None:
    assert write("hr_leadership", "--rehearse") == command.DONE
    assert write("hr_leadership") == command.DONE


def test_a_letter_that_could_not_be_written_is_told_again(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write("hr_leadership", out="nowhere/out.txt") == command.PROBLEM
    assert "Nothing was noted as told" in capsys.readouterr().err
    assert write("hr_leadership") == command.DONE


def test_what_arose_before_is_not_told_and_what_arose_on_the_day_is(write: Write, tmp_path: Path) -> None:
    # Stale since 3 February; the target was raised on 11 May; the confidence fell on 18 May.
    assert write("hr_leadership", "--since", "2026-05-11") == command.DONE
    said = read(tmp_path)
    assert "2 new warnings since 11 May 2026" in said
    assert "Open ten branches" not in said
    assert write("hr_leadership") == command.DONE
    assert "Open ten branches" in read(tmp_path)


def test_what_somebody_acknowledged_is_not_told(write: Write, home: Path, tmp_path: Path) -> None:
    assert write("hr_leadership", "--rehearse", out="out.csv") == command.DONE
    viewer = local_viewer(Role.HR_LEADERSHIP)
    current = Warehouse(home).current()
    assert current is not None
    found = load_strategy.warnings_within_reach(current.version_id, viewer).value.standing
    stale = found.filter(kind="stale")["warning_id"].item()
    ledger = Ledger(home)
    ledger.append(viewer, ACKNOWLEDGE_WARNING, key=stale, body={}, reason="Ben is back on Monday", expected=0)
    assert write("hr_leadership") == command.DONE
    assert "Open ten branches" not in read(tmp_path)
    assert "2 new warnings" in read(tmp_path)
    taken_back = {"taken_back": True}
    ledger.append(viewer, ACKNOWLEDGE_WARNING, key=stale, body=taken_back, reason="He is not", expected=1)
    ledger.close()
    assert write("hr_leadership") == command.DONE
    assert "Open ten branches" in read(tmp_path)


# --- within reach -------------------------------------------------------------------------------------


def test_a_manager_is_told_of_their_reports_goals_only(write: Write, tmp_path: Path) -> None:
    assert write("cai", "--role", "manager") == command.DONE
    said = read(tmp_path)
    assert "\n\nTo Cai\n" in said
    assert "Ship the pump" in said
    assert "Open ten branches" not in said
    assert "Dee" not in said


def test_a_partner_is_told_of_their_departments(write: Write, tmp_path: Path) -> None:
    assert write("hr_partner", "--department", "sales") == command.DONE
    said = read(tmp_path)
    assert "Open ten branches" in said
    assert "Ship the pump" not in said


def test_the_roles_file_says_who_somebody_is(write: Write, home: Path, tmp_path: Path) -> None:
    (home / "roles.toml").write_text(
        '[people."https://login.example|8f3a"]\nroles = ["hr_partner"]\ndepartments = ["eng"]\n'
        'employee_id = "ivy"\n'
    )
    assert write("ivy") == command.DONE
    said = read(tmp_path)
    assert "Ship the pump" in said
    assert "Open ten branches" not in said
    # As whom they sign in: told there and told here are one.
    assert write("https://login.example|8f3a") == command.NOTHING_NEW


@pytest.mark.parametrize(
    ("who", "more", "why"),
    [
        ("employee", (), "employee may not see goals"),
        ("data_steward", (), "data_steward may not see goals"),
        ("hr_partner", (), "reaches no department"),
        ("manager", (), "Name the manager"),
        ("nobody@example.com", (), "neither a role, nor an employee id"),
        ("ivy", (), "gives ivy no role"),
    ],
)
def test_who_may_not_see_goals_is_told_nothing(
    write: Write,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    who: str,
    more: tuple[str, ...],
    why: str,
) -> None:
    assert write(who, *more) == command.PROBLEM
    assert why in capsys.readouterr().err
    assert not (tmp_path / "out.txt").exists()


def test_without_data_it_says_what_to_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVENHAND_HOME", str(tmp_path))
    st.cache_resource.clear()
    assert command.main(["--for", "executive", "--out", str(tmp_path / "out.html")]) == command.PROBLEM
    assert "Nothing has been loaded yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("--out", "letter.doc"), "does not end in"),
        (("--since", "yesterday"), "is no day"),
        (("--to", "a@example.com\nBcc: b@example.com"), "one line"),
        (("--language", "fr"), "invalid choice"),
    ],
)
def test_what_is_not_understood_is_said(
    capsys: pytest.CaptureFixture[str], given: tuple[str, str], why: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main(["--for", "executive", "--out", "new.html", *given])
    assert stopped.value.code == command.USAGE
    assert why in capsys.readouterr().err


def test_what_was_written_is_in_the_access_log(write: Write, home: Path) -> None:
    write("hr_leadership")
    store = Operations(home)
    log = store.read_log(local_viewer(Role.AUDITOR))
    store.close()
    assert log.select("action", "object").row(0) == ("downloaded", "out.txt")
    assert '"told": 3' in log["detail"][0]


def test_the_file_is_for_its_owner_only(write: Write, tmp_path: Path) -> None:
    write("hr_leadership")
    assert (tmp_path / "out.txt").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


# --- what is written ----------------------------------------------------------------------------------


def test_html_runs_nothing_and_loads_nothing(write: Write, tmp_path: Path) -> None:
    write("hr_leadership", "--link", "https://evenhand.example/", out="out.html")
    said = read(tmp_path, "out.html")
    assert "&lt;script" in said
    assert not re.search(r"<(script|img|link|iframe|style|object|form)\b", said)
    assert re.findall(r'(?:href|src)="([^"]*)"', said) == ["https://evenhand.example/warnings?lang=en"]
    assert "url(" not in said
    assert '<html lang="en">' in said


def test_a_mail_has_the_letter_as_text_and_as_html(write: Write, tmp_path: Path) -> None:
    write("hr_leadership", "--language", "zh", "--to", "li@example.com", out="out.eml")
    mail = email.message_from_bytes((tmp_path / "out.eml").read_bytes(), policy=email.policy.default)
    assert mail["To"] == "li@example.com"
    assert mail["Subject"]
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    text, html = (part.get_content() for part in mail.iter_parts())
    assert "Open ten branches" in text
    assert 'lang="zh-Hans"' in html


def test_a_spreadsheet_runs_nothing_either(write: Write, tmp_path: Path) -> None:
    assert write("hr_leadership", out="out.csv") == command.DONE
    table = pl.read_csv((tmp_path / "out.csv").read_bytes().split(b"\n\n")[0], encoding="utf8")
    assert f"'{SPITEFUL}" in table["Goal"].to_list()
    assert write("hr_leadership", out="out.csv") == command.NOTHING_NEW


def test_the_table_is_a_workbook_too(write: Write, tmp_path: Path) -> None:
    assert write("hr_leadership", out="out.xlsx") == command.DONE
    table = pl.read_excel(tmp_path / "out.xlsx")
    assert table.height >= 3
    assert table.columns[0] == "Goal"


def test_lines_of_the_text_fit_every_mail_program(write: Write, tmp_path: Path) -> None:
    write("hr_leadership", "--language", "zh")
    assert max(wide(line) for line in read(tmp_path).splitlines()) <= 76


# --- the letter itself --------------------------------------------------------------------------------


def many(home: Path, n: int) -> Released[EarlyWarnings]:
    """The company's warnings, the first of them n times."""
    current = Warehouse(home).current()
    assert current is not None
    found = load_strategy.warnings_within_reach(current.version_id, local_viewer(Role.HR_LEADERSHIP))
    first = found.value.standing.head(1)
    copies = pl.concat(
        first.with_columns(pl.lit(f"W{at}").alias("warning_id"), pl.lit(f"G{at}").alias("goal_id"))
        for at in range(n)
    )
    return release(replace(found.value, warnings=copies), as_of=AS_OF)


def test_what_does_not_fit_is_counted_and_not_told(home: Path) -> None:
    letter = digest.compose(many(home, digest.MOST + 5), EN, Known(), addressee="Li", since=date(2026, 1, 1))
    assert (len(letter.notices), letter.left) == (digest.MOST, 5)
    assert letter.told == {f"W{at}" for at in range(digest.MOST)}
    assert "5 more new warnings" in digest.as_text(letter, EN)
    assert "5 more new warnings" in digest.as_html(letter, EN)
    assert len(digest.as_html(letter, EN)) < 100_000


def test_a_goal_is_told_once_with_all_that_is_new_about_it(home: Path) -> None:
    found = many(home, 3)
    again = found.value.warnings.with_columns(
        pl.lit("confidence").alias("kind"),
        pl.format("C{}", pl.col("warning_id")).alias("warning_id"),
        pl.lit(0.8).alias("confidence_before"),
        pl.lit(0.5).alias("confidence_after"),
    )
    both = replace(found.value, warnings=pl.concat([found.value.warnings, again]))
    letter = digest.compose(release(both, as_of=AS_OF), EN, Known(), addressee="", since=date(2026, 1, 1))
    assert [notice.warning_ids for notice in letter.notices] == [(f"W{at}", f"CW{at}") for at in range(3)]
    assert all("confidence fell from 80 % to 50 %" in notice.happened for notice in letter.notices)
    assert all(notice.next_step and notice.stakes for notice in letter.notices)


def test_goals_of_one_strategic_goal_stand_together(home: Path) -> None:
    found = many(home, 4)
    mixed = found.value.warnings.with_columns(strategic_id=pl.Series(["S1", None, "S2", "S1"]))
    letter = digest.compose(
        release(replace(found.value, warnings=mixed), as_of=AS_OF),
        EN,
        Known(goals={"S1": "Win", "S2": "Grow"}),
        addressee="",
        since=date(2026, 1, 1),
    )
    assert [notice.goal for notice in letter.notices] == ["G0", "G3", "G2", "G1"]
    said = digest.as_text(letter, EN).splitlines()
    told = [line for line in said if line.startswith(("Strategic goal “", "Under no"))]
    assert told == ["Strategic goal “Win”", "Strategic goal “Grow”", "Under no strategic goal"]


def test_the_text_says_what_it_is_to_whom_and_of_which_days(home: Path) -> None:
    letter = digest.compose(many(home, 1), EN, Known(), addressee="", since=date(2026, 1, 1))
    said = digest.as_text(letter, EN).splitlines()
    assert said[0] == "Evenhand: 1 new early warning"
    assert "Good day," in said
    assert "It tells of what arose from 1 Jan 2026 to 25 May 2026." in said


def test_no_character_stands_alone_on_a_line(home: Path) -> None:
    letter = digest.compose(many(home, 1), ZH, Known(), addressee="", since=date(2026, 1, 1))
    for length in range(36, 42):  # 76 columns hold 38 Chinese characters
        said = digest.as_text(replace(letter, finding="字" * length), ZH).splitlines()
        assert all(wide(line) > 4 for line in said if line.startswith("字"))


def test_whoever_may_acknowledge_sees_goals_and_auditors_only_look() -> None:
    for role in Role:
        viewer = local_viewer(role)
        if viewer.may(Permission.ACKNOWLEDGE_WARNINGS):
            assert viewer.may(Permission.SEE_GOALS)
    assert not local_viewer(Role.AUDITOR).may(Permission.ACKNOWLEDGE_WARNINGS)
