"""What the pages on goals show, computed once per version: delay probabilities and what follows from them.

What is learnt is learnt on the whole company, kept beside the version (`data.derived`) and read again from
there; every function that takes a viewer narrows it to the goals within reach. No page shows the whole.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import polars as pl
import streamlit as st

from analytics.disclosure import Released, release
from analytics.goals import lead_time
from analytics.goals.forecast import forecast
from analytics.goals.forecast.forecast import Forecasting
from analytics.goals.lead_time import LeadTimes, lead_times
from analytics.goals.owners import Owners, owners
from analytics.goals.risk import ladder
from analytics.goals.risk.backtest import Backtest, backtest
from analytics.goals.risk.ladder import Chances
from analytics.goals.risk.panel import panel
from analytics.goals.warning_chart import Known
from analytics.policy import RULES_VERSION
from data import derived, queries
from data.access import Permission, Reach, Viewer
from data.problems import Problem
from pages.kit import load

SEED: Final = 20261122
RISK_MADE_BY: Final = f"goal risk 3, rules {RULES_VERSION}, seed {SEED}"
"""Whoever changes what is learnt raises the number, so that what was kept before is learnt anew."""

FORECAST_MADE_BY: Final = f"goal forecast 2, rules {RULES_VERSION}, seed {SEED}"
"""As `RISK_MADE_BY`, for forecasts."""


@dataclass(frozen=True)
class GoalRecords:
    """All there is on record about goals, of the whole company; for computation only.

    Attributes
    ----------
    goals, check_ins, changes, alignments
        As `queries.every_goal` and its neighbours give them.
    as_of
        The latest day on record.
    """

    goals: pl.DataFrame
    check_ins: pl.DataFrame
    changes: pl.DataFrame
    alignments: pl.DataFrame
    as_of: date


@st.cache_resource(max_entries=2, show_spinner=False)
def company(version_id: str) -> GoalRecords:
    """Everything on record about goals."""
    opened = load.engine(version_id)
    return GoalRecords(
        queries.every_goal(opened),
        queries.every_check_in(opened),
        queries.every_goal_change(opened),
        queries.every_goal_alignment(opened),
        load.latest_day(version_id),
    )


@st.cache_resource(max_entries=2, show_spinner=False)
def chances(version_id: str) -> Chances:
    """Delay probabilities of the whole company: as kept with the version, or learnt now and kept."""
    found = derived.kept(load.warehouse(), version_id, "goal_risk", made_by=RISK_MADE_BY)
    if found is not None:
        frames, card = found.frames, found.card
        as_of = date.fromisoformat(str(card["as_of"]))
        plain = {name: value for name, value in card.items() if isinstance(value, str | int | float | list)}
        return Chances(frames["said"], frames["now"], frames["ladder"], plain, as_of)
    on_record = company(version_id)
    seen = panel(on_record.goals, on_record.check_ins, as_of=on_record.as_of, changes=on_record.changes)
    learnt = ladder.chances(seen, seed=SEED)
    with contextlib.suppress(Problem):  # where nothing can be kept it is learnt anew each time
        derived.keep(
            load.warehouse(),
            version_id,
            "goal_risk",
            {"said": learnt.said, "now": learnt.now, "ladder": learnt.ladder},
            learnt.card,
            made_by=RISK_MADE_BY,
        )
    return learnt


@st.cache_resource(max_entries=128, show_spinner=False)
def visible_goals(version_id: str, viewer: Viewer) -> frozenset[str]:
    """Goals a viewer may look at."""
    return frozenset(queries.goals(viewer, load.engine(version_id))["goal_id"])


@st.cache_resource(max_entries=64, show_spinner=False)
def chances_within_reach(version_id: str, viewer: Viewer) -> Chances:
    """Delay probabilities of the goals a viewer may look at; ladder and card are about the model."""
    found = chances(version_id)
    mine = pl.Series("goal_id", sorted(visible_goals(version_id, viewer)), dtype=pl.String).to_frame()
    return Chances(
        found.said.join(mine, on="goal_id", how="semi", maintain_order="left"),
        found.now.join(mine, on="goal_id", how="semi", maintain_order="left"),
        found.ladder,
        found.card,
        found.as_of,
    )


@st.cache_resource(max_entries=2, show_spinner=False)
def company_lead_times(version_id: str) -> LeadTimes:
    found = chances(version_id)
    return lead_times(found.said, as_of=found.as_of)


@st.cache_resource(max_entries=128, show_spinner=False)
def lead_times_within_reach(
    version_id: str, viewer: Viewer, department_id: str | None = None
) -> Released[LeadTimes]:
    """What past warnings of the goals a viewer may look at were worth, released."""
    found = lead_time.narrowed(
        company_lead_times(version_id), chosen_goals(version_id, viewer, department_id)
    )
    return release(found, as_of=found.as_of)


@st.cache_resource(max_entries=16, show_spinner=False)
def known(version_id: str, viewer: Viewer) -> Known:
    """The names, titles and drivers that sentences about goals within reach may name."""
    titles = queries.goals(viewer, load.engine(version_id)).select("goal_id", "title")
    raising = chances_within_reach(version_id, viewer).now.select("goal_id", "raising")
    return Known(
        people=load.names(version_id, viewer),
        goals=dict(titles.iter_rows()),
        raising=dict(raising.iter_rows()),
    )


def chosen_goals(version_id: str, viewer: Viewer, department_id: str | None) -> frozenset[str]:
    """Goals within reach, of one department and below if given."""
    mine = visible_goals(version_id, viewer)
    if department_id is None:
        return mine
    on_record = company(version_id)
    below = load.departments(version_id, on_record.as_of).below(department_id)
    return mine & frozenset(on_record.goals.filter(pl.col("department_id").is_in(list(below)))["goal_id"])


@st.cache_resource(max_entries=2, show_spinner=False)
def company_backtest(version_id: str) -> Backtest:
    return _backtest_of(version_id, chances(version_id))


def _backtest_of(version_id: str, found: Chances) -> Backtest:
    tree = load.departments(version_id, found.as_of)
    branch = pl.col("department_id").replace_strict(
        tree.branches(None), default=pl.col("department_id"), return_dtype=pl.String
    )
    whose = company(version_id).goals.select(
        "goal_id", "owner_id", pl.col("department_id").alias("team_id"), branch
    )
    return backtest(
        found.said,
        whose,
        as_of=found.as_of,
        ladder=found.ladder,
        card={name: str(value) for name, value in found.card.items()},
    )


@st.cache_resource(max_entries=64, show_spinner=False)
def backtested(version_id: str, viewer: Viewer) -> Released[Backtest]:
    """What was said of the goals a viewer may look at against what became of them, released.

    Departments are compared only where they lie wholly within reach.
    """
    if Reach.COMPANY in viewer.reaches(Permission.SEE_GOALS):
        found = company_backtest(version_id)
    else:
        found = _backtest_of(version_id, chances_within_reach(version_id, viewer))
        tree = load.departments(version_id, found.as_of)
        whole = frozenset[str]().union(*(tree.below(one) for one in viewer.departments))
        found = replace(found, departments=found.departments.filter(pl.col("department_id").is_in(whole)))
    return release(found, as_of=found.as_of)


@st.cache_resource(max_entries=2, show_spinner=False)
def company_owners(version_id: str) -> Owners:
    found, on_record = chances(version_id), company(version_id)
    return owners(found.said, on_record.check_ins, on_record.goals, as_of=found.as_of)


@st.cache_resource(max_entries=128, show_spinner=False)
def owners_within_reach(version_id: str, viewer: Viewer, department_id: str | None) -> Released[Owners]:
    """Promises of the owners a viewer may look at, of one department and below if given, released.

    What is usual is the whole company's.
    """
    found = company_owners(version_id)
    opened = load.engine(version_id)
    allowed = queries.visible_goal_owners(viewer, opened, on=found.as_of)
    if department_id is not None:
        tree = load.departments(version_id, found.as_of)
        inside = queries.people_in(opened, tree.below(department_id), on=found.as_of)
        allowed = inside if allowed is None else allowed & inside
    mine = found.owners
    if allowed is not None:
        mine = mine.filter(pl.col("owner_id").is_in(list(allowed)))
    flags = mine.filter(pl.col("verdict").is_in(["over_promises", "holds_back"]))
    theirs = found.promises.join(mine, on="owner_id", how="semi", maintain_order="left").filter(
        pl.col("goal_id").is_in(list(visible_goals(version_id, viewer)))
    )
    found = replace(
        found,
        owners=mine,
        promises=theirs,
        expected_false_flags=float(flags["false_flag_rate"].sum()),
    )
    return release(found, as_of=found.as_of)


@st.cache_resource(max_entries=2, show_spinner=False)
def forecasting(version_id: str) -> Forecasting:
    """How goals go in the whole company: as kept with the version, or learnt now and kept."""
    found = derived.kept(load.warehouse(), version_id, "goal_forecast", made_by=FORECAST_MADE_BY)
    if found is not None:
        frames, card = found.frames, found.card
        return Forecasting(
            frames["expectations"],
            frames["bins"],
            frames["levels"],
            frames["coverage"],
            int(str(card["goals"])),
            card["checked"] is True,
            date.fromisoformat(str(card["learnt_to"])),
        )
    on_record = company(version_id)
    learnt = forecast.learn(
        on_record.goals, on_record.check_ins, as_of=on_record.as_of, changes=on_record.changes, seed=SEED
    )
    with contextlib.suppress(Problem):  # where nothing can be kept it is learnt anew each time
        derived.keep(
            load.warehouse(),
            version_id,
            "goal_forecast",
            {
                "expectations": learnt.expectations,
                "bins": learnt.bins,
                "levels": learnt.levels,
                "coverage": learnt.coverage,
            },
            {"goals": learnt.goals, "checked": learnt.checked, "learnt_to": learnt.learnt_to.isoformat()},
            made_by=FORECAST_MADE_BY,
        )
    return learnt


@st.cache_resource(max_entries=2, show_spinner=False)
def forecasts_checked(version_id: str) -> Released[Forecasting]:
    """Whether past forecasts held, released: counts of forecasts, nothing about a goal or a person."""
    found = forecasting(version_id)
    return release(found, as_of=found.learnt_to)
