"""Claims about who can be compared, what would help, and what is said of it to whom."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest

from analytics.disclosure import Released, release
from analytics.language import Language
from analytics.policy import MINIMUM_COMPARISONS
from analytics.severity.linear import severity
from analytics.severity.linkage import chart
from analytics.severity.linkage.comparability import Comparability, comparability
from analytics.severity.linkage.information import Variances, information
from tests.severity_company import company

EN = Language("en")
AS_OF = date(2026, 6, 30)
VARIANCES = Variances(rater=0.1, residual=0.3, pair=0.05)
Teams = dict[str, list[str]]


def rated(
    teams: Teams, *, source: str = "manager", departments: dict[str, str] | None = None
) -> pl.DataFrame:
    """One rating of each person of each rater; a person's department goes by the first letter of the id."""
    rows = [(rater, person, source) for rater, people in teams.items() for person in people]
    return pl.DataFrame(
        [(a, b, (departments or {}).get(b[0]), s) for a, b, s in rows],
        schema=dict.fromkeys(["rater_id", "ratee_id", "department_id", "source"], pl.String),
        orient="row",
    )


def people(letter: str, n: int, start: int = 0) -> list[str]:
    return [f"{letter}{i:02}" for i in range(start, start + n)]


def linked(*, raters: int = 6, each: int = 6) -> Teams:
    """Raters in a chain, each of whom shares two people with the next."""
    return {f"m{k}": people("a", each, k * (each - 2)) for k in range(raters)}


def released(found: Comparability) -> Released[Comparability]:
    return release(found, as_of=AS_OF)


def standing(found: Comparability) -> dict[str, str]:
    return dict(found.raters.select("rater_id", "standing").iter_rows())


def test_raters_in_a_chain_can_all_be_compared() -> None:
    found = comparability(rated(linked()))
    assert set(standing(found).values()) == {"compared"}
    assert found.n_connected == found.n_raters == 6
    assert found.reviews.filter(pl.col("purpose") == "connect").is_empty()
    assert chart.takeaway(released(found), EN).startswith(
        "All 6 raters who rated at least 5 people can be compared with each other."
    )


def test_a_rater_of_people_nobody_else_rated_is_alone() -> None:
    found = comparability(rated(linked() | {"lone": people("z", 7)}))
    assert standing(found)["lone"] == "alone"
    said = chart.takeaway(released(found), EN)
    assert "6 of 7 raters" in said
    assert "1 cannot, because nobody else ever rated any of the people this rater rated." in said
    assert "1 extra review would connect them." in said


def test_a_rater_of_four_people_is_told_apart_from_those_who_cannot_be_compared() -> None:
    found = comparability(rated(linked() | {"brief": people("a", 4)}))
    assert standing(found)["brief"] == "few_ratees"
    assert "1 more rated fewer than 5 people" in chart.takeaway(released(found), EN)


def test_nobody_is_compared_within_a_circle_of_four_raters() -> None:
    found = comparability(rated(linked(raters=4)))
    assert set(standing(found).values()) == {"apart"}
    said = chart.takeaway(released(found), EN)
    assert said.startswith("No rater can be compared: the largest group of raters who share people has 4")


def test_two_halves_that_share_nobody_take_one_review() -> None:
    other = {f"n{k}": people("b", 6, k * 4) for k in range(6)}
    rows = rated(linked() | other, departments={"a": "east", "b": "west"})
    found = comparability(rows, variances=VARIANCES)
    assert sorted(standing(found).values()) == ["apart"] * 6 + ["compared"] * 6
    plan = found.reviews.filter(pl.col("purpose") == "connect")
    assert plan.height == 1
    row = plan.row(0, named=True)
    assert (row["n_joined"], row["n_told"], row["n_connected"]) == (6, 6, 12)
    assert {row["rater_department_id"], row["ratee_department_id"]} == {"east", "west"}
    assert found.bridges.is_empty()
    shown = released(found)
    assert "6 cannot, because only a few raters, apart from all others, rated" in chart.takeaway(shown, EN)
    assert chart.map_takeaway(shown, EN).startswith("No two departments are bridged")


def test_one_cycle_with_one_manager_each_says_how_many_reviews_the_whole_takes() -> None:
    teams = {f"m{k:02}": people("abcdefghijklmnopqrstuvwxyz"[k % 26], 6, 10 * k) for k in range(50)}
    found = comparability(rated(teams))
    assert set(standing(found).values()) == {"alone"}
    assert found.reviews["n_connected"].to_list() == list(range(2, 51))
    said = chart.takeaway(released(found), EN)
    assert "No two raters can be compared: nobody was rated by more than one of them" in said
    assert "It takes 49 extra reviews to connect everybody." in said
    # After 20 joins 21 of 50 hang together.
    assert "The first 20 connect 42 % of all raters." in said
    assert said.endswith(
        "Each of these raters would have to rate at least 5 people whom others also rate; one review only "
        "makes a start."
    )
    assert "49 extra reviews" in chart.what_would_help(released(found), EN, rater_id=largest(found))
    # Everybody's people have one rater: nobody is looked at twice.
    assert found.reviews["ratee_id"].n_unique() == 49


def test_three_lone_raters_are_asked_about_three_people() -> None:
    # a04 and a05 were rated by m0 and m1, a08 and a09 by m1 and m2, and so on; all others by one.
    lone = {f"x{k}": people("xyz"[k], 7) for k in range(3)}
    plan = comparability(rated(linked() | lone)).reviews.filter(purpose="connect")
    assert plan["ratee_id"].to_list() == ["a04", "a05", "a08"]


def test_people_are_asked_about_again_before_those_of_one_rater_are() -> None:
    # p and q were rated by all five; each can be looked at three times.
    teams = {f"m{k}": [*people("a", 5, 10 * k), "p", "q"] for k in range(5)}
    lone = {f"x{k}": people("ghijkl"[k], 7) for k in range(6)}
    plan = comparability(rated(teams | lone)).reviews.filter(purpose="connect")
    assert plan["ratee_id"].to_list() == ["p", "q"] * 3


def largest(found: Comparability) -> str:
    return str(found.raters.filter(component=1)["rater_id"][0])


def test_groups_of_more_raters_of_enough_people_are_joined_first() -> None:
    pair = {"p1": people("x", 6), "p2": people("x", 6, 2)}
    single = {"s1": people("y", 20)}
    small = {"t1": people("z", 2)}
    plan = comparability(rated(linked() | pair | single | small)).reviews
    assert plan["rater_id"].to_list()[:3] == ["p1", "s1", "t1"]
    assert plan["n_told"].to_list()[:3] == [2, 1, 0]


def test_whoever_is_asked_rates_somebody_many_rated_in_the_same_department() -> None:
    # In both departments people were rated by two; b00 by three.
    teams = linked() | {f"n{k}": people("b", 6, k * 4) for k in range(6)} | {"x": ["a00", *people("b", 6)]}
    rows = rated(teams | {"lone": people("c", 7)}, departments={"a": "east", "b": "west", "c": "west"})
    row = comparability(rows).reviews.filter(rater_id="lone").row(0, named=True)
    assert row["ratee_department_id"] == "west"
    assert row["ratee_id"] == "b04"  # of n0, n1 and x; b05 too, but comes after


def test_a_boss_who_rates_a_lone_manager_is_not_rated_by_that_manager() -> None:
    # The manager would have to rate somebody who rates the manager: the boss's group asks the other way.
    plan = comparability(rated({"boss": ["manager"], "manager": people("a", 8)})).reviews
    assert plan.select("rater_id", "ratee_id").rows() == [("boss", "a00")]


def test_only_people_who_are_still_here_are_asked() -> None:
    teams = linked() | {"gone": people("x", 7), "left": people("y", 7)}
    present = {*linked(), *people("a", 30), *people("x", 7, 3)}
    plan = comparability(rated(teams), present=present).reviews.filter(pl.col("purpose") == "connect")
    # Of the group of "gone" three of the people are left to be rated; of "left" nobody.
    assert plan.height == 1
    row = plan.row(0, named=True)
    assert row["ratee_id"] == "x03"
    assert row["rater_id"] in linked()
    assert row["n_needed"] is None


def test_weakly_linked_raters_get_two_reviews_that_raise_their_reliability() -> None:
    teams = linked(raters=8, each=8) | {"weak": [*people("w", 6), "a00"]}
    found = comparability(rated(teams), variances=VARIANCES)
    weak = found.raters.row(by_predicate=pl.col("rater_id") == "weak", named=True)
    assert weak["standing"] == "compared"
    assert weak["weak"]
    assert weak["hangs_on_one"]
    assert weak["as_good_as"] < MINIMUM_COMPARISONS.value
    plan = found.reviews.filter(rater_id="weak")
    assert plan["purpose"].to_list() == ["strengthen", "strengthen"]
    assert plan["reliability_before"][0] == weak["reliability"]
    assert plan["reliability_after"][0] == plan["reliability_before"][1]
    assert (plan["reliability_after"] > plan["reliability_before"]).all()
    again = comparability(
        pl.concat([rated(teams), rated({"weak": plan["ratee_id"].to_list()})]), variances=VARIANCES
    )
    after = again.raters.row(by_predicate=pl.col("rater_id") == "weak", named=True)
    assert after["reliability"] == pytest.approx(plan["reliability_after"][1])
    assert not after["hangs_on_one"]


def test_with_the_spread_of_people_known_reliability_is_that_of_the_linear_model() -> None:
    # One department and one cycle, so that rater, ratee and chance are all there is.
    ratings = company(4, people=300, raters=20, departments=1, cycles=1, second=0.7, outside=0.0).ratings
    fitted = severity(ratings)
    parts = dict(fitted.variances.select("part", "variance").iter_rows())
    assert set(parts) == {"rater", "ratee", "residual"}
    variances = Variances(parts["rater"], parts["residual"], ratee=parts["ratee"])
    both = fitted.raters.join(information(ratings, variances=variances).raters, on="rater_id", suffix="_net")
    assert both.height == 20
    assert both["reliability_net"].to_list() == pytest.approx(both["reliability"].to_list(), abs=1e-6)


def test_variances_of_a_fit_without_differences_between_raters_are_none() -> None:
    parts = pl.DataFrame({"part": ["rater", "residual"], "variance": [0.0, 0.4]})
    assert Variances.fitted(parts) is None
    assert Variances.fitted(parts.clear()) is None
    with pytest.raises(ValueError, match="residual must be a finite variance above nought; got 0"):
        Variances(0.1, 0.0)


def test_links_are_told_by_why_they_exist() -> None:
    rows = pl.concat(
        [
            rated({"m1": ["a", "b"], "m2": ["a", "c"]}),
            rated({"s1": ["b"]}, source="skip_level"),
            rated({"x1": ["c"]}, source="cross_department"),
            rated({"p1": ["c"]}, source="peer"),
        ]
    )
    found = comparability(rows)
    # a moved from m1 to m2; b has a skip-level, c two others.
    assert dict(found.kinds.select("kind", "n_people").iter_rows()) == {
        "moved": 1,
        "skip_level": 1,
        "cross_department": 1,
        "other": 1,
    }
    why = dict(found.people.select("ratee_id", "why").iter_rows())
    assert why == {"a": ["moved"], "b": ["skip_level"], "c": ["cross_department", "other"]}


def test_self_ratings_link_nobody() -> None:
    rows = pl.concat([rated({"m1": ["a"]}), rated({"a": ["a"]}, source="self")])
    assert comparability(rows).raters["rater_id"].to_list() == ["m1"]


def test_without_ratings_there_is_a_sentence_and_no_crash() -> None:
    found = released(comparability(rated({})))
    assert chart.takeaway(found, EN).startswith("There are no ratings by others in this choice.")
    assert chart.what_would_help(found, EN, rater_id="m1") == ""
    assert chart.figure(found, EN, mode="light").layout.annotations[0].text


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="missing source"):
        comparability(rated(linked()).drop("source"))


def test_raters_and_bridges_of_few_people_are_hidden() -> None:
    teams = linked() | {f"n{k}": people("b", 6, k * 4) for k in range(6)} | {"brief": ["a00", "b00"]}
    teams["m0"] = [*teams["m0"], "b01", "b02"]
    rows = rated(teams, departments={"a": "east", "b": "west"})
    shown = released(comparability(rows, variances=VARIANCES))
    brief = shown.value.raters.row(by_predicate=pl.col("rater_id") == "brief", named=True)
    assert brief["n_ratees"] is None
    assert brief["standing"] is None
    # b01 and b02 were rated from east and west: fewer than five.
    assert shown.value.bridges["n_people"].to_list() == [None]
    spec = json.loads(chart.figure(shown, EN, mode="dark", names={"east": "East", "west": "West"}).to_json())
    assert any(trace["line"].get("dash") == "dash" for trace in spec["data"] if trace["mode"] == "lines")
    assert "A dashed bridge stands on fewer than 5 people." in chart.legend(shown, EN)
    assert "1 bridge stands on fewer than 5 people." in chart.map_takeaway(shown, EN)
    hover = " ".join(str(text) for trace in spec["data"] for text in trace.get("hovertext") or [])
    assert "East and West: fewer than 5 people rated from both" in hover


def test_a_wider_bridge_is_drawn_wider() -> None:
    teams = {f"m{k}": people("a", 30) for k in range(5)} | {f"n{k}": people("b", 30) for k in range(5)}
    teams |= {f"o{k}": people("c", 30) for k in range(5)}
    teams["m0"] = [*people("a", 30), *people("b", 24)]
    teams["n0"] = [*people("b", 30), *people("c", 6)]
    shown = released(comparability(rated(teams, departments={"a": "A", "b": "B", "c": "C"})))
    assert shown.value.bridges.select("one", "other", "n_people").rows() == [("A", "B", 24), ("B", "C", 6)]
    fig = chart.figure(shown, EN, mode="light")
    widths = [trace.line.width for trace in fig.data if trace.mode == "lines"]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 2 * widths[1]


def test_what_would_help_names_people_only_where_names_are_given() -> None:
    teams = linked() | {"lone": people("z", 7)}
    rows = rated(teams, departments={"a": "east", "z": "west"})
    shown = released(comparability(rows, variances=VARIANCES))
    unnamed = chart.what_would_help(shown, EN, rater_id="lone", departments={"east": "East", "west": "West"})
    assert unnamed.startswith("Rated only people whom nobody else ever rated")
    assert "a review of somebody in East by somebody in West" in unnamed
    assert "lone" not in unnamed
    ratee = shown.value.reviews.filter(rater_id="lone")["ratee_id"][0]
    named = chart.what_would_help(shown, EN, rater_id="lone", names={"lone": "Lo", ratee: "Ann"})
    assert "a review of Ann by Lo" in named
    needed = shown.value.reviews.filter(rater_id="lone")["n_needed"][0]
    assert (
        f"This rater would have to rate about {needed} people whom others also rate; one review only makes a "
        "start."
    ) in named
    help_words = chart.helps_in_short(
        shown, shown.value.raters.filter(rater_id="lone"), EN, names={"lone": "Lo", ratee: "Ann"}
    )
    assert help_words == [f"Has to rate about {needed} more people, Ann first."]
    assert (
        f"Each of these raters would have to rate about {needed} people whom others also rate; one review "
        "only makes a start."
    ) in chart.takeaway(shown, EN)


def test_who_is_asked_need_not_be_the_rater_in_question() -> None:
    pair = {"p1": people("x", 8), "p2": people("x", 6, 4)}
    shown = released(comparability(rated(linked() | pair)))
    said = chart.what_would_help(shown, EN, rater_id="p2", names={"p1": "Pat"})
    assert said.startswith("Shares people only with a few raters")
    assert "by Pat" in said


def test_for_somebody_who_can_be_compared_it_is_said_how_well() -> None:
    shown = released(comparability(rated({f"m{k}": people("a", 9) for k in range(8)})))
    assert chart.what_would_help(shown, EN, rater_id="m0") == (
        # Nine people with eight raters each: 2 * 9 * (1 - 1/8) = 15.75.
        "Can be compared, as well as if 16 people had been rated on both sides."
    )


def test_two_reviews_for_each_group_are_said_as_two() -> None:
    found = comparability(rated(linked() | {"lone": people("z", 7)}), secure=True)
    assert found.reviews["purpose"].to_list()[:2] == ["connect", "secure"]
    assert "2 extra reviews would connect them." in chart.takeaway(released(found), EN)
    said = chart.what_would_help(released(found), EN, rater_id="lone", names={"m0": "Mo", "z00": "Zoe"})
    assert "So that it does not hang on one person: also a review of Zoe by" in said


def test_a_rater_of_few_people_who_hangs_on_one_is_not_counted_as_cut_off() -> None:
    # Without a00 the one of two people is cut off, who cannot be compared anyway; the chain still holds.
    brief = comparability(rated(linked() | {"brief": ["a00", "w00"]}))
    assert chart.lasting_takeaway(released(brief), EN).endswith("all who can be compared still can be.")
    assert brief.people["n_cut_off"].to_list() == [0] * brief.people.height
    weak = comparability(rated(linked() | {"weak": [*people("w", 6), "a00"]}))
    assert weak.people.filter(pl.col("n_cut_off") > 0).select("ratee_id", "n_cut_off").rows() == [("a00", 1)]


def test_it_is_said_how_many_stay_comparable_whoever_is_left_out() -> None:
    # In the chain every two neighbours share two people; one more rater hangs on a00 alone.
    shown = released(comparability(rated(linked())))
    assert chart.lasting_takeaway(shown, EN) == (
        "Whichever single person is left out, all who can be compared still can be."
    )
    shown = released(comparability(rated(linked() | {"weak": [*people("w", 6), "a00"]})))
    assert chart.lasting_takeaway(shown, EN).startswith("Whichever single person is left out, 6 of 7 who")
    assert chart.lasting_takeaway(released(comparability(rated(linked(raters=2)))), EN) == ""
