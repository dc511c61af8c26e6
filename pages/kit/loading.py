"""Loading exports in the app: drop files, see what was recognised, settle what is open, check, publish.

Dropped files lie in a folder of this session under the home folder until they are loaded or taken back;
everything a person settles here becomes a `Recognition` the importer takes as it is.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import streamlit as st

from analytics.language import Language
from data import queries, sources
from data.acceptance import sentences
from data.access import Permission, Viewer
from data.importing import ImportReport, Inspection, Progress, inspect, run_import
from data.problems import Problem
from data.sources.model import Match, Question, Recognition, Sheet
from data.warehouse import home
from pages.kit import cards, session

_INBOX: Final = "inbox"
_SETTLED: Final = "settled"
_REPORT: Final = "report"
_IGNORED: Final = "—"
_LEFT_AFTER: Final = timedelta(days=1)


def desk(t: Language) -> None:
    """The whole way from files to a published version."""
    viewer = session.require(Permission.IMPORT)
    cards.remark(
        t(
            "CSV, XLSX, JSON and Parquet, in English or Chinese, as your systems export them. Nothing is "
            "published before you say so, and what does not fit is kept with its reason."
        )
    )
    dropped = st.file_uploader(
        t("Files to load"),
        accept_multiple_files=True,
        key="uploads",
        on_change=_forget,
    )
    if not dropped:
        _report(t, viewer)
        return
    folder = _inbox([(file.name, file.getvalue()) for file in dropped])
    asked = st.date_input(
        t("The day rosters and goals without dates speak about, if you know it"),
        value=None,
        key="as_of",
        format="YYYY-MM-DD",
    )
    day = asked if isinstance(asked, date) else None
    try:
        with st.spinner(t("Reading the files …")):
            found = _inspected(folder, day)
    except Problem as problem:
        cards.state(t("None of the files can be read"), t(problem.message, **problem.values))
        return
    for unread in found.unread:
        cards.state(
            t("{file} cannot be read", file=unread.file), t(unread.problem.message, **unread.problem.values)
        )
    settled: dict[str, Recognition] = st.session_state.setdefault(_SETTLED, {})
    for sheet, recognition in found.sheets:
        _sheet(t, found, sheet, settled.get(sheet.digest, recognition))
    waiting = [s for s, r in found.sheets if settled.get(s.digest, r).questions]
    if waiting:
        cards.remark(t.plural("{n} sheet waits for answers.", "{n} sheets wait for answers.", len(waiting)))
    ready = len(waiting) < len(found.sheets)
    with st.container(horizontal=True):
        check = st.button(t("Check without publishing"), key="check", disabled=not ready)
        publish = st.button(t("Load and publish"), type="primary", key="publish", disabled=not ready)
    if check or publish:
        _run(t, folder, day, settled, rehearse=not publish)
    _report(t, viewer)


def _sheet(t: Language, found: Inspection, sheet: Sheet, recognition: Recognition) -> None:
    """One sheet: what it was taken for, what is open, and the mapping to correct."""
    state = (
        t.plural("{n} question", "{n} questions", len(recognition.questions))
        if recognition.questions
        else t("ready")
    )
    label = t("{place}: read as {source}, {state}", place=sheet.place, source=recognition.source, state=state)
    # Streamlit reads labels as markdown; a file name is text.
    with st.expander(cards.plain(label), expanded=bool(recognition.questions)):
        for question in recognition.questions:
            _question(t, sheet, recognition, question)
        cards.remark(t("What each column is taken to mean. Correct it where it is wrong."))
        edited = st.data_editor(
            _mapping(t, sheet, recognition),
            hide_index=True,
            width="stretch",
            key=f"mapping_{sheet.digest}",
            disabled=[t("Column in the file"), t("Example"), t("How sure (%)")],
            column_config={
                t("Means"): st.column_config.SelectboxColumn(options=[_IGNORED, *_meanings()], required=True)
            },
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if st.button(t("Use this mapping"), key=f"use_{sheet.digest}"):
                _settle(sheet, sources.with_matches(sheet, recognition, _matches(t, edited), found.known))
            name = st.text_input(t("Name of the profile"), max_chars=60, key=f"profile_{sheet.digest}")
            if st.button(t("Save as profile"), key=f"save_{sheet.digest}", disabled=not name.strip()):
                try:
                    path = sources.save_profile(home() / "profiles", recognition, name.strip())
                except Problem as problem:
                    cards.remark(t(problem.message, **problem.values))
                else:
                    cards.remark(t("Saved as {path}; it is used the next time.", path=str(path)))


def _question(t: Language, sheet: Sheet, recognition: Recognition, question: Question) -> None:
    """A question with its suggestions; an answer is settled at once, or said not to be understood."""
    cards.say(t(question.message, **question.values))
    if question.key == "mapping" and not question.choices:
        cards.remark(t("Say below what the columns mean, then use this mapping."))
        return
    shape = _shape(t, question.key)
    answer = st.selectbox(
        shape or t("Answer"),
        list(question.choices),
        index=None,
        placeholder=t("Choose or type"),
        accept_new_options=True,
        key=f"answer_{sheet.digest}_{question.key}",
    )
    if answer:
        settled = sources.with_answers(recognition, {question.key: str(answer)})
        if any(open_.key == question.key for open_ in settled.questions):
            cards.remark(t("“{answer}” is not an answer to this. {shape}", answer=answer, shape=shape))
        else:
            _settle(sheet, settled)


def _shape(t: Language, key: str) -> str:
    """How an answer is written, where that is not plain."""
    if key == "scale":
        return t("Levels from worst to best, such as D < C < B < A, or ends, such as 0 … 100")
    if key.startswith("cycle_dates"):
        return t("First and last day, such as 2026-01-01 … 2026-06-30")
    if key in {"as_of", "goals.start_on", "goals.due_on"}:
        return t("A day, such as 2026-06-30")
    return ""


def _settle(sheet: Sheet, recognition: Recognition) -> None:
    st.session_state[_SETTLED][sheet.digest] = recognition
    st.rerun()


def _mapping(t: Language, sheet: Sheet, recognition: Recognition) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for header in sheet.headers:
        examples = sheet.sample[header].drop_nulls() if header in sheet.sample.columns else pl.Series([])
        meant: list[Match | None] = [match for match in recognition.matches if match.header == header]
        rows += [
            {
                t("Column in the file"): header,
                t("Example"): str(examples[0])[:60] if len(examples) else "",
                t("Means"): _IGNORED if match is None else f"{match.table}.{match.column}",
                t("How sure (%)"): None if match is None else round(100 * match.confidence),
            }
            for match in meant or [None]
        ]
    return pl.DataFrame(rows)


def _meanings() -> list[str]:
    return [f"{table}.{column}" for table, column, _ in sources.COLUMNS]


def _matches(t: Language, edited: pl.DataFrame) -> list[Match]:
    pairs = edited.select(t("Column in the file"), t("Means")).rows()
    meant = [(header, meaning.split(".", 1)) for header, meaning in pairs if meaning != _IGNORED]
    return [Match(header, table, column, confidence=1.0) for header, (table, column) in meant]


def _run(
    t: Language, folder: Path, as_of: date | None, settled: Mapping[str, Recognition], *, rehearse: bool
) -> None:
    """Run the importer with its progress in sight; the report stays after the run."""
    with st.status(t("Loading …"), expanded=True) as status:
        line = st.empty()
        shown = 0.0

        def tell(progress: Progress) -> None:
            nonlocal shown
            if time.monotonic() - shown < 0.2:
                return
            shown = time.monotonic()
            line.html(cards.progress(t, progress.place, progress.rows, progress.rejected))

        try:
            report = run_import(
                [folder],
                home=home(),
                as_of=as_of,
                now=datetime.now(UTC),
                recognitions=settled,
                progress=tell,
                rehearse=rehearse,
            )
        except Problem as problem:
            status.update(label=t("Nothing was loaded"), state="error")
            cards.state(t("Nothing was loaded"), t(problem.message, **problem.values))
            return
        status.update(label=t("Checked") if rehearse else t("Done"), state="complete", expanded=False)
    st.session_state[_REPORT] = (report, rehearse)
    if report.version is not None:
        session.record("imported", report.version.version_id, files=len(report.sheets))
        # What stands above on the page, the finding first of all, is of the earlier data.
        st.rerun()


def _report(t: Language, viewer: Viewer) -> None:
    """What the last run in this session did, sheet by sheet, and why rows were rejected."""
    kept: tuple[ImportReport, bool] | None = st.session_state.get(_REPORT)
    if kept is None:
        return
    report, rehearsed = kept
    accepted = sum(sheet.accepted for sheet in report.sheets)
    rejected = sum(sheet.rejected for sheet in report.sheets)
    values = {"accepted": f"{accepted:,}", "rejected": f"{rejected:,}"}
    if rehearsed:
        said = t(
            "Checked only. Rows that would go in: {accepted}; that would be rejected: {rejected}.", **values
        )
    elif any(sheet.state in {"waiting", "failed"} for sheet in report.sheets) and report.version is None:
        said = t("Nothing was loaded: the sheets that could be read wait for answers, or hold nothing new.")
    elif report.version is None:
        said = t("Nothing new: what these files say was known already, so the data stay as they were.")
    else:
        said = t(
            "Rows that went in: {accepted}; rejected: {rejected}. Everybody now sees the new data.", **values
        )
    cards.heading(t("What happened"))
    cards.say(said)
    if report.warning is not None:
        cards.finding(t(report.warning.message, **report.warning.values))
    cards.plain_table(_sheets(t, report), alt=said)
    if not report.rejected.is_empty():
        cards.remark(t("Why rows were rejected, most frequent first."))
        cards.plain_table(_reasons(t, report, viewer), alt=t("Why rows were rejected, most frequent first."))


def _sheets(t: Language, report: ImportReport) -> pl.DataFrame:
    states = {
        "imported": t("loaded"),
        "unchanged": t("known already"),
        "waiting": t("waits for answers"),
        "hidden": t("hidden sheet, not read"),
        "failed": t("could not be read"),
    }
    return pl.DataFrame(
        [
            {
                t("File"): sheet.place,
                t("State"): states[sheet.state],
                t("Read as"): sheet.recognition.source if sheet.recognition else "",
                t("Rows"): sheet.rows,
                t("Accepted"): sheet.accepted,
                t("Kept without a link"): sheet.remarked,
                t("Rejected"): sheet.rejected,
                t("Why"): t(sheet.problem.message, **sheet.problem.values)
                if sheet.problem
                else ("" if t.code == "zh" else " ").join(t(q.message, **q.values) for q in sheet.questions),
            }
            for sheet in report.sheets
        ],
        infer_schema_length=None,
    )


def _reasons(t: Language, report: ImportReport, viewer: Viewer) -> pl.DataFrame:
    # A new file can bring rows of earlier ones into conflict: they are not all from the reader's own files.
    rejected = queries.blanked(viewer, report.rejected)
    return rejected.select(
        pl.col("file").alias(t("File")),
        pl.col("table").alias(t("Table")),
        pl.col("column").alias(t("Column")),
        sentences(rejected, t).alias(t("Reason")),
        pl.when("kept")
        .then(pl.lit(t("kept without a link")))
        .otherwise(pl.lit(t("rejected")))
        .alias(t("What became of it")),
        pl.col("n").alias(t("Rows")),
        pl.col("line").alias(t("First at line")),
        pl.col("value").alias(t("Value")),
    )


@st.cache_resource(max_entries=8, ttl="1h", show_spinner=False)
def _inspected(folder: Path, as_of: date | None) -> Inspection:
    return inspect([folder], home=home(), as_of=as_of)


def _inbox(files: Sequence[tuple[str, bytes]]) -> Path:
    """The dropped files on disk, in a folder of their own per set of files."""
    kept: tuple[object, Path] | None = st.session_state.get(_INBOX)
    content = tuple((name, hash(data)) for name, data in files)
    if kept is not None and kept[0] == content and kept[1].exists():
        return kept[1]
    _forget()
    root = home() / _INBOX
    _tidy(root)
    folder = root / uuid.uuid4().hex
    folder.mkdir(parents=True)
    for position, (name, data) in enumerate(files):
        # A folder each: two files may have one name.
        place = folder / f"{position:04}"
        place.mkdir()
        (place / _file_name(name)).write_bytes(data)
    st.session_state[_INBOX] = (content, folder)
    return folder


def _file_name(name: str) -> str:
    """A name the disk takes: no folders, not hidden, short enough, its ending kept."""
    plain = Path(name.replace("\\", "/")).name.lstrip(".") or "file"
    stem, dot, ending = plain.rpartition(".")
    if not dot or len(ending) > 10:
        stem, ending = plain, ""
    shortened = stem.encode()[:120].decode(errors="ignore") or "file"
    return f"{shortened}.{ending}" if ending else shortened


def _forget() -> None:
    """Other files were chosen: what was settled about the earlier ones goes, and so do they."""
    kept = st.session_state.pop(_INBOX, None)
    if kept is not None:
        shutil.rmtree(kept[1], ignore_errors=True)
    st.session_state.pop(_SETTLED, None)
    st.session_state.pop(_REPORT, None)


def _tidy(root: Path) -> None:
    """Sessions end without a word; what they left here goes after a day."""
    for folder in root.glob("*") if root.exists() else ():
        if datetime.now(UTC) - datetime.fromtimestamp(folder.stat().st_mtime, UTC) > _LEFT_AFTER:
            shutil.rmtree(folder, ignore_errors=True)
