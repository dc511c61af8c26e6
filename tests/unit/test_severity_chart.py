"""The picture draws what is released, and the sentences say it in plain words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest

from analytics.disclosure import Released, release
from analytics.language import Language
from analytics.severity import chart
from analytics.severity.design import Refusal
from analytics.severity.linear import Severity, severity
from tests.severity_company import company

EN = Language("en")
AS_OF = date(2026, 1, 1)


@pytest.fixture(scope="module")
def released() -> Released[Severity]:
    made = company(1, people=600, raters=80, departments=8, standards=(0.5,), cycles=3)
    return release(severity(made.ratings), as_of=AS_OF)


@pytest.fixture(scope="module")
def refused() -> Released[Severity]:
    ratings = company(1, people=100, raters=10, cycles=1, second=0, outside=0).ratings
    return release(severity(ratings), as_of=AS_OF)


def drawn(figure: Any) -> list[float]:
    return [x for trace in figure.data if trace.mode == "markers" for x in trace.x]


def said(figure: Any) -> str:
    return " ".join(annotation.text.replace("<br>", " ") for annotation in figure.layout.annotations)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_all_flagged_raters_are_drawn_and_the_rest_is_counted(
    released: Released[Severity], mode: Any
) -> None:
    figure = chart.figure(released, EN, mode=mode)
    raters = released.value.raters
    points = drawn(figure)
    flagged = raters.filter(pl.col("verdict").is_in(["lenient", "severe"]))["severity"]
    assert len(points) == chart.MOST_RATERS < raters.height
    assert set(flagged) <= set(points)
    assert "20 more raters, nearer to the average, are not drawn." in said(figure)
    assert "average rater" in said(figure)


def test_lenient_and_severe_have_their_own_colours_and_the_rest_is_quiet(
    released: Released[Severity],
) -> None:
    figure = chart.figure(released, EN, mode="light")
    colours = {trace.marker.color: trace.x for trace in figure.data if trace.mode == "markers"}
    assert set(colours) == {"#B35806", "#542788", "#5B6470"}
    assert min(colours["#B35806"]) > 0 > max(colours["#542788"])


def test_raters_who_cannot_be_told_are_counted_and_not_drawn(released: Released[Severity]) -> None:
    raters = released.value.raters.with_columns(
        pl.when(pl.int_range(pl.len()) >= 30).then(pl.col(name)).alias(name)
        for name in ("severity", "low", "high", "verdict", "reason")
    )
    hidden = replace(released, value=replace(released.value, raters=raters))
    figure = chart.figure(hidden, EN, mode="light")
    assert len(drawn(figure)) == raters.height - 30
    assert "For 30 raters the data cannot tell." in said(figure)
    # What is hidden after a release has neither verdict nor reason: it is about too few people.
    assert chart.caveats(hidden, EN).endswith("30 raters rated fewer than 5 people, too few to be judged.")


def test_names_are_escaped_in_the_figure_shortened_and_whole_in_the_hover(
    released: Released[Severity],
) -> None:
    first = released.value.raters.sort("severity", descending=True)["rater_id"][0]
    name = "Ana <a href='x'>Costa</a> " + "y" * 40
    figure = chart.figure(released, EN, mode="light", names={first: name})
    label = figure.layout.yaxis.ticktext[0]
    assert label.startswith("Ana &lt;a href=")
    assert label.endswith("…")
    hovers = [text for trace in figure.data if trace.hovertext for text in trace.hovertext]
    assert any("y" * 40 in text and "<a" not in text for text in hovers)


def test_the_most_lenient_is_on_top(released: Released[Severity]) -> None:
    figure = chart.figure(released, EN, mode="light")
    points = sorted(
        (y, x)
        for trace in figure.data
        if trace.mode == "markers"
        for x, y in zip(trace.x, trace.y, strict=True)
    )
    assert [x for _, x in points] == sorted((x for _, x in points), reverse=True)
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]


def test_departments_are_drawn_with_their_difference(released: Released[Severity]) -> None:
    figure = chart.departments_figure(released, EN, mode="light", names={"d0": "Sales"})
    assert sorted(drawn(figure)) == sorted(released.value.departments["difference"].to_list())
    assert "Sales" in figure.layout.yaxis.ticktext


def found(
    raters: dict[str, tuple[float | None, str | None, str | None]],
    departments: dict[str, tuple[float, str]] | None = None,
    *,
    without: float | None = 0.9,
    accounting: int = 3,
    **changed: Any,
) -> Released[Severity]:
    """A result of raters and departments as (estimate, verdict and, of a rater, reason).

    A department has 11 raters, about two of whom the data cannot tell.
    """
    rows = [(name, *row) for name, row in raters.items()]
    standards = [
        (name, value, value - 0.1, value + 0.1, verdict, None, 11, accounting, 2, without)
        for name, (value, verdict) in (departments or {}).items()
    ]
    result = replace(
        severity(company(1, people=60, raters=8).ratings),
        raters=pl.DataFrame(
            rows,
            schema={"rater_id": pl.String, "severity": pl.Float64, "verdict": pl.String, "reason": pl.String},
            orient="row",
        ),
        departments=pl.DataFrame(
            standards,
            schema={
                "department_id": pl.String,
                "difference": pl.Float64,
                "low": pl.Float64,
                "high": pl.Float64,
                "verdict": pl.String,
                "reason": pl.String,
                "n_raters": pl.Int64,
                "n_accounting": pl.Int64,
                "n_cannot_tell": pl.Int64,
                "difference_without": pl.Float64,
            },
            orient="row",
        ),
        refusal=None,
        **changed,
    )
    return Released(result, {}, 5, AS_OF)


LIKE_OTHERS = (0.05, "unremarkable", "small")
SOFTER, HARDER = (0.5, "lenient", None), (-0.5, "severe", None)


def test_the_finding_answers_who_rates_softer_then_which_departments_and_the_rest_stands_below() -> None:
    released = found(
        {
            **{f"s{i}": SOFTER for i in range(7)},
            **{f"h{i}": HARDER for i in range(11)},
            **{f"o{i}": LIKE_OTHERS for i in range(14)},
            **{f"f{i}": (None, "cannot_tell", "few_ratees") for i in range(60)},
            **{f"x{i}": (None, None, None) for i in range(30)},
            **{f"a{i}": (None, "cannot_tell", "alone") for i in range(3)},
        },
        {"d1": (0.42, "lenient"), "d2": (0.05, "unremarkable"), "d3": (0.24, "lenient")},
        expected_false_flags=0.8,
    )
    assert chart.takeaway(released, EN, names={"d1": "Service", "d3": "Corporate Functions"}) == (
        "7 of 32 raters the data can tell about rate softer and 11 harder than an average rater would, by "
        "an amount that matters. "
        "Service rates 0.4 points above comparable departments (likely 0.3 to 0.5). "
        "Corporate Functions rates 0.2 points above comparable departments (likely 0.1 to 0.3)."
    )
    # Of 125 raters 60 + 30 rated too few people; of the other 35 three share nobody.
    assert chart.caveats(released, EN) == (
        "About 1 of these 18 flags may point the wrong way. "
        "Of 35 raters of at least 5 people, 3 cannot be judged, because nobody else rated the same people. "
        "90 raters rated fewer than 5 people, too few to be judged."
    )


def test_each_reason_why_raters_cannot_be_judged_is_counted() -> None:
    alone = {f"a{i}": (None, "cannot_tell", "alone") for i in range(3)}
    apart = {f"i{i}": (None, "cannot_tell", "island") for i in range(2)}
    assert chart.caveats(found({"o": LIKE_OTHERS, **alone, **apart}), EN) == (
        "Of 6 raters of at least 5 people, 5 cannot be judged: 3 share nobody with others and 2 share people "
        "with a few raters apart from all others only."
    )


@pytest.mark.parametrize(
    ("verdict", "accounting", "words"),
    [
        # Of 11 raters the data cannot tell about 2.
        ("lenient", 3, "3 of the 9 raters there whom the data can tell about are flagged as softer."),
        ("severe", 1, "1 of the 9 raters there whom the data can tell about is flagged as harder."),
        ("lenient", 0, "No single rater there stands out."),
    ],
)
def test_a_department_says_how_many_of_its_raters_are_flagged(
    verdict: str, accounting: int, words: str
) -> None:
    sign = 1 if verdict == "lenient" else -1
    made = found({"a": LIKE_OTHERS}, {"d": (0.42 * sign, verdict)}, without=0.4 * sign, accounting=accounting)
    row = made.value.departments.row(0, named=True)
    said = chart.department_reading(row, EN, name="Sales", practical=made.value.practical)
    assert words in said
    assert said.endswith("For 2 of its raters the data cannot tell.")


def test_of_more_than_two_departments_the_first_is_named_and_the_rest_counted() -> None:
    many = {f"d{i}": (0.9 - i / 10, "lenient") for i in range(5)}
    sentence = chart.takeaway(found({"a": LIKE_OTHERS}, many), EN)
    assert [name in sentence for name in many] == [True, False, False, False, False]
    assert "4 more departments differ by an amount that matters." in sentence


@pytest.mark.parametrize("verdict", ["lenient", "severe"])
@pytest.mark.parametrize(
    ("n", "left", "few"),
    # Of .42: nine can be told about, four of nine are a minority and five are not; .01 is less than half and
    # than what matters (.15 or so), .22 is neither.
    [(1, 0.01, True), (4, 0.01, True), (5, 0.01, False), (1, 0.22, False), (1, -0.1, True)],
)
def test_a_difference_that_a_few_raters_make_is_said_to_be_theirs(
    verdict: str, n: int, left: float, few: bool
) -> None:
    sign = 1 if verdict == "lenient" else -1
    released = found(
        {"a": LIKE_OTHERS, "b": LIKE_OTHERS},
        {"d1": (0.42 * sign, verdict)},
        without=left * sign,
        accounting=n,
    )
    sentence = chart.takeaway(released, EN)
    assert ("but most of it comes from" in sentence) == few
    assert ("Ratings in d1 are" if few else "d1 rates") in sentence
    assert "(likely 0.3 to 0.5)" in sentence


def test_no_department_is_named_without_its_interval() -> None:
    two = {"d1": (0.9, "lenient"), "d2": (-0.8, "severe")}
    for without in (0.9, 0.0, None):
        sentence = chart.takeaway(found({"a": LIKE_OTHERS}, two, without=without), EN)
        assert sentence.count("(likely ") == 2


@pytest.mark.parametrize(
    ("raters", "start"),
    [
        ({"a": SOFTER, "b": LIKE_OTHERS}, "1 of 2 raters the data can tell about rates softer than"),
        ({"a": HARDER, "b": HARDER}, "2 of 2 raters the data can tell about rate harder than"),
        ({"a": SOFTER}, "The one rater the data can tell about rates softer than"),
        ({"a": HARDER}, "The one rater the data can tell about rates harder than"),
        ({"a": LIKE_OTHERS}, "The one rater the data can tell about is not clearly softer or harder than"),
        ({"a": LIKE_OTHERS, "b": LIKE_OTHERS}, "None of the 2 raters the data can tell about is clearly"),
        (
            {"a": (None, "cannot_tell", "alone")},
            "For 1 rater the data cannot tell: 1 shares nobody with",
        ),
        (
            {"a": (None, "cannot_tell", "island")},
            "For 1 rater the data cannot tell: 1 shares people with",
        ),
    ],
)
def test_few_raters_are_counted_in_good_english(raters: dict[str, Any], start: str) -> None:
    sentence = chart.takeaway(found(raters), EN)
    assert sentence.startswith(start)
    assert "of 1 " not in sentence


def test_nothing_to_find_is_said_so() -> None:
    nothing = severity(company(11, people=150, raters=20, departments=2, rater_sd=0.0).ratings)
    sentence = chart.takeaway(release(nothing, as_of=AS_OF), EN)
    assert sentence.startswith(
        "None of the 20 raters the data can tell about is clearly softer or harder than"
    )


def test_flags_say_how_many_may_be_wrong(released: Released[Severity]) -> None:
    flags = released.value.raters["verdict"].is_in(["lenient", "severe"]).sum()
    for expected, words in (
        (1.2, f"About 1 of these {flags} flags may point the wrong way."),
        (2.6, f"About 3 of these {flags} flags may point the wrong way."),
        (0.3, f"Hardly any of these {flags} flags points the wrong way."),
    ):
        value = replace(released.value, expected_false_flags=expected)
        assert words in chart.caveats(replace(released, value=value), EN)


def test_a_refusal_is_the_sentence_and_the_figure(refused: Released[Severity]) -> None:
    sentence = chart.takeaway(refused, EN)
    assert "in this cycle everybody was rated by one rater only" in sentence
    for figure in (
        chart.figure(refused, EN, mode="dark"),
        chart.departments_figure(refused, EN, mode="light"),
    ):
        assert not figure.data
        assert said(figure) == sentence


@pytest.mark.parametrize(
    "kind",
    ["empty", "all_equal", "no_links", "few_linked_raters", "one_ratee_each", "too_large", "no_residual"],
)
def test_every_refusal_has_a_sentence(kind: str) -> None:
    values = {"n_ratings": 9, "n_raters": 4, "n_ratees": 9, "n_cycles": 2, "n_linked": 2}
    sentence = chart.refusal(Refusal(kind, values), EN)
    assert sentence.endswith(".")
    assert "{" not in sentence


ROW = {
    "severity": 0.42,
    "low": 0.31,
    "high": 0.53,
    "verdict": "lenient",
    "reason": None,
    "hangs_on_one": False,
    "n_ratees": 9,
}
NOTHING = {"severity": None, "low": None, "high": None, "verdict": "cannot_tell"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "Wei rates 0.4 points softer than an average rater would (likely 0.3 to 0.5)."),
        (
            {"severity": -0.42, "low": -0.53, "high": -0.31, "verdict": "severe"},
            "Wei rates 0.4 points harder than an average rater would (likely 0.3 to 0.5).",
        ),
        (
            {"hangs_on_one": True},
            "(likely 0.3 to 0.5). The comparison hangs on one person whom others rated too.",
        ),
        (
            # A whole sentence has the decimals its smallest number needs: 0.0 would read as nought.
            {"severity": -0.3, "low": -0.58, "high": -0.02, "verdict": "severe"},
            "Wei rates 0.30 points harder than an average rater would (likely 0.02 to 0.58).",
        ),
        (
            {"low": -0.2, "high": 1.0, "verdict": "unremarkable", "reason": "unsure"},
            "points softer than an average rater would, but chance could explain it (likely −0.2 to +1.0).",
        ),
        (
            {"severity": 0.02, "low": -0.2, "high": 0.24, "verdict": "unremarkable", "reason": "small"},
            "Wei rates about like an average rater would, as far as can be told (likely −0.2 to +0.2).",
        ),
        (
            NOTHING | {"reason": "few_ratees", "n_ratees": 3},
            "For Wei the data cannot tell: 3 people rated, and it takes 5.",
        ),
        (
            NOTHING | {"reason": "alone"},
            "For Wei the data cannot tell: nobody else rated any of the same people.",
        ),
        (NOTHING | {"reason": "island"}, "only a few raters"),
        (
            NOTHING | {"reason": None, "verdict": None, "n_ratees": None},
            "For Wei the data cannot tell: fewer than 5 people rated.",
        ),
    ],
)
def test_one_rater_is_one_plain_sentence(change: dict[str, object], words: str) -> None:
    assert words in chart.reading({**ROW, **change}, EN, name="Wei")


def test_there_is_no_why_for_those_who_can_be_told() -> None:
    assert chart.why(ROW, EN) == ""


@pytest.mark.parametrize("reason", ["few_ratees", "alone", "island", "refused", None])
def test_why_the_data_cannot_tell_is_one_clause(reason: str | None) -> None:
    said = chart.why({**ROW, **NOTHING, "reason": reason}, EN)
    assert said
    assert "." not in said
    assert len(said) < 70
