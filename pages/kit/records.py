"""What the warehouse holds and how it came to it: files, rejected rows, versions, what tables mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

import polars as pl
import streamlit as st

from analytics.language import Language
from data import queries
from data.acceptance import sentences
from data.access import Permission, Viewer
from data.assembly import is_kept
from data.contracts import TABLES
from data.importing import rejected_as_csv
from data.problems import Problem
from pages.kit import answers, cards, filters, load, session

Part = Callable[[Language, str, Viewer], None]


def summary(t: Language, viewer: Viewer) -> str | None:
    """The finding, or the empty state with what to load; the version, if there is one."""
    try:
        version = load.opened_version()
    except Problem as problem:
        cards.finding(t(problem.message, **problem.values))
        return None
    if version is None:
        cards.finding(
            t("Nothing has been loaded yet. Drop your exports below, or look at the demo company first.")
        )
        return None
    cards.finding(answers.data(t, version, viewer))
    return version


def parts(t: Language, viewer: Viewer, version: str | None) -> Mapping[str, str]:
    """The parts of the page the viewer may use now, in order."""
    may_load = {"load": t("Load files")} if viewer.may(Permission.IMPORT) else {}
    if version is None:
        return may_load
    return {
        "loaded": t("What was loaded"),
        "rejected": t("Rejected rows"),
        **may_load,
        "versions": t("Versions"),
        "tables": t("What the tables mean"),
    }


def loaded(t: Language, version: str, viewer: Viewer) -> None:
    """Files with how many rows went in, and how many rows each table holds."""
    found = load.imports(version, viewer)
    cards.plain_table(
        found.select(
            pl.concat_str("file", "sheet", separator=" › ", ignore_nulls=True).alias(t("File")),
            pl.col("source").alias(t("Read as")),
            pl.col("rows").alias(t("Rows")),
            pl.col("accepted").alias(t("Accepted")),
            pl.col("rejected").alias(t("Rejected")),
            pl.col("imported_at").dt.strftime("%Y-%m-%d %H:%M").alias(t("Loaded (UTC)")),
        ),
        alt=t("Files with the rows that went in and those that were rejected."),
    )
    cards.heading(t("What the warehouse holds"))
    counts = queries.row_counts(viewer, load.engine(version)).filter(pl.col("rows") > 0)
    cards.plain_table(
        counts.select(pl.col("table").alias(t("Table")), pl.col("rows").alias(t("Rows"))),
        alt=t("How many rows each table holds."),
    )


def rejected(t: Language, version: str, viewer: Viewer) -> None:
    """Every rejected row with its reason, to download, mend and load again."""
    found = queries.rejected(viewer, load.engine(version))
    if found.is_empty():
        cards.say(t("No row was rejected."))
        return
    opens = {
        source_id: queries.reads_source(viewer, load.engine(version), source_id=source_id)
        for source_id in found["source_id"].unique()
    }
    if any(opens.values()):
        cards.remark(
            t(
                "Each row is kept with the rule it broke. Download a file's rejected rows, mend them in a "
                "spreadsheet, and load that file: nothing else is touched."
            )
        )
    if not all(opens.values()):
        cards.remark(
            t(
                "What stood in rows that are not yours to read is left out. Download where a file's rejected "
                "rows stand, correct them in the system they came from, and load its next export."
            )
        )
    kept = [is_kept(*row) for row in found.select("table", "rule", "column").iter_rows()]
    became = [t("kept without a link") if one else t("rejected") for one in kept]
    cards.plain_table(
        found.select(
            pl.concat_str("file", "sheet", separator=" › ", ignore_nulls=True).alias(t("File")),
            pl.col("line").alias(t("Line")),
            sentences(found, t).alias(t("Reason")),
            pl.Series(t("What became of it"), became, dtype=pl.String),
            pl.col("value").alias(t("Value")),
            pl.col("column").alias(t("Column")),
            pl.col("table").alias(t("Table")),
        ),
        wide=t("Reason"),
        alt=t("Rejected rows with file, line and reason."),
    )
    files = found.select("source_id", "file").unique().sort("file", "source_id")
    with st.container(horizontal=True):
        for source_id, file in files.rows():
            st.download_button(
                t("Rejected rows of {file}", file=cards.plain(file))
                if opens[source_id]
                else t("Where the rejected rows of {file} stand", file=cards.plain(file)),
                data=partial(rejected_as_csv, viewer, load.warehouse(), source_id),
                file_name=f"rejected-{file.rsplit('.', 1)[0]}.csv",
                mime="text/csv",
                key=f"rejected_{source_id}",
                on_click=partial(session.record, "downloaded", f"rejected rows of {file}"),
                type="tertiary",
                icon=":material/download:",
            )


def versions(t: Language, version: str, viewer: Viewer) -> None:
    """Every published version; what changed between two; going back to one."""
    store = load.warehouse()
    known = sorted(store.versions(), key=lambda found: found.version_id, reverse=True)
    cards.plain_table(
        pl.DataFrame(
            {
                t("Version"): [found.version_id for found in known],
                t("Made (UTC)"): [found.created_at.strftime("%Y-%m-%d %H:%M") for found in known],
                t("Rows"): [sum(found.rows.values()) for found in known],
                t("In force"): [t("yes") if found.version_id == version else "" for found in known],
            }
        ),
        alt=t("Versions of the data, newest first."),
    )
    others = {found.version_id: found.version_id for found in known if found.version_id != version}
    if not others:
        return
    cards.heading(t("What changed"))
    other = filters.pick(t("Compared with"), others, key="version")
    first, second = sorted((other, version))
    changes = store.compare(first, second)
    cards.plain_table(
        changes.select(
            pl.col("table").alias(t("Table")),
            pl.col("added").alias(t("Added")),
            pl.col("changed").alias(t("Changed")),
            pl.col("removed").alias(t("Removed")),
        ),
        alt=t("Rows added, changed and removed between two versions."),
    )
    if viewer.may(Permission.IMPORT):
        _going_back(t, other)


def _going_back(t: Language, other: str) -> None:
    """Puts another version in force once the reader has said so twice; nothing is lost by it."""
    cards.remark(
        t(
            "Going back puts {version} in force for everybody. The version in force now is kept.",
            version=other,
        )
    )
    sure = st.checkbox(t("I want to go back to this version"), key=f"sure_{other}")
    if st.button(t("Go back"), disabled=not sure, key=f"go_back_{other}"):
        try:
            load.warehouse().roll_back(other)
        except Problem as problem:
            cards.state(t("Nothing was changed"), t(problem.message, **problem.values))
            return
        session.record("imported", other, rolled_back=True)
        st.rerun()


def ending(t: Language, viewer: Viewer, found: pl.DataFrame) -> None:
    """Ends one open session; whoever had it signs in again."""
    opened = found.filter(pl.col("ended_at").is_null())
    if opened.is_empty():
        return
    options = {
        row["session_id"]: f"{row['name']} · {row['created_at']:%Y-%m-%d %H:%M}"
        for row in opened.iter_rows(named=True)
    }
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            t("Session"), list(options), format_func=options.__getitem__, index=None, placeholder=t("Choose")
        )
        if st.button(t("End this session"), disabled=chosen is None) and chosen is not None:
            try:
                session.operations().revoke(viewer, chosen)
            except Problem as problem:
                cards.state(t("Nothing was changed"), t(problem.message, **problem.values))
                return
            st.rerun()


def tables(t: Language, _version: str, _viewer: Viewer) -> None:
    """The data dictionary: each table with its columns, as the contracts say."""
    cards.remark(t("A file whose headers are these column names is read without a question."))
    chosen = filters.pick(t("Table"), {table: table for table in TABLES}, key="table")
    contract = TABLES[chosen]
    cards.plain_table(
        pl.DataFrame(
            [
                {
                    t("Column"): name,
                    t("Kind"): str(column.dtype.base_type()).removesuffix("()"),
                    t("May be empty"): t("yes") if column.nullable else t("no"),
                    t("Part of the key"): t("yes") if name in contract.primary_key() else "",
                    t("Meaning"): t(column.description) if column.description else "",
                }
                for name, column in contract.columns().items()
            ]
        ),
        alt=t("Columns of the table and what they mean."),
    )


PARTS: Final[Mapping[str, Part]] = MappingProxyType(
    {"loaded": loaded, "rejected": rejected, "versions": versions, "tables": tables}
)
