"""What went on between ratings: talks, feedback, calibration, surveys, appeals, approved weights?

One planted effect: two departments never have their indicator weights approved or filed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from data.demo.company import AS_OF, CYCLES, RUNNING_CYCLE, SNAPSHOTS, Company, Ints, Plan
from data.demo.draws import stream
from data.demo.judging import Judgements
from data.demo.people import History, Traits, documented
from data.demo.words import (
    APPEALS,
    COMMENTS,
    COMPETENCIES,
    CONVERSATION,
    CONVERSATION_ZH,
    FEEDBACK,
    FEEDBACK_ZH,
    QUESTIONS,
    REASONS_OF_CHANGE,
)

NEVER_APPROVED: Final = ("MKT", "OPS-SCM")
INDICATORS: Final = ("Results", "Quality", "Cooperation", "Development")


@dataclass(frozen=True)
class Practice:
    """The tables of what happens between ratings."""

    conversations: pl.DataFrame
    feedback: pl.DataFrame
    competency_assessments: pl.DataFrame
    survey_responses: pl.DataFrame
    appeals: pl.DataFrame
    weight_schemes: pl.DataFrame


def practise(
    company: Company, history: History, traits: Traits, initial: Ints, plan: Plan, *, seed: int
) -> Practice:
    """What happened between ratings; ``initial`` holds the managers' levels, cycles × people."""
    some = np.flatnonzero(documented(history, plan, seed=seed))
    return Practice(
        conversations=_conversations(history, some, plan, seed),
        feedback=_feedback(history, some, seed),
        competency_assessments=_competencies(history, some, seed),
        survey_responses=_survey(company, history, some, seed),
        appeals=_appeals(history, traits, initial, seed),
        weight_schemes=_weights(company, history, seed),
    )


def calibration_changes(
    company: Company, history: History, judgements: Judgements, cycle: int
) -> pl.DataFrame:
    """Who was discussed in a cycle's calibration sessions, one session a function."""
    who = judgements.discussed
    function = company.function[history.department[cycle][who]]
    heads = np.array(
        [history.occupant[cycle][np.flatnonzero(company.unit == at)[0]] for at in range(len(company.code))]
    )
    before, after = judgements.initial[who], judgements.final[who]
    ids = pl.Series(history.employee_id)
    day = np.datetime64(SNAPSHOTS[cycle + 1], "D") - 4
    moment = (
        day.astype("datetime64[ms]")
        + np.timedelta64(10, "h")
        + (np.arange(len(who)) % 240) * np.timedelta64(1, "m")
    )
    reason = np.where(after == before, len(REASONS_OF_CHANGE) - 1, who % (len(REASONS_OF_CHANGE) - 1))
    return pl.DataFrame(
        {
            "cycle_id": pl.repeat(CYCLES[cycle], len(who), eager=True),
            "session_id": pl.Series(np.char.add(f"CAL-{CYCLES[cycle]}-", company.code[function])),
            "ratee_id": ids.gather(who),
            "score_before": before.astype(np.float64),
            "score_after": after.astype(np.float64),
            "decided_by": ids.gather(heads[function]),
            "decided_at": pl.Series(moment),
            "reason": pl.Series(REASONS_OF_CHANGE).gather(reason),
        }
    )


def _conversations(history: History, some: Ints, plan: Plan, seed: int) -> pl.DataFrame:
    rng = stream(seed, "conversations")
    ids = pl.Series(history.employee_id)
    in_some = np.zeros(len(history.employee_id), dtype=np.bool_)
    in_some[some] = True
    frames = []
    for cycle in range(len(SNAPSHOTS) - plan.goal_cycles, len(SNAPSHOTS)):
        running = cycle == len(CYCLES)
        name = RUNNING_CYCLE if running else CYCLES[cycle]
        present = history.active[cycle] if running else history.active[cycle] & history.active[cycle + 1]
        led = np.flatnonzero(present & in_some & (history.manager[cycle] >= 0))
        first = np.datetime64(SNAPSHOTS[cycle], "D")
        for kind, share, opens, window in (
            ("one_on_one", 0.45, 20, 60),
            ("quarterly_review", 0.7, 72, 18),
            ("performance_interview", 0.9, 168, 10),
        ):
            if running and kind == "performance_interview":
                continue
            # Managers differ: some talk with everybody, some with few.
            habit = np.clip(share + 0.25 * np.sin(history.manager[cycle][led] * 12.9898), 0.05, 0.98)
            who = led[rng.random(len(led)) < habit]
            held = first + opens + rng.integers(0, window, len(who))
            told = rng.random(len(who)) < (0.9 if kind != "one_on_one" else 0.5)
            acknowledged = rng.random(len(who)) < 0.8
            parts = {}
            for part in CONVERSATION:
                there = told & (rng.random(len(who)) < 0.93)
                at = rng.integers(0, 60, len(who))
                english = np.array(CONVERSATION[part])[at % len(CONVERSATION[part])]
                chinese = np.array(CONVERSATION_ZH[part])[at % len(CONVERSATION_ZH[part])]
                said = np.where(history.chinese[who], chinese, english)
                parts[part] = pl.Series(said).set(pl.Series(~there), None)
            signed = np.minimum(held + rng.integers(0, 9, len(who)), np.datetime64(AS_OF, "D"))
            frames.append(
                pl.DataFrame(
                    {
                        "conversation_id": pl.Series(
                            np.char.add(
                                f"T-{name}-{kind[0].upper()}",
                                np.char.zfill(np.arange(1, len(who) + 1).astype(np.str_), 5),
                            )
                        ),
                        "employee_id": ids.gather(who),
                        "manager_id": ids.gather(history.manager[cycle][who]),
                        "cycle_id": pl.repeat(name, len(who), eager=True),
                        "kind": pl.repeat(kind, len(who), eager=True),
                        "held_on": pl.Series(held),
                        **parts,
                        "acknowledged_on": pl.Series(signed).set(pl.Series(~acknowledged), None),
                    }
                )
            )
    return pl.concat(frames)


def _feedback(history: History, some: Ints, seed: int) -> pl.DataFrame:
    rng = stream(seed, "feedback")
    ids = pl.Series(history.employee_id)
    frames = []
    for cycle in range(3, len(SNAPSHOTS)):
        here = some[history.active[cycle][some]]
        receivers = np.repeat(here, rng.poisson(0.6, len(here)))
        boss = history.manager[cycle][receivers]
        givers = np.where(
            (rng.random(len(receivers)) < 0.5) & (boss >= 0), boss, rng.choice(here, len(receivers))
        )
        apart = givers != receivers
        receivers, givers = receivers[apart], givers[apart]
        n = len(receivers)
        kind = rng.choice(3, n, p=[0.55, 0.3, 0.15])
        pick = rng.integers(0, 3, n)
        english = np.array(list(FEEDBACK.values()))[kind, pick]
        chinese = np.array(list(FEEDBACK_ZH.values()))[kind, pick]
        length = 85 if cycle == len(CYCLES) else 175
        moment = np.datetime64(SNAPSHOTS[cycle], "s") + rng.integers(0, length * 86_400, n)
        frames.append(
            pl.DataFrame(
                {
                    "feedback_id": pl.Series(
                        np.char.add(f"F-{cycle}-", np.char.zfill(np.arange(1, n + 1).astype(np.str_), 6))
                    ),
                    # A few gave it without their name.
                    "giver_id": ids.gather(givers).set(pl.Series(rng.random(n) < 0.08), None),
                    "receiver_id": ids.gather(receivers),
                    "given_at": pl.Series(moment.astype("datetime64[ms]")),
                    "kind": pl.Series(tuple(FEEDBACK)).gather(kind),
                    "content": pl.Series(np.where(history.chinese[receivers], chinese, english)),
                }
            )
        )
    return pl.concat(frames)


def _competencies(history: History, some: Ints, seed: int) -> pl.DataFrame:
    rng = stream(seed, "competencies")
    ids = pl.Series(history.employee_id)
    frames = []
    for cycle in (3, 5):
        led = some[(history.manager[cycle][some] >= 0) & history.active[cycle + 1][some]]
        who = np.repeat(led, len(COMPETENCIES))
        which = np.tile(np.arange(len(COMPETENCIES)), len(led))
        expected = 3.0 + (history.seat[cycle][who] >= 0)
        shown = np.clip(np.round(2 * (expected + rng.normal(-0.1, 0.7, len(who)))) / 2, 1, 5)
        day = np.datetime64(SNAPSHOTS[cycle + 1], "D") - rng.integers(20, 40, len(led)).repeat(
            len(COMPETENCIES)
        )
        frames.append(
            pl.DataFrame(
                {
                    "employee_id": ids.gather(who),
                    "competency": pl.Series(COMPETENCIES).gather(which),
                    "assessed_on": pl.Series(day),
                    "assessor_id": ids.gather(history.manager[cycle][who]),
                    "shown_level": shown,
                    "expected_level": expected,
                }
            )
        )
    return pl.concat(frames)


def _survey(company: Company, history: History, some: Ints, seed: int) -> pl.DataFrame:
    rng = stream(seed, "survey")
    frames = []
    for survey, cycle in (("Voice 2025", 4), ("Voice 2026", 6)):
        asked = some[history.active[cycle][some]]
        answering = asked[rng.random(len(asked)) < 0.72]
        # Shuffled before they are numbered, so that a number says nothing about a person.
        answering = rng.permutation(answering)
        n, q = len(answering), len(QUESTIONS)
        mood = rng.normal(3.5, 0.6, n)
        asks = np.array([0.4, 0.1, -0.7, -0.2, -0.4, 0.1])
        score = np.clip(np.round(mood[:, None] + asks + rng.normal(0, 0.8, (n, q))), 1, 5).ravel()
        silent = rng.random(n * q) < 0.04
        wrote = (np.tile(np.arange(q), n) == 2) & (rng.random(n * q) < 0.2)
        department = company.units_at(cycle)[
            np.where(history.seat[cycle] >= 0, history.seat[cycle], history.team[cycle])
        ][answering]
        day = np.datetime64(f"{2025 + (cycle == 6)}-09-08") + rng.integers(0, 12, n)
        frames.append(
            pl.DataFrame(
                {
                    "response_id": pl.Series(
                        np.char.add(
                            f"V{cycle}-", np.char.zfill(np.arange(1, n + 1).astype(np.str_), 6)
                        ).repeat(q)
                    ),
                    "survey_id": pl.repeat(survey, n * q, eager=True),
                    "question": pl.Series(QUESTIONS).gather(np.tile(np.arange(q), n)),
                    "department_id": pl.Series(company.code).gather(department.repeat(q)),
                    "answered_on": pl.Series(day.repeat(q)),
                    "score": pl.Series(score).set(pl.Series(silent), None),
                    "comment": pl.Series(COMMENTS)
                    .gather(rng.integers(0, len(COMMENTS), n * q))
                    .set(pl.Series(~wrote), None),
                }
            )
        )
    return pl.concat(frames)


def _appeals(history: History, traits: Traits, initial: Ints, seed: int) -> pl.DataFrame:
    rng = stream(seed, "appeals")
    ids = pl.Series(history.employee_id)
    frames = []
    for cycle, name in enumerate(CYCLES):
        rated = np.flatnonzero((initial[cycle] > 0) & (history.manager[cycle] >= 0))
        hard = np.maximum(0, -traits.severity[history.manager[cycle][rated]])
        chance = 0.004 + 0.03 * (initial[cycle][rated] <= 2) + 0.03 * hard
        who = rated[rng.random(len(rated)) < chance]
        filed = np.datetime64(SNAPSHOTS[cycle + 1], "D") + rng.integers(2, 25, len(who))
        outcome = rng.choice(
            ["upheld", "partly_upheld", "rejected", "withdrawn"], len(who), p=[0.2, 0.2, 0.5, 0.1]
        )
        open_still = (cycle == len(CYCLES) - 1) & (rng.random(len(who)) < 0.4)
        functions = history.occupant[cycle + 1][0]
        frames.append(
            pl.DataFrame(
                {
                    "appeal_id": [f"AP-{name}-{number:05d}" for number in range(1, len(who) + 1)],
                    "cycle_id": pl.repeat(name, len(who), eager=True),
                    "employee_id": ids.gather(who),
                    "filed_on": pl.Series(filed),
                    "reason": pl.Series(APPEALS).gather(np.where(history.chinese[who], 3, who % 3)),
                    "outcome": np.where(open_still, "open", outcome),
                    "decided_on": pl.Series(filed + rng.integers(7, 40, len(who))).set(
                        pl.Series(open_still), None
                    ),
                    "decided_by": ids.gather(np.full(len(who), functions)).set(pl.Series(open_still), None),
                },
                schema_overrides={"appeal_id": pl.String},
            )
        )
    return pl.concat(frames)


def _weights(company: Company, history: History, seed: int) -> pl.DataFrame:
    rng = stream(seed, "weights")
    above = company.parent
    # The functions and the departments right below them file a scheme each.
    depth = np.where(above < 0, 0, np.where(above == 0, 1, np.where(above[np.maximum(above, 0)] == 0, 2, 3)))
    at = np.flatnonzero((depth == 1) | (depth == 2))
    head_of_people = int(np.flatnonzero(company.code[company.unit] == "COR-HR")[0])
    schemes = np.array([[40, 30, 20, 10], [50, 20, 20, 10], [30, 30, 20, 20], [60, 20, 10, 10]])
    ids = pl.Series(history.employee_id)
    frames = []
    for cycle, name in enumerate((*CYCLES, RUNNING_CYCLE)):
        weight = schemes[rng.integers(0, len(schemes), len(at))].ravel()
        never = np.isin(company.code[at], NEVER_APPROVED)
        late = (rng.random(len(at)) < 0.15) & (cycle == len(CYCLES))
        approved = (~never & ~late).repeat(len(INDICATORS))
        filed = approved & (rng.random(len(at)) < 0.92).repeat(len(INDICATORS))
        day = (np.datetime64(SNAPSHOTS[cycle], "D") + rng.integers(5, 30, len(at))).repeat(len(INDICATORS))
        approver = np.full(len(approved), history.occupant[cycle][head_of_people])
        frames.append(
            pl.DataFrame(
                {
                    "department_id": pl.Series(company.code[at]).gather(
                        np.arange(len(at)).repeat(len(INDICATORS))
                    ),
                    "cycle_id": pl.repeat(name, len(approved), eager=True),
                    "indicator": pl.Series(INDICATORS).gather(np.tile(np.arange(len(INDICATORS)), len(at))),
                    "weight": weight.astype(np.float64),
                    "approved_by": ids.gather(approver).set(pl.Series(~approved), None),
                    "approved_on": pl.Series(day).set(pl.Series(~approved), None),
                    "filed_on": pl.Series(day + 6).set(pl.Series(~filed), None),
                }
            )
        )
    return pl.concat(frames)
