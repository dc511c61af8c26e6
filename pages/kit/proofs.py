"""What the methods were held against, as computed by ``python -m tests.proofs``.

``proofs.json`` beside this file is written by that command and checked by the tests; nothing in it is typed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from analytics.language import Language, percent


@dataclass(frozen=True)
class Proofs:
    """Published figures with ours beside them, and companies whose truth is known.

    Attributes
    ----------
    rules
        The rules in force when they were computed.
    published
        model, data, source, figure, of, published, ours, tolerance.
    simulations
        model, design, companies, raters, coverage, flags, wrong, stated, alarmed: of simulated companies how
        often the 95 % interval holds the true severity, how many flags point the wrong way and how many the
        model says would; for companies whose raters do not differ, in how many anybody is flagged.
    """

    rules: str
    published: pl.DataFrame
    simulations: pl.DataFrame


def _read() -> Proofs:
    found = json.loads((Path(__file__).parent / "proofs.json").read_text("utf-8"))
    return Proofs(
        rules=found["rules"],
        published=pl.DataFrame(found["published"], infer_schema_length=None),
        simulations=pl.DataFrame(found["simulations"], infer_schema_length=None),
    )


PROOFS: Final = _read()


def finding(t: Language) -> str:
    """How much of what was checked holds, in two sentences."""
    published, simulated = PROOFS.published, PROOFS.simulations
    met = published.filter((pl.col("ours") - pl.col("published")).abs() <= pl.col("tolerance")).height
    told, alike = simulated.drop_nulls("coverage"), simulated.drop_nulls("alarmed")
    inside = told.select(pl.col("coverage").dot("raters") / pl.col("raters").sum()).item()
    return t(
        "{met} of {all} published figures come out the same. In {companies} simulated companies whose truth "
        "is known, {inside} of the 95 % intervals hold it, and {wrong} of {flags} flags point the wrong way; "
        "the method itself had announced {stated}. Where raters do not differ, somebody is flagged in "
        "{alarmed} of {alike} companies.",
        met=met,
        all=published.height,
        companies=int(simulated["companies"].sum()),
        inside=percent(inside, t),
        wrong=int(told["wrong"].sum()),
        flags=int(told["flags"].sum()),
        stated=f"{told['stated'].sum():,.0f}",
        alarmed=int(alike["alarmed"].sum()),
        alike=int(alike["companies"].sum()),
    )


def published(t: Language, model: str) -> pl.DataFrame:
    """Published figures of a model as a table people read."""
    frame = PROOFS.published.filter(pl.col("model") == model)
    words = figure_words(t)
    called = [
        t("{figure} of {what}", figure=words[figure], what=of) if of else words[figure]
        for figure, of in frame.select("figure", "of").iter_rows()
    ]
    return frame.select(
        pl.col("data").alias(t("Data")),
        pl.Series(t("Figure"), called, dtype=pl.String),
        _as_written("published").alias(t("Published")),
        _as_written("ours").alias(t("Ours")),
        pl.col("source").alias(t("Published by")),
    )


def simulations(t: Language, model: str) -> pl.DataFrame:
    """Simulated companies of a model as a table people read."""
    frame = PROOFS.simulations.filter(pl.col("model") == model)
    words = design_words(t)
    return frame.select(
        pl.Series(t("Companies that …"), [words[name] for name in frame["design"]], dtype=pl.String),
        pl.col("companies").alias(t("Companies")),
        pl.col("raters").alias(t("Number of raters")),
        (100 * pl.col("coverage")).round(1).cast(pl.String).alias(t("Covered (%)")),
        pl.col("flags").alias(t("Flags")),
        pl.col("wrong").alias(t("Wrong way")),
        pl.col("stated").round(1).cast(pl.String).alias(t("Announced")),
        pl.col("alarmed").alias(t("Companies with any flag")),
    )


def _as_written(column: str) -> pl.Expr:
    """With as many places as the published figure has: six digits, or four places."""
    shown = pl.col(column).round(4).cast(pl.String)
    return (
        pl.when(pl.col("published").abs() >= 0.1)
        .then(shown)
        .otherwise(pl.col(column).round(5).cast(pl.String))
    )


def figure_words(t: Language) -> dict[str, str]:
    """What kinds of figures are called."""
    return {
        "criterion": t("Criterion (−2 log likelihood)"),
        "log_likelihood": t("Log likelihood"),
        "variance": t("Variance"),
        "coefficient": t("Coefficient"),
        "threshold": t("Threshold"),
        "standard_error": t("Standard error"),
        "measure": t("Measure (logits)"),
        "separation": t("Separation"),
        "strata": t("Strata"),
        "reliability": t("Reliability"),
    }


def design_words(t: Language) -> dict[str, str]:
    """What kinds of simulated companies are called."""
    return {
        "managers differ": t("have managers who differ, and second opinions"),
        "departments have standards too": t("have departments with standards of their own"),
        "departments do differ in their work": t("have departments whose work differs"),
        "few second opinions": t("have few second opinions and few moves"),
        "one cycle with second opinions": t("have one cycle only, with reviews from many sides"),
        "moods": t("have managers whose mood changes by cycle"),
        "moods and lasting liking over six cycles": t("have moods, and raters who like some people"),
        "moods, and links by moves only": t("have moods, and are linked by moves only"),
        "raters like some people": t("have raters who like some people"),
        "raters have moods": t("have managers whose mood changes by cycle"),
        "raters do not differ": t("have raters who are all alike"),
    }
