"""Every sentence is said in every language, with the same things in it."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Collection
from datetime import date
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from analytics.language import LANGUAGES, Language, decimals, interval, percent, signed
from data.acceptance import person_rules, problem_of, row_rules
from data.contracts import TABLES
from data.sources import reading

ROOT = Path(__file__).parents[2]
SPEAKING = {
    "t": 0,
    "language()": 0,
    "plural": 0,
    "Problem": 0,
    "RefusedError": 0,
    "Question": 1,
    "ask": 1,
    "say": 0,
}
"""Functions that say a sentence, and which of their arguments it is."""


def spoken() -> set[str]:
    """Every sentence in the code that a person may read."""
    found = {advice for _, advice in reading._OTHERS}
    for table in TABLES:
        rules = (*row_rules(table), *person_rules(table))
        found |= {problem_of(table, rule.name).message for rule in rules if "|" not in rule.name}
    for contract in TABLES.values():
        found |= {column.description for column in contract.columns().values() if column.description}
    for module in modules():
        # `data` knows no language; what it calls t is something else.
        skipped = {"t"} if module.is_relative_to(ROOT / "data") else set()
        found |= set(said_in(module.read_text(encoding="utf-8"), skipped))
    return found


def modules() -> list[Path]:
    folders = [ROOT / folder for folder in ("analytics", "data", "pages")]
    return [*(path for folder in folders for path in sorted(folder.rglob("*.py"))), ROOT / "app.py"]


def said_in(code: str, skipped: Collection[str] = ()) -> list[str]:
    """The literal sentences a module says; those it passes on are said elsewhere."""
    return [
        argument.value
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call)
        and (name := name_of(node.func)) not in skipped
        and (place := SPEAKING.get(name)) is not None
        and len(node.args) > place
        and isinstance(argument := node.args[place], ast.Constant)
        and isinstance(argument.value, str)
    ]


def name_of(function: ast.expr) -> str:
    """What a called function is called; one that a call returns as that call."""
    if isinstance(function, ast.Call):
        return f"{name_of(function.func)}()"
    return str(getattr(function, "attr", getattr(function, "id", "")))


def places(sentence: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(sentence) if field}


def catalogue(code: str) -> dict[str, str]:
    with (ROOT / "locales" / code / "LC_MESSAGES" / "evenhand.po").open("rb") as file:
        return {
            (entry.id[0] if isinstance(entry.id, list | tuple) else entry.id): (
                entry.string[0] if isinstance(entry.string, list | tuple) else entry.string or ""
            )
            for entry in read_po(file, locale=code)
            if entry.id
        }


def test_a_sentence_in_parentheses_or_parts_is_found() -> None:
    code = 't("one"); t.plural(("{n} a " "b"), "{n} c", 2); self.ask("key", "why?"); t(problem.message)'
    assert said_in(code) == ["one", "{n} a b", "why?"]
    assert said_in('reader.language()("two")') == ["two"]


def test_every_sentence_has_a_chinese_translation() -> None:
    said = catalogue("zh")
    missing = sorted(sentence for sentence in spoken() if not said.get(sentence))
    assert missing == []


def test_translations_have_the_same_places() -> None:
    wrong = {
        sentence: translation
        for sentence, translation in catalogue("zh").items()
        if translation and places(sentence) != places(translation)
    }
    assert wrong == {}


def test_no_translation_is_left_of_a_sentence_that_is_gone() -> None:
    assert sorted(set(catalogue("zh")) - spoken()) == []


def test_chinese_sentences_end_in_chinese_punctuation() -> None:
    wrong = [said for said in catalogue("zh").values() if re.search(r"[一-鿿][.,;!?](\s|$)", said)]
    assert wrong == []


def test_differences_carry_a_real_sign() -> None:
    assert signed(0.42) == "+0.4"
    assert signed(-0.42, 2) == "−0.42"
    assert signed(-0.04) == "0.0"


def test_thousands_stand_apart_in_every_sentence() -> None:
    en = Language("en")
    assert en("{n} of {all}", n=2959, all=9293) == "2,959 of 9,293"
    assert en.plural("{n} person", "{n} people", 1250) == "1,250 people"


def test_an_interval_is_written_with_real_minus_signs() -> None:
    assert interval(-0.314, 0.53) == "[−0.31, 0.53]"
    assert interval(-0.004, 0.8) == "[0.00, 0.80]"


def test_a_small_share_is_not_rounded_to_nothing() -> None:
    assert percent(0.004) == "<1 %"
    assert percent(0.0) == "0 %"
    assert percent(0.256) == "26 %"


def test_what_has_nearly_arrived_is_not_rounded_to_all() -> None:
    assert (percent(0.9965), percent(1.0), percent(1.002)) == (">99 %", "100 %", "100 %")


def test_a_per_cent_is_written_as_the_language_does() -> None:
    assert (percent(0.11, Language("en")), percent(0.11, Language("zh"))) == ("11 %", "11%")
    assert percent(0.004, Language("zh")) == "<1%"


def test_nothing_is_ever_minus_nought() -> None:
    for digits in (1, 2, 3):
        nearly = 0.4 * 10**-digits
        for text in (signed(-nearly, digits), interval(-nearly, nearly, digits), signed(-0.0, digits)):
            assert not re.search(r"[−-]0\.0+\b", text)


def test_numbers_of_one_sentence_have_the_decimals_the_smallest_needs() -> None:
    assert (decimals(0.4, 0.31, 0.5), decimals(-0.4, -0.02), decimals(0.004, 3.0)) == (1, 2, 3)


def test_dates_and_lists_are_written_as_the_language_does() -> None:
    en, zh = Language("en"), Language("zh")
    assert (en.day(date(2026, 9, 30)), zh.day(date(2026, 9, 30))) == ("30 Sep 2026", "2026年9月30日")
    assert (en.listing(["a", "b", "c"]), zh.listing(["甲", "乙"])) == ("a, b and c", "甲、乙")


def test_an_unknown_language_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=", ".join(LANGUAGES)):
        Language("fr")
