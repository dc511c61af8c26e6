"""From what headers mean to rows of contract tables.

Reads    a batch of a sheet, with the matches (header → table and column) and answers of its recognition.
Returns  text frames of contract tables.

Beside the contracts' own columns, matches may name parts (`PARTS`): ``display_name:first``,
``department_id:1`` (the level above a department), ``score:SOURCE:DIMENSION:STAGE`` (one of several ratings
in a row), ``goals.current`` and ``goals.percent`` (progress as of the export), ``ratings.manager_id`` (the
ratee's manager), ``employees.status`` (whether still employed).

Answers named ``table.column`` are constants for rows that have no such column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

import dataframely as dy
import polars as pl

from data.contracts import TABLES
from data.contracts.ratings import OVERALL, PANEL
from data.contracts.ratings import SOURCES as RATING_SOURCES
from data.sources import cycles, scales, values
from data.sources.model import LINE, MANAGER, SELF, Answer, Known, Match, Recognition
from data.sources.scales import Scale

PEOPLE: Final = ("employees", "protected_attributes", "departments", "assignments")
"""Tables one row per person may feed together."""

NAMES: Final = ("display_name", "display_name:first", "display_name:last", "display_name:preferred")
"""What a display name may be put together from."""

Tables = dict[str, pl.DataFrame]

PARTS: Final[Mapping[tuple[str, str], str]] = {
    ("employees", "display_name:first"): "First name, where first and last name are apart.",
    ("employees", "display_name:last"): "Last name, where first and last name are apart.",
    ("employees", "display_name:preferred"): "Preferred first name.",
    ("employees", "status"): "Whether somebody is still employed.",
    ("assignments", "department_id:1"): "Division: the level above the department.",
    ("assignments", "department_id:2"): "The level below the department.",
    ("assignments", "department_id:3"): "Team: the lowest level.",
    ("ratings", "manager_id"): "The ratee's manager, who gave the ratings of the manager.",
    **{
        ("ratings", f"score:{source}"): "A rating by this source, where each source has its own column."
        for source in RATING_SOURCES
    },
    ("ratings", "score:manager:overall:initial"): "The manager's rating before calibration.",
    ("ratings", "score:manager:overall:calibrated"): "The rating after calibration.",
    (
        "ratings",
        "score:manager:overall:final",
    ): "The final score: after calibration where an earlier one stands beside it.",
    ("goals", "current"): "The value reached as of the export.",
    ("goals", "percent"): "Per cent of the way as of the export.",
}
"""Parts a header can stand for beside the contracts' columns, with what they mean."""

FOLLOWING: Final[Mapping[str, frozenset[str]]] = {
    "employees": frozenset({"employee_id"}),
    "protected_attributes": frozenset({"employee_id"}),
    "assignments": frozenset({"employee_id", "valid_from"}),
    "departments": frozenset({"department_id", "name", "valid_from"}),
    "ratings": frozenset({"cycle_id", "rater_id", "source", "dimension", "stage", "score"}),
    "goals": frozenset({"goal_id", "title", "scope", "start_on", "due_on", "status", "version"}),
}
"""Required columns that are not asked for as such: they follow from others, or are asked apart."""


def exact_ratings(matches: Iterable[Match]) -> bool:
    """Whether a sheet carries ratings as the contract has them: points, not names of levels."""
    own = [match for match in matches if match.table == "ratings"]
    named = {match.column for match in own}
    return (
        all(match.header == match.column for match in own)
        and {"cycle_id", "ratee_id", "rater_id", "score"} <= named
    )


def chosen_headers(answers: Mapping[str, Answer]) -> list[str]:
    """The rating columns a person chose where a sheet has several scales."""
    answer = answers.get("rated_in")
    if answer is None:
        return []
    return [part.strip() for part in answer.split(",")] if isinstance(answer, str) else list(answer)


def known_scales(known: Known) -> dict[str, Scale]:
    """Scale of each known cycle, by the cycle's id and by its name."""
    there = scales.known(known.scales, known.ranges)
    found: dict[str, Scale] = {}
    if known.cycles.is_empty():
        return found
    for cycle_id, name, scale_id in known.cycles.select("cycle_id", "name", "scale_id").iter_rows():
        if scale_id in there:
            found[cycle_id] = found[name] = there[scale_id]
    return found


def decimal(answers: Mapping[str, Answer]) -> values.Decimal:
    return "," if answers.get("decimal") == "," else "."


def iso(answer: Answer | None) -> str | None:
    if not isinstance(answer, str):
        return None
    day = values.dates(pl.Series([answer], dtype=pl.String))[0]
    return day if day and len(day) == 10 and day[4] == "-" else None


def assembled(batch: pl.DataFrame, recognition: Recognition, known: Known) -> Tables:
    """The rows of a batch as text frames of contract tables, by the recognition's matches and answers."""
    reading = _Reading(batch, recognition)
    tables: Tables = {}
    silent = set(PEOPLE) if recognition.answers.get("people") == "no" else set()
    if reading.tables & (set(PEOPLE) - silent):
        tables.update(_people(reading))
    if "ratings" in reading.tables:
        tables.update(_ratings(reading, known))
    if "goals" in reading.tables:
        tables.update(_goals(reading, known))
    for table in TABLES:
        if table in reading.tables - silent and table not in tables:
            tables[table] = reading.frame(table)
    return {table: tables[table] for table in TABLES if table in tables}


class _Reading:
    """A batch seen through matches and answers: canonical text by table and column."""

    def __init__(self, batch: pl.DataFrame, recognition: Recognition) -> None:
        self.batch, self.matches, self.answers = batch, recognition.matches, recognition.answers
        self.tables = {match.table for match in recognition.matches}
        order = self.answers.get("date_order")
        self.order: values.DateOrder | None = "dmy" if order == "dmy" else "mdy" if order == "mdy" else None
        self.decimal = decimal(self.answers)
        used = list(dict.fromkeys(m.header for m in self.matches if m.header in batch.columns))
        stripped = pl.col(used).str.strip_chars(values.BLANKS) if used else None
        self._words = batch.select(pl.when(stripped != "").then(stripped)) if stripped is not None else batch

    def headers(self, table: str, column: str) -> list[str]:
        return [
            m.header
            for m in self.matches
            if (m.table, m.column) == (table, column) and m.header in self.batch.columns
        ]

    def has(self, table: str, column: str) -> bool:
        return bool(self.headers(table, column)) or f"{table}.{column}" in self.answers

    def constant(self, value: Answer | None) -> pl.Series:
        text = value if isinstance(value, str) or value is None else ", ".join(value)
        return pl.Series([text], dtype=pl.String).new_from_index(0, self.batch.height)

    def raw(self, table: str, column: str) -> pl.Series:
        """Trimmed text of a column: the first header that has a value, else the constant, else null."""
        headers = self.headers(table, column)
        if not headers:
            return self.constant(self.answers.get(f"{table}.{column}"))
        return _first(*(self.words(header) for header in headers))

    def words(self, header: str) -> pl.Series:
        """Trimmed text of a header's cells; blank is null."""
        return self._words.get_column(header)

    def cell(self, table: str, column: str) -> pl.Series:
        """A column in the canonical writing of its type in the contract."""
        raw = self.raw(table, column)
        kind = TABLES[table].columns().get(column)
        if raw.null_count() == len(raw) or kind is None:
            return raw
        if isinstance(kind, dy.Date):
            return values.dates(raw, order=self.order)
        if isinstance(kind, dy.Datetime):
            return values.moments(raw, order=self.order)
        if (table, column) == ("goals", "cadence_days"):
            return values.synonyms(raw, values.CADENCES)
        if isinstance(kind, dy.Int64):
            return values.numbers(raw, decimal=self.decimal).str.replace(r"\.0+$", "")
        if isinstance(kind, dy.Float64):
            read = values.numbers(raw, decimal=self.decimal)
            return self.percent(read, f"{table}.{column}")
        if isinstance(kind, dy.Bool):
            return values.flags(raw)
        if isinstance(kind, dy.Enum):
            return values.synonyms(raw, values.enum(table, column))
        return raw

    def percent(self, read: pl.Series, key: str) -> pl.Series:
        """Fractions as per cent where the whole column is written so."""
        if self.answers.get(f"{key}.unit") != "fraction":
            return read
        number = (read.cast(pl.Float64, strict=False) * 100).round(9)
        return number.cast(pl.String).str.strip_suffix(".0").zip_with(number.is_not_null(), read)

    def frame(self, table: str) -> pl.DataFrame:
        """The columns of a table that the sheet or an answer has, as they are."""
        columns = [column for column in TABLES[table].columns() if self.has(table, column)]
        cells = [self.cell(table, column).alias(column) for column in columns]
        made = pl.DataFrame([self.batch.get_column(LINE), *cells])
        if "cycle_id" in TABLES[table].columns() and "cycle_id" not in columns and table != "review_cycles":
            made = made.with_columns(self.constant(self.answers.get("cycle")).alias("cycle_id"))
        return made


def _first(*columns: pl.Series) -> pl.Series:
    found = columns[0]
    for column in columns[1:]:
        found = found.zip_with(found.is_not_null(), column)
    return found


def _people(read: _Reading) -> Tables:
    line = read.batch.get_column(LINE)
    tables: Tables = {}
    as_of = iso(read.answers.get("as_of"))
    if read.tables == {"departments"}:
        name = _first(read.cell("departments", "name"), read.cell("departments", "department_id"))
        frame = read.frame("departments").with_columns(
            _first(read.cell("departments", "department_id"), name).alias("department_id"), name.alias("name")
        )
        if not read.has("departments", "valid_from"):
            frame = frame.with_columns(read.constant(as_of).alias("valid_from"))
        return {"departments": frame}
    email = read.cell("employees", "email")
    employee = _first(
        read.raw("employees", "employee_id"),
        read.raw("assignments", "employee_id"),
        read.raw("protected_attributes", "employee_id"),
        email,
    )
    if "employees" in read.tables:
        termination = read.cell("employees", "termination_date")
        if read.has("employees", "status"):
            status = values.synonyms(read.raw("employees", "status"), values.ACTIVE)
            # Gone without a date: gone by the day of the export.
            gone = (status == "inactive").fill_null(False) & termination.is_null()
            termination = termination.zip_with(~gone, read.constant(as_of))
        tables["employees"] = pl.DataFrame(
            [
                line,
                employee.alias("employee_id"),
                *(
                    cells.alias(column)
                    for column, parts, cells in (
                        ("display_name", NAMES, _display_name(read)),
                        ("email", ("email",), email),
                        ("hire_date", ("hire_date",), read.cell("employees", "hire_date")),
                        ("termination_date", ("termination_date", "status"), termination),
                    )
                    # What the sheet does not say stays as it is known.
                    if any(read.has("employees", part) for part in parts)
                ),
            ]
        )
    if "protected_attributes" in read.tables:
        tables["protected_attributes"] = read.frame("protected_attributes").with_columns(
            employee.alias("employee_id")
        )
    if "assignments" in read.tables:
        path = _department_path(read)
        valid_from = (
            read.cell("assignments", "valid_from")
            if read.has("assignments", "valid_from")
            else read.constant(as_of)
        )
        frame = read.frame("assignments").with_columns(
            employee.alias("employee_id"), valid_from.alias("valid_from")
        )
        if path:
            leaf = _first(*reversed(_department_ids(read, path)))
            frame = frame.with_columns(leaf.alias("department_id"))
            found = _departments(read, path, read.constant(as_of) if as_of else valid_from)
            # A column under the contract's own name holds ids of departments described elsewhere.
            if found.height and read.headers("assignments", "department_id") != ["department_id"]:
                tables["departments"] = found
        tables["assignments"] = frame
    return tables


def _display_name(read: _Reading) -> pl.Series:
    whole = read.raw("employees", "display_name")
    last = read.raw("employees", "display_name:last")
    first = _first(
        read.raw("employees", "display_name:preferred"), read.raw("employees", "display_name:first")
    )
    if last.null_count() == len(last) and first.null_count() == len(first):
        return whole
    frame = pl.DataFrame({"first": first, "last": last})
    # Chinese writes the family name first and without a space.
    han = pl.concat_str("last", "first", ignore_nulls=True).str.contains(r"^\p{Han}+$")
    joined = frame.select(
        pl.when(han)
        .then(pl.concat_str("last", "first", ignore_nulls=True))
        .otherwise(pl.concat_str("first", "last", separator=" ", ignore_nulls=True))
        .alias("name")
    ).get_column("name")
    return _first(whole, values.words(joined))


def _department_path(read: _Reading, table: str = "assignments") -> list[pl.Series]:
    """Department names from the top down: one column per level, null where a level is missing."""
    separator = read.answers.get("department_path")
    if isinstance(separator, str) and separator:
        whole = read.raw(table, "department_id")
        parts = whole.str.split(separator)
        depth = cast("int", parts.list.len().max() or 0)
        return [values.words(parts.list.get(i, null_on_oob=True)) for i in range(depth)]
    names = ("department_id:1", "department_id", "department_id:2", "department_id:3")
    return [read.raw(table, name) for name in names if read.has(table, name)]


def _department_ids(read: _Reading, path: Sequence[pl.Series]) -> list[pl.Series]:
    """The id of each level: its name, or the whole path where one name stands in several places."""
    if read.answers.get("department_ids") != "path":
        return list(path)
    frame = pl.DataFrame([level.alias(str(depth)) for depth, level in enumerate(path)])
    return [
        frame.select(
            pl.when(pl.col(str(depth)).is_not_null())
            .then(pl.concat_str([str(i) for i in range(depth + 1)], separator=" / ", ignore_nulls=True))
            .alias("id")
        ).get_column("id")
        for depth in range(len(path))
    ]


def _departments(read: _Reading, path: Sequence[pl.Series], valid_from: pl.Series) -> pl.DataFrame:
    """Each level of the path as a department below the level above it; without an id, the name is the id."""
    named = read.has("departments", "name")
    ids = _department_ids(read, path)
    rows = []
    for depth, level in enumerate(path):
        leaf = depth == len(path) - 1
        above = _first(*reversed(ids[:depth])) if depth else read.constant(None)
        rows.append(
            pl.DataFrame(
                {
                    LINE: read.batch.get_column(LINE),
                    "department_id": ids[depth],
                    "valid_from": valid_from,
                    "name": _first(read.raw("departments", "name"), level) if named and leaf else level,
                    "parent_id": _first(above, read.raw("departments", "parent_id")) if leaf else above,
                }
            ).with_columns(
                # A team that bears its department's name is the department.
                pl.when(pl.col("parent_id").ne_missing(pl.col("department_id")))
                .then("parent_id")
                .alias("parent_id")
            )
        )
    found = pl.concat(rows).filter(pl.col("department_id").is_not_null())
    return (
        found.sort(LINE, pl.col("parent_id").is_null(), maintain_order=True)
        .unique(["department_id", "valid_from"], keep="first", maintain_order=True)
        .sort(LINE, "department_id")
    )


def _ratings(read: _Reading, known: Known) -> Tables:
    if exact_ratings(read.matches):
        return {"ratings": read.frame("ratings")}
    parts = [m for m in read.matches if m.table == "ratings" and m.column.startswith("score:")]
    chosen = chosen_headers(read.answers)
    ratee, manager = read.raw("ratings", "ratee_id"), read.raw("ratings", "manager_id")
    cycle = (
        read.raw("ratings", "cycle_id")
        if read.has("ratings", "cycle_id")
        else read.constant(read.answers.get("cycle"))
    )
    department = read.raw("ratings", "department_id")
    placed = read.headers("assignments", "department_id")
    path = _department_path(read, "assignments" if placed else "ratings")
    if path and (not placed or placed == read.headers("ratings", "department_id")):
        # The same cell places the ratee: both must name the department alike.
        department = _first(*reversed(_department_ids(read, path)))
    dimension = _first(read.raw("ratings", "dimension"), read.constant(OVERALL))
    stage = _first(read.cell("ratings", "stage"), read.constant("initial"))
    frames = []
    if read.has("ratings", "score"):
        headers = read.headers("ratings", "score")
        if not chosen or any(header in chosen for header in headers):
            source = read.cell("ratings", "source")
            rater = _rater(read.raw("ratings", "rater_id"), source, ratee, manager)
            frames.append((read.raw("ratings", "score"), source, dimension, stage, rater, False))
    for part in parts:
        if chosen and part.header not in chosen:
            continue
        _, source_name, dimension_name, stage_name = [*part.column.split(":"), "", ""][:4]
        source = read.constant(source_name)
        stated = read.raw("ratings", f"rater_id:{source_name}")
        rater = _rater(stated, source, ratee, manager)
        final = any(
            "calibrated" in other.column
            or other.column.endswith(":initial")
            or other.column == "score:manager"
            for other in parts
            if other != part
        )
        stage_named = ("calibrated" if final else "initial") if stage_name == "final" else stage_name
        frames.append(
            (
                read.words(part.header),
                source,
                read.constant(dimension_name) if dimension_name else dimension,
                read.constant(stage_named) if stage_named else stage,
                rater,
                True,
            )
        )
    mapping = scales_of(cycle, read.answers, known)
    made = []
    for score, source, dim, stg, rater, wide in frames:
        rated = score.zip_with(
            ~score.str.to_lowercase().is_in(list(scales.NOT_RATED)).fill_null(False), read.constant(None)
        )
        points, level = _scored(rated, cycle, mapping, read)
        frame = pl.DataFrame(
            {
                LINE: read.batch.get_column(LINE),
                "cycle_id": cycle,
                "ratee_id": ratee,
                "rater_id": rater,
                "source": source,
                "dimension": dim,
                "stage": stg,
                "score": points,
                "level": level,
                "submitted_at": read.cell("ratings", "submitted_at"),
                "department_id": department,
            }
        )
        # Beside other ratings an empty cell is no rating; alone it is a row that lacks one.
        made.append(frame.filter(pl.col("score").is_not_null()) if wide else frame)
    tables: Tables = {"ratings": pl.concat(made) if made else read.frame("ratings").clear()}
    tables.update(_cycle_tables(read, mapping, known))
    return tables


def _rater(stated: pl.Series, source: pl.Series, ratee: pl.Series, manager: pl.Series) -> pl.Series:
    """Who rated: as stated; else the ratee, the manager, or an unnamed panel of the ratee's own."""
    return (
        pl.DataFrame({"stated": stated, "source": source, "ratee": ratee, "manager": manager})
        .select(
            pl.when(pl.col("stated").is_not_null())
            .then("stated")
            .when(pl.col("source") == "self")
            .then(pl.lit(SELF))
            .when(pl.col("source") == "manager")
            .then(pl.coalesce("manager", pl.lit(MANAGER)))
            .when(pl.col("source").is_not_null())
            .then(pl.concat_str(pl.lit(PANEL), "source", pl.lit(":"), "ratee"))
            .alias("rater")
        )
        .get_column("rater")
    )


def scales_of(cycle: pl.Series, answers: Mapping[str, Answer], known: Known) -> dict[str, Scale | None]:
    """The scale of each cycle named in a column: the one declared for it, else the answered one."""
    answer = answers.get("scale")
    default = scales.answered(answer) if answer is not None else None
    there = known_scales(known)
    return {name: there.get(name, default) for name in cycle.unique().drop_nulls()}


def _scored(
    rated: pl.Series, cycle: pl.Series, mapping: Mapping[str, Scale | None], read: _Reading
) -> tuple[pl.Series, pl.Series]:
    text = rated
    if any(scale is not None and not scale.codes for scale in mapping.values()):
        text = values.numbers(rated, decimal=read.decimal)
    distinct_scales = {scale.scale_id: scale for scale in mapping.values() if scale is not None}
    score, level = text, read.constant(None)
    for scale in distinct_scales.values():
        names = [name for name, own in mapping.items() if own == scale]
        points, rank = scales.scored(text, scale)
        if len(distinct_scales) == 1 and len(names) == len(mapping):
            return points, rank
        here = cycle.is_in(names).fill_null(False)
        score, level = points.zip_with(here, score), rank.zip_with(here, level)
    return score, level


def _cycle_tables(read: _Reading, mapping: Mapping[str, Scale | None], known: Known) -> Tables:
    """Scales and cycles the answers declare, for the cycles of the batch that are not known yet."""
    there = set(known.cycles["cycle_id"]) | set(known.cycles["name"]) if known.cycles.height else set()
    line = int(read.batch.get_column(LINE).min() or 0)  # type: ignore[arg-type]
    new = []
    for name in sorted(mapping):
        scale = mapping[name]
        dates = cycles.answered(read.answers.get(f"cycle_dates:{name}")) or cycles.answered(
            read.answers.get("cycle_dates")
        )
        if scale is not None and name not in there and dates is not None:
            new.append((name, dates, scale))
    if not new:
        return {}
    fresh = {scale.scale_id: scale for _, _, scale in new}
    tables: Tables = {
        "rating_scales": _text_frame(
            [
                {
                    LINE: line,
                    "scale_id": s.scale_id,
                    "name": s.written[:300],
                    "lowest": f"{s.lowest:g}",
                    "highest": f"{s.highest:g}",
                }
                for s in fresh.values()
            ]
        ),
        "review_cycles": _text_frame(
            [
                {
                    LINE: line,
                    "cycle_id": name,
                    "name": name,
                    "starts_on": first,
                    "ends_on": last,
                    "scale_id": scale.scale_id,
                }
                for name, (first, last), scale in new
            ]
        ),
    }
    levels = [
        {
            LINE: line,
            "scale_id": s.scale_id,
            "level": str(i),
            "code": code,
            "label": label,
            "points": f"{points:g}",
        }
        for s in fresh.values()
        for i, (code, label, points) in enumerate(zip(s.codes, s.labels, s.points, strict=True), start=1)
    ]
    if levels:
        tables["scale_levels"] = _text_frame(levels)
    return tables


def _text_frame(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    schema = {name: pl.Int64 if name == LINE else pl.String for name in rows[0]}
    return pl.DataFrame(list(rows), schema=schema)


def _goals(read: _Reading, known: Known) -> Tables:
    frame = read.frame("goals")
    height = frame.height

    def own(column: str) -> pl.Series:
        return (
            frame.get_column(column)
            if column in frame.columns
            else pl.Series(column, [None] * height, dtype=pl.String)
        )

    owner = own("owner_id").str.split(";").list.first().str.strip_chars()
    title = own("title")
    if not read.has("goals", "title"):
        title = own("metric")
    goal = own("goal_id")
    if not read.has("goals", "goal_id"):
        goal = (
            pl.DataFrame({"o": _first(owner, own("department_id")), "c": own("cycle_id"), "t": title})
            .select(pl.concat_str("o", "c", "t", separator=" · ", ignore_nulls=True).alias("goal_id"))
            .get_column("goal_id")
        )
    start, due = own("start_on"), own("due_on")
    if not read.has("goals", "start_on"):
        begun = read.constant(iso(read.answers.get("goals.start_on")))
        start = _first(_cycle_ends(own("cycle_id"), read, known, 0), begun)
    if not read.has("goals", "due_on"):
        ended = read.constant(iso(read.answers.get("goals.due_on")))
        due = _first(_cycle_ends(own("cycle_id"), read, known, 1), ended)
    completed = own("completed_on")
    done = completed.is_not_null()
    status = own("status")
    if not read.has("goals", "status"):
        status = read.constant("done").zip_with(done, read.constant("active"))
    baseline, target, unit = own("baseline"), own("target"), own("unit")
    current = values.numbers(read.raw("goals", "current"), decimal=read.decimal)
    percent = read.percent(
        values.numbers(read.raw("goals", "percent"), decimal=read.decimal), "goals.percent"
    )
    by_percent = target.is_null() & current.is_null() & percent.is_not_null()
    if by_percent.any():
        # A goal that has only a percentage is measured in per cent.
        baseline = read.constant("0").zip_with(by_percent, baseline)
        target = read.constant("100").zip_with(by_percent, target)
        unit = read.constant("%").zip_with(by_percent & unit.is_null(), unit)
    value = _first(current, _reached(percent, baseline, target))
    frame = frame.with_columns(
        goal.alias("goal_id"),
        title.alias("title"),
        owner.alias("owner_id"),
        start.alias("start_on"),
        due.alias("due_on"),
        completed.alias("completed_on"),
        status.alias("status"),
        baseline.alias("baseline"),
        target.alias("target"),
        unit.alias("unit"),
        _first(own("version"), read.constant("1")).alias("version"),
        _first(own("scope"), read.constant(read.answers.get("goals.scope"))).alias("scope"),
    )
    tables: Tables = {"goals": frame}
    if read.has("goals", "current") or read.has("goals", "percent"):
        at = (
            read.cell("check_ins", "checked_at")
            if read.has("check_ins", "checked_at")
            else read.constant(iso(read.answers.get("as_of")))
        )
        moment = values.moments(at)
        tables["check_ins"] = pl.DataFrame(
            {LINE: frame.get_column(LINE), "goal_id": goal, "checked_at": moment, "value": value}
        ).filter(pl.col("value").is_not_null())
    return tables


def _reached(percent: pl.Series, baseline: pl.Series, target: pl.Series) -> pl.Series:
    """The value a percentage of the way from baseline to target stands for."""
    frame = pl.DataFrame({"p": percent, "b": baseline, "t": target}).with_columns(
        pl.all().cast(pl.Float64, strict=False)
    )
    reached = pl.col("b").fill_null(0.0) + pl.col("p") / 100 * (pl.col("t") - pl.col("b").fill_null(0.0))
    return frame.select(reached.round(9).cast(pl.String).str.strip_suffix(".0").alias("v")).get_column("v")


def _cycle_ends(cycle: pl.Series, read: _Reading, known: Known, end: int) -> pl.Series:
    """The first (0) or last (1) day of each row's cycle, known or answered."""
    days: dict[str, str] = {}
    if known.cycles.height:
        bounds = known.cycles.select("cycle_id", "name", pl.col("starts_on", "ends_on").cast(pl.String))
        for cycle_id, name, *both in bounds.iter_rows():
            days[cycle_id] = days[name] = both[end]
    for name in cycle.unique().drop_nulls():
        answer = read.answers.get(f"cycle_dates:{name}") or read.answers.get("cycle_dates")
        dates = cycles.answered(answer)
        if dates:
            days[name] = dates[end]
    if not days:
        return read.constant(None)
    return cycle.replace_strict(list(days), list(days.values()), default=None, return_dtype=pl.String)
