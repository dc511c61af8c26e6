"""How the reader reads: language, and light or dark."""

from __future__ import annotations

from typing import Final

import streamlit as st

from analytics.language import LANGUAGES, Language
from analytics.theme import Mode

_KEY: Final = "lang"

# Streamlit's page always says it is English; screen readers and hyphenation need the truth.
_say_language = st.components.v2.component(
    "evenhand_language",
    js="""export default function ({ data }) { document.documentElement.lang = data.tag; }""",
)


def language() -> Language:
    """The language of this session: chosen, named in the link, or the browser's; English otherwise."""
    chosen = st.session_state.get(_KEY) or st.query_params.get(_KEY)
    if chosen not in LANGUAGES:
        locale = st.context.locale or "en"
        chosen = "zh" if locale.lower().startswith("zh") else "en"
    return Language(chosen)


def choose_language() -> Language:
    """The switch between languages; the choice is in the link."""
    st.session_state.setdefault(_KEY, language().code)
    chosen = st.segmented_control(
        "Language / 语言",
        list(LANGUAGES),
        format_func=LANGUAGES.__getitem__,
        key=_KEY,
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    code = chosen if chosen in LANGUAGES else "en"
    if st.query_params.get(_KEY) != code:
        st.query_params[_KEY] = code
    _say_language(data={"tag": {"en": "en", "zh": "zh-Hans"}[code]}, key="page_language", height=0)
    return Language(code)


def mode() -> Mode:
    """Light or dark, as the reader's browser shows the app."""
    return "dark" if st.context.theme.type == "dark" else "light"
