"""What sentences about early warnings say, and what the pictures show."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest

from analytics.disclosure import Released, release
from analytics.goals import warning_chart as chart
from analytics.goals.lead_time import LeadTimes, lead_times
from analytics.goals.warning import KINDS, EarlyWarnings, apart_from, of_kind
from analytics.goals.warning_chart import Known
from analytics.language import Language
from tests.unit.test_goals_warning import AS_OF, course, drawn, goals, warned, weekly

EN, ZH = Language("en"), Language("zh")
DAY = date(2026, 5, 11)
KNOWN = Known(
    people={"E1": "Ada", "E9": "Ida"},
    goals={"G": "Ship the pump", "S": "Win the market"},
    raising={"G": ["scope_growth", "recent_pace", "silence"]},
)
ROW: dict[str, Any] = {
    "warning_id": "w",
    "kind": "chance",
    "goal_id": "G",
    "unit": "pieces",
    "owner_id": "E1",
    "due_on": date(2026, 7, 4),
    "arose_on": DAY,
    "chance_before": 0.38,
    "chance_then": 0.64,
    "limit": 0.6,
    "updated_on": date(2026, 1, 5),
    "cadence_days": 14,
    "target_before": None,
    "target_after": None,
    "due_before": None,
    "due_after": None,
    "reason": None,
    "approved_by": None,
    "confidence_before": 0.8,
    "confidence_after": 0.5,
    "chance": 0.71,
    "rolled": False,
    "guess": False,
    "ended_on": None,
    "strategic_id": "S",
    "share": 0.12,
    "below": 3,
}


def row(**changed: Any) -> dict[str, Any]:
    return {**ROW, **changed}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "On 11 May 2026 the delay probability rose from 38 % to 64 %. Now it is 71 %."),
        (
            {"ended_on": date(2026, 6, 1), "chance": 0.91, "guess": True},
            "On 11 May 2026 the delay probability rose from 38 % to 64 %.",
        ),
        (
            {"guess": True, "chance": 0.64},
            (
                "On 11 May 2026 the delay probability rose from 38 % to 64 %. No past goal stands behind "
                "this yet: it is a first guess and may be far off."
            ),
        ),
        (
            {"rolled": True},
            (
                "By the goals below it its delay probability rose from 38 % to 64 % by 11 May 2026. "
                "Now it is 71 %."
            ),
        ),
        (
            {"rolled": True, "chance_before": None, "chance": 0.64},
            "By the goals below it its delay probability was 64 % on 11 May 2026.",
        ),
        ({"chance": 0.64}, "On 11 May 2026 the delay probability rose from 38 % to 64 %."),
        (
            {"chance_before": None, "chance": None},
            "When it was first looked at, on 11 May 2026, the delay probability was 64 %.",
        ),
        (
            {"kind": "stale"},
            "Nobody has updated it since 5 Jan 2026, though it is to be checked every 14 days.",
        ),
        (
            {"kind": "stale", "cadence_days": 1},
            "Nobody has updated it since 5 Jan 2026, though it is to be checked every day.",
        ),
        ({"kind": "confidence"}, "On 11 May 2026 the owner's confidence fell from 80 % to 50 %."),
        (
            {"kind": "scope", "target_before": 80.0, "target_after": 1200.5, "approved_by": "E9"},
            (
                "On 11 May 2026 the target was made harder: from 80 pieces to 1,200.5 pieces. Ida approved "
                "it. No reason was given."
            ),
        ),
        (
            {
                "kind": "scope",
                "due_before": date(2026, 6, 1),
                "due_after": date(2026, 7, 4),
                "reason": "Parts came late",
            },
            (
                "On 11 May 2026 the due date was moved from 1 Jun 2026 to 4 Jul 2026. Nobody approved it. "
                "Reason given: “Parts came late”."
            ),
        ),
    ],
)
def test_what_happened(changed: dict[str, Any], said: str) -> None:
    assert chart.happened(row(**changed), EN, KNOWN) == said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "12 % of the strategic goal “Win the market” rests on it. 3 goals hang below it."),
        ({"below": 0}, "12 % of the strategic goal “Win the market” rests on it."),
        ({"goal_id": "S", "share": 1.0}, "It is a strategic goal. 3 goals hang below it."),
        ({"share": 0.0, "below": 1}, "It serves the strategic goal “Win the market”. 1 goal hangs below it."),
        ({"strategic_id": None, "below": 0}, "It serves no strategic goal that is still open."),
    ],
)
def test_what_hangs_on_it(changed: dict[str, Any], said: str) -> None:
    assert chart.stakes(row(**changed), EN, KNOWN) == said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "Talk to Ada about what was added to it and why it has slowed down. Cut back what was added."),
        (
            {"goal_id": "H"},
            "Talk to Ada about what stands in the way. Agree on the one thing that changes this week.",
        ),
        ({"chance": 0.9, "goal_id": "H"}, "Talk to Ada about what stands in the way. Decide soon: cut its"),
        ({"kind": "stale"}, "Ask Ada for an update today; if nobody works on it any more, close it."),
        ({"kind": "confidence"}, "Ask Ada what happened, and what would bring the confidence back."),
        ({"kind": "scope"}, "Approve the change or take it back, and agree with Ada on what is dropped"),
        ({"kind": "scope", "approved_by": "E9"}, "Check with Ada that the plan still holds"),
        ({"owner_id": None}, "Name an owner first: nobody answers for this goal."),
        ({"owner_id": "E77", "kind": "stale"}, "Ask E77 for an update"),  # a name the reader may not know
    ],
)
def test_what_to_do(changed: dict[str, Any], said: str) -> None:
    assert chart.next_step(row(**changed), EN, KNOWN).startswith(said)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_word_and_a_shape_of_its_own(kind: str) -> None:
    words = chart.kind_words(EN)
    assert sorted(words) == sorted(KINDS)
    assert len({word[0] for word in words.values()}) == len(KINDS)


# --- the finding --------------------------------------------------------------------------------------


def standing(*delays: tuple[str, float]) -> Released[EarlyWarnings]:
    """Goals below S, each warned of since the third fortnight."""
    tree = goals(
        {"goal_id": "S", "scope": "company"}, *({"goal_id": name, "parent_id": "S"} for name, _ in delays)
    )
    said = pl.concat([course(0.2, 0.2, p, goal=name) for name, p in delays])
    updates = pl.concat([weekly(goal=name) for name in tree["goal_id"]])
    return release(warned(said, tree, updates), as_of=AS_OF)


SINCE = date(2026, 1, 20)
TWO = Known(goals={"S": "Win the market", "A": "Ship the pump", "B": "Hire ten"})


def test_the_finding_counts_and_names_what_weighs_most() -> None:
    said = chart.takeaway(standing(("A", 0.75), ("B", 0.9)), EN, TWO, day=SINCE)
    assert said == (
        "2 new warnings since 20 Jan 2026. They touch the strategic goal “Win the market”.\n"
        "Most hangs on “Hire ten”: its delay probability is 90 %."
    )


def test_what_was_acknowledged_is_counted_apart() -> None:
    found = standing(("A", 0.75), ("B", 0.9))
    heaviest = found.value.standing["warning_id"][0]
    said = chart.takeaway(found, EN, TWO, day=SINCE, answered=frozenset({heaviest}))
    assert said == (
        "1 new warning since 20 Jan 2026. It touches the strategic goal “Win the market”.\n"
        "1 has been acknowledged."
    )


def test_old_warnings_still_stand() -> None:
    said = chart.takeaway(standing(("A", 0.75)), EN, TWO, day=AS_OF)
    assert said == "No new warning since 25 May 2026.\n1 warning from before still stands."


def test_nothing_is_said_to_be_nothing() -> None:
    assert chart.takeaway(standing(("A", 0.1)), EN, TWO, day=SINCE) == "No warning stands."


def test_in_order_every_goal_is_named_once_before_any_again() -> None:
    found = standing(("A", 0.75), ("B", 0.9))
    twice = pl.concat([found.value.warnings, found.value.warnings.with_columns(kind=pl.lit("stale"))])
    doubled = release(replace(found.value, warnings=twice.sort("consequence", descending=True)), as_of=AS_OF)
    order = chart.new_first(doubled, day=SINCE)["goal_id"].to_list()
    assert order == ["B", "A", "B", "A"]


def test_told_under_an_older_id_is_told() -> None:
    found = standing(("A", 0.75)).value
    assert apart_from(found, frozenset({found.standing["known_as"].item()[-1]})).standing.is_empty()
    assert apart_from(found, frozenset({"another"})).standing.height == 1
    assert of_kind(found, "stale").standing.is_empty()


# --- what past warnings were worth --------------------------------------------------------------------


@pytest.fixture(scope="module")
def past() -> Released[LeadTimes]:
    as_of = date(2026, 12, 31)
    return release(lead_times(drawn(600, seed=3), as_of=as_of), as_of=as_of)


def test_worth_says_shares_with_their_intervals(past: Released[LeadTimes]) -> None:
    own = past.value.measures.row(0, named=True)
    said = chart.worth(past, EN)
    assert (
        f"Of {own['missed']} goals that missed, {round(100 * own['early_share'])} % had been warned" in said
    )
    assert f"(likely {round(100 * own['precision_low'])} % to {round(100 * own['precision_high'])} %)" in said
    assert f"came {round(own['lead_days'])} days or more before" in said
    assert "With as many warnings the pace rule" in said


def test_of_few_misses_nothing_is_said() -> None:
    few = lead_times(drawn(12, seed=3), as_of=date(2026, 12, 31))
    said = chart.worth(release(few, as_of=AS_OF), EN)
    assert said.startswith("The data cannot tell yet what warnings are worth")
    none = lead_times(course(0.1), as_of=AS_OF)
    assert "0 goals that missed" in chart.worth(release(none, as_of=AS_OF), EN)


def test_the_limit_says_whether_it_was_chosen(past: Released[LeadTimes]) -> None:
    assert "The limit was chosen from" in chart.limit_words(past.value, EN)
    assert "taken at its word" in chart.limit_words(lead_times(course(0.1), as_of=AS_OF), EN)


def test_the_picture_shows_what_the_measures_say(past: Released[LeadTimes]) -> None:
    figure = chart.worth_figure(past, EN, "light")
    own = past.value.measures.row(0, named=True)
    trace = next(trace for trace in figure.data if trace.name == "Delay probability")
    assert list(trace.x) == [own["early_share"], own["recall"], own["precision"]]
    assert list(trace.error_x.array) == pytest.approx(
        [own[f"{name}_high"] - own[name] for name in ("early_share", "recall", "precision")]
    )


def test_the_line_of_lead_times_ends_at_recall_and_passes_the_early_share(past: Released[LeadTimes]) -> None:
    own = past.value.measures.row(0, named=True)
    figure = chart.lead_figure(past, EN, "light")
    line = next(trace for trace in figure.data if trace.name == "Delay probability")
    shares = dict(zip(line.x, line.y, strict=True))
    assert shares[0] == pytest.approx(own["recall"])
    # The share warned of 14 days ahead is that at the first number of days from 14 on.
    assert shares[min(day for day in shares if day >= 14)] == pytest.approx(own["early_share"])
    assert list(line.y) == sorted(line.y, reverse=True)


def test_without_cases_pictures_say_so() -> None:
    none = release(lead_times(course(0.1), as_of=AS_OF), as_of=AS_OF)
    for figure in (chart.worth_figure(none, EN, "dark"), chart.lead_figure(none, ZH, "dark")):
        assert len(figure.data) == 0
        assert figure.layout.annotations[0].text


def test_the_table_has_all_quarters_on_top_and_then_the_latest(past: Released[LeadTimes]) -> None:
    table = chart.worth_table(past, EN)
    assert table["Due in"][:4].to_list() == ["All", "All", "All", "Quarter 4 of 2026"]
    assert table.height == past.value.measures.height


def test_counts_by_kind_are_in_words() -> None:
    found = standing(("A", 0.75), ("B", 0.9)).value.standing
    assert chart.count_words(found, EN) == "◆ Likely to be late 2"
    assert chart.count_words(found.clear(), EN) == ""


def test_warnings_are_counted_by_the_strategic_goal_they_touch() -> None:
    new, old = date(2026, 5, 18), date(2026, 4, 1)
    found = pl.DataFrame(
        [
            ("S", "S", new),
            ("a", "S", old),
            ("b", "S", new),
            ("b", "S", new),
            ("T", "T", old),
            ("c", None, new),
        ],
        schema=["goal_id", "strategic_id", "arose_on"],
        orient="row",
    )
    # Of S two goals are new, itself and b; b is named, for whoever reads of S wants to know where to look.
    assert chart.by_strategic(found, day=DAY).rows() == [("S", 2, 3, "b"), ("T", 0, 1, "T")]


def test_no_warning_is_not_said_to_be_well_while_goals_are_late() -> None:
    late = goals({}, {"goal_id": "L", "due_on": date(2026, 5, 1)})
    found = release(warned(goal=late, check_ins=pl.concat([weekly(), weekly(goal="L")])), as_of=AS_OF)
    assert chart.takeaway(found, EN, KNOWN, day=DAY) == (
        "No warning stands. 1 goal is past its due date and still open: too late for a warning."
    )


def test_what_to_do_about_a_goal_judged_from_below_and_about_a_first_guess() -> None:
    below = chart.next_step(row(rolled=True, chance=0.9), EN, KNOWN)
    assert below.startswith("Go through the goals below it with Ada")
    assert "what was added" not in below  # what its own check-ins show explains nothing of it
    guessed = chart.next_step(row(guess=True, chance=0.9), EN, KNOWN)
    assert guessed.endswith("Find out how it stands before anything is decided.")
    assert "cut its scope" not in guessed
