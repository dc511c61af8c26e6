"""Who did better under average raters, and how sure is that?

Reads    the ratings with their levels, and the severity that `linear.severity` found in them.
Returns  for people of one cycle the chance that one did better than another, or is among the best.

Ranking rests on the same parts as `adjusted`: performance is what is known of a person's work over the
cycles on record, in the department where they were in this cycle. Two people rated by one rater share that
rater's severity, and two of one department its standard: neither makes their difference doubtful. People
without a chain of shared raters between them cannot be compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from analytics.disclosure import Cells
from analytics.policy import CONFIDENCE
from analytics.severity.adjusted import known_work, placed_ratings
from analytics.severity.design import SOURCES
from analytics.severity.linear import Severity

REFERENCE: Final = (
    "Goldstein & Spiegelhalter (1996), J. R. Stat. Soc. A 159(3), doubt about ranks. doi:10.2307/2983325"
)

Floats = npt.NDArray[np.float64]

DRAWS: Final = 10_000
"""Companies drawn to say who may be among the best."""


@dataclass(frozen=True)
class Standing:
    """How well people of one cycle are known to work, under average raters.

    Attributes
    ----------
    people
        One row per person whom at least one rater the data can tell about rated, in whatever cycle, sorted by
        ``ratee_id``: ``department_id``, ``performance`` (rating points, nought
        is average in the company), ``standard_error``, ``n_ratings``, ``n_raters``, ``component``.
    cycle_id
        Which cycle.
    """

    people: pl.DataFrame
    cycle_id: str
    _known: pl.DataFrame
    _shares: pl.DataFrame

    cells: ClassVar[tuple[Cells, ...]] = ()  # A person's standing is theirs; access decides who reads it.

    def covariance(self, people: Sequence[str]) -> Floats:
        """Covariance of the errors of performance, shape (people, people), in squared rating points."""
        place = {person: at for at, person in enumerate(people)}
        own = dict(self._known.select("ratee_id", "variance").iter_rows())
        found = np.diag([own[person] for person in people])
        shares = self._shares.filter(pl.col("ratee_id").is_in(list(people)))
        for (_,), part in shares.group_by("of"):
            side = np.zeros(len(people))
            np.add.at(side, [place[one] for one in part["ratee_id"]], part["weight"].to_numpy())
            found += np.outer(side, side) * float(part["doubt"][0])
        return np.asarray(found)


@dataclass(frozen=True)
class Comparison:
    """Two people beside each other.

    Attributes
    ----------
    first, second
        Whom.
    above
        Chance that the first did better than the second; null if nothing links their raters.
    difference, low, high
        First less second in rating points, with interval; null likewise.
    told
        Whether the ratings can tell them apart: whether the interval keeps clear of nought.
    """

    first: str
    second: str
    above: float | None
    difference: float | None
    low: float | None
    high: float | None
    told: bool


def standing(
    ratings: pl.DataFrame, found: Severity, *, cycle_id: str, sources: Sequence[str] = SOURCES
) -> Standing:
    """How well everybody rated in a cycle is known to work, and what they share in doubt.

    Parameters
    ----------
    ratings, found, sources
        As for `adjusted`; levels are not needed.
    cycle_id
        Whose people to compare.

    Returns
    -------
    Standing
        Empty where severity is refused.
    """
    rows = placed_ratings(ratings, found, sources)
    here = (
        rows.filter(pl.col("cycle_id") == cycle_id)
        .sort("ratee_id", pl.col("source") != "manager", "source", "rater_id")
        .unique("ratee_id", keep="first", maintain_order=True)
        .select("ratee_id", "department_id", "merit", "component")
    )
    if found.refusal is not None:
        here = here.clear()
    # Where the data can tell about none of somebody's raters, an order would rest on nothing.
    here = here.join(rows.drop_nulls("severity").select("ratee_id").unique(), on="ratee_id", how="semi")
    pairs, people = known_work(rows, found)
    told = here.join(people, on="ratee_id", how="inner").sort("ratee_id")
    average = told.select((pl.col("merit") + pl.col("effect")).mean()).item() or 0.0
    shares = _shares(pairs, told, found)
    doubt = shares.group_by("ratee_id", "of").agg(pl.col("weight").sum(), pl.col("doubt").first())
    doubt = doubt.group_by("ratee_id").agg((pl.col("weight") ** 2 * pl.col("doubt")).sum().alias("shared"))
    shown = (
        told.join(doubt, on="ratee_id", how="left")
        .select(
            "ratee_id",
            "department_id",
            (pl.col("merit") + pl.col("effect") - average).alias("performance"),
            (pl.col("variance") + pl.col("shared").fill_null(0.0)).sqrt().alias("standard_error"),
            "n_ratings",
            "n_raters",
            "component",
        )
        .sort("ratee_id")
    )
    return Standing(shown, cycle_id, told.select("ratee_id", "variance"), shares)


def compare(known: Standing, *, first: str, second: str) -> Comparison:
    """The chance that one person did better than another under average raters.

    Raises
    ------
    ValueError
        If one of them was not rated in the cycle, or both are the same.
    """
    pair = {row["ratee_id"]: row for row in known.people.iter_rows(named=True)}
    unknown = [person for person in (first, second) if person not in pair]
    if unknown or first == second:
        raise ValueError(
            f"first and second must be two people rated in {known.cycle_id}; got {unknown or first}"
        )
    if pair[first]["component"] != pair[second]["component"]:
        return Comparison(first, second, None, None, None, None, told=False)
    shared = known.covariance([first, second])
    error = math.sqrt(max(shared[0, 0] + shared[1, 1] - 2.0 * shared[0, 1], 1e-12))
    difference = pair[first]["performance"] - pair[second]["performance"]
    reach = float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0)) * error
    above = float(stats.norm.cdf(difference / error))
    return Comparison(
        first,
        second,
        above,
        difference,
        difference - reach,
        difference + reach,
        told=max(above, 1.0 - above) >= 0.5 + CONFIDENCE.value / 2.0,
    )


def among_best(known: Standing, *, people: Sequence[str], k: int, seed: int) -> pl.DataFrame:
    """The chance of each of several people to be among the best ``k`` of them under average raters.

    Parameters
    ----------
    known
        Result of `standing`.
    people
        Whom to rank; people nothing links with most of the others are left out.
    k
        How many are the best.
    seed
        Of the draws, so that the same question has the same answer.

    Returns
    -------
    polars.DataFrame
        ``ratee_id``, ``performance``, ``chance`` (0 to 1; together they make ``k``), ``low`` and ``high``
        (ranks between which they lie with the chance of `policy.CONFIDENCE`); best first.

    Raises
    ------
    ValueError
        If ``k`` is less than one.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1; got {k}")
    listed = known.people.filter(pl.col("ratee_id").is_in(list(people)))
    linked = listed["component"].mode().sort()
    listed = listed.filter(pl.col("component") == linked[0]) if len(linked) else listed
    ids = listed["ratee_id"].to_list()
    if not ids:
        return pl.DataFrame(
            schema={
                "ratee_id": pl.String,
                "performance": pl.Float64,
                "chance": pl.Float64,
                "low": pl.Int64,
                "high": pl.Int64,
            }
        )
    rng = np.random.default_rng(seed)
    spread, turn = np.linalg.eigh(known.covariance(ids))
    drawn = rng.standard_normal((DRAWS, len(ids))) * np.sqrt(np.clip(spread, 0.0, None)) @ turn.T
    drawn += listed["performance"].to_numpy()
    ranks = np.empty(drawn.shape, dtype=np.int64)
    np.put_along_axis(ranks, np.argsort(-drawn, axis=1), np.arange(1, len(ids) + 1)[None, :], axis=1)
    outside = 50.0 * (1.0 - CONFIDENCE.value)
    low, high = np.percentile(ranks, [outside, 100.0 - outside], axis=0, method="nearest")
    return listed.select(
        "ratee_id",
        "performance",
        pl.Series("chance", (ranks <= k).mean(axis=0)),
        pl.Series("low", low.astype(np.int64)),
        pl.Series("high", high.astype(np.int64)),
    ).sort(["performance", "ratee_id"], descending=[True, False])


def _shares(pairs: pl.DataFrame, told: pl.DataFrame, found: Severity) -> pl.DataFrame:
    """What doubts people's performances rest on: the severity of raters and the standards of departments.

    A doubt about a standard is one about the work of its department as well, with the opposite sign: what
    both make together is well known.
    """
    own = pairs.join(told.select("ratee_id", "variance", "department_id"), on="ratee_id").with_columns(
        (-pl.col("tells") * pl.col("variance")).alias("weight")
    )
    columns = ["ratee_id", "of", "weight", "doubt"]
    standards = {
        department: error**2
        for department, error in found.departments.select("department_id", "standard_error").iter_rows()
        if error is not None
    }
    if not (found.variances["part"] == "standard").any() or not standards:
        return own.with_columns(pl.format("rater {}", "rater_id").alias("of")).select(columns)

    def of_standard(column: str) -> pl.Expr:
        return pl.col(column).replace_strict(standards, default=0.0, return_dtype=pl.Float64)

    raters = own.with_columns(
        pl.format("rater {}", "rater_id").alias("of"),
        (pl.col("doubt") - of_standard("home")).clip(0.0).alias("doubt"),
    )
    homes = own.with_columns(
        pl.format("standard {}", pl.col("home").fill_null("")).alias("of"), of_standard("home").alias("doubt")
    )
    work = (
        own.group_by("ratee_id", "department_id")
        .agg((-1.0 - pl.col("weight").sum()).alias("weight"))
        .with_columns(
            pl.format("standard {}", pl.col("department_id").fill_null("")).alias("of"),
            of_standard("department_id").alias("doubt"),
        )
    )
    return pl.concat([frame.select(columns) for frame in (raters, homes, work)])
