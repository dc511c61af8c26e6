"""Released frames as tables people read: headers in their language with units, names instead of ids.

Nothing is computed here but words; null stays null and shows as an empty cell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from analytics.disclosure import Released
from analytics.distribution import chart as distribution_chart
from analytics.distribution.shares import Distribution
from analytics.goals.chart import gap_words, status_words
from analytics.goals.pace import GoalPace, urgent_first
from analytics.goals.risk.ladder import Chances
from analytics.language import Language
from analytics.severity import chart as severity_chart
from analytics.severity import differential_chart, facets_chart, levels_chart
from analytics.severity.differential import Differential
from analytics.severity.facets import Facets
from analytics.severity.habits.chart import side, unit
from analytics.severity.habits.profile import HABITS, Profiles
from analytics.severity.levels import Disagreements
from analytics.severity.linear import Severity
from analytics.severity.linkage import chart as linkage_chart
from analytics.severity.linkage.comparability import Comparability


def named(frame: pl.DataFrame, column: str, names: Mapping[str, str]) -> pl.Expr:
    """A column of ids as names; an id without a name stays."""
    known = {key: names[key] for key in frame[column].drop_nulls().unique().to_list() if key in names}
    return pl.col(column).replace_strict(known, default=pl.col(column), return_dtype=pl.String)


def people(t: Language, frame: pl.DataFrame, column: str, names: Mapping[str, str]) -> pl.Expr:
    """A column of people as names; who has none to show is beyond the reader's reach, and has no id here."""
    known = {key: names[key] for key in frame[column].drop_nulls().unique().to_list() if key in names}
    unknown = pl.when(pl.col(column).is_not_null()).then(pl.lit(t("somebody beyond your reach")))
    return pl.col(column).replace_strict(known, default=unknown, return_dtype=pl.String)


def distribution(
    t: Language,
    released: Released[Distribution],
    names: Mapping[str, str],
    compared: str,
    scale: pl.DataFrame,
) -> pl.DataFrame:
    """Groups with mean, difference and the share at each level, highest mean first."""
    groups = released.value.groups
    shares = released.value.shares.with_columns((pl.col("share") * 100).round(0).cast(pl.Int64)).pivot(
        "level", index="group", values="share", aggregate_function="first"
    )
    called = level_names(released, scale)
    levels = [
        pl.col(str(level)).alias(t("{level} (%)", level=name))
        for level, name in called.items()
        if str(level) in shares.columns
    ]
    return (
        groups.join(shares, on="group", how="left", maintain_order="left")
        .sort("mean", "group", descending=[True, False], nulls_last=True)
        .select(
            named(groups, "group", names).alias(compared),
            pl.col("people").alias(t("People")),
            pl.col("mean").alias(t("Mean (points)")),
            pl.col("difference").alias(t("Difference")),
            pl.col("difference_low").alias(t("from")),
            pl.col("difference_high").alias(t("to")),
            *levels,
        )
    )


def spread(
    t: Language, released: Released[Distribution], names: Mapping[str, str], compared: str, *, of_raters: bool
) -> str:
    """The finding about a distribution; where no rating says what is compared, that it does not."""
    if released.value.groups.is_empty():
        return t(
            "None of these ratings can be placed by {comparison}. Compare by something else, or load the "
            "export that says it.",
            comparison=compared,
        )
    return distribution_chart.takeaway(released, t, names=names, of_raters=of_raters)


def level_names(released: Released[Distribution], scale: pl.DataFrame) -> dict[int, str]:
    """Short names of the levels for table headers: codes where the scale has them, always different."""
    codes: dict[int, str] = dict(scale.select("level", "code").iter_rows())
    labels: dict[int, str] = dict(released.value.levels.select("level", "label").iter_rows())
    names = {level: codes.get(level, label) for level, label in labels.items()}
    repeated = {name for name in names.values() if list(names.values()).count(name) > 1}
    return {level: f"{name} · {level}" if name in repeated else name for level, name in names.items()}


def raters_in_order(released: Released[Severity]) -> pl.DataFrame:
    """Flags first, largest first; then those like others; those the data cannot tell last."""
    order = {"lenient": 0, "severe": 0, "unremarkable": 1, "cannot_tell": 2}
    rank = pl.col("verdict").cast(pl.String).replace_strict(order, default=3, return_dtype=pl.Int8)
    return released.value.raters.sort(
        rank, pl.col("severity").abs(), "rater_id", descending=[False, True, False], nulls_last=True
    )


def raters(
    t: Language,
    released: Released[Severity],
    names: Mapping[str, str],
    departments: Mapping[str, str],
    *,
    one_cycle: bool = False,
) -> pl.DataFrame:
    """Raters the data can tell about, with severity and interval, flags first.

    Of ``one_cycle`` it is not said how many people others rated too: they did so over all cycles.
    """
    frame = raters_in_order(released).filter(pl.col("severity").is_not_null())
    shared = [] if one_cycle else [pl.col("n_shared").alias(t("… also rated by others"))]
    return frame.select(
        named(frame, "rater_id", names).alias(t("Rater")),
        pl.col("verdict")
        .cast(pl.String)
        .replace_strict(verdict_words(t), default=None, return_dtype=pl.String)
        .alias(t("Reading")),
        named(frame, "department_id", departments).alias(t("Department")),
        pl.col("severity").alias(t("Severity (points)")),
        pl.col("low").alias(t("from")),
        pl.col("high").alias(t("to")),
        pl.col("n_ratees").alias(t("People rated")),
        *shared,
    )


def disagreements(
    t: Language,
    released: Released[Disagreements],
    names: Mapping[str, str],
    departments: Mapping[str, str],
) -> pl.DataFrame:
    """Raters of whom rating points and levels say something else, largest difference first, with why."""
    frame = released.value.raters
    words = verdict_words(t)
    why = [levels_chart.why(reason, t) if reason else None for reason in frame["why"]]
    return frame.select(
        named(frame, "rater_id", names).alias(t("Rater")),
        named(frame, "department_id", departments).alias(t("Department")),
        *(
            pl.col(column)
            .cast(pl.String)
            .replace_strict(words, default=None, return_dtype=pl.String)
            .alias(name)
            for column, name in (("verdict", t("By rating points")), ("verdict_by_levels", t("By levels")))
        ),
        pl.col("severity").alias(t("Severity by points")),
        pl.col("points").alias(t("Severity by levels")),
        pl.Series(t("Likely why"), why, dtype=pl.String),
    )


def unknown_raters(
    t: Language, released: Released[Severity], names: Mapping[str, str], departments: Mapping[str, str]
) -> pl.DataFrame:
    """Raters the data cannot tell about, with why in a clause; what would help is on the rater's page."""
    frame = raters_in_order(released).filter(pl.col("severity").is_null())
    whys = [severity_chart.why(row, t) for row in frame.iter_rows(named=True)]
    return frame.select(
        named(frame, "rater_id", names).alias(t("Rater")),
        pl.Series(
            t("Why the data cannot tell"), [why[:1].upper() + why[1:] for why in whys], dtype=pl.String
        ),
        named(frame, "department_id", departments).alias(t("Department")),
    )


def beside_others(t: Language, shared: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    """Ratees with what one rater and others gave, largest difference first."""
    return (
        shared.with_columns((pl.col("given") - pl.col("others")).alias("difference"))
        .sort(pl.col("difference").abs(), "ratee_id", descending=[True, False])
        .select(
            named(shared, "ratee_id", names).alias(t("Person")),
            pl.col("given").alias(t("Given (mean)")),
            pl.col("others").alias(t("By others (mean)")),
            pl.col("difference").alias(t("Difference")),
            pl.col("n_given").alias(t("Ratings given")),
            pl.col("n_others").alias(t("Ratings by others")),
        )
    )


def verdict_words(t: Language) -> dict[str, str]:
    """What each verdict is called."""
    return {
        "lenient": t("Softer"),
        "severe": t("Harder"),
        "unremarkable": t("As others"),
        "cannot_tell": t("Cannot tell"),
    }


def goals(
    t: Language,
    released: Released[GoalPace],
    names: Mapping[str, str],
    departments: Mapping[str, str],
    chances: Released[Chances],
) -> pl.DataFrame:
    """Open goals with status, delay probability, progress, pace needed and what their record lacks."""
    frame = urgent_first(released.value).join(
        chances.value.now.select("goal_id", "delay", "delay_low", "delay_high", "rolled"),
        on="goal_id",
        how="left",
        maintain_order="left",
    )
    lacking = [pl.when(pl.col(column)).then(pl.lit(words)) for column, words in gap_words(t).items()]
    return frame.select(
        pl.col("title").alias(t("Goal")),
        pl.col("status")
        .cast(pl.String)
        .replace_strict(status_words(t), default=None, return_dtype=pl.String)
        .alias(t("Status")),
        *(
            (pl.col(column) * 100).round(0).cast(pl.Int64).alias(words)
            for column, words in (
                ("delay", t("Delay probability (%)")),
                ("delay_low", t("from")),
                ("delay_high", t("to")),
            )
        ),
        pl.when("rolled")
        .then(pl.lit(t("By the goals below it")))
        .when(pl.col("delay").is_not_null())
        .then(pl.lit(t("By its own check-ins")))
        .alias(t("Judged")),
        pl.col("due_on").alias(t("Due")),
        (pl.col("progress") * 100).floor().cast(pl.Int64).alias(t("Progress (%)")),
        (pl.col("elapsed") * 100).round(0).cast(pl.Int64).alias(t("Time used (%)")),
        pl.when(pl.col("pace_needed").is_finite())
        .then(pl.col("pace_needed").round(1))
        .alias(t("Pace needed (× so far)")),
        people(t, frame, "owner_id", names).alias(t("Owner")),
        named(frame, "department_id", departments).alias(t("Department")),
        pl.concat_str(lacking, separator=" · ", ignore_nulls=True).alias(t("What is missing")),
    )


def own_finding(t: Language, ratings: pl.DataFrame, released: Released[GoalPace]) -> str:
    """How much is on record about the viewer."""
    goals = released.value.goals.height
    if ratings.is_empty() and goals == 0:
        return t("No rating and no goal of yours is on record.")
    return t(
        "{ratings} and {goals} of yours are on record.",
        ratings=t.plural("{n} rating", "{n} ratings", ratings.height),
        goals=t.plural("{n} goal", "{n} goals", goals),
    )


def own_ratings(t: Language, ratings: pl.DataFrame) -> pl.DataFrame:
    """The viewer's ratings by cycle, newest first."""
    words = {"manager": t("Manager"), "self": t("Self")}
    return ratings.select(
        pl.col("cycle").alias(t("Cycle")),
        pl.col("source").replace_strict(words, default=pl.col("source")).alias(t("Rated by")),
        pl.coalesce("label", pl.col("score").cast(pl.String)).alias(t("Rating")),
    )


def own_goals(t: Language, released: Released[GoalPace]) -> pl.DataFrame:
    """The viewer's goals by due date."""
    return released.value.goals.sort("due_on", "goal_id").select(
        pl.col("title").alias(t("Goal")),
        pl.col("status").cast(pl.String).replace_strict(status_words(t), default=None).alias(t("Status")),
        (pl.col("progress") * 100).floor().cast(pl.Int64).alias(t("Progress (%)")),
        (pl.col("elapsed") * 100).round(0).cast(pl.Int64).alias(t("Time used (%)")),
        pl.col("due_on").alias(t("Due")),
    )


def access_log(t: Language, log: pl.DataFrame) -> pl.DataFrame:
    """The access log in words, newest first."""
    words = {
        "signed_in": t("signed in"),
        "signed_out": t("signed out"),
        "revoked": t("ended a session"),
        "refused": t("was refused"),
        "looked": t("looked at"),
        "downloaded": t("downloaded"),
        "imported": t("loaded"),
        "decided": t("decided"),
    }
    newest = log.sort("entry", descending=True)
    details = [_details(detail) for detail in newest["detail"]]
    return newest.select(
        pl.col("at").dt.strftime("%Y-%m-%d %H:%M:%S").alias(t("When (UTC)")),
        pl.col("name").alias(t("Who")),
        pl.col("action")
        .replace_strict(words, default=pl.col("action"), return_dtype=pl.String)
        .alias(t("Did")),
        pl.col("object").alias(t("What")),
        pl.Series(t("Details"), details, dtype=pl.String),
    )


def access_finding(t: Language, log: pl.DataFrame) -> str:
    """How much was looked at, by how many, and how often somebody was refused."""
    if log.is_empty():
        return t("Nobody looked at anything in this period.")
    refused = log.filter(pl.col("action") == "refused").height
    downloads = log.filter(pl.col("action") == "downloaded").height
    return t(
        "{people} looked at pages, {downloads}, and {refused}.",
        people=t.plural("{n} person", "{n} people", log["subject"].n_unique()),
        downloads=t.plural("{n} file was downloaded", "{n} files were downloaded", downloads),
        refused=t.plural("{n} request was refused", "{n} requests were refused", refused),
    )


def sessions_finding(t: Language, found: pl.DataFrame, *, local: bool) -> str:
    """How many are signed in."""
    if local:
        return t("In local mode nobody signs in: only this computer is answered.")
    opened = found.filter(pl.col("ended_at").is_null())
    return t.plural("{n} session is open.", "{n} sessions are open.", opened.height)


def sessions(t: Language, found: pl.DataFrame) -> pl.DataFrame:
    """Sign-in sessions in words, latest first."""
    ends = {
        "idle": t("idle for too long"),
        "expired": t("longest time reached"),
        "revoked": t("ended by somebody"),
        "signed_out": t("signed out"),
    }
    return found.select(
        pl.col("name").alias(t("Who")),
        pl.col("device").alias(t("Browser")),
        pl.col("created_at").dt.strftime("%Y-%m-%d %H:%M").alias(t("Since (UTC)")),
        pl.col("seen_at").dt.strftime("%Y-%m-%d %H:%M").alias(t("Last active (UTC)")),
        pl.when(pl.col("ended_at").is_null())
        .then(pl.lit(t("open")))
        .otherwise(pl.col("ended_why").replace_strict(ends, default=pl.col("ended_why")))
        .alias(t("State")),
    )


def _details(detail: str) -> str:
    found: dict[str, Any] = json.loads(detail) if detail else {}
    filters = found.pop("filters", {})
    parts = [f"{key} = {', '.join(map(str, value))}" for key, value in filters.items()]
    return " · ".join([*parts, *(f"{key} = {value}" for key, value in found.items())])


def level_bars(t: Language, released: Released[Distribution]) -> dict[str, Any]:
    """A bar in the cells of the one column that is compared: the mean, over the whole scale."""
    levels = released.value.levels["level"].to_list()
    return {
        t("Mean (points)"): st.column_config.ProgressColumn(
            format="%.2f", min_value=float(min(levels, default=0)), max_value=float(max(levels, default=1))
        )
    }


def people_counted(t: Language, released: Released[Distribution]) -> str:
    """How many people a distribution is about; empty if hidden."""
    known = released.value.total["people"].drop_nulls()
    return t.plural("{n} person", "{n} people", known[0]) if len(known) else ""


def ratings_counted(t: Language, released: Released[Severity]) -> str:
    """How many ratings by how many raters are shown; of who rated too few people only how many they are."""
    raters = released.value.raters
    counted = raters.drop_nulls("n_ratings")
    if counted.is_empty():
        return t.plural("{n} rater", "{n} raters", raters.height) if raters.height else ""
    return t(
        "{ratings} by {raters}",
        ratings=t.plural("{n} rating", "{n} ratings", int(counted["n_ratings"].sum())),
        raters=t.plural("{n} rater", "{n} raters", counted.height),
    )


def goals_counted(t: Language, released: Released[GoalPace]) -> str:
    """How many goals are open."""
    return t.plural("{n} open goal", "{n} open goals", released.value.goals.filter("open").height)


def habits(
    t: Language,
    released: Released[Profiles],
    names: Mapping[str, str],
    departments: Mapping[str, str],
    habit: str | None = None,
) -> pl.DataFrame:
    """What stands out of how raters use the scale, surest first within each habit; of one habit if named."""
    flagged = released.value.habits.filter("flag")
    if habit:
        flagged = flagged.filter(pl.col("habit") == habit)
    frame = flagged.sort(pl.col("habit").cast(pl.Enum(HABITS)), "q", "rater_id")
    rows = list(frame.iter_rows(named=True))
    units = [unit(row["habit"], t) for row in rows]
    by = pl.Series([factor for factor, _ in units], dtype=pl.Float64)

    def in_unit(value: pl.Expr, header: str) -> pl.Expr:
        return (value * by).round(4).alias(header)

    return frame.select(
        named(frame, "rater_id", names).alias(t("Rater")),
        pl.Series(t("What stands out"), [side(row, t) for row in rows], dtype=pl.String),
        in_unit(pl.col("estimate"), t("Seen")),
        in_unit(pl.col("usual"), t("Usual")),
        in_unit(pl.col("low") - pl.col("usual"), t("Difference from")),
        in_unit(pl.col("high") - pl.col("usual"), t("to")),
        pl.Series(t("Unit"), [words for _, words in units], dtype=pl.String),
        pl.col("n_people").alias(t("People rated")),
        named(frame, "department_id", departments).alias(t("Department")),
    )


def customs(t: Language, released: Released[Profiles], departments: Mapping[str, str]) -> pl.DataFrame:
    """How alike the raters of each department use the levels, furthest from the company first."""
    frame = released.value.departments.sort(
        "distance", "department_id", descending=[True, False], nulls_last=True
    )
    return frame.select(
        named(frame, "department_id", departments).alias(t("Department")),
        pl.col("distance").alias(t("Distance (levels)")),
        pl.col("by_chance").alias(t("By chance (levels)")),
        pl.when("custom")
        .then(pl.lit(t("A custom of the department")))
        .when(pl.col("distance").is_not_null())
        .then(pl.lit(t("As its raters explain")))
        .alias(t("What it is")),
        pl.col("n_raters").alias(t("Number of raters")),
        pl.col("n_people").alias(t("People rated")),
    )


def judgements_counted(t: Language, released: Released[Profiles]) -> str:
    """How many judgements a description of habits rests on."""
    return _of_company(t, released.value.n_ratings, released.value.n_raters)


def extra_reviews(
    t: Language, released: Released[Comparability], names: Mapping[str, str], departments: Mapping[str, str]
) -> pl.DataFrame:
    """The reviews that would make raters comparable, in the order of their worth."""
    plan = released.value.reviews
    rows = list(plan.iter_rows(named=True))
    told = [
        {
            who: linkage_chart.person(row[f"{who}_id"], row[f"{who}_department_id"], t, names, departments)
            for who in ("rater", "ratee")
        }
        for row in rows
    ]
    shown = plan.select(
        pl.col("step").alias(t("No.")),
        pl.Series(t("Who would rate"), [row["rater"] for row in told], dtype=pl.String),
        pl.Series(t("Whom"), [row["ratee"] for row in told], dtype=pl.String),
        pl.Series(t("What it does"), [linkage_chart.purpose(row, t) for row in rows], dtype=pl.String),
        pl.col("n_needed").alias(t("Reviews needed")),
        pl.col("n_connected").alias(t("Connected then")),
    )
    # Without a fit nothing is known of reliabilities.
    return shown.select(column for column in shown if column.null_count() < max(shown.height, 1))


def hardly_comparable(released: Released[Comparability]) -> pl.DataFrame:
    """Raters of enough people who cannot be compared, or hardly."""
    return released.value.raters.filter(pl.col("standing").is_in(["alone", "apart"]) | pl.col("weak"))


def not_comparable(
    t: Language, released: Released[Comparability], names: Mapping[str, str], departments: Mapping[str, str]
) -> pl.DataFrame:
    """Raters of enough people who cannot be compared, or hardly, with why and what would help."""
    order = {"alone": 0, "apart": 1, "compared": 2}
    frame = hardly_comparable(released).sort(
        pl.col("standing").replace_strict(order, default=3, return_dtype=pl.Int8),
        "component",
        "rater_id",
    )
    rows = list(frame.iter_rows(named=True))
    help_words = linkage_chart.helps_in_short(released, frame, t, names=names, departments=departments)
    return frame.select(
        named(frame, "rater_id", names).alias(t("Rater")),
        named(frame, "department_id", departments).alias(t("Department")),
        pl.Series(t("Why"), [linkage_chart.why_in_short(row, t) for row in rows], dtype=pl.String),
        pl.Series(t("What would help"), help_words, dtype=pl.String),
    )


def linking_people(
    t: Language, released: Released[Comparability], names: Mapping[str, str], departments: Mapping[str, str]
) -> pl.DataFrame:
    """The people who make the links, those on whom most hangs first."""
    frame = released.value.people
    words = linkage_chart.kind_words_in_short(t)
    whys = [t.listing([words[kind] for kind in why or []]) for why in frame["why"].to_list()]
    # Where nobody would be cut off, the finding says so once.
    cut_off = [pl.col("n_cut_off").alias(t("Cut off without them"))] if frame["n_cut_off"].sum() else []
    return frame.select(
        named(frame, "ratee_id", names).alias(t("Person")),
        named(frame, "department_id", departments).alias(t("Department")),
        pl.col("n_raters").alias(t("Number of raters")),
        *cut_off,
        pl.Series(t("Because of"), whys, dtype=pl.String),
    )


def ruler(t: Language, released: Released[Facets], names: Mapping[str, Mapping[str, str]]) -> pl.DataFrame:
    """Dimensions, sources and cycles with the rating an average person gets there, highest first."""
    words = facets_chart.facet_words(t)
    place = {facet: at for at, facet in enumerate(words)}
    frame = released.value.elements.sort(
        pl.col("facet").replace_strict(place, default=len(place)),
        "fair_average",
        "element",
        descending=[False, True, False],
        nulls_last=True,
    )
    called = [facets_chart.element_name(row, t, names) for row in frame.iter_rows(named=True)]
    return frame.select(
        pl.col("facet").replace_strict(words, default=pl.col("facet")).alias(t("Part")),
        pl.Series(t("Which"), called, dtype=pl.String),
        pl.col("fair_average").alias(t("Fair average (points)")),
        pl.col("fair_low").alias(t("from")),
        pl.col("fair_high").alias(t("to")),
        pl.col("difference").alias(t("Difference")),
        pl.col("infit").alias(t("Scatter (1 = chance)")),
        pl.col("n_ratees").alias(t("People")),
        pl.col("n_ratings").alias(t("Ratings")),
    )


def odd_raters(
    t: Language, released: Released[Facets], names: Mapping[str, str], departments: Mapping[str, str]
) -> pl.DataFrame:
    """Raters whose ratings scatter far more or less than chance allows, with what that means."""
    frame = facets_chart.odd_raters(released)
    return frame.select(
        named(frame, "rater_id", names).alias(t("Rater")),
        named(frame, "department_id", departments).alias(t("Department")),
        pl.col("fit").replace_strict(facets_chart.fit_words(t), default=None).alias(t("Pattern")),
        pl.col("infit").alias(t("Scatter (1 = chance)")),
        pl.col("n_ratees").alias(t("People rated")),
        pl.col("n_ratings").alias(t("Ratings")),
    )


def ruler_counted(t: Language, released: Released[Facets]) -> str:
    """How many judgements the ruler rests on; empty where nothing can be told."""
    found = released.value
    return _of_company(t, found.n_ratings, found.n_raters) if found.identified else ""


def yardstick(
    t: Language,
    released: Released[Differential],
    names: Mapping[str, str],
    departments: Mapping[str, str],
    *,
    group: str,
    called: str,
) -> pl.DataFrame:
    """Raters of one group: the flagged, largest difference first, then all others by name.

    In any other order chance would put somebody on top. The interval of a rater's own ratings is in the
    picture: beside the likely difference it would read as a finding about each.
    """
    told = released.value.raters.filter(group=group).drop_nulls("difference")
    flagged = pl.col("verdict") != "unremarkable"
    frame = pl.concat(
        [
            told.filter(flagged).sort(pl.col("difference").abs(), "rater_id", descending=[True, False]),
            told.filter(~flagged)
            .with_columns(named(told, "rater_id", names).alias("name"))
            .sort("name", "rater_id")
            .drop("name"),
        ]
    )
    words = differential_chart.verdict_words(t)
    return frame.select(
        named(frame, "rater_id", names).alias(t("Rater")),
        named(frame, "department_id", departments).alias(t("Department")),
        pl.col("verdict").replace_strict(words, default=None).alias(t("Rates {group}", group=called)),
        pl.col("difference").alias(t("Likely difference (points)")),
        pl.col("n_group").alias(t("People of the group")),
        pl.col("n_rest").alias(t("Others")),
    )


def group_gaps(t: Language, released: Released[Differential], groups: Mapping[str, str]) -> pl.DataFrame:
    """What runs through the whole company, by group, largest difference first."""
    frame = released.value.groups.sort(
        pl.col("gap").abs(), "group", descending=[True, False], nulls_last=True
    )
    return frame.select(
        named(frame, "group", groups).alias(t("Group")),
        pl.col("gap").alias(t("Rated higher than others by (points)")),
        pl.col("low").alias(t("from")),
        pl.col("high").alias(t("to")),
        pl.col("n_people").alias(t("People")),
        pl.col("n_raters").alias(t("Raters the data can tell about")),
        pl.col("n_flagged").alias(t("of them flagged")),
    )


def yardstick_counted(t: Language, released: Released[Differential]) -> str:
    """How many ratings yardsticks rest on; empty where nothing can be told."""
    found = released.value
    if not found.identified:
        return ""
    return t.plural(
        "in the whole company {ratings} ratings by {n} rater",
        "in the whole company {ratings} ratings by {n} raters",
        found.n_raters,
        ratings=f"{found.n_ratings:,}",
    )


def _of_company(t: Language, n_judgements: int, n_raters: int) -> str:
    """What a comparison rests on: all of the company, whoever is shown."""
    return t.plural(
        "in the whole company {judgements} judgements by {n} rater",
        "in the whole company {judgements} judgements by {n} raters",
        n_raters,
        judgements=f"{n_judgements:,}",
    )
