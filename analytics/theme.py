"""The one look of every picture: tokens, palettes and the chart template, light and dark.

Figures name their template (``theme.figure(mode)``), because importing streamlit replaces plotly's
default by placeholder colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from typing import Final, Literal
from unicodedata import east_asian_width

import plotly.graph_objects as go

Mode = Literal["light", "dark"]

FONT: Final = (
    "-apple-system, 'Segoe UI', 'Helvetica Neue', Arial, 'Noto Sans', 'Noto Sans SC', 'Noto Sans CJK SC', "
    "'Source Han Sans SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
)


@dataclass(frozen=True)
class Tokens:
    """The colours of one mode. ``lenient`` and ``severe`` are the ends of PuOr, legible on the paper."""

    paper: str
    surface: str
    ink: str
    quiet: str
    hairline: str
    accent: str
    unknown: str
    lenient: str
    severe: str
    band: str
    low: str
    high: str


TOKENS: Final[MappingProxyType[Mode, Tokens]] = MappingProxyType(
    {
        "light": Tokens(
            paper="#FBFAF7",
            surface="#FFFFFF",
            ink="#1B1F24",
            quiet="#5B6470",
            hairline="#E4E2DC",
            accent="#0F6B6B",
            unknown="#A9AFB6",
            lenient="#B35806",
            severe="#542788",
            band="rgba(91,100,112,0.10)",
            low="#CFE3E1",
            high="#0B4A4A",
        ),
        "dark": Tokens(
            paper="#14171A",
            surface="#1C2024",
            ink="#ECE9E2",
            quiet="#9AA3AD",
            hairline="#2C3136",
            accent="#4FB3AE",
            unknown="#626B75",
            lenient="#F1A340",
            severe="#A897D6",
            band="rgba(154,163,173,0.13)",
            low="#23403F",
            high="#9ADAD5",
        ),
    }
)

CATEGORIES: Final = ("#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#CC79A7")
"""Okabe and Ito (2008), distinguishable under the common colour-vision deficiencies."""

RISK: Final[MappingProxyType[Mode, tuple[str, str, str]]] = MappingProxyType(
    {"light": ("#56B4E9", "#E69F00", "#A63A00"), "dark": ("#56B4E9", "#E69F00", "#E8743B")}
)
"""Three steps, always beside a shape and a word: on track, behind, at risk."""

RISK_SYMBOLS: Final = ("circle", "triangle-up", "diamond")


def levels(n: int, mode: Mode) -> list[str]:
    """``n`` steps of one hue for ordered rating levels, lowest first, low light and high dark.

    On dark paper the ramp is turned so that the highest level still stands out most.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1; got {n}")
    low, high = (_rgb(TOKENS[mode].low), _rgb(TOKENS[mode].high))
    steps = [i / max(n - 1, 1) for i in range(n)]
    return [
        "#" + "".join(f"{round(a + (b - a) * step):02X}" for a, b in zip(low, high, strict=True))
        for step in steps
    ]


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on a fill (WCAG 2 relative luminance).

    Pure black and white: on a middle tone anything softer falls below 4.5 : 1.
    """
    channels = [c / 255 for c in _rgb(colour)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "#FFFFFF"


def figure(mode: Mode, *, height: int = 420) -> go.Figure:
    """An empty figure that already looks like ours.

    Parameters
    ----------
    mode
        ``light`` or ``dark``.
    height
        Pixels; the width stretches with the page.
    """
    tokens = TOKENS[mode]
    axis = {
        "gridcolor": tokens.hairline,
        "linecolor": tokens.hairline,
        "zeroline": False,
        "tickfont": {"color": tokens.quiet, "size": 13},
        "title": {"font": {"color": tokens.quiet, "size": 13}},
        "automargin": True,
        "fixedrange": True,
    }
    return go.Figure(
        layout=go.Layout(
            template="none",
            height=height,
            paper_bgcolor="rgba(0,0,0,0)",
            plot_bgcolor="rgba(0,0,0,0)",
            colorway=list(CATEGORIES),
            font={"family": FONT, "size": 14, "color": tokens.ink},
            margin={"l": 8, "r": 16, "t": 32, "b": 8},
            hoverlabel={
                "bgcolor": tokens.surface,
                "bordercolor": tokens.hairline,
                "font": {"family": FONT, "size": 13, "color": tokens.ink},
            },
            legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
            xaxis=axis,
            yaxis=axis,
            bargap=0.35,
            dragmode=False,
        )
    )


def nothing(sentence: str, mode: Mode) -> go.Figure:
    """A figure that says why it shows nothing."""
    fig = figure(mode, height=160)
    fig.add_annotation(
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        text=written(sentence, 76),
        showarrow=False,
        font={"color": TOKENS[mode].quiet, "size": 14},
    )
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    return fig


def named(
    fig: go.Figure, text: str, tokens: Tokens, *, x: float, xref: str = "x", anchor: str = "auto"
) -> None:
    """Write above the plot what stands at a place across it, such as the name of a reference line."""
    fig.add_annotation(
        x=x,
        xref=xref,
        xanchor=anchor,
        y=1,
        yref="paper",
        yanchor="bottom",
        yshift=4,
        text=escape(text),
        showarrow=False,
        font={"color": tokens.quiet, "size": 13},
    )


def noted(fig: go.Figure, notes: Sequence[str], tokens: Tokens, *, shift: int = -30) -> None:
    """Write lines of notes below the plot, ``shift`` pixels from its lower edge."""
    fig.add_annotation(
        x=0,
        xref="paper",
        xanchor="left",
        y=0,
        yref="paper",
        yanchor="top",
        yshift=shift,
        text="<br>".join(escape(line) for line in notes),
        align="left",
        showarrow=False,
        font={"color": tokens.quiet, "size": 13},
    )


def written(text: str, width: int) -> str:
    """Text for a figure: broken to a width, and escaped, because plotly reads tags."""
    return "<br>".join(escape(line) for line in lines(text, width))


def lines(text: str, width: int) -> list[str]:
    """Text broken to a width in Latin characters, between words or Chinese characters."""
    found = [""]
    word = ""
    for character in f"{text} ":
        word += character
        if character != " " and east_asian_width(character) not in "WF":
            continue
        if found[-1] and wide(found[-1]) + wide(word.rstrip()) > width:
            found.append("")
        found[-1] += word
        word = ""
    return [line.strip() for line in found if line.strip()]


def shortened(name: str, longest: int = 34) -> str:
    """A name that leaves room for the picture; the hover text has it whole."""
    if wide(name) <= longest:
        return name
    kept = ""
    for character in name:
        if wide(kept + character) > longest - 1:
            break
        kept += character
    return f"{kept.rstrip()}…"


def wide(text: str) -> int:
    """Width in Latin characters; Chinese ones take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _rgb(colour: str) -> tuple[int, int, int]:
    value = colour.removeprefix("#")
    return int(value[0:2], 16), int(value[2:4], 16), int(value[4:6], 16)
