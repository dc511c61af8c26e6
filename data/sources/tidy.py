"""Any tidy table, by what its headers are called.

A header is a column's own name (confidence 1), a known other name in English or Chinese (.95), or merely
similar to one (below .8, so that a person confirms). The table is the one whose contract the headers
cover best; a row per person may feed several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

import polars as pl

from data.contracts import TABLES
from data.sources import assembling, settling
from data.sources.assembling import PEOPLE
from data.sources.model import Known, Match, Recognition, Sheet
from data.sources.vocabulary import ALIASES, normalised

SIMILAR: Final = 0.75
"""Similarity from which an unknown header is offered as a column's name."""

SURE: Final = 0.9
"""Confidence of a header known by name."""
MOST_UNKNOWN: Final = 60
"""Unknown headers above which none is compared with known names."""
OF_A_LIST: Final = frozenset(
    {
        ("employees", "hire_date"),
        ("employees", "termination_date"),
        ("protected_attributes", "gender"),
        ("protected_attributes", "birth_date"),
        ("protected_attributes", "ethnicity"),
        ("assignments", "employment_type"),
    }
)
"""What lists of employees say. Ratings beside one of these may be such a list, so a person is asked; ratings
with names, departments and managers alone never are."""
LEAST: Final = 0.2
"""Score below which no table is recognised."""


@dataclass(frozen=True)
class Tidy:
    """Source for tables whose headers name the contracts' columns."""

    name: str = "tidy"

    def recognise(self, sheet: Sheet, known: Known) -> Recognition:
        """What the headers say; where they say nothing, a person is asked."""
        return settling.settled(sheet, self.name, matched(sheet.headers, empty(sheet)), {}, known)

    def translate(
        self, batch: pl.DataFrame, recognition: Recognition, known: Known
    ) -> Mapping[str, pl.DataFrame]:
        """Rows by matches and answers."""
        return assembling.assembled(batch, recognition, known)


def empty(sheet: Sheet) -> frozenset[str]:
    """Headers below which the first rows say nothing."""
    shown = sheet.sample.select(sheet.headers)
    said = shown.select((pl.all().str.strip_chars() != "").any())
    return frozenset(header for header in sheet.headers if sheet.sample.height and not said[header].item())


def matched(headers: tuple[str, ...], empty: frozenset[str] = frozenset()) -> tuple[Match, ...]:
    """What headers mean, in the table they cover best; a filled column goes before an empty one."""
    exact = [table for table, contract in TABLES.items() if set(headers) <= set(contract.columns())]
    covering = [t for t in exact if all(_given(t, name, set(headers)) for name in TABLES[t].columns())]
    if covering:
        narrowest = min(covering, key=lambda table: len(TABLES[table].columns()))
        return tuple(Match(header, narrowest, header, 1.0) for header in headers)
    found = {table: _in_table(table, headers, empty) for table in TABLES}
    candidates = [(_score(table, matches, headers), table, matches) for table, matches in found.items()]
    people = _people(found)
    if people:
        candidates.append((_score("employees", people, headers), "people", people))
    score, fitting, best = max(candidates, key=lambda candidate: candidate[0])
    if score <= LEAST:
        return ()
    if fitting in ("people", "employees"):
        return _with_ratings(people or best, found["ratings"])
    if fitting == "goals":
        return _with_progress(best, found["check_ins"])
    return _with_people(best, people) if fitting == "ratings" else best


def _with_progress(goals: tuple[Match, ...], check_ins: tuple[Match, ...]) -> tuple[Match, ...]:
    """Goals that say how far they have come may also say when that was."""
    if not {match.column for match in goals} & {"current", "percent"}:
        return goals
    used = {match.header for match in goals}
    dated = [m for m in check_ins if m.column == "checked_at" and m.confidence > SURE]
    return (*goals, *(m for m in dated if m.header not in used and normalised(m.header) != "date"))


def _lists_people(people: tuple[Match, ...]) -> bool:
    """Whether columns are there that lists of employees have and sheets of ratings mostly do not."""
    return not {(match.table, match.column) for match in people}.isdisjoint(OF_A_LIST)


def named(headers: tuple[str, ...], tables: set[str]) -> tuple[Match, ...]:
    """Headers known by name in some tables, once each; similarity does not count."""
    wanted = [table for table in TABLES if table in tables or (table in PEOPLE and "employees" in tables)]
    matches = []
    for header in headers:
        for table in wanted:
            known = ALIASES[table].get(normalised(header))
            if known and table != "departments":
                column, confidence = known
                matches.append(Match(header, table, column, confidence))
                break
    return tuple(matches)


def _with_ratings(people: tuple[Match, ...], ratings: tuple[Match, ...]) -> tuple[Match, ...]:
    """A list of people that carries ratings may be both: who is rated is whom the row is about."""
    used = {match.header for match in people if not match.column.endswith("status")}
    scores = [
        match
        for match in ratings
        if match.column.split(":")[0] == "score" and match.confidence > SURE and match.header not in used
    ]
    if not scores:
        return people
    person = [
        match for match in people if match.table == "employees" and match.column in ("employee_id", "email")
    ]
    about = [Match(m.header, "ratings", "ratee_id", m.confidence) for m in person[:1]]
    place = [
        Match(m.header, "ratings", m.column, m.confidence)
        for m in people
        if m.table == "assignments" and m.column in ("department_id", "manager_id")
    ]
    if not _lists_people(people):
        # Who is rated is named, and where they stand; that makes no list of the company's people.
        said = {match.column for match in ratings}
        return (*ratings, *(match for match in (*about, *place) if match.column not in said))
    headers = {match.header for match in (*scores, *people)}
    rest = [
        match
        for match in ratings
        if match.column in ("cycle_id", "submitted_at")
        and match.confidence > SURE
        and match.header not in headers
    ]
    return tuple(dict.fromkeys((*people, *about, *place, *rest, *scores)))


def _with_people(ratings: tuple[Match, ...], people: tuple[Match, ...]) -> tuple[Match, ...]:
    """Ratings beside what lists of employees say may be such a list too."""
    about = {m.header for m in ratings if m.column == "ratee_id"}
    persons = {m.header for m in people if m.column in ("employee_id", "email")}
    if not _lists_people(people) or not about & persons:
        return ratings
    clashing = {
        m.header
        for m in ratings
        if m.column.split(":")[0] in ("score", "source", "dimension", "rater_id", "cycle_id")
    }
    return (*ratings, *(m for m in people if m.header not in clashing))


def _given(table: str, name: str, headers: set[str]) -> bool:
    column = TABLES[table].columns()[name]
    return name in headers or (column.nullable and not column.primary_key)


def _in_table(table: str, headers: tuple[str, ...], empty: frozenset[str]) -> tuple[Match, ...]:
    """The best match of each header in a table; a column is served by several only if all know its name."""
    names = ALIASES[table]
    matches: list[Match] = []
    loose: list[str] = []
    for header in headers:
        key = normalised(header)
        known = names.get(key) or names.get(normalised(header.rsplit(".", 1)[-1]))
        if known:
            column, confidence = known
            matches.append(Match(header, table, column, 1.0 if header == column else confidence))
        else:
            loose.append(header)
    taken = {match.column for match in matches}
    loose.sort(key=lambda header: header in empty)
    # Hundreds of unknown headers are no misspelled names; comparing them all would take minutes.
    for header in loose if len(loose) <= MOST_UNKNOWN else ():
        column, ratio = _most_similar(normalised(header), names)
        if ratio >= SIMILAR and column not in taken:
            taken.add(column)
            matches.append(Match(header, table, column, round(min(ratio, 0.98) * 0.8, 2)))
    return tuple(_foremost(matches, empty))


def _foremost(matches: list[Match], empty: frozenset[str]) -> list[Match]:
    """Where several headers claim one column: the filled, the exact, an id before an e-mail before a name."""
    by_column: dict[str, list[Match]] = {}
    for match in matches:
        by_column.setdefault(match.column, []).append(match)
    kept: list[Match] = []
    for column, every in by_column.items():
        claims = [claim for claim in every if claim.header not in empty] or every
        best = max(claim.confidence for claim in claims)
        own = [claim for claim in claims if claim.confidence == best]
        if column.startswith("score:") or len(own) == 1:
            kept += own
        elif column.endswith("_id"):
            kept.append(min(own, key=lambda claim: _identity(claim.header)))
        else:
            kept.append(own[0])
    order = {match: at for at, match in enumerate(matches)}
    return sorted(kept, key=order.__getitem__)


def _identity(header: str) -> int:
    key = normalised(header)
    if "id" in key or any(word in key for word in ("工号", "编号", "number", "code", "no")):
        return 0
    return 1 if "mail" in key or "邮箱" in key else 2


def _most_similar(key: str, names: Mapping[str, tuple[str, float]]) -> tuple[str, float]:
    best, most = "", 0.0
    if len(key) < 3:
        return best, most
    for name, (column, _) in names.items():
        if len(name) < 3:
            continue
        matcher = SequenceMatcher(None, key, name)
        if (
            matcher.real_quick_ratio() > most
            and matcher.quick_ratio() > most
            and (ratio := matcher.ratio()) > most
        ):
            best, most = column, ratio
    return best, most


def _people(found: Mapping[str, tuple[Match, ...]]) -> tuple[Match, ...]:
    """Matches of a roster: the person, where they stand, and what must be kept apart."""
    person = [m for m in found["employees"] if m.column != "status" or len(found["employees"]) > 2]
    identified = {m.column for m in person} & {"employee_id", "email"}
    if not identified:
        return ()
    used = {m.header for m in person}
    others = [m for m in found["protected_attributes"] if m.column != "employee_id" and m.header not in used]
    used |= {m.header for m in others}
    places = [m for m in found["assignments"] if m.column != "employee_id" and m.header not in used]
    used |= {m.header for m in places}
    coded = [m for m in found["departments"] if m.column == "department_id" and m.header in used]
    named = [
        Match(m.header, "departments", "name", m.confidence)
        for m in found["departments"]
        if (m.column == "name" and coded and m.header not in used and "部门" in m.header)
        or normalised(m.header) == "departmentname"
        if m.header not in used
    ]
    return tuple(dict.fromkeys((*person, *others, *places, *named)))


def _score(table: str, matches: tuple[Match, ...], headers: tuple[str, ...]) -> float:
    """How well a table explains the headers: its needs that are met times the headers it uses."""
    named = {match.column for match in matches}
    needed = [n for n, c in TABLES[table].columns().items() if (c.primary_key or not c.nullable)]
    following = assembling.FOLLOWING.get(table, frozenset())
    telling = [n for n in needed if n not in following]
    if table == "goals":
        met = (
            1.0 if named & {"title", "metric"} and named & {"target", "due_on", "current", "percent"} else 0.0
        )
    elif table == "departments":
        met = 1.0 if named & {"department_id", "name"} and len(named) > 1 else 0.0
    elif telling:
        met = sum(1 for n in telling if n in named) / len(telling)
    else:
        met = 1.0
    if table == "ratings" and not any(n == "score" or n.startswith("score:") for n in named):
        return 0.0
    if table == "ratings" and "ratee_id" not in named:
        return 0.0
    if table in PEOPLE and table != "departments" and not named & {"employee_id", "email"}:
        return 0.0
    sureness = sum(match.confidence for match in matches) / max(len(matches), 1)
    explained = len({match.header for match in matches}) / len(headers)
    full = sum(1 for n in needed if n in named) / max(len(needed), 1)
    return met * (0.35 + 0.65 * explained) * (0.7 + 0.3 * full) * sureness
