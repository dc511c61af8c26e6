"""The answers of the overview: each a question, its finding in a sentence, and the way to its evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from analytics.distribution import chart as distribution_chart
from analytics.goals import chart as goal_chart
from analytics.language import Language
from analytics.severity import chart as severity_chart
from data import queries
from data.access import Permission, Viewer
from pages.kit import cards, load

Finding = Callable[[Language, str, Viewer], str]


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

    def show(self, t: Language, version: str, viewer: Viewer) -> None:
        """The card."""
        cards.summary(self.question(t), self.finding(t, version, viewer), page=self.page, link=self.link(t))


def scope(t: Language, version: str) -> list[str]:
    """One line: the latest cycle, its ratings, the day the data are of."""
    cycles = load.cycles(version)
    newest = cycles.row(0, named=True) if cycles.height else None
    day = load.latest_day(version)
    return [
        "" if newest is None else str(newest["name"]),
        "" if newest is None else t("{n} ratings in this cycle", n=f"{newest['n_ratings']:,}"),
        "" if day is None else t("as of {day}", day=t.day(day)),
    ]


def _spread(t: Language, version: str, viewer: Viewer) -> str:
    cycles = load.cycles(version)
    if cycles.is_empty():
        return t("No ratings have been loaded yet.")
    choice = load.RatingChoice(cycle_id=cycles["cycle_id"][0], source="manager")
    if choice.source not in load.sources(version, choice.cycle_id):
        choice = load.RatingChoice(choice.cycle_id, source=load.sources(version, choice.cycle_id)[0])
    released = load.rating_distribution(version, viewer, choice)
    return distribution_chart.takeaway(released, t, names=load.group_names(version, viewer, choice))


def _leniency(t: Language, version: str, viewer: Viewer) -> str:
    if load.cycles(version).is_empty():
        return t("No ratings have been loaded yet.")
    released = load.leniency(version, viewer, queries.LEADER_SOURCES, None)
    departments = load.departments(version, released.as_of).names
    return severity_chart.takeaway(released, t, names={**load.names(version, viewer), **departments})


def _goals(t: Language, version: str, viewer: Viewer) -> str:
    return goal_chart.takeaway(load.goal_pace(version, viewer, "remaining_work", None), t)


def data(t: Language, version: str, viewer: Viewer) -> str:
    """How many files and rows went in, and how many did not."""
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
        data,
        lambda t: t("See what was loaded"),
    ),
)
