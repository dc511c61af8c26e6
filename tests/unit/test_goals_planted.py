"""What was planted in the goals of the synthetic company is there, and is found where it can be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from analytics.goals.pace import GoalPace, pace
from analytics.goals.rollup import rollup
from data.demo import SEED
from data.demo.aims import Aims, aim
from data.demo.company import CYCLES, PLANS, Company, Flags, Floats, Ints, Size, found
from data.demo.courses import NEVER, Course, Owners, followed, run
from data.demo.draws import stream
from data.demo.goal_tree import ALL, K_OF_N, OWN, PERSON, WEIGHTED, Tree, grow
from data.demo.judging import worth
from data.demo.people import PERFORMANCE_SD, History, Traits, populate


@cache
def people(size: Size) -> tuple[Company, History, Traits]:
    made = found(PLANS[size], stream(SEED, "company"))
    return made, *populate(made, size=size, seed=SEED)


@cache
def aims(size: Size) -> Aims:
    return aim(*people(size), PLANS[size], seed=SEED)


@cache
def company() -> tuple[Aims, GoalPace]:
    ambitions = aims("small")
    as_of: date = ambitions.check_ins["checked_at"].cast(pl.Date).max()  # type: ignore[assignment]
    return ambitions, pace(
        ambitions.goals.with_columns(pl.col("baseline", "target").cast(pl.Float64)),
        ambitions.check_ins.with_columns(pl.col("value", "target").cast(pl.Float64)),
        as_of=as_of,
        changes=ambitions.changes,
        alignments=ambitions.alignments,
    )


@cache
def cycle_of(size: Size, cycle: int) -> tuple[Tree, Course, Floats]:
    """The goals of a cycle with their courses, and the ability of their owners."""
    made, history, traits = people(size)
    tree = grow(made, history, PLANS[size], cycle=cycle, rng=stream(SEED, f"goals {cycle}"))
    ability = worth(made, history, traits, cycle, seed=SEED) / PERFORMANCE_SD
    nobody = np.zeros(len(ability), dtype=np.bool_)
    course = run(tree, Owners(ability, nobody, nobody), cycle=cycle, seed=SEED)
    return tree, course, ability[tree.owner]


def test_the_strategic_goal_nobody_took_up_and_no_other() -> None:
    ambitions, paced = company()
    strategy = rollup(paced).strategy
    assert strategy.filter(~pl.col("taken_up"))["goal_id"].to_list() == [ambitions.not_taken_up[-1]]


def test_the_branch_nobody_updates() -> None:
    ambitions, paced = company()
    begun = paced.as_of - timedelta(days=180)
    running = paced.goals.filter(pl.col("start_on") > begun).select("goal_id")
    silent = rollup(paced).branches.filter("silent").join(running, on="goal_id", how="semi")
    assert silent["goal_id"].to_list() == list(ambitions.stale_branches)


def test_an_earlier_day_shows_what_nobody_had_taken_up_then() -> None:
    ambitions, _ = company()
    for goal_id in ambitions.not_taken_up[:-1]:
        own = ambitions.goals.filter(pl.col("goal_id") == goal_id)
        as_of = own["start_on"][0] + timedelta(days=90)
        if own["status"][0] == "abandoned" and ambitions.changes.filter(goal_id=goal_id).is_empty():
            continue  # Given up on a day nobody wrote down.
        then = pace(
            ambitions.goals.filter(pl.col("start_on") <= as_of),
            ambitions.check_ins,
            as_of=as_of,
            changes=ambitions.changes,
        )
        left = rollup(then).strategy.filter(~pl.col("taken_up"))["goal_id"].to_list()
        assert goal_id in left


def test_the_pace_needed_tells_something_about_who_arrives() -> None:
    ambitions, paced = company()
    told = paced.goals.filter(pl.col("open") & ~pl.col("overdue") & pl.col("pace_needed").is_not_null()).join(
        ambitions.truth, on="goal_id"
    )
    late = told.filter(~pl.col("lands_on_time"))["pace_needed"].median()
    timely = told.filter("lands_on_time")["pace_needed"].median()
    assert isinstance(late, float)
    assert isinstance(timely, float)
    assert late > 1.5 * timely


def test_parents_follow_by_their_rule_worked_by_hand() -> None:
    share = np.array([[1.0, 1.0], [0.5, 1.0], [0.2, 0.4], [0.8, 0.9], [0.4, 0.7], [0.6, 0.6]])
    landed = share == 1.0
    weight = np.array([60.0, 40.0, 50.0, 30.0, 20.0, 100.0])
    reached, met = followed(
        share,
        landed,
        weight,
        np.array([0, 0, 1, 1, 1, 2]),
        rule=np.array([ALL, WEIGHTED, K_OF_N]),
        needed=np.array([0.0, 60.0, 1.0]),
    )
    # All: (1 + .5) ÷ 2 = .75, then both have landed. Weighted: (50 × .2 + 30 × .8 + 20 × .4) ÷ 100 = .42 of
    # the .6 needed is .7; then (20 + 27 + 14) ÷ 100 = .61 is enough. One of one: as far as that one.
    assert reached.tolist() == [[0.75, 1.0], [pytest.approx(0.7), 1.0], [pytest.approx(0.6)] * 2]
    assert met.tolist() == [[False, True], [False, True], [False, False]]
    two_of_three, met = followed(
        np.array([[1.0], [0.3], [0.9], [1.0]]),
        np.array([[True], [False], [False], [True]]),
        np.ones(4),
        np.array([0, 0, 0, 1]),
        rule=np.array([K_OF_N, ALL]),
        needed=np.array([2.0, 0.0]),
    )
    assert two_of_three.tolist() == [[pytest.approx(0.95)], [1.0]]  # (1 + .9) ÷ 2: one has landed, not two.
    assert met.tolist() == [[False], [True]]


def test_parents_land_in_the_week_in_which_their_rule_is_met_and_in_no_other() -> None:
    landings = 0
    for cycle in range(2, 7):
        tree, course, _ = cycle_of("small", cycle)
        for parent in np.flatnonzero(tree.rule > OWN):
            below = np.flatnonzero(tree.parent == parent)
            first = None
            for week in range(course.share.shape[1]):
                reached = course.share[below, week]
                arrived = int((reached == 1.0).sum())
                done = {
                    ALL: arrived == len(below),
                    WEIGHTED: 100 * (tree.weight[below] * reached).sum()
                    >= tree.needed[parent] * tree.weight[below].sum() - 1e-6,
                    K_OF_N: arrived >= tree.needed[parent],
                }[int(tree.rule[parent])]
                if done:
                    first = course.day[week]
                    break
            assert course.landing[parent] == (NEVER if first is None else first)
            value, target = course.value[parent], course.target[parent]
            there = value >= target if target > course.baseline[parent] else value <= target
            assert there.any() == (first is not None)
            landings += first is not None
    assert landings > 150


def test_what_is_exported_of_a_rule_is_the_rule_or_nothing() -> None:
    tree, _, _ = cycle_of("medium", 4)
    told = aims("medium").goals.filter(pl.col("cycle_id") == CYCLES[4])
    rule, stated = tree.rule, told["rollup_rule"].is_not_null().to_numpy()
    assert not stated[rule < OWN].any()
    assert 0.6 < stated[rule > OWN].mean() < 0.8
    names = np.array(["own", "all", "weighted", "k_of_n"])[np.maximum(rule, 0)]
    assert told["rollup_rule"].to_numpy()[stated].tolist() == names[stated].tolist()
    truth = told.join(aims("medium").truth, on="goal_id", maintain_order="left")
    assert truth["rule"].is_not_null().to_numpy().tolist() == (rule >= OWN).tolist()
    assert truth.filter(pl.col("rollup_rule") != pl.col("rule")).is_empty()
    counted = stated & (rule >= WEIGHTED)
    assert told["rollup_needed"].is_not_null().to_numpy().tolist() == counted.tolist()
    assert told["rollup_needed"].to_numpy()[counted].tolist() == tree.needed[counted].tolist()


@pytest.mark.parametrize("size", ["small", "medium"])
def test_at_no_level_do_nearly_all_goals_land_or_miss(size: Size) -> None:
    ambitions = aims(size)
    past = ambitions.goals.join(ambitions.truth, on="goal_id").filter(pl.col("cycle_id") <= CYCLES[-1])
    missed = past.group_by("scope").agg((~pl.col("lands_by_due")).mean())
    assert sorted(missed["scope"]) == ["company", "department", "individual", "team"]
    assert missed["lands_by_due"].is_between(0.2, 0.6).all(), missed


@dataclass(frozen=True)
class Seen:
    """Goals still open on a day: what they share with others, who missed, and the chance one could tell."""

    owner: Ints
    team: Ints
    department: Ints
    cycle: Ints
    person: Flags
    missed: Flags
    chance: Floats


@cache
def seen(*, share: float | None = None, weeks_before: int = 0) -> Seen:
    """What can be known of the goals of closed cycles at a share of their time, or weeks before they are due.

    The chance of missing is fitted on the other cycles, from where a goal stands, how it moved, its rule,
    what its owner says and the owner's ability.
    """
    known: list[Floats] = []
    labels: list[Ints] = []
    missed: list[Flags] = []
    for cycle in range(2, 6):
        tree, course, ability = cycle_of("medium", cycle)
        due, at = course.first_due, np.arange(len(course.start))
        when = due - 7 * weeks_before if share is None else course.start + share * (due - course.start)
        week = np.clip(((when - course.day[0]) // 7).astype(np.int64), 0, 39)
        now, before = course.share[at, week], course.share[at, np.maximum(week - 4, 0)]
        left, speed = (due - course.day[week]) / 7, (now - before) / 4
        side = np.where(course.kind == "stay_above", 1, -1) * course.keeps
        margin = side * (course.value[at, week] / course.target_then[at, week] - 1)
        stands = (now, speed, now + speed * left, (1 - now) / np.maximum(left, 0.1), left, margin)
        told = (course.keeps, course.confidence[at, week], ability, tree.scope, tree.rule, tree.needed)
        still_open = (course.landing > course.day[week]) & (course.given_up > course.day[week])
        holders = np.column_stack([tree.owner, tree.team, tree.department, np.zeros_like(at)]) + 10**6 * cycle
        known.append(np.column_stack([*stands, *told])[still_open])
        labels.append(np.column_stack([holders, tree.scope])[still_open])
        missed.append(((course.landing > due) | (course.given_up < NEVER))[still_open])
    facts, label, truth = np.concatenate(known), np.concatenate(labels), np.concatenate(missed)
    chance = np.zeros(len(truth))
    with threadpool_limits(1):
        for cycle in np.unique(label[:, 3]):
            here = label[:, 3] == cycle
            model = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=15, random_state=0)
            chance[here] = model.fit(facts[~here], truth[~here]).predict_proba(facts[here])[:, 1]
    return Seen(label[:, 0], label[:, 1], label[:, 2], label[:, 3], label[:, 4] == PERSON, truth, chance)


def test_half_way_much_can_be_known_but_not_all_and_near_the_end_nearly_all() -> None:
    half, late, fortnight = seen(share=0.5), seen(share=0.8), seen(weeks_before=2)
    assert 0.80 < roc_auc_score(half.missed, half.chance) < 0.93
    assert roc_auc_score(late.missed, late.chance) > 0.9
    warned = fortnight.chance > 0.5
    assert warned[fortnight.missed].mean() > 0.85
    assert fortnight.missed[warned].mean() > 0.8


def test_misses_come_together_by_owner_team_and_department_beyond_what_can_be_known_half_way() -> None:
    half = seen(share=0.5)
    chance = np.clip(half.chance, 0.02, 0.98)[half.person]
    apart = (half.missed[half.person] - chance) / np.sqrt(chance * (1 - chance))
    rng = np.random.default_rng(1)

    def together(label: Ints, residual: Floats) -> float:
        """Mean product of the residuals of two goals of one label."""
        of = np.unique(label, return_inverse=True)[1]
        sums, squares, count = (np.bincount(of, weights) for weights in (residual, residual**2, None))
        return float((sums**2 - squares).sum() / (count * (count - 1)).sum())

    def shuffled(label: Ints, within: Ints) -> float:
        """The most that comes of it when residuals change places within a coarser label, 40 times."""
        most = -np.inf
        for _ in range(40):
            moved = np.empty(len(apart))
            moved[np.argsort(within, kind="stable")] = apart[np.lexsort((rng.random(len(apart)), within))]
            most = max(most, together(label, moved))
        return most

    # More than goals of the same team, of the same department, of the same cycle have in common anyway.
    owner, team, department, cycle = (
        label[half.person] for label in (half.owner, half.team, half.department, half.cycle)
    )
    for label, within in ((owner, team), (team, department), (department, cycle)):
        assert together(label, apart) > shuffled(label, within)
    # The whole company shares next to nothing.
    assert abs(together(cycle, apart)) < 0.01


def test_over_promisers_say_too_much_sandbaggers_too_little_and_they_are_early() -> None:
    ambitions, (_, history, _) = aims("medium"), people("medium")
    ids = pl.Series(history.employee_id)
    goals = (
        ambitions.goals.join(ambitions.truth, on="goal_id")
        .filter(pl.col("scope") == "individual", pl.col("cycle_id") <= CYCLES[-1])
        .with_columns(
            word=pl.when(pl.col("owner_id").is_in(ids.filter(ambitions.over_promises).implode()))
            .then(pl.lit("too much"))
            .when(pl.col("owner_id").is_in(ids.filter(ambitions.sandbags).implode()))
            .then(pl.lit("too little"))
            .otherwise(pl.lit("usual"))
        )
    )
    length = (pl.col("first_due_on") - pl.col("start_on")).dt.total_days()
    told = (
        ambitions.check_ins.join(goals, on="goal_id")
        .filter((pl.col("checked_at").cast(pl.Date) - pl.col("start_on")).dt.total_days() < length / 2)
        .group_by("goal_id", "word")
        .agg(pl.col("confidence").mean(), pl.col("lands_on_time").first().cast(pl.Float64))
    )
    bias = dict(
        told.group_by("word").agg((pl.col("confidence") - pl.col("lands_on_time")).mean()).iter_rows()
    )
    assert bias["too much"] > 0.35
    assert bias["too little"] < -0.2
    assert abs(bias["usual"]) < 0.15
    early = goals.group_by("word").agg(
        (pl.col("would_land_on") < pl.col("start_on") + pl.duration(days=0.75 * length))
        .fill_null(value=False)
        .mean()
    )
    beaten = dict(early.iter_rows())
    assert beaten["too little"] > beaten["usual"] + 0.3


def test_changes_are_kept_and_goals_hold_what_is_in_force() -> None:
    ambitions = aims("medium")
    changes = ambitions.changes.join(ambitions.goals, on="goal_id").join(ambitions.truth, on="goal_id")
    moved = changes.filter(pl.col("field") == "due_on")
    assert len(moved) > 500
    assert (moved["new_value"] == moved["due_on"].cast(pl.String)).all()
    assert (moved["old_value"] == moved["first_due_on"].cast(pl.String)).all()
    assert (moved["changed_at"].cast(pl.Date) < moved["first_due_on"]).all()
    target = changes.filter(pl.col("field") == "target").with_columns(pl.col("old_value").cast(pl.Float64))
    assert (target["new_value"].cast(pl.Float64) == target["target"]).all()
    wider = (target["target"] - target["baseline"]).abs() > (target["old_value"] - target["baseline"]).abs()
    assert 0.5 < wider.mean() < 0.9  # type: ignore[operator]
    assert 0.5 < target.filter(wider)["lands_by_due"].not_().mean() < 0.9  # type: ignore[operator]
    worded = changes.filter(pl.col("field") != "status").group_by("goal_id").len()
    counted = ambitions.goals.join(worded, on="goal_id", how="left").with_columns(pl.col("len").fill_null(0))
    assert (counted["version"] == counted["len"] + 1).all()
    for column in ("reason", "approved_by"):
        assert 0.05 < changes[column].is_null().mean() < 0.4  # type: ignore[operator]
    given_up = changes.filter(pl.col("field") == "status")
    assert set(given_up["status"]) == {"abandoned"}


def test_the_truth_tells_the_first_promise_from_the_date_in_force() -> None:
    ambitions = aims("medium")
    told = ambitions.goals.join(ambitions.truth, on="goal_id")
    assert len(told) == len(ambitions.goals)
    for lands, due in (("lands_on_time", "first_due_on"), ("lands_by_due", "due_on")):
        by_then = (told["would_land_on"] <= told[due]).fill_null(value=False)
        assert (told[lands] == by_then).all()
    assert told.filter("lands_by_due", ~pl.col("lands_on_time")).height > 100
    assert (told["completed_on"] == told["would_land_on"]).fill_null(value=True).all()


def test_holes_are_where_the_truth_says_and_nowhere_else() -> None:
    ambitions = aims("medium")
    goals, holes = ambitions.goals, ambitions.holes
    for what, column in (
        ("no_data_source", "data_source"),
        ("no_cadence", "cadence_days"),
        ("no_metric", "metric"),
        ("no_target", "target"),
        ("no_owner", "owner_id"),
        ("never_agreed", "agreed_on"),
    ):
        assert len(holes[what]) > 50, what
        assert set(goals.filter(pl.col(column).is_null())["goal_id"]) == set(holes[what]), what
    late = goals.filter((pl.col("agreed_on") - pl.col("start_on")).dt.total_days() > 21)
    assert set(late["goal_id"]) == set(holes["set_late"])
    key = ["owner_id", "scope", "cycle_id"]
    sums = goals.drop_nulls("owner_id").with_columns(whole=pl.col("weight").sum().over(key))
    off = sums.filter((pl.col("whole") - 100).abs() > 0.1)
    assert set(off["goal_id"]) == set(holes["wrong_weights"])
    assert len(off) > 50
