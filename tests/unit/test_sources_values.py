"""Cells say the same thing in many ways; one of them is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import dataframely as dy
import polars as pl
import pytest
from polars.testing import assert_series_equal

from data.contracts import TABLES
from data.sources import scales, values


def _text(*cells: str | None) -> pl.Series:
    return pl.Series(cells, dtype=pl.String)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-05", "2026-01-05"),
        ("2026/1/5", "2026-01-05"),
        ("05.01.2026", "2026-01-05"),
        ("2026年1月5日", "2026-01-05"),
        ("20260105", "2026-01-05"),
        ("5-Jan-2026", "2026-01-05"),
        ("Jan 5, 2026", "2026-01-05"),
        ("２０２６-０１-０５", "2026-01-05"),
        ("2026-01-05 13:20:00", "2026-01-05"),
        # Excel's day 46027: 2026-01-05 is 46,027 days after 1899-12-30.
        ("46027", "2026-01-05"),
        # 1,767,571,200 seconds after 1970-01-01 are 20,458 whole days, the last of them 2026-01-05.
        ("1767571200", "2026-01-05"),
        ("1767571200000", "2026-01-05"),
        (" 2026-01-05 ", "2026-01-05"),
    ],
)
def test_a_date_is_read_however_it_is_written(written: str, meant: str) -> None:
    assert values.dates(_text(written)).to_list() == [meant]


@pytest.mark.parametrize("written", ["2026-02-30", "31.11.2026", "soon", "1/2/2026", "12", "2026-13-01"])
def test_what_is_no_certain_date_stays_as_it_stood(written: str) -> None:
    assert values.dates(_text(written)).to_list() == [written]


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M:%S%.3fZ",
        "%Y-%m-%dT%H:%M:%S%.6f",
        "%Y-%m-%d %H:%M",
        "%Y/%m/%d %H:%M:%S",
        "%d.%m.%Y %H:%M",
        "%d/%m/%Y %H:%M:%S",
        "%d.%m.%Y",
    ],
)
@pytest.mark.parametrize("read", [values.dates, values.moments])
def test_a_long_column_is_read_as_each_of_its_values_alone(form: str, read: Callable[..., pl.Series]) -> None:
    # One moment every 370 hours and 11 seconds, and now and then something else.
    moments = pl.datetime_range(datetime(2020, 1, 1), datetime(2028, 1, 1), "370h11s", eager=True)
    odd = [
        " 2026-01-05 ",
        "05.01.2026 10:00",
        "2026-01-05T10:00:00+08:00",
        "soon",
        "1.2.99",
        "46027",
        "2026-02-30",
        None,
    ]
    column = moments.dt.strftime(form).scatter(range(0, 8 * 17, 17), odd)
    # Where every value stands three times, each distinct one is looked at by itself.
    alone = read(pl.concat([column] * 3), order="dmy")[: len(column)]
    assert_series_equal(read(column, order="dmy"), alone)
    assert alone.str.contains("^20").sum() > 0.9 * len(column)


def test_with_a_decimal_comma_a_point_groups_digits() -> None:
    assert values.numbers(_text("1.234", "1.234,5", "7", "1.5"), decimal=",").to_list() == [
        "1234",
        "1234.5",
        "7",
        "1.5",
    ]
    assert values.numbers(_text("1.234", "7"), decimal=".").to_list() == ["1.234", "7"]


def test_the_order_of_day_and_month_decides() -> None:
    assert values.dates(_text("1/2/2026"), order="dmy").to_list() == ["2026-02-01"]
    assert values.dates(_text("1/2/2026"), order="mdy").to_list() == ["2026-01-02"]


def test_a_day_above_twelve_settles_the_order() -> None:
    assert values.date_orders(_text("1/2/2026", "25/2/2026")) == {"dmy"}
    assert values.date_orders(_text("1/2/2026", "2/25/2026")) == {"mdy"}
    assert values.date_orders(_text("1/2/2026")) == {"dmy", "mdy"}
    assert values.date_orders(_text("2026-01-02", None)) == set()


def test_a_moment_with_a_zone_is_told_in_utc() -> None:
    # 10:00 at +08:00 is 02:00 in UTC; without a zone the clock stands as written.
    assert values.moments(
        _text("2026-01-05T10:00:00+08:00", "2026-01-05 10:00", "2026-01-05 1:02 pm")
    ).to_list() == [
        "2026-01-05 02:00:00",
        "2026-01-05 10:00:00",
        "2026-01-05 13:02:00",
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1,234.5", "1234.5"),
        ("85 %", "85"),
        ("１２", "12"),
        ("(3)", "-3"),
        ("−7", "-7"),
        ("120万", "1200000"),
        ("1.5亿", "150000000"),
        ("¥1,000", "1000"),
        ("-.5", "-0.5"),
        ("+4", "4"),
        ("1e3", "1000"),
        ("abc", "abc"),
        ("1,2,3", "1,2,3"),
    ],
)
def test_a_number_is_read_however_it_is_written(written: str, meant: str) -> None:
    assert values.numbers(_text(written)).to_list() == [meant]


def test_decimal_commas_are_read_where_a_column_uses_them() -> None:
    column = _text("1.234,5", "0,25", "12")
    assert values.decimal_mark(column) == ","
    assert values.numbers(column, decimal=",").to_list() == ["1234.5", "0.25", "12"]


def test_enums_are_read_in_both_languages() -> None:
    sources = values.synonyms(
        _text("自评", "上级", "Cross-Department", "下级", "Peer review", "alien"),
        values.enum("ratings", "source"),
    )
    assert sources.to_list() == ["self", "manager", "cross_department", "direct_report", "peer", "alien"]
    genders = values.synonyms(
        _text("F", "男", "U", "D", "O", None), values.enum("protected_attributes", "gender")
    )
    assert genders.to_list() == ["female", "male", "undisclosed", "other", "other", None]
    perspectives = values.synonyms(
        _text("财务", "客户", "内部流程", "学习与成长"), values.enum("goals", "perspective")
    )
    assert perspectives.to_list() == ["financial", "customer", "internal_process", "learning_growth"]


def test_every_enum_value_of_a_contract_reads_as_itself() -> None:
    for table, contract in TABLES.items():
        for name, column in contract.columns().items():
            if isinstance(column, dy.Enum):
                known = values.enum(table, name)
                assert values.synonyms(_text(*column.categories), known).to_list() == list(
                    column.categories
                ), (table, name)


def test_words_declare_their_own_order() -> None:
    found = scales.declared(["Exceeds expectations", "Below expectations", "Meets expectations"])
    assert found is not None
    assert found.codes == ("Below expectations", "Meets expectations", "Exceeds expectations")
    chinese = scales.declared(["超出预期", "不符预期", "远超预期", "符合预期", "低于预期"])
    assert chinese is not None
    assert chinese.codes == ("不符预期", "低于预期", "符合预期", "超出预期", "远超预期")


@pytest.mark.parametrize(
    "codes",
    [["1", "2", "3"], ["A", "B", "C"], ["S", "A", "B"], ["Gold", "Silver"], ["Meets"], ["Meets", "Gold"]],
)
def test_letters_numbers_and_unknown_names_declare_nothing(codes: list[str]) -> None:
    assert scales.declared(codes) is None


def test_five_as_the_best_is_suggested_first() -> None:
    first, second, *_ = scales.suggested(["2", "5", "4"])
    assert first == "1 < 2 < 3 < 4 < 5"
    assert second == "5 < 4 < 3 < 2 < 1"


def test_letter_presets_are_suggested_whole() -> None:
    assert scales.suggested(["S", "B", "D"])[0] == "D < C < B < A < S"
    assert scales.suggested(["A+", "B"])[0] == "C < B < A < A+"


def test_unknown_names_get_no_suggestion() -> None:
    assert scales.suggested(["Gold", "Silver"]) == ()


def test_one_as_the_best_turns_the_points_round() -> None:
    scale = scales.answered("5 < 4 < 3 < 2 < 1")
    assert scale is not None
    score, level = scales.scored(_text("1", "5", "6", None), scale)
    # 1 is the best of five levels: level 5, five points. 6 is not on the scale: no number any more.
    assert score.to_list() == ["5", "1", "6 (?)", None]
    assert level.to_list() == ["5", "1", None, None]


def test_quarter_steps_count_as_themselves() -> None:
    scale = scales.answered(("3.25", "3.5", "3.75"))
    assert scale is not None
    assert scales.scored(_text("3.5"), scale)[0].to_list() == ["3.5"]
    assert (scale.lowest, scale.highest) == (3.25, 3.75)


def test_a_scale_without_levels_has_ends() -> None:
    scale = scales.answered("0 … 100")
    assert scale is not None
    assert scale.codes == ()
    score, level = scales.scored(_text("87.5", "101"), scale)
    assert score.to_list() == ["87.5", "101 (?)"]
    assert level.to_list() == [None, None]


@pytest.mark.parametrize("answer", ["", "A", "A < A", "5 … 1", ("x",)])
def test_what_is_no_scale_is_not_taken_for_one(answer: str) -> None:
    assert scales.answered(answer) is None
