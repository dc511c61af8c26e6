"""Chances rolled up, against enumeration by hand, closed forms and published values."""

from __future__ import annotations

from datetime import date
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import integrate, special, stats

from analytics.goals.landing.aftermath import DAYS_LATE, Aftermath, aftermath, too_late
from analytics.goals.landing.landing import Landing, land
from analytics.goals.landing.shared_risk import Parts, both_miss

NOTHING_SHARED = Parts(0.0, 0.0, 0.0)
NOTHING_COMES = ((0.0, (0.0, 0.0)),)
"""A goal that misses brings nothing of the work that was left."""
SCHEMA = {
    "goal_id": pl.String,
    "parent_id": pl.String,
    "scope": pl.String,
    "owner_id": pl.String,
    "department_id": pl.String,
    "weight": pl.Float64,
    "rollup_rule": pl.String,
    "rollup_needed": pl.Float64,
    "state": pl.String,
    "progress": pl.Float64,
    "elapsed": pl.Float64,
    "delay": pl.Float64,
}
USUAL = {"scope": "team", "state": "open", "progress": 0.0, "elapsed": 0.5, "delay": 0.5}
DRAWS = 40_000
ENOUGH = 4 * 0.5 / np.sqrt(DRAWS)
"""Four standard errors of a share of so many draws."""


def rolled(*rows: dict[str, Any], parts: Parts = NOTHING_SHARED, **options: Any) -> Landing:
    goals = pl.DataFrame([{**dict.fromkeys(SCHEMA), **USUAL, **row} for row in rows], schema=SCHEMA)
    return land(
        goals.drop("delay"),
        goals.select("goal_id", "delay"),
        **{"parts": parts, "seed": 7, "draws": DRAWS, "after_a_miss": NOTHING_COMES, **options},
    )


def chance(landing: Landing, goal_id: str = "top") -> float:
    return float(landing.goals.row(by_predicate=pl.col("goal_id") == goal_id, named=True)["lands"])


DELAYS = (0.1, 0.35, 0.6, 0.25)
WEIGHTS = (40.0, 30.0, 20.0, 10.0)


def below(**more: Any) -> list[dict[str, Any]]:
    return [
        {"goal_id": f"g{i}", "parent_id": "top", "delay": delay, "weight": weight, **more}
        for i, (delay, weight) in enumerate(zip(DELAYS, WEIGHTS, strict=True))
    ]


def enumerated(reached: Any) -> float:
    """Chance that a rule is met, over all sixteen outcomes of four goals that share nothing."""
    whole = 0.0
    for lands in product((True, False), repeat=len(DELAYS)):
        likely = np.prod([1 - p if landed else p for p, landed in zip(DELAYS, lands, strict=True)])
        whole += float(likely) * reached(lands)
    return whole


@pytest.mark.parametrize(
    ("rule", "needed", "reached"),
    [
        ("all", None, all),
        ("k_of_n", 2.0, lambda lands: sum(lands) >= 2),
        ("k_of_n", 3.0, lambda lands: sum(lands) >= 3),
        ("weighted", 70.0, lambda lands: sum(np.array(WEIGHTS)[list(lands)]) >= 70),
        ("weighted", 50.0, lambda lands: sum(np.array(WEIGHTS)[list(lands)]) >= 50),
    ],
)
def test_every_rule_agrees_with_enumeration(rule: str, needed: float | None, reached: Any) -> None:
    found = rolled({"goal_id": "top", "rollup_rule": rule, "rollup_needed": needed}, *below())
    assert chance(found) == pytest.approx(enumerated(reached), abs=ENOUGH)
    # What sharing nothing leaves is the same chance.
    assert found.goals["lands_independent"][-1] == pytest.approx(chance(found), abs=1e-9)


def test_what_a_goal_below_gains_and_loses_agrees_with_enumeration() -> None:
    found = rolled({"goal_id": "top", "rollup_rule": "k_of_n", "rollup_needed": 3.0}, *below())
    told = {row["goal_id"]: row for row in found.children.iter_rows(named=True)}
    now = enumerated(lambda lands: sum(lands) >= 3)
    for i in range(len(DELAYS)):
        surely = enumerated(lambda lands, i=i: sum(lands) - lands[i] + 1 >= 3)
        never = enumerated(lambda lands, i=i: sum(lands) - lands[i] >= 3)
        assert told[f"g{i}"]["gain"] == pytest.approx(surely - now, abs=ENOUGH)
        assert told[f"g{i}"]["loss"] == pytest.approx(now - never, abs=ENOUGH)


def test_two_levels_agree_with_enumeration() -> None:
    # left lands if both do: .9 × .65 = .585; right if one of two does: 1 − .6 × .25 = .85; top needs both.
    rows = below()
    for row, parent in zip(rows, ("left", "left", "right", "right"), strict=True):
        row["parent_id"] = parent
    found = rolled(
        {"goal_id": "top", "rollup_rule": "all"},
        {"goal_id": "left", "parent_id": "top", "rollup_rule": "all"},
        {"goal_id": "right", "parent_id": "top", "rollup_rule": "k_of_n", "rollup_needed": 1.0},
        *rows,
    )
    assert chance(found, "left") == pytest.approx(0.585, abs=ENOUGH)
    assert chance(found, "right") == pytest.approx(0.85, abs=ENOUGH)
    assert chance(found) == pytest.approx(0.585 * 0.85, abs=ENOUGH)


def test_what_a_miss_still_brings_counts_by_weight() -> None:
    # Two goals of equal weight, each at .4 and landing half the time; a miss brings, evenly spread, between
    # nothing and all of the .6 left: .4 + .6 u. Needed: 90 % of the weight.
    # Both land (.25): reached. One does (.5): (1 + .4 + .6 u) / 2 ≥ .9, so u ≥ 2/3: a third of the time.
    # None does (.25): .8 + .6 (u + v) ≥ 1.8, so u + v ≥ 5/3: (1/3)² / 2 = 1/18. All: .25 + 1/6 + 1/72.
    found = rolled(
        {"goal_id": "top", "rollup_rule": "weighted", "rollup_needed": 90.0},
        *({"goal_id": f"g{i}", "parent_id": "top", "progress": 0.4, "weight": 50.0} for i in range(2)),
        after_a_miss=((0.0, (0.0, 1.0)),),
    )
    # In sixty-four steps: to within one step.
    assert chance(found) == pytest.approx(0.25 + 1 / 6 + 1 / 72, abs=ENOUGH + 0.5 / 64)


@pytest.mark.parametrize("kind", ["owner_id", "department_id"])
def test_goals_with_one_cause_land_together_as_the_closed_form_says(kind: str) -> None:
    # With one common cause the loads are independent given it:
    # P(all land) = ∫ φ(o) Π Φ((Φ⁻¹(1 − pᵢ) − √ρ o) / √(1 − ρ)) do  (Vasicek 2002).
    part = 0.3
    parts = Parts(part, 0.0, 0.0) if kind == "owner_id" else Parts(0.0, part, 0.0)
    found = rolled({"goal_id": "top", "rollup_rule": "all"}, *below(**{kind: "one"}), parts=parts)
    limits = special.ndtri(1.0 - np.array(DELAYS))

    def given(o: float) -> float:
        each = special.ndtr((limits - np.sqrt(part) * o) / np.sqrt(1.0 - part))
        return float(stats.norm.pdf(o) * each.prod())

    exact = integrate.quad(given, -8, 8)[0]
    assert exact > enumerated(all) + 5 * ENOUGH
    assert chance(found) == pytest.approx(exact, abs=ENOUGH)


def test_a_bad_period_of_an_owner_does_what_the_closed_form_says() -> None:
    # The worst tenth of the owner's load: P(all land | o > z₉₀) = 10 ∫_{z₉₀} φ(o) Π Φ(…) do.
    part = 0.3
    found = rolled(
        {"goal_id": "top", "rollup_rule": "all"},
        *below(owner_id="one"),
        parts=Parts(part, 0.0, 0.0),
        chosen=["top"],
    )
    limits = special.ndtri(1.0 - np.array(DELAYS))

    def given(o: float) -> float:
        each = special.ndtr((limits - np.sqrt(part) * o) / np.sqrt(1.0 - part))
        return float(stats.norm.pdf(o) * each.prod())

    bad = 10 * integrate.quad(given, stats.norm.ppf(0.9), 8)[0]
    otherwise = integrate.quad(given, -8, stats.norm.ppf(0.9))[0] / 0.9
    cause = found.causes.row(0, named=True)
    assert (cause["kind"], cause["cause_id"], cause["goals"], cause["open_goals"]) == ("owner", "one", 4, 4)
    assert cause["bad"] == pytest.approx(bad, abs=4 * cause["bad_error"])
    assert cause["otherwise"] == pytest.approx(otherwise, abs=1.1 * ENOUGH)


def test_shares_of_risk_of_equal_goals_follow_from_their_loads() -> None:
    # Two equal goals of one owner: the shared part moves both at once, (1 + 1)² ρ = 4 ρ, the rest each by
    # itself, 2 (1 − ρ). At ρ = .2: .8 and 1.6, a third and two thirds.
    found = rolled(
        {"goal_id": "top", "rollup_rule": "all"},
        *({"goal_id": f"g{i}", "parent_id": "top", "owner_id": "one", "delay": 0.3} for i in range(2)),
        parts=Parts(0.2, 0.0, 0.0),
        chosen=["top"],
    )
    shares = dict(found.risks.select("kind", "share").rows())
    assert shares == pytest.approx({"owner": 1 / 3, "department": 0, "parent": 0, "alone": 2 / 3}, abs=0.02)


@pytest.mark.parametrize(
    ("first", "second", "correlation", "both"),
    [
        # Sheppard (1899): at nought, 1/4 + arcsin ρ / 2π.
        (0.0, 0.0, 0.5, 1 / 3),
        (0.0, 0.0, -0.5, 1 / 6),
        (0.0, 0.0, np.sin(np.pi / 4), 3 / 8),
        # Nothing shared: the product.
        (1.0, -0.5, 0.0, special.ndtr(1.0) * special.ndtr(-0.5)),
    ],
)
def test_two_loads_stay_below_their_limits_as_published(
    first: float, second: float, correlation: float, both: float
) -> None:
    found = both_miss(np.array([first]), np.array([second]), np.array([correlation]))
    assert found[0] == pytest.approx(both, abs=1e-9)


def test_two_loads_stay_below_their_limits_as_scipy_says() -> None:
    rng = np.random.default_rng(3)
    limits, correlation = rng.normal(size=(20, 2)), rng.uniform(-0.9, 0.9, 20)
    found = both_miss(limits[:, 0], limits[:, 1], correlation)
    for i in range(20):
        normal = stats.multivariate_normal(cov=np.array([[1, correlation[i]], [correlation[i], 1]]))
        assert found[i] == pytest.approx(normal.cdf(limits[i]), abs=1e-6)


def snapshots(*rows: tuple[str, date, date, float, date | None, bool]) -> pl.DataFrame:
    """Goal, day seen, due date, progress, day landed, missed; each due a hundred days after its start."""
    frame = pl.DataFrame(
        rows,
        schema={
            "goal_id": pl.String,
            "seen_on": pl.Date,
            "due_on": pl.Date,
            "progress": pl.Float64,
            "landed_on": pl.Date,
            "missed": pl.Boolean,
        },
        orient="row",
    )
    days = (pl.col("due_on") - pl.col("seen_on")).dt.total_days()
    return frame.with_columns(
        days.alias("days_left"),
        (1.0 - days / 100).alias("elapsed"),
        pl.when("missed").then("due_on").otherwise("landed_on").alias("known_on"),
    )


def test_late_landings_are_counted_among_those_that_could_have_come_by_then() -> None:
    # 100 goals missed on 1 June, and 20 landed ten days later; 100 missed on 20 June. On 1 July the first
    # have been waited for thirty days, the others for eleven: within 7 days 0 of 200; from day 7 to day 14
    # only the first could be seen: 20 of 100 → .2; then nothing more.
    old, new = date(2026, 6, 1), date(2026, 6, 20)
    rows = [
        (f"o{i}", date(2026, 5, 18), old, 0.5, date(2026, 6, 11) if i < 20 else None, True)
        for i in range(100)
    ]
    rows += [(f"n{i}", date(2026, 6, 8), new, 0.5, None, True) for i in range(100)]
    past = aftermath(snapshots(*rows), known_by=date(2026, 7, 1))
    assert dict(zip(DAYS_LATE, past.late, strict=True)) == pytest.approx(
        {0: 0, 7: 0, 14: 0.2, 28: 0.2, 42: 0.2, 56: 0.2, 84: 0.2, 112: 0.2}
    )


def test_a_goal_comes_too_late_for_the_one_above_by_hand() -> None:
    past = Aftermath(
        late=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5),
        early=tuple(np.linspace(0, 1, 11)),
        misses=1,
        landings=1,
    )
    on = date(2026, 6, 1)
    standing = pl.DataFrame(
        {
            "goal_id": ["above", "same", "earlier", "later", "overdue", "dropped"],
            "parent_id": [None, *["above"] * 5],
            "state": ["open", "open", "open", "open", "missed", "missed"],
            "due_on": [
                date(2026, 7, 1),
                date(2026, 7, 1),
                date(2026, 6, 17),
                date(2026, 7, 31),
                date(2026, 5, 18),
                date(2026, 7, 1),
            ],
            "given_up": [False, False, False, False, False, True],
        }
    )
    chances = pl.DataFrame({"goal_id": ["above", "same", "earlier", "later"], "delay": [0.5, 0.4, 0.4, 0.4]})
    late = dict(too_late(standing, chances, past, on=on).select("goal_id", "late").rows())
    assert late == pytest.approx(
        {
            "above": 0.5,
            "same": 0.4,
            # Due 14 days before the other: a fifth of its misses come in time. .4 × .8.
            "earlier": 0.32,
            # Due 60 days from now, the other 30: half of those that land do so by then. 1 − .6 × .5.
            "later": 0.7,
            # 14 days overdue (.2 would have come), 44 when the other is due (.4 + 2/14 × .1): of the others
            # (.414286 − .2) / .8 come.
            "overdue": 1 - (0.4 + 0.1 * 2 / 14 - 0.2) / 0.8,
        }
    )
