"""What holds for every course of goals, whatever was said, updated and changed."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analytics.goals.lead_time import lead_times, limits, marked
from analytics.goals.warning import KINDS, EarlyWarnings, early_warnings, narrowed, since

AS_OF = date(2026, 6, 30)
NEW_YEAR = date(2026, 1, 1)

Company = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]


@st.composite
def companies(draw: st.DrawFn) -> Company:
    """What was said, goals, check-ins and changes of up to five goals with any parents."""
    ids = [f"G{at}" for at in range(draw(st.integers(1, 5)))]
    goals, said, told, changed = [], [], [], []
    for goal in ids:
        start = NEW_YEAR + timedelta(days=draw(st.integers(0, 60)))
        due = start + timedelta(days=draw(st.integers(1, 200)))
        status = draw(st.sampled_from(["draft", "active", "active", "done", "abandoned"]))
        parent = draw(st.none() | st.sampled_from([*ids, "elsewhere"]))
        goals.append(
            {
                "goal_id": goal,
                "parent_id": None if parent == goal else parent,
                "scope": draw(st.sampled_from(["company", "department", "individual"])),
                "kind": draw(st.sampled_from(["increase", "decrease", "stay_below", None])),
                "unit": None,
                "baseline": draw(st.none() | st.just(0.0)),
                "target": draw(st.none() | st.just(100.0)),
                "weight": draw(st.none() | st.integers(0, 100).map(float)),
                "owner_id": draw(st.none() | st.sampled_from(["E1", "E2"])),
                "department_id": None,
                "cadence_days": draw(st.none() | st.integers(1, 40)),
                "start_on": start,
                "due_on": due,
                "status": status,
                "completed_on": draw(st.none() | st.just(start + timedelta(days=30)))
                if status == "done"
                else None,
            }
        )
        missed = draw(st.booleans())
        for at in range(draw(st.integers(0, 14))):
            day = start + timedelta(days=14 * at)
            if day >= min(due, AS_OF):
                break
            known = due <= AS_OF
            delay = draw(st.none() | st.integers(0, 20).map(lambda twentieths: twentieths / 20))
            pace = draw(st.integers(0, 20).map(lambda twentieths: twentieths / 20))
            said.append(
                (
                    goal,
                    day,
                    due,
                    (due - day).days,
                    delay,
                    pace,
                    missed if known else None,
                    due if known else None,
                    None,
                )
            )
        for days in draw(st.lists(st.integers(0, 200), max_size=4, unique=True)):
            sure = draw(st.none() | st.integers(0, 10).map(lambda tenths: tenths / 10))
            told.append((goal, datetime(2026, 1, 1, 9) + timedelta(days=days), sure))
        for days in draw(st.lists(st.integers(0, 200), max_size=2, unique=True)):
            field, old, new = draw(
                st.sampled_from(
                    [
                        ("target", "80", "100"),
                        ("target", "100", "nonsense"),
                        ("due_on", "2026-05-01", "2026-07-01"),
                        ("status", "active", "abandoned"),
                    ]
                )
            )
            moment = datetime(2026, 1, 1, 9) + timedelta(days=days)
            changed.append((goal, moment, field, old, new, None, draw(st.none() | st.just("E9"))))
    text = ("field", "old_value", "new_value", "reason", "approved_by")
    return (
        pl.DataFrame(
            said,
            schema={
                "goal_id": pl.String,
                "seen_on": pl.Date,
                "due_on": pl.Date,
                "days_left": pl.Int64,
                "delay": pl.Float64,
                "pace_delay": pl.Float64,
                "missed": pl.Boolean,
                "known_on": pl.Date,
                "origin": pl.Date,
            },
            orient="row",
        ),
        pl.DataFrame(
            goals,
            schema_overrides={
                "parent_id": pl.String,
                "kind": pl.String,
                "unit": pl.String,
                "baseline": pl.Float64,
                "target": pl.Float64,
                "weight": pl.Float64,
                "owner_id": pl.String,
                "department_id": pl.String,
                "cadence_days": pl.Int64,
                "completed_on": pl.Date,
            },
        ),
        pl.DataFrame(
            told,
            schema={"goal_id": pl.String, "checked_at": pl.Datetime, "confidence": pl.Float64},
            orient="row",
        ),
        pl.DataFrame(
            changed,
            schema={"goal_id": pl.String, "changed_at": pl.Datetime, **dict.fromkeys(text, pl.String)},
            orient="row",
        ),
    )


def warned(company: Company, *, as_of: date = AS_OF) -> EarlyWarnings:
    said, goals, told, changed = company
    return early_warnings(said.filter(pl.col("seen_on") <= as_of), goals, told, as_of=as_of, changes=changed)


@settings(max_examples=40, deadline=None)
@given(companies())
def test_a_warning_arises_once_in_the_life_of_its_goal_and_ends_after_it_arose(company: Company) -> None:
    found = warned(company).warnings
    assert found["warning_id"].n_unique() == found.height
    assert found.select("goal_id", "kind", "arose_on").n_unique() == found.height
    assert found.filter(~pl.col("kind").is_in(KINDS)).is_empty()
    assert found.filter(pl.col("arose_on") > AS_OF).is_empty()
    assert found.filter(pl.col("ended_on") <= pl.col("arose_on")).is_empty()
    assert found.filter(pl.col("ended_on") > AS_OF).is_empty()
    assert (found["known_as"].list.first() == found["warning_id"]).all()


@settings(max_examples=40, deadline=None)
@given(companies())
def test_nothing_stands_about_a_goal_that_is_over(company: Company) -> None:
    found = warned(company).standing.join(company[1], on="goal_id", how="left", suffix="_of_goal")
    assert found.filter(pl.col("due_on") < AS_OF).is_empty()
    assert found.filter(pl.col("status") != "active").is_empty()


@settings(max_examples=40, deadline=None)
@given(companies())
def test_two_warnings_of_a_kind_never_stand_at_once_but_for_news(company: Company) -> None:
    lasting = warned(company).warnings.filter(pl.col("kind").is_in(["chance", "stale"]))
    spells = lasting.sort("goal_id", "kind", "arose_on").with_columns(
        pl.col("arose_on").shift(-1).over("goal_id", "kind").alias("next")
    )
    assert spells.filter(pl.col("next").is_not_null(), pl.col("ended_on").is_null()).is_empty()
    assert spells.filter(pl.col("ended_on") > pl.col("next")).is_empty()


@settings(max_examples=40, deadline=None)
@given(companies(), st.randoms())
def test_the_order_of_rows_does_not_matter(company: Company, random: object) -> None:
    turned = tuple(frame.reverse() for frame in company)
    assert_frame_equal(warned(company).warnings, warned(turned).warnings)  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(companies())
def test_of_each_strategic_goal_no_more_than_all_rests_on_the_goals_directly_below(company: Company) -> None:
    found = (
        warned(company)
        .warnings.unique("goal_id")
        .join(company[1].select("goal_id", "parent_id"), on="goal_id", how="left")
    )
    assert found.filter((pl.col("share") < 0) | (pl.col("share") > 1)).is_empty()
    below = found.filter(pl.col("parent_id") == pl.col("strategic_id"))
    assert (
        below.group_by("strategic_id")
        .agg(pl.col("share").sum())
        .filter(pl.col("share") > 1 + 1e-9)
        .is_empty()
    )


@settings(max_examples=40, deadline=None)
@given(companies(), st.integers(0, 180))
def test_what_stood_on_a_day_is_still_known_to_have_arisen(company: Company, days: int) -> None:
    """As long as nothing that was said by then is said otherwise later."""
    day = NEW_YEAR + timedelta(days=days)
    said, goals, told, changed = company
    # What a status or a due date was on that day the goals do not say.
    then = early_warnings(
        said.filter(pl.col("seen_on") <= day),
        goals.filter(pl.col("status") == "active"),
        told,
        as_of=day,
        changes=changed,
    ).warnings
    later = early_warnings(
        said, goals.filter(pl.col("status") == "active"), told, as_of=AS_OF, changes=changed
    ).warnings
    assert set(then["warning_id"]) <= set(later["warning_id"])


@settings(max_examples=40, deadline=None)
@given(companies())
def test_narrowing_takes_away_and_adds_nothing(company: Company) -> None:
    found = warned(company)
    kept = narrowed(found, frozenset({"G0"}))
    assert_frame_equal(kept.warnings, found.warnings.filter(goal_id="G0"))
    assert since(kept, NEW_YEAR).height == kept.standing.height


@settings(max_examples=40, deadline=None)
@given(companies())
def test_warned_days_lie_between_the_two_limits_or_beyond(company: Company) -> None:
    said = company[0]
    found = marked(said, limits(said, as_of=AS_OF))
    assert found.filter(~pl.col("warned"), pl.col("delay") >= pl.col("limit")).is_empty()
    assert found.filter(pl.col("warned"), pl.col("delay") < pl.col("limit") - 0.15 - 1e-9).is_empty()


@settings(max_examples=40, deadline=None)
@given(companies())
def test_shares_of_past_warnings_lie_in_their_intervals(company: Company) -> None:
    found = lead_times(company[0], as_of=AS_OF).measures
    for name in ("precision", "recall", "early_share"):
        outside = (pl.col(name) < pl.col(f"{name}_low") - 1e-9) | (
            pl.col(name) > pl.col(f"{name}_high") + 1e-9
        )
        assert found.filter(outside).is_empty()
    assert found.filter(pl.col("early") > pl.col("warned_missed")).is_empty()
    assert found.filter(pl.col("warned_missed") > pl.min_horizontal("missed", "warned")).is_empty()
