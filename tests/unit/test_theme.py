"""The look holds its promises: contrast, colours told apart, one source of tokens."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path

import pytest

from analytics import theme
from analytics.theme import TOKENS, Mode

ROOT = Path(__file__).parents[2]
MODES: tuple[Mode, ...] = ("light", "dark")


def luminance(colour: str) -> float:
    """WCAG 2 relative luminance."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_has_the_contrast_wcag_says() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ink", ["ink", "quiet", "accent", "lenient", "severe"])
@pytest.mark.parametrize("ground", ["paper", "surface"])
def test_every_text_colour_reads_on_every_ground(mode: Mode, ink: str, ground: str) -> None:
    assert contrast(getattr(TOKENS[mode], ink), getattr(TOKENS[mode], ground)) >= 4.5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n", [2, 3, 5, 7])
def test_numbers_on_rating_levels_read(mode: Mode, n: int) -> None:
    assert all(contrast(theme.ink_on(fill), fill) >= 4.5 for fill in theme.levels(n, mode))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n", [2, 3, 5, 7])
def test_rating_levels_are_one_ramp_in_order(mode: Mode, n: int) -> None:
    steps = [luminance(fill) for fill in theme.levels(n, mode)]
    assert steps == sorted(steps, reverse=mode == "light")


def test_no_category_is_another() -> None:
    assert all(one != other for one, other in itertools.combinations(theme.CATEGORIES, 2))


def test_the_app_and_the_charts_have_the_same_colours() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]
    for mode in MODES:
        tokens, app = TOKENS[mode], config[mode]
        assert (
            app["primaryColor"],
            app["backgroundColor"],
            app["secondaryBackgroundColor"],
            app["textColor"],
            app["borderColor"],
        ) == (tokens.accent, tokens.paper, tokens.surface, tokens.ink, tokens.hairline)
    assert config["font"] == theme.FONT


def test_a_figure_names_its_own_template() -> None:
    # Importing streamlit replaces plotly's default by placeholder colours.
    assert theme.figure("light").layout.template.layout.to_plotly_json() == {}
