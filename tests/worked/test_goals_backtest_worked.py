"""Forty goals, by hand: said 20 % of twenty, of which 4 missed, and 80 % of twenty, of which 15 missed."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import stats

from analytics.goals.risk.backtest import Backtest, backtest

AS_OF = date(2026, 6, 30)


@pytest.fixture(scope="module")
def found() -> Backtest:
    missed = [True] * 4 + [False] * 16 + [True] * 15 + [False] * 5
    said = pl.DataFrame(
        {
            "goal_id": [f"G{at:02}" for at in range(40)],
            "seen_on": date(2026, 3, 1),
            "elapsed": 0.5,
            "days_left": 60,
            "due_on": date(2026, 4, 30),
            "delay": [0.2] * 20 + [0.8] * 20,
            "pace_delay": [0.4] * 20 + [0.6] * 20,
            "base_delay": 0.5,
            "rung": "logistic",
            "missed": missed,
        }
    )
    # Everybody owns one goal, every goal is a team of its own: nothing goes together.
    goals = said.select(
        "goal_id",
        pl.col("goal_id").str.replace("G", "E").alias("owner_id"),
        pl.col("goal_id").str.replace("G", "T").alias("team_id"),
        pl.lit("D").alias("department_id"),
    )
    return backtest(said, goals, as_of=AS_OF)


def number(found: Backtest, name: str) -> float:
    value = found.total[name][0]
    assert isinstance(value, float)
    return value


def test_the_error_is_the_mean_squared_distance(found: Backtest) -> None:
    # 4 × .8² + 16 × .2² + 15 × .2² + 5 × .8² = 2.56 + .64 + .60 + 3.20 = 7.00; ÷ 40 = .175
    assert number(found, "brier") == pytest.approx(0.175)
    # 4 × .6² + 16 × .4² + 15 × .4² + 5 × .6² = 1.44 + 2.56 + 2.40 + 1.80 = 8.20; ÷ 40 = .205
    assert number(found, "brier_pace") == pytest.approx(0.205)
    assert number(found, "brier_base") == pytest.approx(0.25)


def test_skill_is_the_share_of_the_others_error_saved(found: Backtest) -> None:
    assert number(found, "pace_skill") == pytest.approx(1 - 0.175 / 0.205)
    assert number(found, "base_skill") == pytest.approx(0.3)  # 1 − .175 ÷ .25


def test_the_auc_counts_pairs_and_half_of_the_ties(found: Backtest) -> None:
    # 19 missed (4 said .2, 15 said .8), 21 landed (16 said .2, 5 said .8).
    # Right: 15 × 16 = 240; ties: 4 × 16 + 15 × 5 = 139; (240 + 69.5) ÷ (19 × 21) = 309.5 ÷ 399
    assert number(found, "auc") == pytest.approx(309.5 / 399)


def test_the_log_loss_is_minus_the_mean_logarithm_of_what_came(found: Backtest) -> None:
    # −(4 ln .2 + 16 ln .8 + 15 ln .8 + 5 ln .2) ÷ 40
    assert number(found, "log_loss") == pytest.approx(-(9 * np.log(0.2) + 31 * np.log(0.8)) / 40)


def test_the_mean_gap_weighs_bins_by_their_statements(found: Backtest) -> None:
    # |.2 − 4/20| = 0 and |.8 − 15/20| = .05, half of the statements each
    assert number(found, "ece") == pytest.approx(0.025)
    assert found.total["n_bins"][0] == 2
    # By chance: √(2/π) × √(.2 × .8 ÷ 20) in either bin, as nothing goes together
    # (the larger of that and of the spread seen: bin 1 the same, .16 × 20/19 ÷ 20; bin 2 .1875 × 20/19 ÷ 20).
    t = stats.t.ppf(0.975, 19) / stats.norm.ppf(0.975)
    seen = [t * np.sqrt(0.16 / 19), t * np.sqrt(0.1875 / 19)]
    assert number(found, "ece_expected") == pytest.approx(np.sqrt(2 / np.pi) * np.mean(seen))


def test_the_interval_of_a_share_is_wilsons_with_the_draws_it_is_worth(found: Backtest) -> None:
    # 19 of 40 missed. The clusters' half width is t(39) × √(p q ÷ 39), so the share is worth
    # z² p q ÷ half² = 39 z² ÷ t² draws.
    p, z, t = 19 / 40, stats.norm.ppf(0.975), stats.t.ppf(0.975, 39)
    n = 39 * z**2 / t**2
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    assert number(found, "observed") == pytest.approx(p)
    assert number(found, "observed_low") == pytest.approx(middle - reach)
    assert number(found, "observed_high") == pytest.approx(middle + reach)


def test_the_interval_of_the_error_is_a_mean_s(found: Backtest) -> None:
    # Nine statements cost .64 and thirty-one .04: variance (9 × .465² + 31 × .135²) ÷ 39
    spread = np.sqrt((9 * 0.465**2 + 31 * 0.135**2) / 39)
    half = stats.t.ppf(0.975, 39) * spread / np.sqrt(40)
    assert number(found, "brier_low") == pytest.approx(0.175 - half)
    assert number(found, "brier_high") == pytest.approx(0.175 + half)


def test_bins_say_from_where_to_where_and_what_came(found: Backtest) -> None:
    bins = found.reliability.select("bin", "from", "to", "stated", "observed", "n_said", "n_goals")
    for row, wanted in zip(
        bins.rows(), [(1, 0.2, 0.2, 0.2, 0.2, 20, 20), (2, 0.8, 0.8, 0.8, 0.75, 20, 20)], strict=True
    ):
        assert row == pytest.approx(wanted)


def test_forty_goals_rule_nothing_out(found: Backtest) -> None:
    # Said 50 %, came 47.5 %; the residuals −.2, .8, −.8, .2 leave ±13 points open.
    assert number(found, "difference") == pytest.approx(0.025)
    assert found.total["verdict"][0] == "cannot_tell"
