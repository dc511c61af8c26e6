"""Which rows of a batch fit the contract of their table?

Reads    text: String columns named as in the contract (missing ones mean null) and the line of each row.
Returns  the rows that fit, in the types of the contract, and for each row that does not, every rule it
         breaks: its name, the column, the value as it stood, and what is wrong.

Rules come from the contract alone. They are evaluated on whole columns; only a batch in which some row
breaks one is looked at row by row. Keys may repeat here: which of two rows is the later one is settled
when all files are read. So are rules about persons, who may still be named by e-mail or name.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from data.contracts import TABLES, references
from data.problems import Problem
from data.sources.model import LINE

REJECTED: Final = {
    LINE: pl.Int64,
    "table": pl.String,
    "rule": pl.String,
    "column": pl.String,
    "value": pl.String,
    "message": pl.String,
    "values": pl.String,
}
"""Columns of rejected rows: one row per line and rule broken. ``message`` is a template, ``values`` as JSON
what fills its places, so that every reader is told in their language; see `sentences`."""

LONGEST_SHOWN: Final = 200
"""Characters of a rejected value that are kept; the row itself is kept whole."""

DATE: Final = "%Y-%m-%d"
MOMENTS: Final = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M")
TRUE: Final = ("true", "1", "yes", "y", "是")
FALSE: Final = ("false", "0", "no", "n", "否")


@dataclass(frozen=True)
class Verdict:
    """What a batch came to.

    Attributes
    ----------
    accepted
        Rows that fit: the columns of the contract in its types, and ``_line``.
    rejected
        One row per line and rule broken, shaped as `REJECTED`.
    """

    accepted: pl.DataFrame
    rejected: pl.DataFrame


@dataclass(frozen=True)
class RowRule:
    """A rule about one row: its name, the columns it looks at, and when it holds."""

    name: str
    columns: tuple[str, ...]
    holds: pl.Expr


def accept(table: str, batch: pl.DataFrame) -> Verdict:
    """Part the rows of a batch.

    Parameters
    ----------
    table
        Name of the table, a key of ``TABLES``.
    batch
        String columns of that table, any of them, and ``_line`` (Int64).
    """
    text = _complete(table, batch)
    typed, unread = _typed(table, text)
    rules = row_rules(table)
    broken = [
        (RowRule(f"{column}|readable", (column,), pl.lit(value=True)), failed)
        for column, failed in unread.items()
    ]
    if typed.height:
        whole = typed.select(
            rule.holds.fill_null(value=True).all().alias(str(at)) for at, rule in enumerate(rules)
        ).row(0)
        suspects = [rule for rule, holds in zip(rules, whole, strict=True) if not holds]
        verdicts = typed.select(
            (~rule.holds.fill_null(value=True)).alias(str(at)) for at, rule in enumerate(suspects)
        )
        for at, rule in enumerate(suspects):
            failed = verdicts[str(at)]
            if rule.name.endswith("|nullability") and rule.columns[0] in unread:
                failed = failed & ~unread[rule.columns[0]]  # said already: it stands there, unreadable
            if failed.any():
                broken.append((rule, failed))
    if not broken:
        return Verdict(typed, pl.DataFrame(schema=REJECTED))
    bad = functools.reduce(lambda a, b: a | b, [failed for _, failed in broken])
    rejected = pl.concat([_reasons(table, rule, text.filter(failed)) for rule, failed in broken])
    return Verdict(typed.filter(~bad), rejected.sort(LINE, "rule"))


@functools.cache
def person_columns(table: str) -> tuple[str, ...]:
    """Columns in which an export may name a person by id, e-mail or display name."""
    named = tuple(column for column, target in references(table).items() if target == "employees")
    return ("ratee_id", "rater_id") if table == "ratings" else named


@functools.cache
def row_rules(table: str) -> tuple[RowRule, ...]:
    """Rules each row keeps by itself, whoever is meant by its persons."""
    return tuple(rule for rule in _rules(table) if not _about_persons(table, rule))


@functools.cache
def person_rules(table: str) -> tuple[RowRule, ...]:
    """Rules that can be judged only once persons are named by their id."""
    return tuple(rule for rule in _rules(table) if _about_persons(table, rule))


def _about_persons(table: str, rule: RowRule) -> bool:
    return len(rule.columns) > 1 and not set(rule.columns).isdisjoint(person_columns(table))


def _rules(table: str) -> list[RowRule]:
    # There is no public way to list the rules of a contract; that this agrees with its `filter` is tested.
    rules = TABLES[table]._validation_rules(with_cast=False)
    return [
        RowRule(name, tuple(dict.fromkeys(rule.expr.meta.root_names())), rule.expr)
        for name, rule in rules.items()
        if name != "primary_key"
    ]


def _complete(table: str, batch: pl.DataFrame) -> pl.DataFrame:
    """All columns of the table as trimmed text, empty as null."""
    there = set(batch.columns)

    def trimmed(name: str) -> pl.Expr:
        bare = pl.col(name).str.strip_chars()
        return pl.when(bare != "").then(bare).alias(name)

    columns = [
        trimmed(name) if name in there else pl.lit(None, dtype=pl.String).alias(name)
        for name in TABLES[table].column_names()
    ]
    return batch.select(pl.col(LINE).cast(pl.Int64), *columns)


def _typed(table: str, text: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """The batch in the types of its contract, and for columns with values that are not: which rows."""
    kinds = {name: column.dtype for name, column in TABLES[table].columns().items()}
    typed = text.select(pl.col(LINE), *(_read(text[name], kind) for name, kind in kinds.items()))
    before, after = text.null_count().row(0, named=True), typed.null_count().row(0, named=True)
    unread = {}
    for name, kind in kinds.items():
        if after[name] > before[name]:
            again = typed[name]
            if (spellings := _read_again(name, kind)) is not None:
                again = text.select(spellings).to_series()
                typed = typed.with_columns(again)
            failed = again.is_null() & text[name].is_not_null()
            if failed.any():
                unread[name] = failed
    return typed, unread


def _read(text: pl.Series, kind: pl.DataType) -> pl.Expr:
    """The spelling of most values, read fast."""
    column = pl.col(text.name)
    match kind:
        case pl.String():
            return column
        case pl.Date():
            return column.str.to_date(DATE, strict=False)
        case pl.Datetime():
            spelling = MOMENTS[1] if " " in (text.drop_nulls().head(1).to_list() or [""])[0] else MOMENTS[0]
            return column.str.to_datetime(spelling, strict=False, time_unit="us")
        case pl.Boolean():
            lower = column.str.to_lowercase()
            return (
                pl.when(lower.is_in(TRUE))
                .then(pl.lit(value=True))
                .when(lower.is_in(FALSE))
                .then(pl.lit(value=False))
                .alias(text.name)
            )
        case _:
            return column.cast(kind, strict=False)


def _read_again(name: str, kind: pl.DataType) -> pl.Expr | None:
    """Every spelling that says the same without doubt, for columns in which the usual one failed, if any."""
    column = pl.col(name)
    match kind:
        case pl.Date():  # midnight of a day is that day; a time of day is not a date
            bare = column.str.replace(r"[T ]00:00(:00(\.0+)?)?Z?$", "")
            return bare.str.to_date(DATE, strict=False)
        case pl.Datetime():
            bare = column.str.strip_suffix("Z")
            spellings = [bare.str.to_datetime(m, strict=False, time_unit="us") for m in MOMENTS]
            day = bare.str.to_date(DATE, strict=False).cast(pl.Datetime("us"))
            return pl.coalesce(*spellings, day).alias(name)
        case pl.Int64():  # a spreadsheet's 3 is 3.0
            number = column.cast(pl.Float64, strict=False)
            whole = number.round().cast(pl.Int64, strict=False)
            return (
                pl.when(number.is_finite() & (number == number.round()) & (number.abs() < 2.0**53))
                .then(whole)
                .alias(name)
            )
        case _:
            return None


def _reasons(table: str, rule: RowRule, rows: pl.DataFrame) -> pl.DataFrame:
    """One row per rejected line, saying what is wrong."""
    if len(rule.columns) == 1:
        value = pl.col(rule.columns[0])
    else:
        value = pl.concat_str(
            [pl.format("{} = {}", pl.lit(name), pl.col(name).fill_null("–")) for name in rule.columns],
            separator=", ",
        )
    return rows.select(
        pl.col(LINE),
        pl.lit(table).alias("table"),
        pl.lit(rule.name).alias("rule"),
        pl.lit(", ".join(rule.columns)).alias("column"),
        value.str.slice(0, LONGEST_SHOWN).alias("value"),
        *reason(problem_of(table, rule.name)),
    )


SAID: Final[Mapping[str, Problem]] = {
    "employment_ends_after_it_begins": Problem(
        "The person leaves before they are hired. Correct one of the two dates."
    ),
    "no_department_is_its_own_parent": Problem(
        "The department is named as its own parent. Name the department above it, or leave the parent empty."
    ),
    "the_scale_rises": Problem(
        "The highest score of the scale is not above its lowest. The worst rating counts least: mind the "
        "direction."
    ),
    "a_cycle_ends_after_it_starts": Problem(
        "The cycle does not end after its first day. Correct one of the two dates."
    ),
    "only_self_ratings_are_by_the_ratee": Problem(
        "Rater and source contradict each other: who rates themselves gives a self rating, and nobody else "
        "gives one. Correct the rater or the source."
    ),
    "a_goal_is_due_after_it_starts": Problem(
        "The goal is due before it starts. Correct one of the two dates."
    ),
    "no_goal_is_its_own_parent": Problem(
        "The goal is named as its own parent. Name the goal above it, or leave the parent empty."
    ),
    "nobody_converses_with_themselves": Problem(
        "Employee and manager of the conversation are one person. Correct one of them."
    ),
    "an_appeal_is_decided_after_it_was_filed": Problem(
        "The appeal is decided before it was filed. Correct one of the two dates."
    ),
    "the_pay_range_rises": Problem(
        "The upper end of the pay range is below its lower end. Correct one of them."
    ),
    "a_plan_ends_after_it_starts": Problem("The plan ends before it starts. Correct one of the two dates."),
}
"""What a row that breaks a rule gets wrong, and what to do."""


@functools.cache
def problem_of(table: str, rule: str) -> Problem:
    """What a row that breaks a rule of its contract gets wrong, and what is expected."""
    column, _, kind = rule.partition("|")
    if not kind:
        return SAID[rule]
    contract = TABLES[table].columns()[column]
    limits = vars(contract)
    match kind:
        case "nullability":
            return Problem(
                "The field {column} is missing. Every row of {table} needs it.", column=column, table=table
            )
        case "min_length" | "max_length" if column == "currency":
            return Problem("The field {column} must be a three-letter code such as EUR.", column=column)
        case "min_length" if limits["min_length"] == 1:
            return Problem("The field {column} is empty.", column=column)
        case "min_length":
            return Problem(
                "The field {column} is shorter than {least} characters.",
                column=column,
                least=limits["min_length"],
            )
        case "max_length":
            return Problem(
                "The field {column} is longer than {most} bytes.",
                column=column,
                most=f"{limits['max_length']:,}",
            )
        case _:
            return _expected(column, contract.dtype, limits)


def _expected(column: str, kind: pl.DataType, limits: Mapping[str, object]) -> Problem:
    """What a column takes, for a value that it does not."""
    match kind:
        case pl.Date():
            return Problem("The field {column} must be a date such as 2026-03-31.", column=column)
        case pl.Datetime():
            return Problem(
                "The field {column} must be a date and time such as 2026-03-31T17:45:00.", column=column
            )
        case pl.Enum():
            return Problem(
                "The field {column} must be one of: {choices}.",
                column=column,
                choices=", ".join(kind.categories),
            )
        case pl.Boolean():
            return Problem("The field {column} must be true or false.", column=column)
        case pl.Int64():
            return _number(
                limits,
                Problem(
                    "The field {column} must be a whole number from {low} to {high}.",
                    column=column,
                    **_ends(limits),
                ),
                Problem(
                    "The field {column} must be a whole number, {low} or more.",
                    column=column,
                    **_ends(limits),
                ),
                Problem("The field {column} must be a whole number.", column=column),
            )
        case _:
            return _number(
                limits,
                Problem(
                    "The field {column} must be a number from {low} to {high}.",
                    column=column,
                    **_ends(limits),
                ),
                Problem(
                    "The field {column} must be a number, {low} or more.", column=column, **_ends(limits)
                ),
                Problem("The field {column} must be a number.", column=column),
            )


def _ends(limits: Mapping[str, object]) -> dict[str, str]:
    ends = {"low": limits.get("min"), "high": limits.get("max")}
    return {name: "" if end is None else f"{end:g}" for name, end in ends.items()}


def _number(limits: Mapping[str, object], between: Problem, least: Problem, any_: Problem) -> Problem:
    if limits.get("min") is None:
        return any_
    return least if limits.get("max") is None else between


def reason(problem: Problem) -> tuple[pl.Expr, pl.Expr]:
    """A problem as the columns ``message`` (its template) and ``values`` (JSON: what fills its places)."""
    values = json.dumps(problem.values, ensure_ascii=False, sort_keys=True)
    return pl.lit(problem.message).alias("message"), pl.lit(values).alias("values")


def sentences(rows: pl.DataFrame, say: Callable[..., str] = str.format) -> pl.Series:
    """The reason of each row as a sentence.

    Parameters
    ----------
    rows
        ``message`` and ``values``, as `reason` writes them.
    say
        Says a template with its values; in English unless given.
    """
    distinct = rows.select("message", "values").unique()
    said = [say(message, **json.loads(values)) for message, values in distinct.iter_rows()]
    spoken = distinct.with_columns(pl.Series("said", said, dtype=pl.String))
    return rows.join(spoken, on=["message", "values"], how="left", maintain_order="left").get_column("said")
