"""Every sentence is said in every language, with the same things in it."""

from __future__ import annotations

import re
import string
from datetime import date
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from analytics.language import LANGUAGES, Language, interval, percent, signed

ROOT = Path(__file__).parents[2]
KEYWORDS = {"t": None, "plural": (1, 2), "Problem": None, "RefusedError": None, "Question": (2,), "say": None}


def spoken() -> set[str]:
    """Every sentence in the code that a person may read."""
    found: set[str] = set()
    for folder in ("analytics", "data", "pages"):
        for _, _, message, _, _ in extract_from_dir(
            ROOT / folder, method_map=[("**.py", "python")], keywords=KEYWORDS
        ):
            found.add(message[0] if isinstance(message, tuple) else message)
    for _, _, message, _, _ in extract_from_dir(
        ROOT, method_map=[("app.py", "python")], keywords=KEYWORDS, directory_filter=lambda _: False
    ):
        found.add(message[0] if isinstance(message, tuple) else message)
    return {sentence for sentence in found if sentence}


def places(sentence: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(sentence) if field}


def catalogue(code: str) -> dict[str, str]:
    with (ROOT / "locales" / code / "LC_MESSAGES" / "evenhand.po").open("rb") as file:
        return {
            (entry.id[0] if isinstance(entry.id, list | tuple) else entry.id): (
                entry.string[0] if isinstance(entry.string, list | tuple) else entry.string
            )
            for entry in read_po(file, locale=code)
            if entry.id
        }


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


def test_an_interval_is_written_with_real_minus_signs() -> None:
    assert interval(-0.314, 0.53) == "[−0.31, 0.53]"


def test_a_small_share_is_not_rounded_to_nothing() -> None:
    assert percent(0.004) == "<1 %"
    assert percent(0.0) == "0 %"
    assert percent(0.256) == "26 %"


def test_dates_and_lists_are_written_as_the_language_does() -> None:
    en, zh = Language("en"), Language("zh")
    assert (en.day(date(2026, 9, 30)), zh.day(date(2026, 9, 30))) == ("30 Sep 2026", "2026年9月30日")
    assert (en.listing(["a", "b", "c"]), zh.listing(["甲", "乙"])) == ("a, b and c", "甲、乙")


def test_an_unknown_language_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=", ".join(LANGUAGES)):
        Language("fr")
