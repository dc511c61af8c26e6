"""Quantum Workplace: one column per question and side, ``Employee Code: [Prompt]``, turned into rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import polars as pl

from data.sources.layout import Layout
from data.sources.model import EXTRA, LINE, Known, Recognition, Sheet

_QUESTION: Final = re.compile(
    r"\s*(Employee|Facilitator)(?:'s)? (?:Code|Rating|Score)\s*:\s*(.+?)\s*", re.IGNORECASE
)


def _long(batch: pl.DataFrame, _known: Known) -> pl.DataFrame:
    """One row per answer, with the side as source and the prompt as dimension."""
    asked = {c: found for c in batch.columns if (found := _QUESTION.fullmatch(c))}
    if not asked:
        return batch
    rest = [c for c in batch.columns if c not in asked]
    sides = {c: "self" if found.group(1).lower() == "employee" else "manager" for c, found in asked.items()}
    prompts = {c: found.group(2).strip("[]").strip()[:200] for c, found in asked.items()}
    long = batch.unpivot(on=list(asked), index=rest, variable_name="_asked", value_name="Score")
    rows = long.filter(
        pl.col("Score").str.strip_chars().is_not_null() & (pl.col("Score").str.strip_chars() != "")
    )
    facilitator = next(
        (c for c in rest if re.fullmatch(r"Facilitator (?:ID|Employee ID|Email)", c.strip(), re.IGNORECASE)),
        None,
    )
    made = rows.with_columns(
        pl.col("_asked").replace_strict(sides, return_dtype=pl.String).alias("Source"),
        pl.col("_asked").replace_strict(prompts, return_dtype=pl.String).alias("Dimension"),
    ).drop("_asked")
    if facilitator is not None:
        # The facilitator rates in the facilitator's columns only; in the employee's own, the ratee does.
        made = made.with_columns(pl.when(pl.col("Source") == "manager").then(facilitator).alias(facilitator))
    return made.sort(LINE, maintain_order=True)


_LAYOUT: Final = Layout(
    name="Quantum Workplace",
    requires=(),
    columns={
        "Employee ID": "ratings.ratee_id",
        "Employee Email": "ratings.ratee_id",
        "Facilitator ID": "ratings.rater_id",
        "Facilitator Email": "ratings.rater_id",
        "Score": "ratings.score",
        "Source": "ratings.source",
        "Dimension": "ratings.dimension",
        "Share Date": "ratings.submitted_at",
        "Employee Share Date": "ratings.submitted_at",
        "Employee Name": "",
        "Facilitator Name": "",
        EXTRA: "",
    },
    prepare=_long,
)


@dataclass(frozen=True)
class Quantum:
    """Source for sheets that have such question columns."""

    name: str = "Quantum Workplace"

    def recognise(self, sheet: Sheet, known: Known) -> Recognition | None:
        """Any sheet with a question column."""
        if not any(_QUESTION.fullmatch(header) for header in sheet.headers):
            return None
        return _LAYOUT.recognise(sheet, known)

    def prepared(self, sheet: Sheet, known: Known) -> Sheet:
        """The sheet with one row per answer."""
        return _LAYOUT.prepared(sheet, known)

    def translate(
        self, batch: pl.DataFrame, recognition: Recognition, known: Known
    ) -> dict[str, pl.DataFrame]:
        """Rows of ratings."""
        return dict(_LAYOUT.translate(batch, recognition, known))


ANSWERS: Final = Quantum()
