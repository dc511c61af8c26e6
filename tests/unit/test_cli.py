"""The command line does what it says, says what it did, and never shows a traceback for a user's mistake."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import duckdb
import polars as pl
import pytest

from data.__main__ import main
from data.warehouse import Warehouse

PEOPLE = (
    "employee_id,display_name,email,hire_date\n"
    "00012,Ann Li,ann@x.example,2020-01-01\n2,Bo Wang,bo@x.example,2021-05-03\n"
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("EVENHAND_HOME", str(home))
    return home


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE, encoding="utf-8")
    return path


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_importing_says_what_went_in_and_what_is_next(
    home: Path, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("import", people, "--as-of", "2026-03-01") == 0
    said = capsys.readouterr().out
    assert "people.csv: read as tidy; 2 rows in" in said
    version = Warehouse(home).current()
    assert version is not None
    assert f"Version {version.version_id} is in force. Next: open the app." in said


def test_importing_twice_says_that_nothing_changed(
    home: Path, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("import", people, "--as-of", "2026-03-01")
    capsys.readouterr()
    assert run("import", people, "--as-of", "2026-03-01") == 0
    assert "Nothing changed" in capsys.readouterr().out
    assert len(Warehouse(home).versions()) == 1


def test_rejected_rows_are_listed_by_reason_and_end_in_exit_code_3(
    home: Path, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people.write_text(PEOPLE + "3,Cy,cy@x.example,soon\n", encoding="utf-8")
    assert run("import", people) == 3
    said = capsys.readouterr().out
    assert "2 rows in, 1 rejected" in said
    assert "people.csv, line 4, hire_date “soon”" in said
    assert "hire_date must be a date such as 2026-03-31." in said


def test_a_check_changes_nothing_and_says_the_same(
    home: Path, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", people) == 0
    said = capsys.readouterr().out
    assert "2 rows in" in said
    assert "Nothing was changed" in said
    assert Warehouse(home).current() is None


def test_a_question_is_asked_with_the_way_to_answer_it(
    home: Path, people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratings = tmp_path / "ratings.csv"
    ratings.write_text(
        "Employee ID,Rater ID,Review cycle,Overall rating,Source\n"
        "00012,2,2025H2,Gold,peer\n2,00012,2025H2,Silver,peer\n",
        encoding="utf-8",
    )
    assert run("import", people, ratings) == 3
    said = capsys.readouterr().out
    assert "ratings.csv: waits" in said
    keys = re.findall(r'answer with --answer "ratings.csv/([^=]+)=…"', said)
    assert "scale" in keys
    # The roster went in all the same.
    assert "people.csv: read as tidy; 2 rows in" in said
    assert run("import", people, ratings, "--all-or-nothing") == 3


def test_answers_let_a_sheet_in(
    home: Path, people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratings = tmp_path / "ratings.csv"
    ratings.write_text(
        "Employee ID,Rater ID,Review cycle,Overall rating,Source\n"
        "00012,2,2025H2,Gold,peer\n2,00012,2025H2,Silver,peer\n",
        encoding="utf-8",
    )
    answers = {"scale": "Bronze|Silver|Gold", "cycle_dates": "2025-07-01 … 2025-12-31"}
    options = [option for key, value in answers.items() for option in ("--answer", f"{key}={value}")]
    code = run("import", people, ratings, *options)
    said = capsys.readouterr().out
    assert code == 0, said
    found = Warehouse(home).open().query(lambda tables: tables("ratings").select("ratee_id", "level"))
    # Worst first: Silver is the second level, Gold the third.
    assert dict(found.iter_rows()) == {"00012": 3, "2": 2}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fetch"],
        ["import"],
        ["import", "x", "--as-of", "tomorrow"],
        ["import", "x", "--answer", "scale"],
        ["demo", "--size", "huge"],
    ],
)
def test_a_command_that_is_not_understood_ends_in_exit_code_2(
    arguments: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: python -m data" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["import", "gone.csv"],
        ["compare", "a", "b"],
        ["rollback"],
        ["rollback", "2020-01-01"],
        ["remove", "2020-01-01"],
        ["export", "out"],
        ["verify"],
    ],
)
def test_a_mistake_is_a_sentence_and_exit_code_1(
    arguments: list[str],
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.endswith(".\n")
    assert "Traceback" not in said


def test_a_file_nobody_can_read_is_said_so_and_ends_in_exit_code_1(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.xlsx"
    broken.write_bytes(b"PK\x03\x04 and no more")
    assert run("import", broken) == 1
    assert "broken.xlsx: failed. " in capsys.readouterr().out


def of_another_release(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("data.__main__", "data.importing", "data.warehouse"):
        monkeypatch.setattr(f"{module}.contracts_version", lambda: "of the next release")


def test_the_kept_originals_make_the_version_again_under_another_release(
    home: Path,
    people: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ratings = tmp_path / "ratings.csv"
    ratings.write_text(
        "Employee ID,Rater ID,Review cycle,Overall rating,Source\n00012,2,2025H2,Gold,peer\n",
        encoding="utf-8",
    )
    answers = ("--answer", "scale=Bronze|Silver|Gold", "--answer", "cycle_dates=2025-07-01 … 2025-12-31")
    assert run("import", people, ratings, *answers) == 0
    later = tmp_path / "again" / "people.csv"
    later.parent.mkdir()
    later.write_text(PEOPLE.replace("Ann Li", "Ann Lee"), encoding="utf-8")
    assert run("import", later) == 0
    before = Warehouse(home).current()
    assert before is not None
    of_another_release(monkeypatch)
    capsys.readouterr()
    assert run("demo", "--if-empty") == 0
    said = capsys.readouterr().out
    assert "written by another release" in said
    (command,) = re.findall(r"Next: python -m data (import \S+) loads the kept originals again", said)
    assert run(*command.split()) == 0
    after = Warehouse(home).current()
    assert after is not None
    assert (after.version_id != before.version_id, dict(after.rows)) == (True, dict(before.rows))
    names = Warehouse(home).open().query(lambda tables: tables("employees").select("display_name"))
    # The file that came later holds again, and nothing was asked twice.
    assert sorted(names["display_name"]) == ["Ann Lee", "Bo Wang"]


def test_a_demo_company_of_another_release_is_made_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("demo") == 0
    before = Warehouse(home).current()
    capsys.readouterr()
    assert run("demo", "--if-empty") == 0
    assert (capsys.readouterr().out, Warehouse(home).current()) == ("", before)
    of_another_release(monkeypatch)
    assert run("demo", "--if-empty") == 0
    assert "made anew" in capsys.readouterr().out
    after = Warehouse(home).current()
    assert before is not None
    assert after is not None
    assert (after.contracts, dict(after.rows)) == ("of the next release", dict(before.rows))


def test_an_undated_roster_is_asked_about_and_a_check_shows_what_each_column_means(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "roster.csv"
    path.write_text("Employee ID,Name,Departmant,Shoe size\n1,Ann,Sales,38\n", encoding="utf-8")
    assert run("check", path) == 3
    said = capsys.readouterr().out
    assert 'answer with --answer "roster.csv/as_of=…"' in said
    assert "      Employee ID → employees.employee_id  (100% sure)" in said
    assert "    ? Departmant → assignments.department_id" in said
    assert "not used: Shoe size" in said
    assert run("check", path, "--as-of", "2026-06-30") == 0


def test_a_missing_roster_is_what_is_to_be_loaded_next(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "goals.csv"
    path.write_text(
        "goal_id,title,scope,owner_id,start_on,due_on,status,version\n"
        "g,Grow,individual,7,2026-01-01,2026-06-30,active,1\n",
        encoding="utf-8",
    )
    assert run("import", path) == 3
    said = capsys.readouterr().out
    assert "1 row in (1 of them without a link)" in said
    assert "Kept without a link, by reason:" in said
    assert "Rejected, by reason:" not in said
    assert "Next: load the exports that hold the missing employees (such as the roster)" in said


def test_ratings_without_a_roster_are_asked_about_in_the_role_of_the_raters_and_a_check_says_what_is_missing(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("rater_id,ratee_id,score,cycle\nm1,a1,4,2025\nm1,a2,3,2025\n", encoding="utf-8")
    assert run("check", path) == 3
    said = capsys.readouterr().out
    assert "does not say in which role the raters rated: as managers, peers or what else?" in said
    assert "Whose ratings are these?" not in said
    answers = {"ratings.source": "manager", "scale": "1|2|3|4|5", "cycle_dates": "2025-01-01 … 2025-12-31"}
    options = [option for key, value in answers.items() for option in ("--answer", f"{key}={value}")]
    assert run("check", path, *options) == 3
    said = capsys.readouterr().out
    assert "0 rows in, 2 rejected" in said
    assert "To lose nothing: load the exports that hold the missing employees (such as the roster)" in said


def test_levels_may_stand_apart_as_the_suggestions_do(home: Path, people: Path, tmp_path: Path) -> None:
    ratings = tmp_path / "ratings.csv"
    ratings.write_text(
        "Employee ID,Rater ID,Review cycle,Overall rating,Source\n00012,2,2025H2,Gold,peer\n",
        encoding="utf-8",
    )
    answers = ("--answer", "scale=Bronze < Silver < Gold", "--answer", "cycle_dates=2025-07-01 … 2025-12-31")
    assert run("import", people, ratings, *answers) == 0
    # In another spelling of the same answer the file says the same.
    assert run("import", people, ratings, "--answer", "scale=Bronze|Silver|Gold", *answers[2:]) == 0
    assert len(Warehouse(home).versions()) == 1


def test_versions_are_listed_compared_put_back_and_removed(
    home: Path, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("versions") == 0
    assert "Nothing has been imported" in capsys.readouterr().out
    run("import", people, "--as-of", "2026-03-01")
    people.write_text(
        PEOPLE.replace("Ann Li", "Ann Lee") + "3,Cy,cy@x.example,2022-01-01\n", encoding="utf-8"
    )
    run("import", people, "--as-of", "2026-03-01")
    first, second = [version.version_id for version in Warehouse(home).versions()]
    capsys.readouterr()
    assert run("versions") == 0
    said = capsys.readouterr().out
    assert f"  {first}" in said
    assert f"* {second}" in said
    assert run("compare", first) == 0
    (employees,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("employees")]
    # before, after, added, removed, changed
    assert employees.split()[1:] == ["2", "3", "1", "0", "1"]
    assert run("rollback") == 0
    current = Warehouse(home).current()
    assert current is not None
    assert current.version_id == first
    assert run("remove", first) == 1
    assert run("remove", second) == 0
    assert [version.version_id for version in Warehouse(home).versions()] == [first]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_export_holds_every_row_and_no_formula(
    form: str, home: Path, people: Path, tmp_path: Path
) -> None:
    people.write_text(
        PEOPLE.replace("Ann Li", '"=HYPERLINK(""x"")"').replace("Bo Wang", "＝1+1"), encoding="utf-8"
    )
    run("import", people)
    out = tmp_path / "out"
    assert run("export", out, *(["--parquet"] if form == "parquet" else [])) == 0
    if form == "csv":
        written = (out / "employees.csv").read_bytes()
        assert written.startswith(b"\xef\xbb\xbf")
        rows = list(csv.DictReader(written.decode("utf-8-sig").splitlines()))
        assert [row["employee_id"] for row in rows] == ["00012", "2"]
        assert [row["display_name"] for row in rows] == ['\'=HYPERLINK("x")', "'＝1+1"]
    else:
        assert pl.read_parquet(out / "employees.parquet")["employee_id"].to_list() == ["00012", "2"]


def test_verify_finds_what_other_hands_broke(
    home: Path, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("import", people)
    version = Warehouse(home).current()
    assert version is not None
    with duckdb.connect(str(version.path)) as connection:
        connection.execute(
            "INSERT INTO employees (employee_id, hire_date, termination_date) "
            "VALUES ('9', DATE '2020-01-02', DATE '2020-01-01'), ('00012', NULL, NULL)"
        )
        connection.execute(
            "INSERT INTO assignments (employee_id, valid_from, manager_id) VALUES "
            "('2', DATE '2020-01-01', '9'), ('9', DATE '2020-01-01', '2'), ('7', DATE '2020-01-01', NULL)"
        )
    assert run("verify") == 1
    said = capsys.readouterr().out
    assert "employees: 1 row against employment_ends_after_it_begins" in said
    assert "employees: 2 rows against primary_key" in said
    assert "assignments: 1 row against every_employee_is_among_the_employees" in said
    assert "assignments: 2 rows against nobody_manages_their_own_manager" in said


def test_verify_tells_the_truth_about_a_version_that_was_cut(
    home: Path, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("import", people)
    version = Warehouse(home).current()
    assert version is not None
    version.path.write_bytes(version.path.read_bytes()[:-4096])
    assert run("verify") == 1
    said = capsys.readouterr().err
    assert "missing or damaged" in said
    assert "last good version is in force" not in said


def test_a_version_spoilt_inside_is_said_to_be_damaged(
    home: Path, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("import", people)
    version = Warehouse(home).current()
    assert version is not None
    content = bytearray(version.path.read_bytes())
    # The first 12 kB are the headers; behind them every block has a checksum.
    for at in range(12_288, len(content), 512):
        content[at] ^= 0xFF
    version.path.write_bytes(content)
    assert run("verify") == 1
    assert "missing or damaged" in capsys.readouterr().err


def test_a_home_that_is_a_file_is_a_sentence(
    home: Path, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.write_text("a file")
    for command in (("versions",), ("import", people)):
        assert run(*command) == 1
        assert "not a folder" in capsys.readouterr().err


def test_the_demo_company_comes_in_through_the_front_door(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("demo", "--keep", tmp_path / "files") == 0
    said = capsys.readouterr().out
    assert "is in force" in said
    version = Warehouse(home).current()
    assert version is not None
    assert version.rows["ratings"] > 5_000
    assert run("verify") == 0
    assert "is sound" in capsys.readouterr().out


def test_something_unforeseen_gives_a_sentence_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("data.__main__.run_import", broken)
    assert main(["import", "."]) == 1
    said = capsys.readouterr().err
    assert "Something unforeseen went wrong (ZeroDivisionError)" in said
    assert "Traceback" not in said
