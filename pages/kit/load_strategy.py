"""What the pages on the strategy and on one goal show: learnt once per version, kept, narrowed to reach.

Whether goals land depends on the whole company, whoever looks. Everybody is told the chances of the goals
within reach; goals below them that are not are counted, never named.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import polars as pl
import streamlit as st

from analytics.disclosure import Released, release
from analytics.goals import outlook, strategy, warning
from analytics.goals.adjustment import adjustment
from analytics.goals.coverage import coverage
from analytics.goals.forecast import forecast
from analytics.goals.forecast.forecast import Fan
from analytics.goals.landing import landing
from analytics.goals.landing.aftermath import Aftermath
from analytics.goals.landing.backtest import Combination, Doubt, ParentBacktest, parent_backtest
from analytics.goals.landing.landing import GoalLanding, Landing, StrategyMap
from analytics.goals.landing.shared_risk import SharedRisk
from analytics.goals.outlook import Outlook
from analytics.goals.pace import GoalHistory, history, pace
from analytics.goals.risk.ladder import Chances
from analytics.goals.risk.panel import panel
from analytics.goals.rollup import branches
from analytics.goals.strategy import Landed
from analytics.goals.tree import tree
from analytics.goals.warning import EarlyWarnings, early_warnings
from analytics.policy import MINIMUM_PARENTS
from data import derived, queries
from data.access import Permission, Reach, Viewer
from data.problems import Problem
from pages.kit import load, load_goals

SPANS: Final = (14, 28, 91)
"""Days back to the earlier days that chances are compared with."""
MADE_BY: Final = f"strategy 4, {load_goals.RISK_MADE_BY}"
"""Whoever changes how the strategy is rolled up raises the number, so that what was kept is learnt anew."""
WARNINGS_MADE_BY: Final = f"early warnings 2, {MADE_BY}"
"""As `MADE_BY`, for early warnings."""

_ENDS: Final = ("low", "high")
_WHY: Final = ("raising", "lowering")
_RULE: Final = "remaining_work"
_LANDING: Final = ("goals", "children", "by_rule", "risks", "causes")
_RECORD: Final = ("parents", "methods", "rules")
_LANDED: Final = ("strategic", "holes", "silent", "chances", "before")


@dataclass(frozen=True)
class Strategy:
    """The strategy as one viewer may see it.

    Attributes
    ----------
    map
        The strategic goals that are not yet due, beside one another.
    goals
        The same, each with what hangs below it, in the order of the map.
    hidden
        Goal → how many goals directly below it are beyond reach.
    strategic
        As `Landed.strategic`, with ``title``; the overdue ones too.
    silent
        As `Landed.silent`, below the goals of the map.
    record
        What became of past goals with goals below them; its single goals are left out.
    """

    map: Released[StrategyMap]
    goals: tuple[Released[GoalLanding], ...]
    hidden: Mapping[str, int]
    strategic: pl.DataFrame
    silent: pl.DataFrame
    record: Released[ParentBacktest]


@st.cache_resource(max_entries=2, show_spinner=False)
def landed(version_id: str) -> Landed:
    """The strategy rolled up in the whole company: as kept with the version, or learnt now and kept."""
    found = derived.kept(load.warehouse(), version_id, "strategy", made_by=MADE_BY)
    if found is not None:
        return _as_kept(found.frames, found.card)
    learnt = _learn(version_id)
    frames, card = _to_keep(learnt)
    with contextlib.suppress(Problem):  # where nothing can be kept it is learnt anew each time
        derived.keep(load.warehouse(), version_id, "strategy", frames, card, made_by=MADE_BY)
    return learnt


def learn_goals(version_id: str) -> None:
    """Learn all that the pages on goals show and keep it with the version; nothing if there are no goals."""
    if not load.has_goals(version_id):
        return
    load_goals.chances(version_id)
    load_goals.forecasting(version_id)
    load_goals.company_lead_times(version_id)
    load_goals.company_backtest(version_id)
    load_goals.company_owners(version_id)
    landed(version_id)
    company_warnings(version_id)


def below_is_better(version_id: str) -> bool:
    """Whether on enough past goals those below told what becomes of a goal better than its own check-ins."""
    methods = landed(version_id).record.methods
    brier = {row["method"]: row["brier"] for row in methods.iter_rows(named=True)}
    enough = max(methods["parents"].to_list(), default=0) >= MINIMUM_PARENTS.value
    return enough and {"own", "rolled_up"} <= set(brier) and brier["rolled_up"] < brier["own"]


def since(version_id: str, days: int) -> date:
    """The earlier day chances are compared with."""
    return landed(version_id).as_of - timedelta(days=days)


@st.cache_resource(max_entries=128, show_spinner=False)
def strategy_within_reach(version_id: str, viewer: Viewer, days: int) -> Strategy:
    """The strategic goals a viewer may look at with what has changed since so many days ago, released."""
    found = landed(version_id)
    titles = _titles(version_id, viewer)
    mine = found.strategic.join(titles, on="goal_id", how="inner", maintain_order="left").with_columns(
        # Two goals of one name are told apart by the day they are due.
        pl.when(pl.col("title").is_duplicated() & ~pl.col("overdue"))
        .then(pl.format("{} ({})", "title", "due_on"))
        .otherwise("title")
        .alias("title")
    )
    ahead = mine.filter(~pl.col("overdue"))
    day = since(version_id, days)
    drawn = landing.strategy_map(
        ahead,
        found.chances,
        holes=found.holes.join(ahead, on="goal_id", how="semi"),
        earlier=found.before.filter(seen_on=day),
        since=day,
    )
    parts = [
        (replace(part, goal=part.goal.with_columns(pl.lit(title).alias("title"))), hidden)
        for goal_id, title in drawn.goals.select("goal_id", "title").iter_rows()
        if goal_id in found.landing.goals["goal_id"]
        for part, hidden in [_goal_landing(version_id, viewer, goal_id)]
    ]
    record = replace(found.record, parents=found.record.parents.clear())
    return Strategy(
        release(drawn, as_of=found.as_of),
        tuple(release(part, as_of=found.as_of) for part, _ in parts),
        {part.goal["goal_id"][0]: hidden for part, hidden in parts},
        mine,
        found.silent.join(ahead, left_on="strategic_id", right_on="goal_id", how="semi"),
        release(record, as_of=found.as_of),
    )


@st.cache_resource(max_entries=256, show_spinner=False)
def goal_landing_within_reach(
    version_id: str, viewer: Viewer, goal_id: str
) -> tuple[Released[GoalLanding], int] | None:
    """One goal with the goals below it, released, and how many of those are beyond reach.

    None where nothing can be said of its chance: a draft, a goal that has not begun, one beyond reach.
    """
    found = landed(version_id)
    if (
        goal_id not in load_goals.visible_goals(version_id, viewer)
        or goal_id not in found.landing.goals["goal_id"]
    ):
        return None
    part, hidden = _goal_landing(version_id, viewer, goal_id)
    return release(part, as_of=found.as_of), hidden


@st.cache_resource(max_entries=256, show_spinner=False)
def outlook_within_reach(version_id: str, viewer: Viewer, goal_id: str) -> Released[Outlook]:
    """What is known of one goal within reach, released."""
    on_record = load_goals.company(version_id)
    one = pl.col("goal_id") == goal_id
    goal = _goals(version_id, viewer).filter(one)
    changes, check_ins = on_record.changes.filter(one), on_record.check_ins.filter(one)
    said = load_goals.chances_within_reach(version_id, viewer)
    steps = adjustment(goal, changes, as_of=on_record.as_of, branches={}, said=said.said.filter(one)).steps
    found = outlook.outlook(
        goal,
        check_ins,
        said=said.said.filter(one),
        now=said.now.filter(one),
        steps=steps,
        limits=company_warnings(version_id).limits,
        as_of=on_record.as_of,
        rolled=_rolled(landed(version_id), goal_id),
    )
    return release(found, as_of=on_record.as_of)


@st.cache_resource(max_entries=256, show_spinner=False)
def history_within_reach(version_id: str, viewer: Viewer, goal_id: str) -> Released[GoalHistory]:
    """How one goal within reach went, its parts with it, since a goal may be summed up from those."""
    on_record = load_goals.company(version_id)
    goals = _goals(version_id, viewer)
    family = outlook.family(goals, goal_id)
    mine = pl.col("goal_id").is_in(family)
    check_ins, changes = on_record.check_ins.filter(mine), on_record.changes.filter(mine)
    found = pace(goals.filter(mine), check_ins, as_of=on_record.as_of, preset=_RULE, changes=changes)
    return release(history(found, check_ins, goal_id=goal_id, changes=changes), as_of=on_record.as_of)


@st.cache_resource(max_entries=256, show_spinner=False)
def fan_within_reach(version_id: str, viewer: Viewer, goal_id: str) -> Released[Fan] | None:
    """Where one goal within reach may stand on each day ahead, released; None where it is not open."""
    if outlook_within_reach(version_id, viewer, goal_id).value.goal["state"][0] not in ("open", "overdue"):
        return None
    on_record = load_goals.company(version_id)
    found = forecast.fan(
        load_goals.forecasting(version_id),
        on_record.goals,
        on_record.check_ins,
        goal_id=goal_id,
        as_of=on_record.as_of,
        changes=on_record.changes,
    )
    return release(found, as_of=found.as_of)


@st.cache_resource(max_entries=2, show_spinner=False)
def to_go_by(version_id: str) -> Chances:
    """Delay probabilities of the whole company, one for each goal: by the goals below it where those count.

    As `load_goals.chances`; `Chances.now` with ``rolled`` (by the goals below it), and for such goals no
    drivers, since these are about its own check-ins.
    """
    found = load_goals.chances(version_id)
    by_below = (
        landed(version_id)
        .chances.filter(pl.col("method") != "own")
        .drop_nulls("chance")
        .select(
            "goal_id",
            (1.0 - pl.col("chance")).alias("_delay"),
            (1.0 - pl.col("high")).alias("_low"),
            (1.0 - pl.col("low")).alias("_high"),
        )
    )
    rolled = pl.col("_delay").is_not_null()
    now = found.now.join(by_below, on="goal_id", how="left", maintain_order="left").with_columns(
        pl.coalesce("_delay", "delay").alias("delay"),
        *(pl.when(rolled).then(f"_{end}").otherwise(f"delay_{end}").alias(f"delay_{end}") for end in _ENDS),
        *(pl.when(~rolled).then(name).otherwise(pl.lit([], pl.List(pl.String))).alias(name) for name in _WHY),
        rolled.alias("rolled"),
    )
    return replace(found, now=now.drop("_delay", "_low", "_high"))


@st.cache_resource(max_entries=64, show_spinner=False)
def delay_probabilities(version_id: str, viewer: Viewer) -> Released[Chances]:
    """The delay probability of each goal a viewer may look at, released."""
    found = to_go_by(version_id)
    mine = pl.col("goal_id").is_in(list(load_goals.visible_goals(version_id, viewer)))
    found = replace(found, said=found.said.filter(mine), now=found.now.filter(mine))
    return release(found, as_of=found.as_of)


@st.cache_resource(max_entries=2, show_spinner=False)
def company_warnings(version_id: str) -> EarlyWarnings:
    """Early warnings of the whole company, as kept or found now: weights and limits are relative to all."""
    kept = derived.kept(load.warehouse(), version_id, "early_warnings", made_by=WARNINGS_MADE_BY)
    if kept is not None:
        as_of = date.fromisoformat(str(kept.card["as_of"]))
        return EarlyWarnings(kept.frames["warnings"], kept.frames["limits"], kept.frames["late"], as_of)
    on_record = load_goals.company(version_id)
    found = early_warnings(
        load_goals.chances(version_id).said,
        on_record.goals,
        on_record.check_ins,
        as_of=on_record.as_of,
        changes=on_record.changes,
        alignments=on_record.alignments,
        rolled=_said_below(version_id),
    )
    with contextlib.suppress(Problem):  # where nothing can be kept they are found anew each time
        derived.keep(
            load.warehouse(),
            version_id,
            "early_warnings",
            {"warnings": found.warnings, "limits": found.limits, "late": found.late},
            {"as_of": found.as_of.isoformat()},
            made_by=WARNINGS_MADE_BY,
        )
    return found


@st.cache_resource(max_entries=128, show_spinner=False)
def warnings_within_reach(
    version_id: str, viewer: Viewer, department_id: str | None = None, kind: str | None = None
) -> Released[EarlyWarnings]:
    """Early warnings of the goals a viewer may look at, of one department and below if given, released."""
    chosen = load_goals.chosen_goals(version_id, viewer, department_id)
    found = warning.narrowed(company_warnings(version_id), chosen)
    if kind is not None:
        found = warning.of_kind(found, kind)
    return release(found, as_of=found.as_of)


@st.cache_resource(max_entries=64, show_spinner=False)
def goals_in_order(version_id: str, viewer: Viewer) -> pl.DataFrame:
    """Goals within reach to choose from: open ones first, those most likely to miss first of all."""
    running = load_goals.chances_within_reach(version_id, viewer).now.select("goal_id")
    now = (
        landed(version_id)
        .chances.join(running, on="goal_id", how="semi")
        .select("goal_id", (1.0 - pl.col("chance")).alias("delay"))
    )
    order = {"active": 0, "done": 1, "abandoned": 2, "draft": 3}
    return (
        _goals(version_id, viewer)
        .select("goal_id", "title", "status", "due_on")
        .join(now, on="goal_id", how="left")
        .sort(
            pl.col("status").replace_strict(order, default=4, return_dtype=pl.Int8),
            "delay",
            "due_on",
            "goal_id",
            descending=[False, True, True, False],
            nulls_last=True,
        )
        .select("goal_id", "title", "delay")
    )


def weakest_strategic(version_id: str, viewer: Viewer) -> str | None:
    """The strategic goal within reach that is least likely to land and not yet due; None: there is none."""
    told = (
        landed(version_id)
        .strategic.filter(
            ~pl.col("overdue"), pl.col("goal_id").is_in(list(load_goals.visible_goals(version_id, viewer)))
        )
        .join(landed(version_id).chances, on="goal_id")
        .drop_nulls("chance")
        .sort("chance", "goal_id")
    )
    return None if told.is_empty() else str(told["goal_id"][0])


@st.cache_resource(max_entries=64, show_spinner=False)
def _goals(version_id: str, viewer: Viewer) -> pl.DataFrame:
    return queries.goals(viewer, load.engine(version_id))


def _said_below(version_id: str) -> pl.DataFrame:
    """What the goals below said, on each day they were rolled up, of the goals they are gone by for today."""
    found = landed(version_id)
    today = to_go_by(version_id).now.filter("rolled").select("goal_id", "delay")
    earlier = found.before.select("seen_on", "goal_id", (1.0 - pl.col("chance")).alias("delay"))
    return pl.concat(
        [
            earlier.join(today, on="goal_id", how="semi").drop_nulls("delay"),
            today.select(pl.lit(found.as_of).alias("seen_on"), "goal_id", "delay"),
        ]
    )


def _titles(version_id: str, viewer: Viewer) -> pl.DataFrame:
    return _goals(version_id, viewer).select("goal_id", "title")


def _goal_landing(version_id: str, viewer: Viewer, goal_id: str) -> tuple[GoalLanding, int]:
    """One goal without what lies below it beyond reach, and how many goals directly below those are."""
    found, titles = landed(version_id), _titles(version_id, viewer)
    part = landing.goal_landing(found.landing, found.chances, goal_id=goal_id, titles=titles)
    seen = part.children.filter(pl.col("title").is_not_null())
    causes = part.causes.filter(_known_causes(version_id, viewer))
    return replace(part, children=seen, causes=causes), part.children.height - seen.height


def _known_causes(version_id: str, viewer: Viewer) -> pl.Expr:
    """Which shared causes a viewer may be told of: owners, departments and goals within reach."""
    if Reach.COMPANY in viewer.reaches(Permission.SEE_GOALS):
        return pl.lit(value=True)
    as_of = landed(version_id).as_of
    owners = queries.visible_goal_owners(viewer, load.engine(version_id), on=as_of) or frozenset()
    tree_of_departments = load.departments(version_id, as_of)
    departments = frozenset[str]().union(*(tree_of_departments.below(one) for one in viewer.departments))
    within = {
        "owner": owners,
        "department": departments,
        "parent": load_goals.visible_goals(version_id, viewer),
    }
    return pl.any_horizontal(
        (pl.col("kind") == kind) & pl.col("cause_id").is_in(list(ids)) for kind, ids in within.items()
    )


def _rolled(found: Landed, goal_id: str) -> pl.DataFrame | None:
    """Chances of a strategic goal judged by the goals below it, on each day they were rolled up."""
    today = found.chances.filter(pl.col("goal_id") == goal_id, pl.col("method") != "own")
    if today.is_empty() or goal_id not in found.before["goal_id"]:
        return None
    now = today.select(pl.lit(found.as_of).alias("seen_on"), "goal_id", "chance")
    return pl.concat([found.before.filter(goal_id=goal_id), now])


def _learn(version_id: str) -> Landed:
    on_record, said = load_goals.company(version_id), load_goals.chances(version_id).said
    as_of = on_record.as_of
    shots = panel(on_record.goals, on_record.check_ins, as_of=as_of, changes=on_record.changes).snapshots
    untitled = on_record.goals.with_columns(pl.lit(None, pl.String).alias("title"))
    standing = pace(
        untitled,
        on_record.check_ins,
        as_of=as_of,
        preset=_RULE,
        changes=on_record.changes,
        alignments=on_record.alignments,
    )
    return strategy.landed(
        on_record.goals,
        shots,
        said,
        coverage(on_record.goals, standing, branches=load.departments(version_id, as_of).branches(None)),
        parent_backtest(
            on_record.goals,
            shots,
            said,
            as_of=as_of,
            seed=load_goals.SEED,
            alignments=on_record.alignments,
        ),
        branches=branches(standing, tree(standing.goals, standing.alignments)),
        as_of=as_of,
        since=[as_of - timedelta(days=days) for days in SPANS],
        seed=load_goals.SEED,
        alignments=on_record.alignments,
    )


def _to_keep(learnt: Landed) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    """The strategy as frames and plain values."""
    record = learnt.record
    frames = {
        **{name: getattr(learnt, name) for name in _LANDED},
        **{f"landing_{name}": getattr(learnt.landing, name) for name in _LANDING},
        **{f"record_{name}": getattr(record, name) for name in _RECORD},
        "shared": record.shared.causes,
    }
    mix = record.combination
    card = {
        "as_of": learnt.as_of.isoformat(),
        "draws": learnt.landing.draws,
        "unstated": {scope: list(likely) for scope, likely in record.unstated.items()},
        "shared": {"goals": record.shared.goals, "elapsed": record.shared.elapsed},
        "past": {
            "brings": [[stage, list(shares)] for stage, shares in record.past.brings],
            "late": list(record.past.late),
            "early": list(record.past.early),
            "misses": record.past.misses,
            "landings": record.past.landings,
        },
        "doubt": [record.doubt.share, record.doubt.usual],
        "combination": None if mix is None else [mix.intercept, mix.own, mix.below],
        "preferred": record.preferred,
    }
    return frames, card


def _as_kept(frames: Mapping[str, pl.DataFrame], card: Mapping[str, Any]) -> Landed:
    """The strategy from what `_to_keep` made of it."""
    past, mix = card["past"], card["combination"]
    return Landed(
        strategic=frames["strategic"],
        holes=frames["holes"],
        silent=frames["silent"],
        landing=Landing(
            goals=frames["landing_goals"],
            children=frames["landing_children"],
            by_rule=frames["landing_by_rule"],
            risks=frames["landing_risks"],
            causes=frames["landing_causes"],
            draws=card["draws"],
        ),
        chances=frames["chances"],
        before=frames["before"],
        record=ParentBacktest(
            parents=frames["record_parents"],
            methods=frames["record_methods"],
            rules=frames["record_rules"],
            unstated=card["unstated"],
            shared=SharedRisk(frames["shared"], card["shared"]["goals"], card["shared"]["elapsed"]),
            past=Aftermath(
                brings=[(stage, shares) for stage, shares in past["brings"]],
                late=past["late"],
                early=past["early"],
                misses=past["misses"],
                landings=past["landings"],
            ),
            doubt=Doubt(*card["doubt"]),
            combination=None if mix is None else Combination(*mix),
            preferred=card["preferred"],
        ),
        as_of=date.fromisoformat(card["as_of"]),
    )
