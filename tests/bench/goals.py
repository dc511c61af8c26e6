"""Are delay probabilities, roll-up, forecasts and warnings worth believing, and what do they take?

Real sprints (METHODS §4), the demo company with its known truth, and 100,000 goals with 2,000,000 check-ins.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from analytics.goals.forecast import forecast
from analytics.goals.landing.aftermath import too_late
from analytics.goals.landing.backtest import ParentBacktest, parent_backtest, standing
from analytics.goals.landing.backtest import chances as parent_chances
from analytics.goals.landing.landing import land
from analytics.goals.lead_time import lead_times
from analytics.goals.risk.ladder import Chances, Learnt, auc, chances, ece, learn
from analytics.goals.risk.panel import panel
from data.demo import SEED
from data.demo.company import AS_OF, Size
from tests import sprints
from tests.bench.apart import apart
from tests.bench.figure import Figure, Options, at_least, at_most, load, reported, skipped
from tests.goal_company import aims, seen

SPRINT_BARS: Final = {0: (0.85, 0.15), 30: (0.885, 0.134), 50: (0.905, 0.12), 80: (0.94, 0.091)}
"""Share of the time passed, per cent → AUC at least, Brier score at most."""
GOALS: Final = 100_000
CHECK_INS: Final = 2_000_000


def run(options: Options) -> Iterator[Figure]:
    """Measure."""
    if sprints.SPRINTS.exists():
        yield from _sprints(draws=5 if options.quick else 20)
    else:
        yield skipped("real sprints", "the sprint data (../shared) are not here")
    yield from _demo("small" if options.quick else "medium", seeds=1 if options.quick else 3)
    yield from _large(quick=options.quick)


def _sprints(draws: int) -> Iterator[Figure]:
    model = learn(sprints.panel(sprints.trained()))
    for at, (ranked, brier) in SPRINT_BARS.items():
        stated, missed = _judged(model, at)
        note = f"{len(missed)} later sprints, {model.chosen}"
        yield at_least(f"sprints at {at} %: AUC", auc(stated, missed), ranked, note=note)
        error = float(np.mean((stated - missed) ** 2))
        yield at_most(f"sprints at {at} %: Brier score", error, brier, unit="", digits=3, note=note)
        off = ece(stated, missed)
        yield at_most(f"sprints at {at} %: ECE, ten bins", off, 0.06, unit="", digits=3, note=note)
    rows = sprints.trained()
    ids = rows["goal_id"].unique().sort()
    errors = []
    for draw in range(draws):
        few = ids.gather(np.sort(np.random.default_rng(draw).choice(len(ids), 50, replace=False)))
        part = learn(sprints.panel(rows.filter(pl.col("goal_id").is_in(few.to_list()))))
        stated, missed = _judged(part, 50)
        errors.append(float(np.mean((stated - missed) ** 2)))
    note = f"{draws} draws, {min(errors):.3f} to {max(errors):.3f}"
    middle = statistics.median(errors)
    yield at_most("fifty sprints, seen at 50 %: Brier", middle, 0.155, unit="", digits=3, note=note)


def _judged(model: Learnt, at: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rows = sprints.held_out(at)
    features = rows.select(sprints.panel(rows).features).to_numpy().astype(np.float64)
    return model.delay(features), rows["missed"].to_numpy()


def _demo(size: Size, *, seeds: int) -> Iterator[Figure]:
    made, shots = aims(size), seen(size)
    began = time.perf_counter()
    found = chances(shots)
    seconds = time.perf_counter() - began
    note = f"{made.goals.height:,} goals, {shots.snapshots.height:,} snapshots; {load()}"
    yield reported(f"demo, {size}: learning and saying all", seconds, unit=" s", note=note)
    chosen = found.ladder.filter("chosen").row(0, named=True)
    pace = found.ladder.filter(pl.col("rung") == "pace").row(0, named=True)
    note = (
        f"{chosen['n_goals']:,} goals in the past, said ahead by {chosen['rung']}; pace {pace['brier']:.3f}"
    )
    yield reported("demo: Brier score over time", chosen["brier"], unit="", digits=3, note=note)
    yield at_most("demo: ECE of goals over time", chosen["ece"], 0.04, unit="", digits=3, note=note)
    yield from _warnings(found)
    yield from _forecasts(size)
    yield from _against_truth(size, found, seeds)


@dataclass(frozen=True)
class _Running:
    """What was said of what is running, beside what will become of it; and how parents did in the past."""

    goals: pl.DataFrame
    parents: pl.DataFrame
    record: ParentBacktest


def _against_truth(size: Size, first: Chances, seeds: int) -> Iterator[Figure]:
    # One company's half-year shares its luck: several companies say more than many goals of one.
    running = [_running(size, SEED + k, first if k == 0 else None) for k in range(seeds)]
    goals = pl.concat([one.goals for one in running])
    stated, missing = goals["delay"].to_numpy(), goals["missing"].to_numpy()
    note = f"{goals.height:,} running goals of {seeds} companies against what will become of them"
    yield at_most("demo: ECE of goals", ece(stated, missing), 0.04, unit="", digits=3, note=note)
    yield reported("demo: AUC of goals", auc(stated, missing), unit="", digits=3, note=note)
    above = pl.concat([one.parents for one in running])
    stated, missing = 1.0 - above["chance"].to_numpy(), above["missing"].to_numpy()
    each = ", ".join(
        f"{ece(1.0 - one.parents['chance'].to_numpy(), one.parents['missing'].to_numpy()):.3f}"
        for one in running
    )
    note = f"{above.height:,} running parents of {seeds} companies; one by one {each}"
    yield at_most("demo: ECE of parents", ece(stated, missing), 0.04, unit="", digits=3, note=note)
    methods = [{row["method"]: row for row in one.record.methods.iter_rows(named=True)} for one in running]
    past = pl.concat([one.record.parents.drop_nulls(one.record.preferred) for one in running])
    over_time = ", ".join(
        f"{rows[one.record.preferred]['ece']:.3f}" for rows, one in zip(methods, running, strict=True)
    )
    off = ece(past[running[0].record.preferred].to_numpy(), past["landed"].to_numpy())
    note = f"{past.height:,} looks at parents of {seeds} companies; one by one {over_time}"
    yield at_most("demo: ECE of parents over time", off, 0.04, unit="", digits=3, note=note)
    rolled, alone = (
        statistics.fmean(rows[name]["brier"] for rows in methods) for name in ("rolled_up", "independent")
    )
    saved = ", ".join(
        f"{row['saved']:.4f} [{row['saved_low']:.4f}, {row['saved_high']:.4f}]"
        for row in (rows["rolled_up"] for rows in methods)
    )
    parents = sum(rows["rolled_up"]["parents"] for rows in methods)
    note = f"{rolled:.4f} / {alone:.4f}, saved {saved}; {parents:,} parents in the past"
    what = "demo: Brier score rolled up, beside independence"
    yield at_most(what, rolled / alone, 1.0, unit=" ×", digits=4, note=note)


def _running(size: Size, seed: int, found: Chances | None) -> _Running:
    made, shots = aims(size, seed), seen(size, seed)
    found = found or chances(shots)
    truth = made.truth.select("goal_id", (~pl.col("lands_by_due")).alias("missing"))
    record = parent_backtest(
        made.goals, shots.snapshots, found.said, as_of=AS_OF, seed=1, alignments=made.alignments
    )
    stood = standing(made.goals, shots.snapshots, on=AS_OF)
    landing = land(
        stood,
        too_late(stood, found.now, record.past, on=AS_OF),
        parts=record.shared.parts,
        seed=1,
        unstated=record.unstated,
        alignments=made.alignments,
        after_a_miss=record.past.brings,
    )
    above = landing.goals.filter(pl.col("children") > 0).select("goal_id")
    parents = (
        parent_chances(landing, record)
        .join(found.now.select("goal_id"), on="goal_id", how="semi")
        .join(above, on="goal_id", how="semi")
        .join(truth, on="goal_id")
    )
    return _Running(found.now.join(truth, on="goal_id"), parents.select("chance", "missing"), record)


def _warnings(found: Chances) -> Iterator[Figure]:
    judged = lead_times(found.said, as_of=found.as_of).measures.filter(pl.col("period").is_null())
    rules = {row["rule"]: row for row in judged.iter_rows(named=True)}
    own, pace = rules["delay"], rules["pace"]
    early = f"{own['early']:,} of {own['missed']:,} misses; pace rule {pace['early_share']:.3f}"
    right = f"{own['warned_missed']:,} of {own['warned']:,} warned; pace rule {pace['precision']:.3f}"
    yield at_least("demo: misses warned two weeks ahead", own["early_share"], 0.8, note=early)
    yield at_least("demo: precision of warnings", own["precision"], 0.7, note=right)
    yield reported("demo: days from warning to due date, median", own["lead_days"], unit="", digits=0)


def _forecasts(size: Size) -> Iterator[Figure]:
    made = aims(size)
    learnt = forecast.learn(made.goals, made.check_ins, as_of=AS_OF, changes=made.changes)
    rows = learnt.coverage.filter(
        pl.col("level") == 0.9, *(pl.col(name).is_null() for name in ("period", "horizon", "elapsed"))
    )
    for row in rows.iter_rows(named=True):
        off = abs(row["covered"] - 0.9)
        note = (
            f"{row['covered']:.3f} of {row['n']:,} forecasts of {row['goals']:,} goals, foretold in the past"
        )
        what = f"demo: 90 % ranges of {row['about']}, away from 90 %"
        yield at_most(what, off, 0.03, unit="", digits=3, note=note)


def _large(*, quick: bool) -> Iterator[Figure]:
    goals = GOALS // 10 if quick else GOALS
    outcome = apart(learnt_at_large, goals)
    note = (
        f"{outcome.value['goals']:,} goals, {outcome.value['check_ins']:,} check-ins: panel "
        f"{outcome.value['panel']:.1f}, ladder {outcome.value['ladder']:.1f}, roll-up "
        f"{outcome.value['roll_up']:.1f} s; {load()}"
    )
    yield at_most("train, score, roll up", outcome.value["seconds"], 60, unit=" s", digits=1, note=note)
    yield at_most("the same: memory", outcome.memory, 2.0, unit=" GB", note=note)


def learnt_at_large(goals: int) -> dict[str, float]:
    """Learn, score and roll up the medium company repeated until it has so many goals, checked in often."""
    made = aims("medium")
    times = -(-goals // made.goals.height)
    keep = made.goals.head(goals - (times - 1) * made.goals.height)["goal_id"]
    all_goals, all_told, all_moves, aligned = [], [], [], []
    for copy in range(times):
        chosen = keep if copy == times - 1 else made.goals["goal_id"]
        mine = pl.col("goal_id").is_in(chosen.implode())

        def renamed(*columns: str, copy: int = copy) -> list[pl.Expr]:
            return [pl.format("{}#{}", pl.col(name), pl.lit(copy)).alias(name) for name in columns]

        all_goals.append(
            made.goals.filter(mine).with_columns(renamed("goal_id", "parent_id", "owner_id", "department_id"))
        )
        all_told.append(made.check_ins.filter(mine).with_columns(renamed("goal_id")))
        all_moves.append(made.changes.filter(mine).with_columns(renamed("goal_id")))
        aligned.append(made.alignments.filter(mine).with_columns(renamed("goal_id", "serves_goal_id")))
    on_record, told = pl.concat(all_goals), _often(pl.concat(all_told), CHECK_INS * goals // GOALS)
    moves, alignments = pl.concat(all_moves), pl.concat(aligned)
    began = time.perf_counter()
    shots = panel(on_record, told, as_of=AS_OF, changes=moves)
    looked = time.perf_counter()
    found = chances(shots)
    learnt = time.perf_counter()
    record = parent_backtest(
        on_record, shots.snapshots, found.said, as_of=AS_OF, seed=1, alignments=alignments
    )
    stood = standing(on_record, shots.snapshots, on=AS_OF)
    late = too_late(stood, found.now, record.past, on=AS_OF)
    land(
        stood,
        late,
        parts=record.shared.parts,
        seed=1,
        unstated=record.unstated,
        alignments=alignments,
        after_a_miss=record.past.brings,
    )
    ended = time.perf_counter()
    return {
        "goals": on_record.height,
        "check_ins": told.height,
        "panel": looked - began,
        "ladder": learnt - looked,
        "roll_up": ended - learnt,
        "seconds": ended - began,
    }


def _often(told: pl.DataFrame, wanted: int) -> pl.DataFrame:
    """Repeat every check-in a few days later until there are so many, none after the last day."""
    last: date = AS_OF
    parts = [told]
    for again in range(1, -(-wanted // told.height) + 2):
        later = told.with_columns(pl.col("checked_at") + timedelta(days=2 * again))
        parts.append(later.filter(pl.col("checked_at").cast(pl.Date) <= last))
    return pl.concat(parts).head(wanted)
