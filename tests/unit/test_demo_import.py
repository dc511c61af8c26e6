"""The demo company comes in through the front door: nothing asked, only planted bad rows left out."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from data import demo
from data.importing import ImportReport, run_import


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> demo.Demo:
    return demo.write(tmp_path_factory.mktemp("demo"), size="small")


@pytest.fixture(scope="module")
def truth(company: demo.Demo) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(company.truth.read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def report(company: demo.Demo, home: Path) -> ImportReport:
    return run_import(
        [company.exports], home=home, as_of=date(2026, 9, 30), now=datetime(2026, 10, 1, 8, tzinfo=UTC)
    )


def test_every_file_is_recognised_without_a_question(company: demo.Demo, report: ImportReport) -> None:
    assert {sheet.file for sheet in report.sheets} == {file.name for file in company.files}
    waiting = {
        sheet.place: (sheet.state, sheet.questions) for sheet in report.sheets if sheet.state != "imported"
    }
    assert waiting == {}
    assert {sheet.place: sheet.recognition.unused for sheet in report.sheets if sheet.recognition} == {
        sheet.place: () for sheet in report.sheets
    }


def test_every_table_holds_what_was_written_without_the_planted_bad_rows(
    truth: dict[str, Any], report: ImportReport
) -> None:
    assert {count.table: count.rows for count in report.tables} == truth["rows"]


def test_rejected_are_the_planted_bad_rows_and_no_others(truth: dict[str, Any], report: ImportReport) -> None:
    for fate, counted in (
        ("rejected", {sheet.file: sheet.rejected for sheet in report.sheets if sheet.rejected}),
        ("cut", {sheet.file: sheet.remarked for sheet in report.sheets if sheet.remarked}),
    ):
        assert counted == Counter(flaw["file"] for flaw in truth["flaws"] if flaw["fate"] == fate)
    lines = {(flaw["file"], flaw["line"]) for flaw in truth["flaws"]}
    assert set(report.rejected.select("file", "line").iter_rows()) <= lines


def test_importing_again_changes_nothing(company: demo.Demo, home: Path, report: ImportReport) -> None:
    again = run_import(
        [company.exports], home=home, as_of=date(2026, 9, 30), now=datetime(2026, 10, 1, 9, tzinfo=UTC)
    )
    assert report.version is not None
    assert again.version is None
