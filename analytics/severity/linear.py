"""How much more leniently does each rater rate than an average rater, and can we tell?

Reads    one row per rating: cycle_id, ratee_id, rater_id, source, department_id (the ratee's), score (rating
         points) and chosen covariates.
Returns  per rater the severity (rating points, > 0 is lenient) with interval, local false sign rate,
         reliability and a verdict; the same per department; what was compared, and what refused.

The model is ``score = cycle + source + covariates + department + ratee + rater + standard + pair + error``.
Ratee, rater and standard (of the department whose people a rater mostly rates: how its raters rate, whomever
they rate) are random and crossed. So is the pair, what one rater thinks of one ratee time and again: most of
what differs between raters' scores is of that kind (Scullen, Mount & Goff 2000), and without it a manager's
lasting liking of some reports, counted anew every cycle, would pass for a habit of rating everybody so. It
is part of the model as soon as enough ratings repeat a pair. The severity of a rater is the rater's own
effect and the standard of the rater's department together. What the people of a department get whoever rates
them is fixed, not drawn from a distribution: otherwise better work in one department would be shared out
between the work and the standard wherever ratings hardly cross its border. So only ratings across departments
(reviews from outside, people who moved) speak about standards: where there are few the interval is wide, and
where there are none no department is said to rate more leniently. Without standards the department is random,
as in the textbooks.

Intervals use the full standard error of the mixed-model equations against the average rater, which knows
that cycle means and the like are estimated; ``reliability`` uses the conditional one, as is customary.
Self-ratings are nobody's severity and never enter. Ratings on several scales are carried to the one of most
ratings (`design.on_one_scale`), in whose points the results are. Groups of raters that share no ratee get a
mean of their own, so that severity is relative to the average rater of the group; a rater who shares ratees
with nobody does not enter. What all of a rater's ratings of one cycle share is a mood: random, part of the
model as soon as enough raters rated several people in several cycles, and no part of the severity, which
lasts. Without it a bad quarter would pass for a habit. Where few levels are compared the fit is exact
(`crossed`) and chance is judged by likelihoods; where many, the same model is fitted by `iterative` and
chance judged by how far the variances are from nought.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from analytics.disclosure import Cells
from analytics.policy import (
    MINIMUM_RATEES,
    MOST_ISLANDS,
    PRACTICAL_SEVERITY,
)
from analytics.severity.design import (
    DEFAULTS,
    SOURCES,
    Floats,
    Refusal,
    check_ratings,
    counts,
    crossing_borders,
    entering_ratings,
    fixed_classes,
    fixed_columns,
    home_matrix,
    linked_raters,
    mood_levels,
    pairs,
    random_parts,
    told_once,
    usual_scale,
    why_refused,
)
from analytics.severity.engines.crossed import CrossedFit, ExactFit, Modes, NotEstimable, fit_crossed
from analytics.severity.engines.iterative import IterativeFit, fit_iterative
from analytics.severity.linkage.graph import linkage
from analytics.severity.verdicts import (
    DEPARTMENTS,
    NUMBERS,
    Bar,
    chance_of_gain,
    department_counts,
    judged_departments,
    judged_raters,
    mean_of,
    strata,
    unjudged_departments,
    unjudged_raters,
)

REFERENCE: Final = (
    "Bates et al. (2015), J. Stat. Softw. 67(1). doi:10.18637/jss.v067.i01; "
    "Stephens (2017), Biostatistics 18(2). doi:10.1093/biostatistics/kxw041; "
    "Scullen, Mount & Goff (2000), J. Appl. Psychol. 85(6). doi:10.1037/0021-9010.85.6.956; "
    "Wright & Masters (1982), Rating Scale Analysis (separation, strata)"
)


_MOST_EXACT: Final = 700  # levels in one dense block; beyond, iterating is as good and much faster
_MOST_SMALL: Final = (
    400  # random departments beside very many raters; of more the ratees' variance takes care
)
_NO_RESIDUAL: Final = 1e-5  # of the other variances: as good as nought (the search ends at 1e-6)


@dataclass(frozen=True)
class Held:
    """What further questions about the same ratings need; never shown.

    Attributes
    ----------
    fit
        The fitted model. Its levels are those of the sorted ids.
    raters
        One row per compared rater, sorted by ``rater_id``: ``home``, the department of its standard.
    moods
        One row per rater and cycle, in the order of the levels of the moods: ``rater_id``, ``cycle_id``,
        ``n_ratings``, ``n_ratees``, ``n_shared`` (ratees of the cycle whom others rated in any).
    """

    fit: CrossedFit
    raters: pl.DataFrame
    moods: pl.DataFrame


@dataclass(frozen=True)
class Severity:
    """How leniently each rater and each department rates.

    Attributes
    ----------
    raters
        One row per rater, sorted by ``rater_id``: ``department_id`` (that of most of their ratees),
        ``severity`` with ``standard_error``, ``low``, ``high``, ``false_sign_rate`` and ``reliability``
        (all null where the verdict is ``cannot_tell``), ``n_ratings``, ``n_ratees``, ``n_shared``,
        ``component``, ``hangs_on_one``, ``verdict`` (`VERDICTS`) and ``reason`` (`REASONS`, null for flags).
        ``unremarkable`` means that nothing was found, which clears nobody: with ``no_spread`` the ratings do
        not tell raters apart, because raters are alike or the ratings too few; with ``unsure`` the severity
        might matter but may point either way; only ``small`` says that it surely or probably does not matter.
    departments
        One row per department, sorted: ``difference`` of its rating standard to the company's (average
        severity of its raters by number of ratings), ``standard_error``, ``low``, ``high``,
        ``false_sign_rate``, ``verdict``, ``reason``, ``n_raters``, ``n_people``, ``n_ratings``,
        ``n_outside`` (ratings that cross its border), ``n_accounting`` (its raters flagged the same way),
        ``difference_without`` (the same average without those; null if none is left), ``n_flagged`` and
        ``n_cannot_tell``.
    components
        One row per group of raters that share ratees: ``component``, ``n_raters``, ``n_ratees``,
        ``n_ratings``, ``compared``.
    fixed
        ``term``, ``estimate``, ``standard_error`` of cycles, sources, islands, departments, covariates.
    variances
        ``part`` (ratee, rater, residual; where ratings speak of them standard or department, mood and pair),
        ``variance``, ``share``, largest first.
    n_ratings, n_raters, n_ratees
        What the model rests on.
    left_out
        Ratings that do not enter, by why: ``self``, ``source``, ``incomplete``, ``alone``, ``island``.
    criterion
        Minus twice the restricted log likelihood, the constant of lme4; null when refused or not computed.
    converged
        Whether the search for the variances ended where nothing more could be gained.
    spread
        Standard deviation of one rating, in rating points.
    practical
        Severity that matters, in rating points.
    chance
        How often chance alone would make raters differ this much (boundary mixture; likelihood ratio of an
        exact fit, Wald of an iterative one).
    expected_false_flags
        Of the flags on raters, how many are expected to point the wrong way.
    reliability, separation, strata
        How well raters can be told apart: mean reliability R, G = sqrt(R / (1 - R)) and (4 G + 1) / 3.
    identified
        Whether anybody's severity can be told.
    refusal
        Why not, if not.
    scale
        The ``scale_id`` whose points results are in; null if unknown.
    n_scales
        How many scales ratings were given on.
    """

    raters: pl.DataFrame
    departments: pl.DataFrame
    components: pl.DataFrame
    fixed: pl.DataFrame
    variances: pl.DataFrame
    n_ratings: int
    n_raters: int
    n_ratees: int
    left_out: Mapping[str, int]
    criterion: float | None = None
    converged: bool = False
    spread: float | None = None
    practical: float | None = None
    chance: float | None = None
    expected_false_flags: float = 0.0
    reliability: float | None = None
    separation: float | None = None
    strata: float | None = None
    refusal: Refusal | None = field(default=None)
    scale: str | None = None
    n_scales: int = 1
    _held: Held | None = field(default=None, repr=False, compare=False)

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells(
            frame="raters",
            group="rater_id",
            people="n_ratees",
            values=(
                *NUMBERS,
                "n_ratings",
                "n_ratees",
                "n_shared",
                "component",
                "hangs_on_one",
                "verdict",
                "reason",
            ),
            additive=False,
        ),
        Cells(
            frame="departments",
            group="department_id",
            people="n_people",
            values=DEPARTMENTS[1:],
            additive=False,
        ),
    )

    @property
    def identified(self) -> bool:
        """Whether anybody's severity can be told."""
        return self.refusal is None

    def __repr__(self) -> str:
        """A few lines: how many raters are flagged, why the others are not, and what it rests on."""
        rests = f"{self.n_ratings:,} ratings of {self.n_ratees:,} people by {self.n_raters:,} linked raters"
        if self.refusal is not None:
            among = ", ".join(f"{name} {n:,}" for name, n in self.refusal.values.items())
            return f"Severity: nobody's can be told ({self.refusal.kind})\n  of {among}"
        n = dict(self.raters.group_by("verdict").len().iter_rows())
        flagged = f"{n.get('lenient', 0):,} lenient and {n.get('severe', 0):,} severe"
        lines = [f"Severity: {flagged} of {self.raters.height:,} raters", f"  from {rests}"]
        for verdict, words in (("unremarkable", "unremarkable"), ("cannot_tell", "the data cannot tell")):
            whys = self.raters.filter(verdict=verdict).group_by("reason").len().sort("reason")
            if whys.height:
                parts = ", ".join(f"{why} {count:,}" for why, count in whys.iter_rows())
                lines.append(f"  {words}: {n[verdict]:,} ({parts})")
        if n.get("unremarkable", 0):
            lines.append("  unremarkable means that nothing was found, not that somebody is cleared")
        return "\n".join(lines)


def severity(
    ratings: pl.DataFrame,
    *,
    sources: Sequence[str] = SOURCES,
    covariates: Sequence[str] = (),
    standards: bool = True,
) -> Severity:
    """Estimate how much more leniently each rater rates than an average rater would.

    Parameters
    ----------
    ratings
        One row per rating: ``ratee_id``, ``rater_id``, ``score`` in rating points, and the covariates; where
        known ``cycle_id`` (else all ratings are of one cycle), ``source`` (else all are by managers),
        ``department_id`` (the ratee's, null if unknown; else all are unknown) and ``scale_id`` (else all are
        on one). Rows in any order.
    sources
        Sources to compare raters by; never ``self``.
    covariates
        Numeric columns whose effect is taken out, such as years in the job.
    standards
        Whether raters of one department may share a standard. Without, the model is the textbook's
        random ``ratee + rater + department``, and a habit that a whole department shares is partly taken
        for the work of its people. Ratings that never cross departments, or too many departments to have
        a coefficient each (`MOST_DEPARTMENTS`), leave standards out by themselves.

    Returns
    -------
    Severity
        Estimates with intervals and verdicts, or a refusal: one cycle with one manager each says nothing
        about managers, however many ratings there are.

    Raises
    ------
    ValueError
        If a column is missing, a covariate is not numeric, or ``sources`` holds ``self`` or nothing.
    """
    ratings = ratings.with_columns(
        pl.lit(value, dtype=pl.String).alias(name)
        for name, value in DEFAULTS.items()
        if name not in ratings.columns
    )
    check_ratings(ratings, sources, covariates)
    kept, left_out = entering_ratings(ratings, sources, covariates)
    scale, n_scales = usual_scale(kept)
    links = linkage(kept)
    compared = links.components.filter(pl.col("n_raters") > 1).head(int(MOST_ISLANDS.value))
    components = links.components.with_columns(
        pl.col("component").is_in(compared["component"].implode()).alias("compared")
    )
    people = linked_raters(kept, links)
    entering = people.filter(pl.col("component").is_in(compared["component"].implode()))
    rows = kept.join(
        entering.select("rater_id", "component", pl.col("department_id").alias("home")),
        on="rater_id",
        maintain_order="left",
    )
    alone = people.join(links.components, on="component").filter(pl.col("n_raters") == 1)["n_ratings"].sum()
    left_out = {**left_out, "alone": int(alone), "island": kept.height - rows.height - int(alone)}
    outside = crossing_borders(rows)

    refusal = why_refused(kept, rows, entering)
    fit: CrossedFit | None = None
    if refusal is None:
        once = told_once(rows)
        levels = random_parts(once, standards=standards)
        moods = mood_levels(once)
        if moods is not None:
            levels["mood"] = moods
        try:
            fit, chance = _fitted(once, levels, covariates)
            if fit.residual <= _NO_RESIDUAL * sum(fit.variances.values()):
                raise NotEstimable("raters and people say all there is to say of the scores")
        except NotEstimable:
            fit, refusal = None, Refusal("no_residual", counts(kept, entering))
    if fit is None:
        raters = unjudged_raters(people)
        return Severity(
            raters=raters,
            departments=unjudged_departments(department_counts(kept, raters, outside)),
            components=components,
            fixed=_FIXED.clone(),
            variances=_VARIANCES.clone(),
            n_ratings=rows.height,
            n_raters=entering.height,
            n_ratees=rows["ratee_id"].n_unique(),
            left_out=MappingProxyType(left_out),
            refusal=refusal,
            scale=scale,
            n_scales=n_scales,
        )

    variances = _variances(fit)
    spread = math.sqrt(sum(variances["variance"].to_list()))
    practical = PRACTICAL_SEVERITY.value * spread
    judged, modes, prior = _effects(fit, rows, entering)
    bar = Bar(practical, chance)
    raters = judged_raters(people, entering, judged, modes, prior=prior, bar=bar)
    told = raters.filter(pl.col("severity").is_not_null())
    reliability = mean_of(told["reliability"])
    separation = None if reliability is None else math.sqrt(reliability / max(1.0 - reliability, 1e-12))
    flags = raters.filter(pl.col("verdict").is_in(["lenient", "severe"]))
    return Severity(
        raters=raters,
        departments=judged_departments(fit, rows, department_counts(kept, raters, outside), bar),
        components=components,
        fixed=pl.DataFrame(
            {
                "term": list(fit.coefficients),
                "estimate": list(fit.coefficients.values()),
                "standard_error": list(fit.coefficient_errors.values()),
            }
        ),
        variances=variances,
        n_ratings=rows.height,
        n_raters=entering.height,
        n_ratees=rows["ratee_id"].n_unique(),
        left_out=MappingProxyType(left_out),
        criterion=fit.criterion,
        converged=fit.converged,
        spread=spread,
        practical=practical,
        chance=chance,
        expected_false_flags=float(flags["false_sign_rate"].sum()),
        reliability=reliability,
        separation=separation,
        strata=None if separation is None else strata(separation),
        scale=scale,
        n_scales=n_scales,
        _held=_hold(fit, rows),
    )


_FIXED: Final = pl.DataFrame(schema={"term": pl.String, "estimate": pl.Float64, "standard_error": pl.Float64})
_VARIANCES: Final = pl.DataFrame(schema={"part": pl.String, "variance": pl.Float64, "share": pl.Float64})


def _fitted(
    rows: pl.DataFrame, levels: Mapping[str, npt.NDArray[np.int64]], covariates: Sequence[str]
) -> tuple[CrossedFit, float]:
    """The fit, exact while one dense block holds the levels, and how often chance alone would do the same."""
    score = rows["score"].to_numpy()
    pair = pairs(rows)
    departments = "standard" in levels
    levels = dict(levels)
    # Raters of one ratee, and moods of one rating, are eliminated together with their meeting.
    raters = rows.group_by("rater_id").agg(pl.col("ratee_id").n_unique() > 1)
    dense = int(raters["ratee_id"].sum())
    if "department" in levels:
        dense += int(levels["department"].max()) + 1
    if "mood" in levels:
        dense += int((np.bincount(levels["mood"]) > 1).sum())
    if dense <= _MOST_EXACT:
        columns = fixed_columns(rows, covariates, departments=departments)
        exact = fit_crossed(score, factors=levels, covariates=columns, pair=pair)
        return exact, _chance(exact, score, levels, columns, pair)
    if "department" in levels and int(levels["department"].max()) >= _MOST_SMALL:
        del levels["department"]
    fit = fit_iterative(
        score,
        factors=levels,
        classes=fixed_classes(rows, departments=departments),
        covariates={name: rows[name].to_numpy() for name in covariates},
        pair=pair is not None,
    )
    return fit, _chance_by_size(fit)


def _chance(
    fit: ExactFit,
    score: Floats,
    levels: Mapping[str, npt.NDArray[np.int64]],
    columns: Mapping[str, Floats],
    pair: npt.NDArray[np.int64] | None,
) -> float:
    """How often chance alone would gain as much likelihood as letting raters differ.

    Variances lie on the boundary under chance, so the reference is a mixture of chi-squares (Self & Liang
    1987): halves of 0 and 1 degrees of freedom for one variance; 1/4, 1/2, 1/4 of 0, 1, 2 for two.
    """
    rest = {name: codes for name, codes in levels.items() if name not in {"rater", "standard"}}
    without = fit_crossed(score, factors=rest, covariates=columns, pair=pair)
    return chance_of_gain(without.criterion - fit.criterion, 2 if "standard" in levels else 1)


def _chance_by_size(fit: IterativeFit) -> float:
    """The same without likelihoods: by how many standard errors the variances exceed nought (Wald)."""
    names = [name for name in ("rater", "standard") if name in fit.ratios]
    place = [list(fit.ratios).index(name) for name in names]
    ratios = np.array([fit.ratios[name] for name in names])
    covariance = fit.ratio_covariance[np.ix_(place, place)]
    return chance_of_gain(float(ratios @ np.linalg.pinv(covariance) @ ratios), len(names))


def _hold(fit: CrossedFit, rows: pl.DataFrame) -> Held:
    """What further questions need of the rows."""
    shared = rows.group_by("ratee_id").agg((pl.col("rater_id").n_unique() > 1).alias("shared"))
    return Held(
        fit,
        raters=rows.group_by("rater_id").agg(pl.col("home").first()).sort("rater_id"),
        moods=rows.join(shared, on="ratee_id", maintain_order="left")
        .group_by("rater_id", "cycle_id")
        .agg(
            pl.len().cast(pl.Int64).alias("n_ratings"),
            pl.col("ratee_id").n_unique().cast(pl.Int64).alias("n_ratees"),
            pl.col("ratee_id").filter(pl.col("shared")).n_unique().cast(pl.Int64).alias("n_shared"),
        )
        .sort("rater_id", "cycle_id"),
    )


def _effects(
    fit: CrossedFit, rows: pl.DataFrame, entering: pl.DataFrame
) -> tuple[pl.DataFrame, Modes, float]:
    """Raters who rated enough people, their severities, and its variance before seeing ratings.

    A severity is the rater's own effect and the standard of the rater's department together.
    """
    prior = fit.variances["rater"] + fit.variances.get("standard", 0.0)
    enough = (entering["n_ratees"] >= MINIMUM_RATEES.value).to_numpy()
    told = entering.filter(enough)
    if not fit.variances.get("standard") or told.is_empty():
        modes = fit.modes["rater"]
        return (
            told,
            Modes(modes.values[enough], modes.conditional_sd[enough], modes.standard_error[enough]),
            prior,
        )
    own = sparse.csr_matrix(sparse.eye_array(enough.size))[enough]
    return told, fit.contrasts({"rater": own, "standard": home_matrix(rows)[enough]}), prior


def _variances(fit: CrossedFit) -> pl.DataFrame:
    """The parts of the variance of one rating, largest first."""
    parts = {**fit.variances, "residual": fit.residual}
    total = sum(parts.values())
    return pl.DataFrame(
        {
            "part": list(parts),
            "variance": list(parts.values()),
            "share": [variance / total for variance in parts.values()],
        }
    ).sort(["variance", "part"], descending=[True, False])
