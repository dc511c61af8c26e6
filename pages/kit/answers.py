"""The answers of the overview: each a question, its finding in a sentence, and the way to its evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics import theme
from analytics.goals import chart as goal_chart
from analytics.language import Language
from analytics.severity import chart as severity_chart
from analytics.theme import Mode
from data.access import Permission, Viewer
from pages.kit import cards, filters, load, tables
from pages.kit.cards import Piece


@dataclass(frozen=True)
class Found:
    """What an answer says: about what, the finding, the counts behind it, and what must be known with it."""

    about: tuple[str, ...]
    sentence: str
    pieces: tuple[Piece, ...] = ()
    caveats: str = ""


Finding = Callable[[Language, Mode, str, Viewer], Found]


@dataclass(frozen=True)
class Answer:
    """One answer of the overview.

    Attributes
    ----------
    permission
        Who may see it.
    page
        Where its evidence is.
    """

    permission: Permission
    page: str
    question: Callable[[Language], str]
    finding: Finding
    link: Callable[[Language], str]

    def show(self, t: Language, mode: Mode, version: str, viewer: Viewer) -> None:
        """The card."""
        found = self.finding(t, mode, version, viewer)
        cards.summary(
            self.question(t),
            found.about,
            found.sentence,
            found.pieces,
            caveats=found.caveats,
            page=self.page,
            link=self.link(t),
        )


def scope(t: Language, version: str) -> list[str]:
    """One line: the day the data are of."""
    return [t("as of {day}", day=t.day(load.latest_day(version)))]


def _spread(t: Language, mode: Mode, version: str, viewer: Viewer) -> Found:
    cycles = load.cycles(version)
    if cycles.is_empty():
        return Found((), t("No ratings have been loaded yet."))
    newest = cycles.row(0, named=True)
    sources = load.sources(version, newest["cycle_id"])
    source = "manager" if "manager" in sources else sources[0]
    choice = load.RatingChoice(cycle_id=newest["cycle_id"], source=source)
    safe = filters.protected(version, viewer, choice)
    if safe.refusal is not None:
        return Found((newest["name"],), safe.refusal.sentence(t))
    released = safe.released
    names = load.group_names(version, viewer, choice)
    sentence = tables.spread(t, released, names, t("Department"), of_raters=False)
    counts = released.value.total_shares.join(released.value.levels.select("level", "label"), on="level")
    colours = theme.levels(max(counts.height, 1), mode)
    rows = counts.sort("level").iter_rows(named=True)
    return Found(
        (newest["name"], filters.source_names(t)[source], tables.people_counted(t, released)),
        sentence,
        tuple(Piece(row["label"], row["count"] or 0, fill) for row, fill in zip(rows, colours, strict=False)),
    )


def _leniency(t: Language, mode: Mode, version: str, viewer: Viewer) -> Found:
    if load.cycles(version).is_empty():
        return Found((), t("No ratings have been loaded yet."))
    released = load.leniency(version, viewer, next(iter(load.rater_groups(version).values())), None)
    departments = load.departments(version, released.as_of).names
    sentence = severity_chart.takeaway(released, t, names={**load.names(version, viewer), **departments})
    tokens, words = theme.TOKENS[mode], tables.verdict_words(t)
    verdicts = released.value.raters["verdict"].cast(pl.String).fill_null("cannot_tell")
    counts = dict(verdicts.value_counts().rows())
    return Found(
        (t("all cycles up to {day}", day=t.day(released.as_of)), tables.ratings_counted(t, released)),
        sentence,
        (
            Piece(words["lenient"], counts.get("lenient", 0), tokens.lenient),
            Piece(words["severe"], counts.get("severe", 0), tokens.severe),
            Piece(words["unremarkable"], counts.get("unremarkable", 0), tokens.quiet),
            Piece(words["cannot_tell"], counts.get("cannot_tell", 0), tokens.unknown, hatched=True),
        ),
        severity_chart.caveats(released, t),
    )


def _goals(t: Language, mode: Mode, version: str, viewer: Viewer) -> Found:
    if not load.has_goals(version):
        return Found((), t("No goals have been loaded yet."))
    released = load.goal_pace(version, viewer, "remaining_work", None)
    running = released.value.goals.filter("open")["status"].cast(pl.String)
    counts = dict(running.value_counts().rows())
    signs = goal_chart.signs(t, mode)
    return Found(
        (t("as of {day}", day=t.day(released.as_of)), tables.goals_counted(t, released)),
        goal_chart.takeaway(released, t),
        tuple(
            Piece(f"{sign.shape} {sign.word}", counts.get(status, 0), sign.colour, hatched=bool(sign.hatch))
            for status, sign in signs.items()
        ),
    )


def data(t: Language, version: str, viewer: Viewer) -> str:
    """How many files and rows went in, and how many did not, in a sentence."""
    loaded = load.imports(version, viewer)
    accepted, rejected = int(loaded["accepted"].sum()), int(loaded["rejected"].sum())
    files = t.plural("{n} file was loaded", "{n} files were loaded", loaded["file"].n_unique())
    if rejected == 0:
        return t("{files}; all {accepted} rows went in.", files=files, accepted=f"{accepted:,}")
    return t(
        "{files}; {accepted} rows went in. {rejected}: each is kept with its reason and can be mended.",
        files=files,
        accepted=f"{accepted:,}",
        rejected=t.plural("{n} row was rejected", "{n} rows were rejected", rejected),
    )


def _data(t: Language, mode: Mode, version: str, viewer: Viewer) -> Found:
    loaded = load.imports(version, viewer)
    tokens = theme.TOKENS[mode]
    return Found(
        (t("Data version {version}", version=version),),
        data(t, version, viewer),
        (
            Piece(t("rows went in"), int(loaded["accepted"].sum()), tokens.accent),
            Piece(t("rows rejected"), int(loaded["rejected"].sum()), tokens.lenient),
        ),
    )


ANSWERS: Final = (
    Answer(
        Permission.SEE_LENIENCY,
        "pages/fairness/leniency.py",
        lambda t: t("Do some managers rate more leniently?"),
        _leniency,
        lambda t: t("See who, and how sure"),
    ),
    Answer(
        Permission.SEE_DISTRIBUTIONS,
        "pages/fairness/distributions.py",
        lambda t: t("How are ratings spread?"),
        _spread,
        lambda t: t("See the departments"),
    ),
    Answer(
        Permission.SEE_GOALS,
        "pages/goals/risk.py",
        lambda t: t("Which goals are at risk?"),
        _goals,
        lambda t: t("See the goals"),
    ),
    Answer(
        Permission.SEE_IMPORTS,
        "pages/sources/data.py",
        lambda t: t("Can the data be trusted?"),
        _data,
        lambda t: t("See what was loaded"),
    ),
)
