"""Can our raters be compared at all, what hangs on whom, and what would help?

Reads    one row per rating: rater_id, ratee_id, department_id (the ratee's, may be null), and source.
Returns  per rater whether and how well they can be compared; per department and pair of departments how many
         people were rated on both sides; the people who make the links and why links exist; the reviews
         that would help.

A rater can be compared who rated enough people and is linked, over people rated by several, to the largest
group of raters. How well is a matter of how many comparisons that is worth: see `information`. Whether all
of it hangs on one person: see `graph`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Final

import polars as pl

from analytics.disclosure import Cells
from analytics.policy import MINIMUM_LINKED_RATERS, MINIMUM_RATEES
from analytics.severity.linkage.graph import cuts, linkage
from analytics.severity.linkage.information import Variances, information
from analytics.severity.linkage.reviews import helpful_reviews, homes, weakly

REFERENCE: Final = (
    "Kline, Saggio & Sølvsten (2020), Econometrica 88(5). doi:10.3982/ECTA16410; "
    "Jochmans & Weidner (2019), Econometrica 87(5). doi:10.3982/ECTA14691"
)

STANDINGS: Final = (
    "compared",  # linked to most others and rated enough people
    "few_ratees",  # linked, but rated fewer people than it takes
    "apart",  # linked only to a few raters apart from all others
    "alone",  # nobody else ever rated any of the same people
)
KINDS: Final = ("moved", "skip_level", "cross_department", "other")
"""Why somebody has several raters: another manager, a manager's manager, another department, anybody else."""

_NUMBERS: Final = ("n_ratings", "n_ratees", "n_shared", "comparisons", "as_good_as", "reliability")
_REQUIRED: Final = ("rater_id", "ratee_id", "department_id", "source")


@dataclass(frozen=True)
class Comparability:
    """Who can be compared, and what would help.

    Attributes
    ----------
    raters
        One row per rater, sorted by ``rater_id``: ``department_id`` (of most of their ratees),
        ``component``, ``standing`` (`STANDINGS`), ``weak`` (compared, but by little, or by one person),
        ``hangs_on_one``, ``lasting`` (linked to most others whoever is taken away), ``n_ratings``,
        ``n_ratees``, ``n_shared``, ``comparisons``, ``as_good_as`` and ``reliability`` (see
        `Information.raters`).
    components
        One row per component, sorted by ``component``: ``n_raters``, ``n_ratees``, ``n_ratings``.
    departments
        One row per known department of raters, sorted by ``department_id``: ``component`` (of most of its
        raters), ``n_people`` they rated, ``n_raters`` who rated enough people, ``n_compared`` of them.
    bridges
        One row per two departments with somebody rated from both, sorted by ``one`` and ``other``:
        ``bridge`` (both ids), ``n_people`` rated on both sides.
    people
        One row per ratee with several raters, those who carry most first: ``department_id``,
        ``n_raters``, ``n_cut_off`` (raters who can be compared and could not be with most others without
        this person), ``carries``
        (links that go through this person; see `Information.people`) and ``why``, the kinds of their links.
    kinds
        One row per kind of link (`KINDS`) that occurs: ``n_people`` rated by several for that reason and
        ``n_raters`` who rated them.
    reviews
        What would help, most helpful first; see `helpful_reviews`.
    n_raters, n_connected
        All raters, and those in the largest component.
    exact
        Whether information is exact.
    """

    raters: pl.DataFrame
    components: pl.DataFrame
    departments: pl.DataFrame
    bridges: pl.DataFrame
    people: pl.DataFrame
    kinds: pl.DataFrame
    reviews: pl.DataFrame
    n_raters: int
    n_connected: int
    exact: bool

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells(
            frame="raters",
            group="rater_id",
            people="n_ratees",
            values=(*_NUMBERS, "standing", "weak", "hangs_on_one", "lasting"),
            additive=False,
        ),
        Cells(
            frame="departments",
            group="department_id",
            people="n_people",
            values=("n_people", "n_raters", "n_compared"),
            additive=False,
        ),
        Cells(frame="bridges", group="bridge", people="n_people", values=("n_people",), additive=False),
        Cells(
            frame="kinds", group="kind", people="n_people", values=("n_people", "n_raters"), additive=False
        ),
    )


def comparability(
    ratings: pl.DataFrame,
    *,
    variances: Variances | None = None,
    secure: bool = False,
    present: Collection[str] | None = None,
    seed: int = 0,
) -> Comparability:
    """Find out who can be compared with whom, how well, and what would help.

    Parameters
    ----------
    ratings
        One row per rating with ``rater_id``, ``ratee_id``, ``department_id`` (the ratee's, null if unknown)
        and ``source``. Self-ratings and rows without rater or ratee are left out.
    variances
        What ratings vary by (`Variances.fitted`), for reliabilities; None where no fit was possible.
    secure
        Whether each suggested join is made by two reviews, so that it hangs on nobody.
    present
        Who can still rate and be rated; everybody if None.
    seed
        Of the probes that very many raters are weighed by.

    Returns
    -------
    Comparability
        Empty frames for no ratings.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    missing = [name for name in _REQUIRED if name not in ratings.columns]
    if missing:
        raise ValueError(
            f"ratings must have the columns {', '.join(_REQUIRED)}; missing {', '.join(missing)}"
        )
    kept = ratings.select(pl.col(name).cast(pl.String) for name in _REQUIRED).filter(
        pl.col("rater_id").is_not_null()
        & pl.col("ratee_id").is_not_null()
        & (pl.col("rater_id") != pl.col("ratee_id"))
        & (pl.col("source").fill_null("") != "self")
    )
    links, told = linkage(kept), information(kept, variances=variances, seed=seed)
    home = homes(kept, "rater_id")
    raters = (
        links.raters.join(
            links.components.select("component", pl.col("n_raters").alias("together")), on="component"
        )
        .join(told.raters, on="rater_id")
        .join(home, on="rater_id")
        .with_columns(_standing())
        .with_columns(((pl.col("standing") == "compared") & weakly()).alias("weak"))
    )
    # Who cannot be compared anyway has nothing to lose.
    hanging = cuts(kept, counted=raters.filter(pl.col("standing") == "compared")["rater_id"].to_list())
    lasting = pl.col("rater_id").is_in(hanging.lasting["rater_id"].implode())
    raters = raters.with_columns(lasting.alias("lasting"))
    return Comparability(
        raters=raters.select(
            "rater_id",
            "department_id",
            "component",
            "standing",
            "weak",
            "hangs_on_one",
            "lasting",
            *_NUMBERS,
        ).sort("rater_id"),
        components=links.components,
        departments=_departments(kept, raters),
        bridges=_bridges(kept, home),
        people=told.people.join(hanging.people, on="ratee_id", how="left")
        .join(homes(kept, "ratee_id"), on="ratee_id")
        .join(_why(kept), on="ratee_id", how="left")
        .with_columns(pl.col("n_cut_off").fill_null(0))
        .select("ratee_id", "department_id", "n_raters", "n_cut_off", "carries", "why")
        .sort(["n_cut_off", pl.col("carries").round(9), "ratee_id"], descending=[True, True, False]),
        kinds=_kinds(kept),
        reviews=helpful_reviews(kept, links, told, secure=secure, present=present),
        n_raters=raters.height,
        n_connected=int(links.components["n_raters"].max() or 0),  # type: ignore[arg-type]
        exact=told.exact,
    )


def _standing() -> pl.Expr:
    """Whether a rater can be compared, and why not."""
    apart = (pl.col("component") > 1) | (pl.col("together") < MINIMUM_LINKED_RATERS.value)
    return (
        pl.when(pl.col("together") == 1)
        .then(pl.lit("alone"))
        .when(apart)
        .then(pl.lit("apart"))
        .when(pl.col("n_ratees") < MINIMUM_RATEES.value)
        .then(pl.lit("few_ratees"))
        .otherwise(pl.lit("compared"))
        .alias("standing")
    )


def _departments(kept: pl.DataFrame, raters: pl.DataFrame) -> pl.DataFrame:
    """Raters by department, and with how many others their department hangs together."""
    rated = (
        kept.select("rater_id", "ratee_id")
        .join(raters.select("rater_id", pl.col("department_id")), on="rater_id")
        .group_by("department_id")
        .agg(pl.col("ratee_id").n_unique().cast(pl.Int64).alias("n_people"))
    )
    enough = pl.col("n_ratees") >= MINIMUM_RATEES.value
    # Most of its raters' component; of equally many the larger one.
    component = (
        raters.group_by("department_id", "component")
        .agg(pl.len().alias("n"))
        .sort("department_id", "n", "component", descending=[False, True, False])
        .group_by("department_id", maintain_order=True)
        .agg(pl.col("component").first())
    )
    return (
        raters.group_by("department_id")
        .agg(
            enough.sum().cast(pl.Int64).alias("n_raters"),
            (pl.col("standing") == "compared").sum().cast(pl.Int64).alias("n_compared"),
        )
        .filter(pl.col("department_id").is_not_null())
        .join(rated, on="department_id")
        .join(component, on="department_id")
        .select("department_id", "component", "n_people", "n_raters", "n_compared")
        .sort("department_id")
    )


def _bridges(kept: pl.DataFrame, home: pl.DataFrame) -> pl.DataFrame:
    """People rated by raters of two departments, for every two departments."""
    seen = (
        kept.select("rater_id", "ratee_id")
        .join(home.drop_nulls(), on="rater_id")
        .select("ratee_id", "department_id")
        .unique()
    )
    both = seen.join(seen, on="ratee_id", suffix="_other").filter(
        pl.col("department_id") < pl.col("department_id_other")
    )
    return (
        both.group_by(pl.col("department_id").alias("one"), pl.col("department_id_other").alias("other"))
        .agg(pl.len().cast(pl.Int64).alias("n_people"))
        .with_columns(pl.format("{} – {}", "one", "other").alias("bridge"))
        .select("bridge", "one", "other", "n_people")
        .sort("one", "other")
    )


def _linking(kept: pl.DataFrame) -> pl.DataFrame:
    """Ratings of people with several raters, with the kinds of link each person makes."""
    several = pl.col("rater_id").n_unique().over("ratee_id") > 1
    managers = pl.col("rater_id").filter(pl.col("source") == "manager").n_unique().over("ratee_id")
    known = pl.lit(["manager", "skip_level", "cross_department"])
    return (
        kept.with_columns(managers.alias("managers"))
        .filter(several)
        .with_columns(
            pl.when(pl.col("source") == "manager")
            .then(pl.when(pl.col("managers") > 1).then(pl.lit("moved")))
            .when(pl.col("source").is_in(known))
            .then("source")
            .otherwise(pl.lit("other"))
            .alias("kind")
        )
    )


def _kinds(kept: pl.DataFrame) -> pl.DataFrame:
    """How many people link raters for which reason; one person may for several."""
    linking = _linking(kept)
    return (
        linking.select("ratee_id", "kind")
        .drop_nulls()
        .unique()
        .join(linking.select("ratee_id", "rater_id").unique(), on="ratee_id")
        .group_by("kind")
        .agg(
            pl.col("ratee_id").n_unique().cast(pl.Int64).alias("n_people"),
            pl.col("rater_id").n_unique().cast(pl.Int64).alias("n_raters"),
        )
        .sort("n_people", "kind", descending=[True, False])
    )


def _why(kept: pl.DataFrame) -> pl.DataFrame:
    """The kinds of link each person with several raters makes, in the order of `KINDS`."""
    found = _linking(kept).select("ratee_id", "kind").unique()
    return (
        found.with_columns(
            pl.col("kind").replace_strict({k: i for i, k in enumerate(KINDS)}, default=None).alias("nth")
        )
        .sort("ratee_id", "nth")
        .group_by("ratee_id", maintain_order=True)
        .agg(pl.col("kind").drop_nulls().alias("why"))
    )
