"""What a sheet settles by its content, and what must be asked before it can be imported.

Reads    a sheet, what its headers mean, and what is answered or known already.
Returns  a `Recognition`: the answers the content gives, and a question for each it does not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, cast

import dataframely as dy
import polars as pl

from data.contracts import TABLES, references
from data.contracts.ratings import SOURCES as RATING_SOURCES
from data.sources import assembling, cycles, scales, values
from data.sources.assembling import FOLLOWING, PEOPLE
from data.sources.model import Answer, Known, Match, Question, Recognition, Sheet

SURE: Final = 0.8
"""Confidence from which a column that is required or names a person needs no confirmation."""
PERSONS: Final = frozenset({"rater_id", "manager_id"}) | {
    name for table in TABLES for name, target in references(table).items() if target == "employees"
}
"""Columns that name a person: taken wrongly, they put somebody in another's place."""
PATHS: Final = ("/", ">", "\\", "|")
"""Marks between the departments of a path."""
MOST_DISTINCT: Final = 5_000
"""Distinct values kept of a column; a rating scale or a list of cycles is far shorter."""


def settled(
    sheet: Sheet,
    source: str,
    matches: Sequence[Match],
    answers: Mapping[str, Answer],
    known: Known,
    *,
    unused: Sequence[str] | None = None,
) -> Recognition:
    """What a sheet is, with everything its content settles and every question that stays open.

    Parameters
    ----------
    sheet
        The sheet; its whole content is read where a question depends on it.
    source
        Name of the source that recognised it.
    matches
        What its headers mean.
    answers
        What is known already; never asked again.
    known
        Cycles and scales there are.
    unused
        Headers nothing was made of; by default those without a match.
    """
    matches = tuple(match for match in matches if match.header in sheet.headers)
    settling = _Settling(sheet, matches, dict(answers), known)
    settling.hidden()
    settling.mapping()
    settling.dates()
    settling.numbers()
    settling.people()
    settling.departments()
    settling.ratings()
    settling.goals()
    settling.cycles()
    used = {match.header for match in matches}
    return Recognition(
        source=source,
        confidence=settling.confidence,
        matches=matches,
        answers=settling.answers,
        questions=tuple(settling.questions),
        unused=tuple(unused if unused is not None else (h for h in sheet.headers if h not in used)),
    )


def with_answers(recognition: Recognition, answers: Mapping[str, Answer]) -> Recognition:
    """The recognition with more answers; questions they answer are closed, malformed ones stay open."""
    merged = {**recognition.answers, **{key: value for key, value in answers.items() if _valid(key, value)}}
    closed = set(merged)
    for question in recognition.questions:
        if question.key == "cycle" and merged.get("cycle") in question.choices:
            # A cycle to choose from is known, and so are its dates.
            closed.add("cycle_dates")
        if question.key == "people" and merged.get("people") == "no":
            # Without a roster nothing in a sheet of ratings needs a day.
            closed.add("as_of")
    return replace(
        recognition,
        answers=merged,
        questions=tuple(
            question
            for question in recognition.questions
            # Missing columns are not found by saying yes; only other matches close that question.
            if question.key not in closed or (question.key == "mapping" and not question.choices)
        ),
    )


def with_matches(
    sheet: Sheet, recognition: Recognition, matches: Sequence[Match], known: Known
) -> Recognition:
    """The recognition with other matches, as a person set them; what they now leave open is asked anew."""
    kept = {key: value for key, value in recognition.answers.items() if key != "rated_in"}
    return settled(sheet, recognition.source, matches, {**kept, "mapping": "yes"}, known)


def _valid(key: str, answer: Answer) -> bool:
    if not answer:
        return False
    if key == "scale":
        return scales.answered(answer) is not None
    if key == "cycle_dates" or key.startswith("cycle_dates:"):
        return cycles.answered(answer) is not None
    if key in ("as_of", "goals.start_on", "goals.due_on"):
        return isinstance(answer, str) and assembling.iso(answer) is not None
    if key == "date_order":
        return answer in ("dmy", "mdy")
    if key == "people":
        return answer in ("no", "yes")
    return True


def distinct(sheet: Sheet, headers: Iterable[str]) -> dict[str, list[str]]:
    """The distinct values of some columns over the whole sheet, sorted, at most `MOST_DISTINCT` each."""
    wanted = list(dict.fromkeys(headers))
    found: dict[str, set[str]] = {header: set() for header in wanted}
    for batch in sheet.batches():
        for header in wanted:
            if len(found[header]) < MOST_DISTINCT:
                found[header].update(
                    values.words(batch.get_column(header).unique()).drop_nulls().head(MOST_DISTINCT)
                )
    return {header: sorted(seen) for header, seen in found.items()}


class _Settling:
    """One pass over what must be known before a sheet can be imported."""

    def __init__(
        self, sheet: Sheet, matches: tuple[Match, ...], answers: dict[str, Answer], known: Known
    ) -> None:
        self.sheet, self.matches, self.answers, self.known = sheet, matches, answers, known
        self.questions: list[Question] = []
        self.confidence = 1.0
        self.tables = {match.table for match in matches}
        self.seen: dict[str, list[str]] = {}

    def ask(self, key: str, message: str, choices: Sequence[str] = (), **places: object) -> None:
        """Open a question unless it is answered already."""
        answer = self.answers.get(key)
        if answer is None or not _valid(key, answer):
            self.questions.append(
                Question(key, message, {"sheet": self.sheet.place, **places}, tuple(choices))
            )

    def headers(self, table: str, column: str) -> list[str]:
        return [match.header for match in self.matches if (match.table, match.column) == (table, column)]

    def has(self, table: str, column: str) -> bool:
        return bool(self.headers(table, column)) or f"{table}.{column}" in self.answers

    def whole(self, headers: Iterable[str]) -> dict[str, list[str]]:
        missing = [header for header in headers if header not in self.seen]
        if missing:
            self.seen.update(distinct(self.sheet, missing))
        return {header: self.seen[header] for header in headers}

    def hidden(self) -> None:
        if self.sheet.hidden:
            self.ask("hidden", "{sheet} is hidden in the workbook. Should it be loaded?", ("no", "yes"))

    def mapping(self) -> None:
        unsure: list[str] = []
        missing: list[str] = []
        for table in TABLES:
            if table not in self.tables or table in self._brought():
                continue
            for name, column in TABLES[table].columns().items():
                needed = column.primary_key or not column.nullable
                confidences = [m.confidence for m in self.matches if (m.table, m.column) == (table, name)]
                if confidences and (needed or name in PERSONS):
                    self.confidence = min(self.confidence, max(confidences))
                    if max(confidences) < SURE:
                        unsure += self.headers(table, name)
                    continue
                if not needed:
                    continue
                if (
                    f"{table}.{name}" in self.answers
                    or name in FOLLOWING.get(table, ())
                    or name == "cycle_id"
                ):
                    continue
                if isinstance(column, dy.Enum):
                    self.ask(
                        f"{table}.{name}",
                        "{sheet} has no column for {column}. Which holds for all rows?",
                        tuple(column.categories),
                        column=f"{table}.{name}",
                    )
                else:
                    missing.append(f"{table}.{name}")
        unsure += [
            m.header
            for m in self.matches
            if (m.table, m.column) == ("ratings", "manager_id") and m.confidence < SURE
        ]
        missing += self._unfounded()
        if not self.matches or missing:
            self.confidence = min(self.confidence, 0.5)
            self.questions.append(
                Question(
                    "mapping",
                    "{sheet}: no column was found for {missing}. Say which columns hold it.",
                    {"sheet": self.sheet.place, "missing": ", ".join(missing) or "any table"},
                )
            )
        elif unsure:
            self.ask(
                "mapping",
                "{sheet}: it is not certain that {headers} was understood. Check the columns and confirm.",
                ("yes",),
                headers=", ".join(dict.fromkeys(unsure)),
            )

    def _brought(self) -> set[str]:
        """Tables whose keys follow from another table of the same rows."""
        brought: set[str] = set()
        if "employees" in self.tables:
            brought |= {"protected_attributes", "departments"}
        if "goals" in self.tables and (self.has("goals", "current") or self.has("goals", "percent")):
            brought.add("check_ins")
        return brought

    def _unfounded(self) -> list[str]:
        """Required columns that follow from others, where those are missing too."""
        missing: list[str] = []
        named = self.has("employees", "employee_id") or self.has("employees", "email")
        missing += [
            f"{table}.employee_id"
            for table in ("employees", "assignments", "protected_attributes")
            if table in self.tables and not named and not self.has(table, "employee_id")
        ]
        if "ratings" in self.tables and not (self.has("ratings", "score") or self.rating_parts()):
            missing.append("ratings.score")
        if "goals" in self.tables and not (self.has("goals", "title") or self.has("goals", "metric")):
            missing.append("goals.title")
        if "departments" in self.tables and not (
            self.has("departments", "department_id")
            or self.has("departments", "name")
            or "assignments" in self.tables
        ):
            missing.append("departments.department_id")
        return missing

    def rating_parts(self) -> list[Match]:
        return [m for m in self.matches if m.table == "ratings" and m.column.startswith("score:")]

    def dates(self) -> None:
        headers = [
            match.header
            for match in self.matches
            if isinstance(TABLES[match.table].columns().get(match.column), dy.Date | dy.Datetime)
        ]
        if not headers or "date_order" in self.answers:
            return
        allowed = [
            orders for header in headers if (orders := self._orders(self.sheet.sample.get_column(header)))
        ]
        if not allowed:
            return
        if not any(len(orders) == 1 for orders in allowed):
            allowed = [
                orders
                for seen in self.whole(headers).values()
                if (orders := self._orders(pl.Series(seen, dtype=pl.String)))
            ]
        # A column that allows one order only settles it for the sheet; two that disagree settle nothing.
        certain = {next(iter(orders)) for orders in allowed if len(orders) == 1}
        if len(certain) == 1:
            self.answers["date_order"] = certain.pop()
        else:
            self.ask(
                "date_order",
                "{sheet} writes dates such as {example}. Does the day or the month come first?",
                ("dmy", "mdy"),
                example=self._example(headers),
            )

    @staticmethod
    def _orders(column: pl.Series) -> frozenset[values.DateOrder]:
        return values.date_orders(column)

    def _example(self, headers: Sequence[str]) -> str:
        for header in headers:
            column = self.sheet.sample.get_column(header).drop_nulls()
            found = column.filter(column.str.contains(r"^\s*\d{1,2}[/\-]\d{1,2}[/\-]\d{4}"))
            if len(found):
                return str(found[0])
        return "1/2/2026"

    def numbers(self) -> None:
        headers = [
            match.header
            for match in self.matches
            if isinstance(TABLES[match.table].columns().get(match.column), dy.Float64)
            or match.column.startswith(("score:", "current", "percent"))
        ]
        if "decimal" not in self.answers and headers:
            marks = [values.decimal_mark(self.sheet.sample.get_column(header)) for header in headers]
            if "," in marks:
                self.answers["decimal"] = ","
        for table, column in (("goals", "weight"), ("goals", "percent"), ("weight_schemes", "weight")):
            for header in self.headers(table, column):
                key = f"{table}.{column}.unit"
                shown = self.sheet.sample.get_column(header).drop_nulls()
                read = (
                    values.numbers(shown, decimal=assembling.decimal(self.answers))
                    .cast(pl.Float64, strict=False)
                    .drop_nulls()
                )
                # A spreadsheet stores 25 % as 0.25; whole columns between 0 and 1 with fractions are that.
                fractions = len(read) > 0 and bool(read.is_between(0, 1).all()) and bool((read % 1 > 0).any())
                if key not in self.answers and fractions and not shown.str.contains("[%％]").any():
                    self.answers[key] = "fraction"

    def people(self) -> None:
        if "ratings" in self.tables and self.tables & set(PEOPLE) and "profile" not in self.answers:
            self.ask(
                "people",
                "{sheet} holds ratings and also says things about the people rated. Is it the company's list "
                "of employees too? If not, only the ratings are read.",
                ("no", "yes"),
            )
        if "assignments" not in self.tables and "departments" not in self.tables:
            return
        if self.answers.get("people") == "no":
            return
        dated = self.has("assignments", "valid_from") or self.has("departments", "valid_from")
        leaving = self.has("employees", "status") and not self.has("employees", "termination_date")
        if dated and leaving:
            self.ask(
                "as_of",
                "{sheet} says who has left, but not when. As of which date was it exported?",
            )
        elif not dated:
            self.ask(
                "as_of",
                (
                    "{sheet} does not say from when departments, managers and levels hold. As of which "
                    "date was it exported?"
                ),
            )

    def departments(self) -> None:
        """Whether names of departments are paths."""
        parts = [
            h
            for n in ("department_id:1", "department_id", "department_id:2", "department_id:3")
            for h in self.headers("assignments", n)
        ]
        if not parts:
            # Ratings may be many; the first thousand say whether their departments are paths.
            parts = self.headers("ratings", "department_id")
            shown = values.words(self.sheet.sample.select(parts).to_series()) if parts else pl.Series([])
            if not any(shown.str.contains(mark, literal=True).any() for mark in PATHS if len(shown)):
                return
        if not parts or parts == ["department_id"]:
            # The contract's own name holds ids, and an id is no path.
            return
        if len(parts) == 1 and "department_path" not in self.answers:
            names = self.whole(parts)[parts[0]]
            for separator in PATHS:
                deep = [name.count(separator) for name in names]
                if names and 2 * sum(d > 0 for d in deep) >= len(names) and (len(names) > 1 or deep[0] > 1):
                    self.answers["department_path"] = separator
                    break
        if "department_ids" not in self.answers and self._names_repeat(parts):
            self.answers["department_ids"] = "path"

    def _names_repeat(self, parts: Sequence[str]) -> bool:
        """Whether departments of one name stand in several places of the tree."""
        separator = self.answers.get("department_path")
        paths: set[tuple[str | None, ...]] = set()
        if isinstance(separator, str):
            paths = {tuple(name.split(separator)) for name in self.whole(parts)[parts[0]]}
        elif len(parts) > 1:
            for batch in self.sheet.batches():
                paths.update(batch.select(parts).unique().iter_rows())
        above: dict[str, str] = {}
        for path in paths:
            names = [name.strip() for name in path if name and name.strip()]
            for parent, name in itertools.pairwise(["", *names]):
                if parent != name and above.setdefault(name, parent) != parent:
                    return True
        return False

    def ratings(self) -> None:
        if "ratings" not in self.tables:
            return
        if self.exact_ratings():
            return
        parts = self.rating_parts()
        if not parts and not self.has("ratings", "source"):
            if self.has("ratings", "rater_id"):
                self.ask(
                    "ratings.source",
                    "{sheet} does not say in which role the raters rated: as managers, peers or what else?",
                    RATING_SOURCES,
                )
            else:
                self.ask(
                    "ratings.source",
                    "{sheet} does not say who rated. Whose ratings are these?",
                    RATING_SOURCES,
                )
        if not parts and not self.has("ratings", "rater_id"):
            pass  # the manager and the ratee follow from the source
        score_headers = list(
            dict.fromkeys([*self.headers("ratings", "score"), *(part.header for part in parts)])
        )
        if not score_headers:
            return
        # The names of the cycles are needed too: one pass over the rows is enough for both.
        self.whole([*score_headers, *self.headers("ratings", "cycle_id")])
        seen = {header: list(scales.rated(self.seen[header])) for header in score_headers}
        kinds = {header: _kind(codes) for header, codes in seen.items() if codes}
        if len(set(kinds.values())) > 1:
            groups: dict[str, list[str]] = {}
            for header, kind in kinds.items():
                groups.setdefault(kind, []).append(header)
            order = sorted(groups, key=("names", "marks", "scores").index)
            self.ask(
                "rated_in",
                "{sheet} has ratings on different scales. Which columns are the rating of this cycle?",
                [", ".join(groups[kind]) for kind in order],
            )
            chosen = assembling.chosen_headers(self.answers)
            # Until that is settled, the levels asked about are those of the names, if there are any.
            wanted = chosen or groups[order[0]]
            seen = {header: codes for header, codes in seen.items() if header in wanted}
        codes = scales.rated(code for found in seen.values() for code in found)
        self._scale(codes)

    def _scale(self, codes: tuple[str, ...]) -> None:
        if not codes:
            return
        answered = self.answers.get("scale")
        if answered is not None and scales.answered(answered) is not None:
            return
        names = self.cycle_names()
        there = assembling.known_scales(self.known)
        if names and all(name in there for name in names):
            # A rating off a declared scale is wrong by itself: the importer rejects that row.
            return
        own = scales.declared(codes)
        if own is not None:
            self.answers["scale"] = own.codes
            return
        shown = ", ".join(codes[:12]) + (" …" if len(codes) > 12 else "")
        self.ask(
            "scale",
            "{sheet} rates with {codes}. Name all levels of the scale, the worst first.",
            self._suggested(codes),
            codes=shown,
        )

    def _suggested(self, codes: tuple[str, ...]) -> tuple[str, ...]:
        there = dict.fromkeys(
            s.written for s in scales.known(self.known.scales).values() if scales.covers(s, codes)
        )
        return tuple(dict.fromkeys((*there, *scales.suggested(codes))))

    def exact_ratings(self) -> bool:
        return assembling.exact_ratings(self.matches)

    def cycle_names(self) -> list[str]:
        names: list[str] = []
        for table in sorted(self.tables):
            headers = self.headers(table, "cycle_id")
            for found in self.whole(headers).values():
                names += found
        constant = self.answers.get("cycle")
        if not names and isinstance(constant, str):
            names.append(constant)
        return list(dict.fromkeys(names))

    def cycles(self) -> None:
        """Cycles must have a name where rows need one, and dates where nobody knows them yet."""
        needing = [
            table
            for table in self.tables
            if table != "review_cycles"
            and "cycle_id" in TABLES[table].columns()
            and (column := TABLES[table].columns()["cycle_id"]) is not None
            and (column.primary_key or not column.nullable)
        ]
        if not any(self.has(t, "cycle_id") for t in needing) and needing:
            self.ask(
                "cycle",
                "{sheet} does not say which review cycle it is about. What is the cycle called?",
                self._cycle_choices(),
            )
        if "ratings" not in self.tables or self.exact_ratings():
            dated_goals = (
                "goals" in self.tables
                and self.has("goals", "cycle_id")
                and not (self.has("goals", "start_on") and self.has("goals", "due_on"))
            )
            if not dated_goals:
                return
        there = (
            set(self.known.cycles["cycle_id"]) | set(self.known.cycles["name"])
            if self.known.cycles.height
            else set()
        )
        unknown = [name for name in self.cycle_names() if name not in there]
        if not unknown and not self.cycle_names() and "cycle" not in self.answers and needing:
            self.ask("cycle_dates", "From when to when does that cycle run?")
        if len(unknown) > 40:
            self.ask(
                "mapping",
                "{sheet}: {header} has {n} different values, too many for review cycles. Check the columns.",
                header=", ".join(self.headers("ratings", "cycle_id") or self.headers("goals", "cycle_id")),
                n=len(unknown),
            )
            return
        for name in unknown:
            key = "cycle_dates" if len(unknown) == 1 else f"cycle_dates:{name}"
            if cycles.answered(self.answers.get(f"cycle_dates:{name}")) is None:
                self.ask(
                    key, "From when to when does the cycle {cycle} run?", cycles.suggested(name), cycle=name
                )

    def _cycle_choices(self) -> tuple[str, ...]:
        if self.known.cycles.is_empty():
            return ()
        return tuple(self.known.cycles.sort("ends_on", descending=True)["cycle_id"].head(8))

    def goals(self) -> None:
        if "goals" not in self.tables:
            return
        if not self.has("goals", "scope"):
            owner, department = self.headers("goals", "owner_id"), self.headers("goals", "department_id")
            self.answers["goals.scope"] = "individual" if owner else "department" if department else "company"
        cycled = self.has("goals", "cycle_id") or "cycle" in self.answers
        if not self.has("goals", "due_on") and not cycled:
            self.ask("goals.due_on", "{sheet} does not say when its goals are due. By which date are they?")
        if not self.has("goals", "start_on") and not cycled:
            self.ask(
                "goals.start_on", "{sheet} does not say when its goals began. From which date do they run?"
            )
        if (self.has("goals", "current") or self.has("goals", "percent")) and not self.has(
            "check_ins", "checked_at"
        ):
            self.ask(
                "as_of",
                "{sheet} says how far goals have come, but not when. As of which date was it exported?",
            )


def _kind(codes: Sequence[str]) -> str:
    """Names, marks up to ten, or scores: columns of different kinds are not on one scale."""
    found = values.numbers(pl.Series(codes, dtype=pl.String)).cast(pl.Float64, strict=False)
    if found.null_count():
        return "names"
    return "marks" if cast("float", found.max()) <= 10 else "scores"
