"""A mapping that was settled once, kept under a name as a readable file.

A profile is a TOML file::

    name = "Ratings of our review tool"
    recognises = ["Ratee ID", "Rater ID", "Score"]   # headers that must all be there
    source = "tidy"                                   # how rows are read; left out: as a tidy table

    [columns]                                         # header = what it means
    "Ratee ID" = "ratings.ratee_id"

    [answers]                                         # what would be asked otherwise
    scale = ["1", "2", "3", "4", "5"]
    "ratings.source" = "customer"                     # a constant for all rows

    [made.goals]                                      # columns made from others
    goal_id = "{project}-{number}"                    # a template
    target = "= begun + 2 * added - removed"          # sums, differences and products of columns
    start_on = "= 2020-01-06 + number"                # a date and days; a column with blanks is [so]

    [where.goals]                                     # which rows feed a table
    snapshot = ["80"]

A row that is the same but for its line is made once.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import dataframely as dy
import polars as pl

from data.contracts import TABLES
from data.problems import Problem
from data.sources import assembling, settling, values
from data.sources.model import LINE, Answer, Known, Match, Recognition, Sheet

NAME: Final = "profile"
"""Name of the source that reads rows by formulas."""
VARYING: Final = frozenset(
    {"as_of", "cycle", "cycle_dates", "goals.start_on", "mapping", "hidden", "profile"}
)
"""Answers a saved profile leaves out: true of one export, silently wrong for the next."""

_MADE: Final = "made:"
_WHERE: Final = "where:"
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_TOKEN: Final = re.compile(r"\s*(?:(\d{4}-\d{2}-\d{2})|(\d+(?:\.\d+)?)|\[([^\]]+)\]|([^\W\d]\w*)|([+\-*]))")


@dataclass(frozen=True)
class Profile:
    """A named mapping: which headers it recognises, what they mean, and what is settled.

    Attributes
    ----------
    name
        What a person calls it.
    recognises
        Headers that must all be there.
    matches
        What headers mean.
    answers
        What is settled, with ``made:table.column`` formulas and ``where:table:header`` filters.
    source
        Source that reads the rows.
    """

    name: str
    recognises: tuple[str, ...]
    matches: tuple[Match, ...]
    answers: Mapping[str, Answer] = field(default_factory=dict)
    source: str = "tidy"

    def recognise(self, sheet: Sheet, known: Known) -> Recognition | None:
        """The sheet as this profile reads it, or None if a header is missing."""
        shaped = self._shaped(sheet, known)
        if shaped is None:
            return None
        answers: dict[str, Answer] = {**self.answers, "profile": self.name, "mapping": "yes"}
        matches = tuple(match for match in self.matches if match.header in shaped.headers)
        text = " ".join(str(value) for key, value in answers.items() if key.startswith((_MADE, _WHERE)))
        used = {match.header for match in matches} | {
            h for h in sheet.headers if h in text or any(k.endswith(f":{h}") for k in answers)
        }
        return settling.settled(
            shaped, self.source, matches, answers, known, unused=[h for h in sheet.headers if h not in used]
        )

    def _shaped(self, sheet: Sheet, known: Known) -> Sheet | None:
        """The sheet as this profile's source prepares it, or None if a header is missing in it."""
        from data.sources import source  # noqa: PLC0415 - the registry lists this module's source too

        needed = set(self.recognises)
        if self.source == NAME:
            if not needed <= set(sheet.headers):
                return None
            return made(sheet, self.answers)
        base = source(self.source)
        prepared = getattr(base, "prepared", None)
        if prepared is None:
            return sheet if needed <= set(sheet.headers) else None
        # A vendor's preparation expects that vendor's columns.
        if base.recognise(sheet, known) is None:
            return None
        shaped: Sheet = prepared(sheet, known)
        return shaped if needed <= set(shaped.headers) else None


@dataclass(frozen=True)
class Profiled:
    """Source for rows whose columns a profile makes; only a profile recognises it."""

    name: str = NAME

    def recognise(self, sheet: Sheet, known: Known) -> Recognition | None:  # noqa: ARG002 - as every source
        """Nothing by itself."""
        return None

    def translate(
        self, batch: pl.DataFrame, recognition: Recognition, known: Known
    ) -> Mapping[str, pl.DataFrame]:
        """Rows of each table, from the lines that feed it."""
        tables: dict[str, pl.DataFrame] = {}
        for table in TABLES:
            own = tuple(match for match in recognition.matches if match.table == table)
            if not own:
                continue
            rows = batch
            for key, wanted in recognition.answers.items():
                if key.startswith(f"{_WHERE}{table}:"):
                    header = key.split(":", 2)[2]
                    allowed = [wanted] if isinstance(wanted, str) else list(wanted)
                    rows = rows.filter(values.words(rows.get_column(header)).is_in(allowed).fill_null(False))
            if not rows.height:
                continue
            made = _prepared(rows, recognition.answers)
            frames = assembling.assembled(made, replace(recognition, matches=own), known)
            for name, frame in frames.items():
                alike = [column for column in frame.columns if column != LINE]
                tables[name] = frame.unique(alike, keep="first", maintain_order=True)
        return tables


def load_profiles(folder: Path) -> tuple[Profile, ...]:
    """The profiles of a folder, by file name; none if there is no such folder.

    Raises
    ------
    Problem
        If a file is not a profile.
    """
    if not folder.is_dir():
        return ()
    return tuple(_loaded(path) for path in sorted(folder.glob("*.toml")))


def save_profile(folder: Path, recognition: Recognition, name: str) -> Path:
    """Write a recognition down under a name.

    Parameters
    ----------
    folder
        Where profiles are kept; made if missing.
    recognition
        What was settled. What holds for one export only (`VARYING`) is left out and asked again.
    name
        What to call it; an existing profile of that name is replaced.

    Returns
    -------
    Path
        The file.
    """
    if not name.strip():
        raise Problem("A profile needs a name. Give it one that says which export it is for.")
    stem = re.sub(r"[^\w\-]+", "-", name.strip(), flags=re.UNICODE).strip("-").lower() or "profile"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.toml"
    whole = path.with_suffix(".part")
    whole.write_text(_written(recognition, name.strip()), encoding="utf-8")
    whole.replace(path)
    return path


def _written(recognition: Recognition, name: str) -> str:
    made = {k.removeprefix(_MADE): v for k, v in recognition.answers.items() if k.startswith(_MADE)}
    where = {k.removeprefix(_WHERE): v for k, v in recognition.answers.items() if k.startswith(_WHERE)}
    plain = [
        match
        for match in recognition.matches
        if f"{match.table}.{match.column}" not in made or match.header != f"{match.table}.{match.column}"
    ]
    needed = dict.fromkeys(match.header for match in plain)
    for formula in made.values():
        needed.update(dict.fromkeys(_mentioned(str(formula))))
    needed.update(dict.fromkeys(key.split(":", 1)[1] for key in where))
    lines = [
        f"name = {_toml(name)}",
        f"recognises = {_toml(tuple(needed))}",
        f"source = {_toml(recognition.source)}",
        "",
    ]
    columns: dict[str, list[str]] = {}
    for match in plain:
        columns.setdefault(match.header, []).append(f"{match.table}.{match.column}")
    lines += [
        "[columns]",
        *(f"{_toml(header)} = {_toml(' '.join(places))}" for header, places in columns.items()),
        "",
    ]
    kept = {
        key: value
        for key, value in recognition.answers.items()
        if key not in VARYING and not key.startswith((_MADE, _WHERE))
    }
    lines += ["[answers]", *(f"{_toml(key)} = {_toml(value)}" for key, value in kept.items()), ""]
    for heading, entries, mark in (("made", made, "."), ("where", where, ":")):
        for table in dict.fromkeys(key.split(mark, 1)[0] for key in entries):
            lines.append(f"[{heading}.{table}]")
            lines += [
                f"{_toml(key.split(mark, 1)[1])} = {_toml(value)}"
                for key, value in entries.items()
                if key.split(mark, 1)[0] == table
            ]
            lines.append("")
    return "\n".join(lines)


def _toml(value: Answer) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return "[" + ", ".join(_toml(item) for item in value) + "]"


def _loaded(path: Path) -> Profile:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Problem(
            "{file}: is not a readable profile ({reason}). Mend or remove it.",
            file=path.name,
            reason=str(error),
        ) from None
    allowed = {"name", "recognises", "source", "columns", "answers", "made", "where", "description"}
    unknown = sorted(set(document) - allowed)
    if unknown:
        raise _wrong(path, ", ".join(unknown))
    matches: list[Match] = []
    for header, places in _section(document, "columns", path).items():
        matches += [Match(header, *_place(place, path), 1.0) for place in str(places).split()]
    answers = {key: _answer(value, key, path) for key, value in _section(document, "answers", path).items()}
    made = _section(document, "made", path)
    for table, columns in made.items():
        for column, formula in _section(made, table, path).items():
            _place(f"{table}.{column}", path)
            if not isinstance(formula, str):
                raise _wrong(path, f"made.{table}.{column}")
            _check(formula, path)
            answers[f"{_MADE}{table}.{column}"] = formula
            matches.append(Match(f"{table}.{column}", table, column, 1.0))
        assert columns is not None
    where = _section(document, "where", path)
    for table in where:
        for header, wanted in _section(where, table, path).items():
            answers[f"{_WHERE}{table}:{header}"] = _answer(wanted, f"where.{table}", path)
    recognises = document.get("recognises", [])
    if not isinstance(recognises, list) or not recognises or not all(isinstance(h, str) for h in recognises):
        raise _wrong(path, "recognises")
    source = document.get("source", "tidy")
    return Profile(
        name=str(document.get("name", path.stem)),
        recognises=tuple(recognises),
        matches=tuple(matches),
        answers=answers,
        source=NAME if made or where else _known_source(str(source), path),
    )


def _known_source(name: str, path: Path) -> str:
    from data.sources import SOURCES  # noqa: PLC0415 - the registry lists this module's source too

    if name not in {source.name for source in SOURCES}:
        raise _wrong(path, f"source = {name}")
    return name


def _section(document: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, dict):
        raise _wrong(path, name)
    return section


def _answer(value: Any, key: str, path: Path) -> Answer:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise _wrong(path, key)


def _place(place: str, path: Path) -> tuple[str, str]:
    table, _, column = place.partition(".")
    known = table in TABLES and (
        column in TABLES[table].columns()
        or (table, column) in assembling.PARTS
        or column.startswith("score:")
    )
    if not known:
        raise _wrong(path, place)
    return table, column


def _wrong(path: Path, what: str) -> Problem:
    return Problem(
        "{file}: the profile's entry {what} means nothing. Mend it or remove the profile.",
        file=path.name,
        what=what,
    )


# Formulas.


def made(sheet: Sheet, answers: Mapping[str, Answer]) -> Sheet:
    """The sheet with the columns that the formulas among some answers make."""
    if not any(key.startswith(_MADE) for key in answers):
        return sheet
    sample = _prepared(sheet.sample, answers)
    return replace(
        sheet,
        headers=tuple(c for c in sample.columns if not c.startswith("_")),
        sample=sample,
        batches=lambda: (_prepared(batch, answers) for batch in sheet.batches()),
    )


def _check(formula: str, path: Path) -> None:
    if formula.startswith("=") and _terms(formula[1:]) is None:
        raise _wrong(path, formula)


def _mentioned(formula: str) -> list[str]:
    """Headers a formula reads."""
    if not formula.startswith("="):
        return re.findall(r"\{([^{}]+)\}", formula)
    return [
        bracketed or name for _, _, bracketed, name, _ in _TOKEN.findall(formula[1:]) if bracketed or name
    ]


def _prepared(batch: pl.DataFrame, answers: Mapping[str, Answer]) -> pl.DataFrame:
    """The batch with the columns the formulas make."""
    columns = []
    for key, formula in answers.items():
        if key.startswith(_MADE) and isinstance(formula, str):
            place = key.removeprefix(_MADE)
            missing = [header for header in _mentioned(formula) if header not in batch.columns]
            if missing:
                raise Problem(
                    (
                        "The profile makes {place} from {header}, which the file does not have. Mend the "
                        "profile or the file."
                    ),
                    place=place,
                    header=", ".join(missing),
                )
            columns.append(_made(formula, place).alias(place))
    return batch.with_columns(columns)


def _made(formula: str, place: str) -> pl.Expr:
    if formula.startswith("="):
        table, column = place.split(".", 1)
        return _sum(formula[1:], moments=isinstance(TABLES[table].columns().get(column), dy.Datetime))
    parts = re.split(r"\{([^{}]+)\}", formula)
    pieces = [
        pl.col(part).str.strip_chars() if i % 2 else pl.lit(part)
        for i, part in enumerate(parts)
        if i % 2 or part
    ]
    return pl.concat_str(pieces) if pieces else pl.lit(None, dtype=pl.String)


Term = tuple[int, tuple[float | str, ...]]


def _terms(text: str) -> tuple[str | None, list[Term]] | None:
    """A formula as its date, if it has one, and signed products; None if it is malformed."""
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if not found or found.end() == at:
            return None
        tokens.append(found.groups())
        at = found.end()
    day: str | None = None
    terms: list[Term] = []
    factors: list[float | str] = []
    sign, due = 1, True
    for date, number, bracketed, name, operator in tokens:
        if operator:
            if operator == "*":
                if due:
                    return None
            else:
                if due and (terms or factors or day):
                    return None
                if factors:
                    terms.append((sign, tuple(factors)))
                sign, factors = (-1 if operator == "-" else 1), []
            due = True
            continue
        if not due:
            return None
        due = False
        if date:
            if day or terms or factors or sign < 0:
                return None
            day = date
        else:
            factors.append(float(number) if number else (bracketed or name))
    if due:
        return None
    if factors:
        terms.append((sign, tuple(factors)))
    return day, terms


def _sum(text: str, *, moments: bool) -> pl.Expr:
    parsed = _terms(text)
    assert parsed is not None, text
    day, terms = parsed
    total = pl.lit(0.0)
    for sign, factors in terms:
        product = pl.lit(float(sign))
        for factor in factors:
            product = product * (
                pl.lit(factor)
                if isinstance(factor, float)
                else pl.col(factor).str.strip_chars().cast(pl.Float64, strict=False)
            )
        total = total + product
    if day is None:
        return total.round(9).cast(pl.String).str.strip_suffix(".0")
    moment = pl.lit(day).str.to_datetime("%Y-%m-%d", time_unit="us") + pl.duration(
        seconds=(total * 86_400).round(0).cast(pl.Int64)
    )
    return moment.dt.to_string("%Y-%m-%d %H:%M:%S" if moments else "%Y-%m-%d")
