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
from analytics.severity.linear import Refusal, Severity, severity
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
    assert chart.takeaway(hidden, EN).endswith("For 30 raters the data cannot tell.")


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


def test_the_finding_names_the_department_its_size_and_who_accounts_for_it() -> None:
    departments = pl.DataFrame(
        {
            "department_id": ["d1", "d2"],
            "difference": [0.42, 0.05],
            "low": [0.31, -0.1],
            "high": [0.53, 0.2],
            "verdict": ["lenient", "unremarkable"],
            "reason": [None, "small"],
            "n_raters": [11, 4],
            "n_accounting": [3, 0],
            "n_cannot_tell": [2, 0],
        }
    )
    raters = pl.DataFrame(
        {
            "rater_id": ["a", "b", "c"],
            "severity": [0.5, None, None],
            "verdict": ["lenient", "cannot_tell", None],
        }
    )
    base = severity(company(1, people=60, raters=8).ratings)
    result = replace(base, departments=departments, raters=raters, refusal=None)
    assert chart.takeaway(Released(result, {}, 5, AS_OF), EN, names={"d1": "Sales"}) == (
        "Sales rates 0.4 points above comparable departments (likely 0.3 to 0.5); "
        "3 of its 11 raters account for it. "
        "1 of 3 raters rates noticeably softer or harder than an average rater would: 1 softer, 0 harder. "
        "For 2 raters the data cannot tell."
    )


def test_nothing_to_find_is_said_so() -> None:
    found = severity(company(11, people=150, raters=20, departments=2, rater_sd=0.0).ratings)
    sentence = chart.takeaway(release(found, as_of=AS_OF), EN)
    assert sentence.startswith("No rater differs from an average rater beyond what chance explains.")


def test_flags_say_how_many_are_expected_to_be_wrong(released: Released[Severity]) -> None:
    departments = released.value.departments.with_columns(verdict=pl.lit("unremarkable"))
    value = replace(released.value, departments=departments, expected_false_flags=1.2)
    flags = value.raters["verdict"].is_in(["lenient", "severe"]).sum()
    sentence = chart.takeaway(replace(released, value=value), EN)
    assert f"About 1 of these {flags} flags is expected to point the wrong way." in sentence


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
            {"low": -0.2, "high": 1.0, "verdict": "unremarkable", "reason": "unsure"},
            "points softer than an average rater would, but chance could explain it (likely −0.2 to +1.0).",
        ),
        (
            {"severity": 0.02, "low": -0.2, "high": 0.24, "verdict": "unremarkable", "reason": "small"},
            "Wei rates about like an average rater would, as far as can be told (likely −0.2 to +0.2).",
        ),
        (
            NOTHING | {"reason": "few_ratees", "n_ratees": 3},
            "Wei: the data cannot tell from ratings of 3 people; it takes 5.",
        ),
        (NOTHING | {"reason": "alone"}, "nobody else ever rated any of the same people"),
        (NOTHING | {"reason": "island"}, "only a few raters"),
        (
            NOTHING | {"reason": None, "verdict": None, "n_ratees": None},
            "too few people were rated to show anything.",
        ),
    ],
)
def test_one_rater_is_one_plain_sentence(change: dict[str, object], words: str) -> None:
    assert words in chart.reading({**ROW, **change}, EN, name="Wei")


def test_the_reason_is_empty_for_those_who_can_be_told() -> None:
    assert chart.reason(ROW, EN) == ""
