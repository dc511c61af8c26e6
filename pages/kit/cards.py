"""How a page looks: title, finding, table, method, and the four states. Words in, nothing computed.

Everything shown as HTML is escaped here; names and comments are text, never markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any, Final, Literal

import polars as pl
import polars.selectors as cs
import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.lib.skeleton_placeholder import SkeletonPlaceholder

from analytics.disclosure import Refusal, Released, note
from analytics.language import Language
from analytics.reports.table import as_csv, as_xlsx
from analytics.theme import TOKENS, Mode
from data import queries
from data.access import Permission, Viewer
from data.problems import Problem
from pages.kit import load, session

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def stylesheet(mode: Mode) -> None:
    """The few rules the theme settings cannot say."""
    k = TOKENS[mode]
    st.html(
        f"""<style>
        [data-testid="stMainBlockContainer"] {{ max-width: 1180px; padding-top: 3.5rem;
                                                padding-bottom: 6rem; }}
        [data-testid="stSidebar"] {{ border-right: 1px solid {k.hairline}; }}
        .eh-title {{ font-size: 1.87rem; line-height: 1.25; font-weight: 650; letter-spacing: -0.01em;
                     margin: 0; padding: 0; color: {k.ink}; }}
        .eh-scope {{ color: {k.quiet}; font-size: 0.93rem; margin: 6px 0 0; }}
        .eh-finding {{ font-size: 1.33rem; line-height: 1.5; font-weight: 450; color: {k.ink};
                       margin: 8px 0 8px; padding-left: 16px; border-left: 3px solid {k.accent};
                       max-width: 62rem; text-wrap: pretty; }}
        .eh-finding p {{ margin: 0 0 4px; font-size: inherit; line-height: inherit; }}
        .eh-kicker {{ color: {k.quiet}; font-size: 0.93rem; margin: 0; }}
        .eh-kicker {{ font-weight: 600; padding: 0; }}
        .eh-about {{ color: {k.quiet}; font-size: 0.87rem; margin: 0; }}
        .eh-say {{ font-size: 1.13rem; line-height: 1.5; margin: 4px 0 0; text-wrap: pretty; }}
        .eh-h2 {{ font-size: 1.13rem; font-weight: 600; margin: 16px 0 0; padding: 0; color: {k.ink}; }}
        .eh-note {{ color: {k.quiet}; font-size: 0.93rem; margin: 0; max-width: 62rem; }}
        .eh-facts, .eh-method {{ margin-left: 0 !important; padding: 0 !important; }}
        .eh-method dt {{ font-weight: 600; margin-top: 10px; }}
        .eh-method dd {{ margin: 2px 0 0; color: {k.ink}; max-width: 62rem; }}
        .eh-state {{ border: 1px solid {k.hairline}; background: {k.surface}; border-radius: 8px;
                     padding: 32px; max-width: 44rem; }}
        .eh-state h1 {{ font-size: 1.5rem; margin: 0 0 8px; padding: 0; }}
        .eh-state p {{ margin: 0 0 6px; }}
        .eh-facts {{ display: flex; flex-wrap: wrap; gap: 8px 24px; margin: 8px 0 0; padding: 0; }}
        .eh-facts div {{ min-width: 7rem; }}
        .eh-facts dt {{ color: {k.quiet}; font-size: 0.87rem; }}
        .eh-facts dd {{ margin: 0; font-size: 1.33rem; font-weight: 600;
                        font-variant-numeric: tabular-nums; }}
        .eh-strip {{ display: flex; gap: 2px; height: 12px; margin: 14px 0 8px; border-radius: 3px;
                     overflow: hidden; }}
        .eh-piece, .eh-dot {{ background: var(--fill); }}
        .eh-piece {{ flex-basis: 0; min-width: 3px; }}
        .eh-hatched {{ background: repeating-linear-gradient(135deg, var(--fill) 0 2px,
                                                             transparent 2px 5px); }}
        .eh-names {{ list-style: none; display: flex; flex-wrap: wrap; gap: 4px 20px;
                     margin: 0 !important; padding: 0 !important; color: {k.quiet};
                     font-size: 0.93rem; font-variant-numeric: tabular-nums; }}
        .eh-names li {{ margin: 0 !important; padding: 0 !important; }}
        .eh-names b {{ color: {k.ink}; font-weight: 600; }}
        .eh-dot {{ display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 6px; }}
        </style>"""
    )


def waiting(height: int = 420) -> SkeletonPlaceholder:
    """The shape of what is being computed, shown after a moment and gone when it is there."""
    return st.skeleton(height=height)


def head() -> DeltaGenerator:
    """The place above the filters, filled once the choice is known."""
    return st.container()


def title(question: str, scope: Sequence[str] = ()) -> None:
    """The question the page answers, and one line saying about whom and when."""
    line = " · ".join(escape(part) for part in scope if part)
    st.html(
        f'<h1 class="eh-title">{escape(question)}</h1>' + (f'<p class="eh-scope">{line}</p>' if line else "")
    )


def finding(sentence: str) -> None:
    """The answer in words: the largest text after the title."""
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in sentence.splitlines() if line.strip())
    st.html(f'<div class="eh-finding" role="status">{paragraphs}</div>')


def heading(words: str) -> None:
    """A section inside a page."""
    st.html(f'<h2 class="eh-h2">{escape(words)}</h2>')


def section(words: str, said: str) -> None:
    """A further question on the page, with its answer in words above its picture."""
    st.html(f'<h2 class="eh-h2">{escape(words)}</h2><p class="eh-say">{escape(said)}</p>')


def say(words: str) -> None:
    """A sentence inside a card."""
    st.html(f'<p class="eh-say">{escape(words)}</p>')


def remark(words: str) -> None:
    """A quiet line under a picture or table."""
    if words:
        st.html(f'<p class="eh-note">{escape(words)}</p>')


def facts(pairs: Mapping[str, str]) -> None:
    """A row of small numbers, each with its name."""
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs.items()
    )
    st.html(f'<dl class="eh-facts">{cells}</dl>')


@dataclass(frozen=True)
class Piece:
    """A piece of a strip: what it is, how many, its colour, and whether it is hatched (unknown)."""

    words: str
    count: int
    colour: str
    hatched: bool = False


def strip(pieces: Sequence[Piece]) -> str:
    """Counts that make up a whole, as one bar with its numbers named below; HTML."""
    shown = [piece for piece in pieces if piece.count > 0]
    bars = "".join(
        f'<span class="eh-piece{" eh-hatched" if piece.hatched else ""}" '
        f'style="flex-grow:{piece.count};--fill:{piece.colour}"></span>'
        for piece in shown
    )
    names = "".join(
        f'<li><span class="eh-dot{" eh-hatched" if piece.hatched else ""}" '
        f'style="--fill:{piece.colour}"></span>'
        f"<b>{piece.count:,}</b> {escape(piece.words)}</li>"
        for piece in shown
    )
    return f'<div class="eh-strip" aria-hidden="true">{bars}</div><ul class="eh-names">{names}</ul>'


def summary(
    question: str,
    about: Sequence[str],
    sentence: str,
    pieces: Sequence[Piece],
    *,
    caveats: str,
    page: str,
    link: str,
) -> None:
    """One answer on the overview: question, about what, finding, counts, caveats, the way to its evidence."""
    line = " · ".join(escape(part) for part in about if part)
    with st.container(border=True):
        st.html(
            f'<h2 class="eh-kicker">{escape(question)}</h2><p class="eh-about">{line}</p>'
            f'<p class="eh-say">{escape(sentence)}</p>'
            + strip(pieces)
            + (f'<p class="eh-note">{escape(caveats)}</p>' if caveats else "")
        )
        st.page_link(page, label=link, icon=":material/arrow_forward:", icon_position="right")


def hidden(released: Released[Any], t: Language) -> None:
    """How many groups are hidden, and why; nothing if none."""
    remark(note(released, t))


def plain_table(
    frame: pl.DataFrame, *, alt: str, wide: str | None = None, columns: Mapping[str, Any] | None = None
) -> None:
    """A sortable table without a download; ``wide`` names the column that holds sentences."""
    sentences = {} if wide is None else {wide: st.column_config.TextColumn(width="large")}
    # Rounding first: what rounds to nought has no sign.
    frame = frame.with_columns(cs.float().round(2) + 0.0)
    st.dataframe(
        frame,
        hide_index=True,
        width="stretch",
        height=_height(frame),
        column_config={**_columns(frame), **sentences, **(columns or {})},
        placeholder="",
        alt=alt,
    )


def table(
    t: Language,
    make: Callable[[], pl.DataFrame],
    *,
    name: str,
    key: Hashable,
    footer: Sequence[str],
    alt: str,
    columns: Mapping[str, Any] | None = None,
    wide: str | None = None,
) -> None:
    """A sortable table with a download of exactly this.

    Parameters
    ----------
    make
        Makes the table as shown: headers in the reader's language, units in the headers.
    name
        File name of the download, without ending.
    key
        All the table depends on; see `load.replayed`.
    footer
        Lines that must stand beside the figures: scope, version, as-of, author, small-group rule.
    alt
        What a reader who cannot see the table is told.
    columns, wide
        Streamlit column configuration by header; the column that holds sentences.
    """
    load.replayed(
        lambda: plain_table(make(), alt=alt, wide=wide, columns=columns), key=("table", name, key, alt)
    )
    with st.container(horizontal=True):
        for label, ending, write, mime in (
            (t("Download CSV"), "csv", as_csv, "text/csv"),
            (t("Download XLSX"), "xlsx", as_xlsx, XLSX),
        ):
            st.download_button(
                label,
                data=partial(_written, write, make, footer),
                file_name=f"{name}.{ending}",
                mime=mime,
                key=f"download_{name}_{ending}",
                on_click=partial(session.record, "downloaded", f"{name}.{ending}"),
                type="tertiary",
                icon=":material/download:",
            )


def _written(write: Callable[..., bytes], make: Callable[[], pl.DataFrame], footer: Sequence[str]) -> bytes:
    return write(make(), footer=footer)


def plain(words: str) -> str:
    """Words for a widget's label, where Streamlit would read markdown: everything it knows is escaped."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!:$~|<>&])", r"\\\1", words)


def progress(t: Language, place: str, rows: int, rejected: int) -> str:
    """One line saying how far an import is."""
    words = t(
        "{place}: {rows} rows read, {rejected} rejected",
        place=place,
        rows=f"{rows:,}",
        rejected=f"{rejected:,}",
    )
    return f'<p class="eh-note">{escape(words)}</p>'


def _columns(frame: pl.DataFrame) -> dict[str, Any]:
    """Rating points with two decimals, counts with thousands apart, days as days: columns line up."""
    number = st.column_config.NumberColumn
    return {
        name: st.column_config.DateColumn(format="YYYY-MM-DD")
        if dtype == pl.Date
        else number(format="%.2f" if dtype.is_float() else "localized")
        for name, dtype in frame.schema.items()
        if dtype.is_numeric() or dtype == pl.Date
    }


def _height(frame: pl.DataFrame, rows: int = 15) -> int | Literal["content"]:
    return "content" if frame.height <= rows else (rows + 1) * 35


def method(t: Language, entries: Mapping[str, str]) -> None:
    """How do we know? Closed by default; method, n, who was left out, rule version, limits."""
    with st.expander(t("How do we know?")):
        definitions(entries)
        st.page_link("pages/sources/methods.py", label=t("All methods, with formulas and proofs"))


def definitions(entries: Mapping[str, str]) -> None:
    """Terms with what is to be said about them; those without words are left out."""
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(words)}</dd>" for name, words in entries.items() if words
    )
    st.html(f'<dl class="eh-method">{rows}</dl>')


def state(headline: str, *lines: str) -> None:
    """A page-wide state: empty, refused, error."""
    session.screen(headline, *(line for line in lines if line))


def refuse_to_single_out(
    t: Language, place: DeltaGenerator, question: str, scope: Sequence[str], refusal: Refusal | None
) -> None:
    """Stop under the page's title and filters where a choice would single people out; nothing otherwise."""
    if refusal is None:
        return
    with place:
        title(question, scope)
        finding(t("This choice would single people out."))
    remark(refusal.sentence(t))
    st.stop()


def opened(t: Language, viewer: Viewer, *, needs: Literal["ratings", "goals"] | None = None) -> str:
    """The published version, or the state that says why there is nothing to show; then the run stops.

    ``needs`` names what the page cannot do without.
    """
    try:
        version = load.opened_version()
    except Problem as problem:
        state(t("The data cannot be opened"), t(problem.message, **problem.values))
        st.stop()
    if version is None:
        empty(t, t("Nothing has been loaded yet"), may_load=viewer.may(Permission.IMPORT))
        st.stop()
    lacking = {
        "ratings": t("No ratings have been loaded yet") if load.cycles(version).is_empty() else "",
        "goals": "" if load.has_goals(version) else t("No goals have been loaded yet"),
    }
    if needs == "ratings" and lacking[needs] and (n := queries.rejected_ratings(load.engine(version))):
        none_accepted(t, n, may_see=viewer.may(Permission.SEE_IMPORTS))
        st.stop()
    if needs is not None and lacking[needs]:
        empty(t, lacking[needs], may_load=viewer.may(Permission.IMPORT))
        st.stop()
    return version


def footer(
    t: Language, viewer: Viewer, released: Released[Any], version: str, scope: Sequence[str]
) -> list[str]:
    """What must stand beside figures wherever they go: scope, as-of, version, rules, small groups, author."""
    author = t("this computer") if session.is_local() else viewer.name
    lines = [
        " · ".join(part for part in scope if part),
        t("As of {day}", day=t.day(released.as_of)),
        t("Data version {version}, rules {rules}", version=version, rules=released.rules),
        t("Groups of fewer than {minimum} people are hidden.", minimum=released.minimum),
        t("Downloaded by {name}", name=author),
        t("Evidence for a talk, not a verdict."),
    ]
    return [line for line in lines if line]


def none_accepted(t: Language, n: int, *, may_see: bool) -> None:
    """All ratings that were loaded were rejected: how many, and where to see why."""
    state(
        t("None of the ratings could be loaded"),
        t.plural("{n} rating was rejected.", "{n} ratings were rejected.", n),
        t(
            "The page Data says why: often the people rated are not on record yet. Load the roster first, "
            "then the ratings again."
        )
        if may_see
        else t("Somebody with the right to load data can see why."),
    )
    if may_see:
        st.page_link(
            "pages/sources/data.py",
            label=t("See why they were rejected"),
            icon=":material/rule:",
            query_params={"part": "rejected"},
        )


def empty(t: Language, headline: str, *, may_load: bool) -> None:
    """There is nothing to show: what to load, and one button."""
    state(
        headline,
        t(
            "Evenhand reads the exports of your HR systems: people, departments, review cycles, ratings, "
            "goals and check-ins."
        ),
        "" if may_load else t("Somebody with the right to load data has to do this first."),
    )
    if may_load:
        st.page_link("pages/sources/data.py", label=t("Load exports"), icon=":material/upload_file:")
