"""Feishu (Lark): performance reviews, the dictionary of their ids, and OKRs, all JSON.

Reviews name options and indicators by id; a dictionary file loaded alongside says what the ids mean.
Times are unix milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from data.contracts.ratings import OVERALL
from data.sources import assembling, settling
from data.sources.layout import Layout
from data.sources.model import LINE, Known, Match, Recognition, Sheet

_OVERALL: Final = r"(?i)总体|整体|综合|最终|overall|^绩效"
_SIDES: Final = (
    ("self", "(?i)self|自评"),
    ("calibrated", "(?i)calibrat|校准"),
    ("cross_department", "(?i)cross|跨部门"),
    ("direct_report", "(?i)subordinate|upward|direct_report|下级"),
    ("skip_level", "(?i)skip|隔级"),
    ("peer", "(?i)peer|invit|360|同级|同事|互评"),
    ("manager", "(?i)leader|manager|superior|supervisor|上级"),
)


def _ending(columns: Iterable[str], *names: str) -> str | None:
    """The column whose path ends in one of some names, the first name and the shortest path first."""
    for name in names:
        found = [c for c in columns if c == name or c.endswith(f".{name}")]
        if found:
            return min(found, key=len)
    return None


def _reviews(batch: pl.DataFrame, known: Known) -> pl.DataFrame:
    columns = batch.columns
    field = next((c for c in columns if c.endswith(("field_id", "indicator_id"))), "")
    prefix = field.rsplit(".", 1)[0] + "." if "." in field else ""
    reviewer = next(
        (c for c in columns if c.startswith(f"{prefix}reviewer_user_id") and not c.endswith("open_id")), None
    )
    own = [c for c in columns if not c.startswith(f"{prefix}reviewer")]
    ratee = _ending(
        own, "user_id.user_id", "reviewee_user_id.user_id", "reviewee_user_id", "user_id", "user_id.open_id"
    )

    def column(name: str | None) -> pl.Expr:
        return pl.col(name) if name is not None and name in columns else pl.lit(None, dtype=pl.String)

    def label(name: str) -> pl.Expr:
        ids = column(_ending(columns, name))
        if not known.dictionaries:
            return ids
        return ids.replace(list(known.dictionaries), list(known.dictionaries.values()))

    stage = column(_ending(columns, "stage_type"))
    sided = pl.coalesce(
        pl.when(column(ratee) == column(reviewer)).then(pl.lit("self")),
        *(pl.when(stage.str.contains(pattern)).then(pl.lit(name)) for name, pattern in _SIDES),
        stage,
    )
    indicator = label("indicator_id")
    empty = pl.lit("").eq_missing(label("option_id"))
    made = batch.select(
        LINE,
        column(ratee).alias("user_id"),
        column(reviewer).alias("reviewer_user_id"),
        pl.coalesce(column(_ending(columns, "semester_id")), column(_ending(columns, "activity_id"))).alias(
            "semester_id"
        ),
        pl.when(sided == "calibrated").then(pl.lit("manager")).otherwise(sided).alias("stage_type"),
        pl.when(sided == "calibrated").then(pl.lit("calibrated")).otherwise(pl.lit("initial")).alias("stage"),
        pl.when(indicator.is_null() | indicator.str.contains(_OVERALL))
        .then(pl.lit(OVERALL))
        .otherwise(indicator)
        .alias("indicator_id"),
        pl.when(~empty)
        .then(pl.coalesce(label("option_id"), column(_ending(columns, "score"))))
        .alias("score"),
        column(_ending(columns, "submit_time")).alias("submit_time"),
    )
    # What has neither option nor score is a comment.
    return made.filter(pl.col("score").is_not_null())


_REVIEWS: Final = Layout(
    name="Feishu reviews",
    requires=(),
    columns={
        "user_id": "ratings.ratee_id",
        "reviewer_user_id": "ratings.rater_id",
        "semester_id": "ratings.cycle_id",
        "stage_type": "ratings.source",
        "stage": "ratings.stage",
        "indicator_id": "ratings.dimension",
        "score": "ratings.score",
        "submit_time": "ratings.submitted_at",
    },
    prepare=_reviews,
)


@dataclass(frozen=True)
class Reviews:
    """Source for the stages of performance reviews."""

    name: str = _REVIEWS.name

    def recognise(self, sheet: Sheet, known: Known) -> Recognition | None:
        """A sheet of stage data: reviewers, and options or indicators by id."""
        last = {header.rsplit(".", 1)[-1] for header in sheet.headers}
        path = " ".join(sheet.headers)
        if "reviewer_user_id" not in path or not {"indicator_id", "option_id"} & last:
            return None
        if not _reviews(sheet.sample, known).height:
            return None
        return _REVIEWS.recognise(sheet, known)

    def prepared(self, sheet: Sheet, known: Known) -> Sheet:
        """The sheet with labels for ids."""
        return _REVIEWS.prepared(sheet, known)

    def translate(
        self, batch: pl.DataFrame, recognition: Recognition, known: Known
    ) -> Mapping[str, pl.DataFrame]:
        """Rows of ratings."""
        return _REVIEWS.translate(batch, recognition, known)


@dataclass(frozen=True)
class Dictionary:
    """Source for the file that says what ids mean; it feeds no table."""

    name: str = "Feishu dictionary"

    def recognise(self, sheet: Sheet, known: Known) -> Recognition | None:  # noqa: ARG002 - as every source
        """Options with ids and labels."""
        if not _is_dictionary(sheet):
            return None
        return Recognition(self.name, 1.0, ())

    def translate(
        self,
        batch: pl.DataFrame,  # noqa: ARG002 - as every source
        recognition: Recognition,  # noqa: ARG002
        known: Known,  # noqa: ARG002
    ) -> Mapping[str, pl.DataFrame]:
        """Nothing: what it says is in `Known.dictionaries`."""
        return {}


def _is_dictionary(sheet: Sheet) -> bool:
    named = set(sheet.headers)
    return (
        "options.id" in named
        and bool({"options.label", "options.name"} & named)
        and "reviewer_user_id" not in named
    )


def dictionaries(sheets: Iterable[Sheet]) -> dict[str, str]:
    """Id → label, from every dictionary among some sheets: options and the indicators above them."""
    found: dict[str, str] = {}
    for sheet in sheets:
        if not _is_dictionary(sheet):
            continue
        for batch in sheet.batches():
            for prefix in ("options.", ""):
                labels = [
                    c
                    for c in (
                        f"{prefix}label",
                        f"{prefix}name",
                        f"{prefix}label.zh_CN",
                        f"{prefix}name.zh_CN",
                    )
                    if c in batch.columns
                ]
                for key in (f"{prefix}id", *(("indicator_id",) if not prefix else ())):
                    if key in batch.columns and labels:
                        pairs = (
                            batch.select(pl.col(key), pl.coalesce(labels).alias("_label"))
                            .drop_nulls()
                            .unique(maintain_order=True)
                        )
                        found.update(dict(pairs.iter_rows()))
    return found


@dataclass(frozen=True)
class Okr:
    """Source for key results with start, current and target values, below their objectives."""

    name: str = "Feishu OKR"

    def recognise(self, sheet: Sheet, known: Known) -> Recognition | None:
        """Values from–to with a status that says how it is calculated."""
        last = {header.rsplit(".", 1)[-1]: header for header in sheet.headers}
        if not {"start_value", "current_value", "target_value"} <= set(last) or not {
            "indicator_status",
            "status_calculate_type",
        } & set(last):
            return None
        matches = self._matches(sheet.headers)
        return settling.settled(sheet, self.name, matches, {"goals.framework": "okr"}, known)

    def _matches(self, headers: tuple[str, ...]) -> tuple[Match, ...]:
        prefix = _prefix(headers)
        names = {
            "goal_id": ("id", "kr_id", "key_result_id"),
            "title": ("content", "name", "title"),
            "baseline": ("start_value",),
            "current": ("current_value",),
            "target": ("target_value",),
            "unit": ("unit", "unit.unit_name", "unit.name"),
            "weight": ("weight", "kr_weight"),
        }
        above = {
            "owner_id": ("owner_id", "owner.user_id", "owner", "user_id"),
            "cycle_id": ("period_id", "cycle_id", "period"),
            "start_on": ("start_date", "start_time", "period_start"),
            "due_on": ("due_date", "end_date", "end_time", "deadline", "period_end"),
        }
        matches = []
        for column, leaves in names.items():
            header = next((f"{prefix}{leaf}" for leaf in leaves if f"{prefix}{leaf}" in headers), None)
            if header:
                matches.append(Match(header, "goals", column, 1.0))
        for column, leaves in above.items():
            header = next(
                (f"{prefix}{leaf}" for leaf in leaves if f"{prefix}{leaf}" in headers), None
            ) or _ending(headers, *leaves)
            if header:
                matches.append(Match(header, "goals", column, 1.0))
        parent = _objective(headers, prefix, "id")
        if parent:
            matches.append(Match(parent, "goals", "parent_id", 1.0))
        at = _ending(headers, "update_time", "modify_time", "last_updated_time")
        if at:
            matches.append(Match(at, "check_ins", "checked_at", 1.0))
        return tuple(matches)

    def translate(
        self, batch: pl.DataFrame, recognition: Recognition, known: Known
    ) -> Mapping[str, pl.DataFrame]:
        """Key results as goals, each objective once as their parent, and how far they have come."""
        tables = assembling.assembled(batch, recognition, known)
        headers = tuple(batch.columns)
        prefix = _prefix(headers)
        key = _objective(headers, prefix, "id")
        title = next(
            (found for leaf in ("content", "name", "title") if (found := _objective(headers, prefix, leaf))),
            None,
        )
        if key is None or title is None:
            return tables
        goals = tables["goals"]
        shared = [
            c
            for c in ("scope", "framework", "owner_id", "cycle_id", "start_on", "due_on", "status", "version")
            if c in goals.columns
        ]
        objectives = (
            goals.select(LINE, *shared)
            .with_columns(batch.get_column(key).alias("goal_id"), batch.get_column(title).alias("title"))
            .filter(pl.col("goal_id").is_not_null())
            .unique("goal_id", keep="first", maintain_order=True)
        )
        kept = goals.filter(pl.col("goal_id").is_not_null()) if prefix else goals
        return {**tables, "goals": pl.concat([objectives, kept], how="diagonal")}


def _prefix(headers: Iterable[str]) -> str:
    value = next(h for h in headers if h == "start_value" or h.endswith(".start_value"))
    whole = value[: -len("start_value")]
    # Values may sit in an object of their own below the key result.
    parts = whole.split(".")
    while len(parts) > 1 and f"{'.'.join(parts[:-1])}.id" not in headers and whole != "":
        parts = parts[:-1]
        candidate = ".".join(parts[:-1])
        if f"{candidate}.id" in headers:
            return whole if f"{whole}id" in headers else f"{candidate}."
        break
    return whole


def _objective(headers: Iterable[str], prefix: str, leaf: str) -> str | None:
    """A field of the objective above the key results."""
    if not prefix:
        return None
    outer = prefix[:-1].rsplit(".", 1)[0] + "." if "." in prefix[:-1] else ""
    return f"{outer}{leaf}" if f"{outer}{leaf}" in set(headers) else None


REVIEWS: Final = Reviews()
DICTIONARY: Final = Dictionary()
OKR: Final = Okr()
