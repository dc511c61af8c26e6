"""How do we know? The words behind a page: method, numbers, who was left out, limits."""

from __future__ import annotations

from analytics.disclosure import Released
from analytics.distribution import chart as distribution_chart
from analytics.distribution.shares import Distribution
from analytics.goals import chart as goal_chart
from analytics.goals.chart import preset_words
from analytics.goals.pace import GoalPace
from analytics.goals.warning import EarlyWarnings
from analytics.language import Language, percent, signed
from analytics.policy import (
    ADJUSTED_RANGE,
    FALSE_DISCOVERY,
    FALSE_SIGN_RATE,
    MINIMUM_COMPARISONS,
    MINIMUM_HABIT_RATEES,
    MINIMUM_RATEES,
    MISFIT_HIGH,
    MISFIT_LOW,
    MOST_EXTRA_REVIEWS,
    PACE_PRESETS,
    TELLING_EVIDENCE,
)
from analytics.severity.adjusted import Adjusted
from analytics.severity.differential import Differential
from analytics.severity.evidence import Evidence
from analytics.severity.facets import Facets
from analytics.severity.facets_chart import facet_words
from analytics.severity.habits.profile import SELF_CORRELATION, SELF_LENIENCY, Profiles
from analytics.severity.linear import Severity
from analytics.severity.linkage.comparability import Comparability
from analytics.severity.ranking import DRAWS


def distribution(t: Language, released: Released[Distribution]) -> dict[str, str]:
    """Behind the rating distributions."""
    total = released.value.total.row(0, named=True) if released.value.total.height else {}
    return {
        t("Method"): t(
            "Shares of people at each level with Wilson intervals. Groups are compared by the difference of "
            "their mean to everybody else's, with an interval that counts people, not ratings, and by the "
            "chance that somebody of this group is rated higher than somebody of another. Tests stand beside "
            "their size: with many people a tiny difference is “significant”."
        ),
        t("Counted"): t(
            "{people} people, {ratings} ratings; {left_out} ratings without a group were left out.",
            people=_number(t, total.get("people")),
            ratings=_number(t, total.get("ratings")),
            left_out=_number(t, total.get("left_out")),
        ),
        **distribution_chart.details(released, t),
        t("Flags"): t("Adjusted for the number of groups (Benjamini–Hochberg), 5 % false discoveries."),
        t("Small groups"): t(
            "Groups of fewer than {minimum} people are hidden, and as many more as it takes that no hidden "
            "one can be worked out.",
            minimum=released.minimum,
        ),
        t("Limits"): t(
            "A difference between groups says nothing about its cause: better work, softer raters or another "
            "mix of jobs look alike here. The page on leniency tells raters from work where the data allow."
        ),
        t("Rules"): _rules(t, released),
    }


def severity(t: Language, released: Released[Severity], *, cycle: str | None = None) -> dict[str, str]:
    """Behind leniency, over all cycles or in one that is named."""
    found = released.value
    left = found.left_out
    return {
        t("Method"): t(
            "A crossed model of all ratings over all cycles: score = cycle + source + person rated + rater + "
            "department + what a rater lastingly thinks of one person + chance, fitted by restricted maximum "
            "likelihood. A rater is compared with others "
            "through the people both rated: moves between managers, skip-level and cross-department reviews. "
            "Severity is what remains of a rater once the people, cycles and departments are accounted for."
        ),
        t("Counted"): t(
            "In the whole company, over all cycles: {ratings} ratings of {ratees} people by {raters} raters. "
            "Left out: {self} self-ratings, {alone} ratings by raters nobody shares a person with, {island} "
            "in small groups linked to nobody else, {incomplete} incomplete.",
            ratings=_number(t, found.n_ratings),
            ratees=_number(t, found.n_ratees),
            raters=_number(t, found.n_raters),
            self=_number(t, left.get("self", 0)),
            alone=_number(t, left.get("alone", 0)),
            island=_number(t, left.get("island", 0)),
            incomplete=_number(t, left.get("incomplete", 0)),
        ),
        t("Flags"): t(
            "A rater is flagged if the estimate lies at least {practical} points from the average rater, its "
            "interval does not reach nought, and the chance that it points the other way is at most "
            "{rate} %. Of these flags about {false} may point the wrong way.",
            rate=f"{100 * FALSE_SIGN_RATE.value:g}",
            practical="–" if found.practical is None else f"{found.practical:.2f}",
            false=f"{found.expected_false_flags:.1f}",
        ),
        **_scales(t, found),
        t("How well raters can be told apart"): ""
        if found.reliability is None
        else t(
            "Reliability {reliability}, separation {separation}: about {strata} distinct bands of raters.",
            reliability=percent(found.reliability, t),
            separation=f"{found.separation or 0:.1f}",
            strata=f"{found.strata or 0:.0f}",
        ),
        t("When it refuses"): t(
            "One cycle with one manager each says nothing about managers. Raters who share no person with "
            "others, or rated fewer than five people, are listed as “the data cannot tell”."
        ),
        t("Limits"): t(
            "People who did better or worse than before right when they changed managers look like leniency. "
            "Severity is a tendency over the years on record, not a judgement of any single rating."
        )
        if cycle is None
        else t(
            "People who did better or worse than before right when they changed managers look like leniency. "
            "Severity in {cycle} is the tendency over the years on record and what was different in that "
            "cycle; it is no judgement of any single rating.",
            cycle=cycle,
        ),
        t("Sources"): "Bates et al. (2015), J. Stat. Softw. 67(1); Stephens (2017), Biostatistics 18(2)",
        t("Rules"): _rules(t, released),
    }


def _scales(t: Language, found: Severity) -> dict[str, str]:
    if found.n_scales < 2:
        return {}
    return {
        t("Scales"): t(
            "Ratings are on {n} scales. All are carried over to that of most ratings ({scale}), so that "
            "scores spread alike on each; points are those of that scale. Should people really differ more "
            "in the cycles of one scale than in those of another, this hides it.",
            n=found.n_scales,
            scale=found.scale or "–",
        ),
    }


def habits(t: Language, released: Released[Profiles]) -> dict[str, str]:
    """Behind the habits of using the rating scale."""
    found = released.value
    late = next(iter(found.recency.iter_rows(named=True)), None)
    return {
        t("Method"): t(
            "Every rating is held against ratings of comparable people by all other raters: people of whom "
            "others think about as much, rated by somebody about as soft. So neither a strong team nor a "
            "soft hand counts as a habit. A person counts once, however often they were rated."
        ),
        t("Counted"): t(
            "{ratings} judgements (overall and by dimension) of {ratees} people by {raters} raters.",
            ratings=_number(t, found.n_ratings),
            ratees=_number(t, found.n_ratees),
            raters=_number(t, found.n_raters),
        ),
        t("Habits"): t(
            "Middle and ends: share of those levels. Sets people apart: spread of the ratings against the "
            "spread expected. Overdraws differences: correlation of what others would give with what is "
            "left of the rating; below the usual it levels differences. Rates dimensions alike: mean "
            "correlation between dimensions, and the spread within one person. Rates above self-ratings: "
            "mean of manager less self. Follows the end of the cycle: weight of goal progress in the second "
            "half less that in the first."
        ),
        t("Flags"): t(
            "A flag needs a size that matters, an interval that does not reach the usual, and a false "
            "discovery rate of at most {rate} among all raters (Benjamini–Hochberg).",
            rate=percent(FALSE_DISCOVERY.value, t),
        ),
        t("When it refuses"): t(
            "Raters of fewer than {minimum} people are not described.",
            minimum=int(MINIMUM_HABIT_RATEES.value),
        ),
        t("Self-ratings"): ""
        if found.self_d is None or found.self_d_low is None or found.self_d_high is None
        else t(
            "In this company self-ratings lie {d} standard deviations above those of managers (likely {low} "
            "to {high}) and correlate with them by {r}; in published studies {published_d} and "
            "{published_r}.",
            d=f"{found.self_d:.2f}",
            low=f"{found.self_d_low:.2f}",
            high=f"{found.self_d_high:.2f}",
            r="–" if found.self_r is None else f"{found.self_r:.2f}",
            published_d=f"{SELF_LENIENCY:.2f}",
            published_r=f"{SELF_CORRELATION:.2f}",
        ),
        t("Goals"): ""
        if late is None
        else t(
            "Over all raters, late progress weighs {value} more than early progress (likely {low} to "
            "{high}), in standard deviations. One rater rates few people, so each is drawn towards this.",
            value=signed(late["estimate"], 2),
            low=signed(late["low"], 2),
            high=signed(late["high"], 2),
        ),
        t("Limits"): t(
            "Where hardly anybody else rated the same people, they are compared with the average. What all "
            "of a rater's ratings of one cycle share is not seen. A gap to self-ratings is flagged only as "
            "far as it goes beyond how softly the rater rates. A rater can be right: a flag is a reason to "
            "ask."
        ),
        t("Sources"): "Saal, Downey & Lahey (1980), Psychol. Bull. 88(2); Myford & Wolfe (2003, 2004), "
        "J. Appl. Meas. 4(4), 5(2); Heidemeier & Moser (2009), J. Appl. Psychol. 94(2)",
        t("Rules"): _rules(t, released),
    }


def linkage(t: Language, released: Released[Comparability]) -> dict[str, str]:
    """Behind who can be compared."""
    found = released.value
    return {
        t("Method"): t(
            "Two raters are linked when somebody was rated by both, in the same cycle or, after a move, in "
            "different ones. Whoever is linked to most others over such people, however many steps it takes, "
            "can be compared with them. Every person rated by several raters compares them; with the "
            "person's own level taken out, these comparisons form a net, and how well a rater can be told "
            "apart is the resistance of the net between this rater and all others."
        ),
        t("As good as so many people"): t(
            "What the net of comparisons around a rater is worth: as much as if this rater and an average "
            "one had both rated so many people, once each."
        ),
        t("How well raters can be told apart"): t(
            "By comparisons alone: 0 % means that nothing is known of a rater beyond what is known of any, "
            "100 % that everything is. The page on leniency also takes teams to be alike on average and "
            "therefore knows a little more."
        ),
        t("What would help"): t(
            "Groups that share nobody are joined to the largest one by one, those with most raters first: "
            "one review each, no fewer would do. The rater with most people of the group is asked, about "
            "somebody near by whom several rated, and about another person each time as far as possible. "
            "Nobody is asked for, or looked at in, more than {most} extra reviews, nobody is asked about "
            "themselves or about somebody who rates them, and only people who took part in the newest cycle "
            "are named.",
            most=int(MOST_EXTRA_REVIEWS.value),
        ),
        t("Reviews needed"): t(
            "One review links a rater to the others but says little. So many, of different people, tell "
            "half of what there is to know about the rater."
        ),
        t("Comparisons that say little"): t(
            "A comparison that is worth fewer than {minimum} people, that hangs on one person, or that tells "
            "less than half of what there is to know about a rater.",
            minimum=int(MINIMUM_COMPARISONS.value),
        ),
        t("Limits"): t(
            "That raters can be compared does not mean that they differ. A person who was rated by two "
            "managers in different cycles compares them only as far as the person's work stayed the same."
        ),
        t("Exactness"): ""
        if found.exact
        else t("So many raters are weighed by random probes: to within about a tenth."),
        t("Sources"): "Kline, Saggio & Sølvsten (2020), Econometrica 88(5); "
        "Jochmans & Weidner (2019), Econometrica 87(5)",
        t("Rules"): _rules(t, released),
    }


def beside_evidence(t: Language, released: Released[Evidence]) -> dict[str, str]:
    """Behind ratings beside evidence."""
    found = released.value
    kind = found.kinds.row(0, named=True)
    reliability = kind["reliability"]
    return {
        t("Method"): t(
            "A person's rating is held against what people with the same evidence got on average in the same "
            "cycle from the same source (a straight line). Goal attainment is the weighted progress of "
            "somebody's own goals on the cycle's last day, each between nought and one; who has no goals is "
            "unknown, not nought. Feedback is what sources that are not compared gave the same person, the "
            "rater's own left out. Groups are held against the line that perfectly reliable evidence would "
            "have, because doubtful evidence makes good work look overrated."
        ),
        t("Counted"): t(
            "{known} of {ratings} ratings, of {people} people, have this evidence.",
            known=_number(t, kind["n_known"]),
            ratings=_number(t, kind["n_ratings"]),
            people=_number(t, kind["n_people"]),
        ),
        t("How reliable the evidence is"): ""
        if reliability is None
        else t(
            "{reliability} of its differences are about people; the rest is about which goals or whom one "
            "happened to ask.",
            reliability=percent(reliability, t),
        ),
        t("When it is too little"): t(
            "Evidence that explains less than {share} of the ratings names nobody as rated too high or low.",
            share=percent(TELLING_EVIDENCE.value, t),
        ),
        t("Severity beside evidence"): t(
            "The leniency model once more with the evidence as a covariate. Who has none stays in, with a "
            "mark that it is unknown. A rater's reading counts as changed only if the severity moves by more "
            "than half its standard error; otherwise the rater lies just at the bar."
        ),
        t("Limits"): t(
            "What the evidence does not show counts as a gap: work without goals, a hard year, help given to "
            "others. Managers who score the goals themselves bring their leniency into the evidence."
        ),
        t("Sources"): (
            "Liang & Zeger (1986), Biometrika 73(1); Fuller (1987), Measurement Error Models; "
            "Elwert & Winship (2014), Annu. Rev. Sociol. 40"
        ),
        t("Rules"): _rules(t, released),
    }


def adjusted(t: Language, released: Released[Adjusted]) -> dict[str, str]:
    """Behind adjusted ratings."""
    found = released.value
    counts = found.departments.select("n_ratings", "n_told").sum().row(0)
    return {
        t("Method"): t(
            "Behind a level lies a judgement on a line, and the level says between which two thresholds it "
            "fell. What is taken out of the judgement is the rater's severity in that cycle, with all the "
            "doubt about it; the person's work and everything else stay. What remains falls between the same "
            "thresholds again, with a chance for each level."
        ),
        t("What it is not"): t(
            "It is the same judgement read with an average yardstick, not what another person would have "
            "said, and not the right rating."
        ),
        t("Counted"): t(
            "{told} of {ratings} ratings can be read so; the others are by raters the data cannot tell "
            "about.",
            told=_number(t, counts[1]),
            ratings=_number(t, counts[0]),
        ),
        t("Likely range"): t(
            "The fewest neighbouring levels that hold the adjusted rating in at least {share} of such cases.",
            share=percent(ADJUSTED_RANGE.value, t),
        ),
        t("Who did better"): t(
            "Compared is what is known of people's work over all cycles on record. What two people share, a "
            "rater or a department's standard, does not make their difference doubtful. The chance to be "
            "among the best is counted in {n} drawn companies that fit the ratings.",
            n=DRAWS,
        ),
        t("When another level is likelier"): t(
            "When its chance is greater than that of the level given. The chances of many ratings add up to "
            "an expected number of other levels, which says nothing about any one of them."
        ),
        t("Limits"): t(
            "Severity is taken to be the same for everybody a rater rates, and the thresholds between levels "
            "to be the same for all raters. A rating without a rater the data can tell about has no adjusted "
            "one."
        ),
        t("Sources"): (
            "McCullagh (1980), J. R. Stat. Soc. B 42(2); Stein (1981), Ann. Stat. 9(6); "
            "Goldstein & Spiegelhalter (1996), J. R. Stat. Soc. A 159(3)"
        ),
        t("Rules"): _rules(t, released),
    }


def ruler(t: Language, released: Released[Facets]) -> dict[str, str]:
    """Behind the ruler of dimensions, sources and cycles."""
    found = released.value
    left = found.left_out
    tested = {row["facet"]: row for row in found.facets.iter_rows(named=True)}
    raters = tested.get("rater")
    return {
        t("Method"): t(
            "A many-facet rating scale model of all judgements at once: how likely each level is depends "
            "on the "
            "person, the rater, what is judged, the rater’s role and the cycle. Each gets a place on one "
            "ruler. "
            "What is shown is the fair average: the points an average person would get there, all else being "
            "average."
        ),
        t("Halo"): ""
        if found.halo_sd is None or found.ability_sd is None
        else t(
            "What a rater happened to think of a person moves all their answers about that person together. "
            "Taken as separate witnesses they would look far surer than they are, so this impression is "
            "part of "
            "the model: it is {ratio} times as large as the difference between people.",
            ratio=f"{found.halo_sd / max(found.ability_sd, 1e-9):.1f}",
        ),
        t("Counted"): t(
            "{ratings} judgements of {ratees} people by {raters} raters. Left out: {few} by raters of "
            "fewer than "
            "{minimum} people, {unlinked} by raters nobody shares a person with, {level} by raters who gave "
            "everybody the lowest or the highest level, {scale} on another scale, {incomplete} incomplete.",
            ratings=_number(t, found.n_ratings),
            ratees=_number(t, found.n_ratees),
            raters=_number(t, found.n_raters),
            minimum=int(MINIMUM_RATEES.value),
            few=_number(t, left.get("few_ratees", 0)),
            unlinked=_number(t, left.get("unlinked", 0)),
            level=_number(t, left.get("one_level", 0)),
            scale=_number(t, left.get("other_scale", 0)),
            incomplete=_number(t, left.get("incomplete", 0)),
        ),
        t("How well raters can be told apart"): ""
        if raters is None
        else t(
            "Reliability {reliability}, separation {separation}: about {strata} distinct bands of raters. "
            "High "
            "reliability here means that it matters who rates.",
            reliability=percent(raters["reliability"], t),
            separation=f"{raters['separation']:.1f}",
            strata=f"{raters['strata']:.0f}",
        ),
        t("Patterns"): t(
            "Scatter is the mean square of what a rating differs from expectation, weighted by information "
            "(infit); 1 is what chance brings. Below {low} or above {high}, and beyond what the choice of "
            "people "
            "explains, a rater is listed.",
            low=f"{MISFIT_LOW.value:g}",
            high=f"{MISFIT_HIGH.value:g}",
        ),
        t("Limits"): t(
            "That a dimension is rated lower may mean that raters are harder on it or that people are "
            "weaker in "
            "it; no rating can tell the two apart. Raters who share nobody with others are not on the ruler."
        ),
        t("Left out of the model"): t(
            "It cannot be told from who rates: {parts}.",
            parts=t.listing([facet_words(t).get(part, part) for part in found.entangled]),
        )
        if found.entangled
        else "",
        t("Sources"): "Linacre (1989), Many-Facet Rasch Measurement; Wang & Wilson (2005), Appl. Psychol. "
        "Meas. 29; Myford & Wolfe (2003, 2004), J. Appl. Meas. 4(4), 5(2)",
        t("Rules"): _rules(t, released),
    }


def yardstick(t: Language, released: Released[Differential]) -> dict[str, str]:
    """Behind the yardsticks of raters."""
    found = released.value
    left = found.left_out
    return {
        t("Method"): t(
            "The model of leniency (cycle, source, department, person and rater, with what a rater lastingly "
            "thinks of a person), and for every rater a slope: how much more the group gets from this rater, "
            "against the rest, than it gets from other raters. What everybody does is taken out first. "
            "Estimates "
            "are drawn towards nought as far as such differences are rare (adaptive shrinkage); the "
            "interval is "
            "what fits the rater’s own ratings."
        ),
        t("Counted"): t(
            "{ratings} ratings of {ratees} people by {raters} raters. Left out: {unknown} of people whose "
            "group "
            "is not known, {unlinked} by raters linked to few others, {incomplete} incomplete.",
            ratings=_number(t, found.n_ratings),
            ratees=_number(t, found.n_ratees),
            raters=_number(t, found.n_raters),
            unknown=_number(t, left.get("unknown", 0)),
            unlinked=_number(t, left.get("unlinked", 0)),
            incomplete=_number(t, left.get("incomplete", 0)),
        ),
        t("Who cannot be told"): t.plural(
            "{n} rater rated fewer than {minimum} people of the group or of the others.",
            "{n} raters rated fewer than {minimum} people of every group or of the others.",
            found.n_untold,
            minimum=released.minimum,
        ),
        t("Flags"): t(
            "Adjusted for all raters and groups looked at (Benjamini–Hochberg, {share} % false "
            "discoveries), a "
            "chance of at most {rate} % that the flag points the wrong way, and a difference of at least "
            "{practical} points.",
            share=f"{100 * FALSE_DISCOVERY.value:g}",
            rate=f"{100 * FALSE_SIGN_RATE.value:g}",
            practical="–" if found.practical is None else f"{found.practical:.2f}",
        ),
        t("Limits"): t(
            "If a rater’s people of one group really do better work than those of the other, beyond what "
            "other "
            "raters saw of them, that looks the same. No flag does not mean that there is no bias: with few "
            "people per rater only large differences can be seen."
        ),
        t(
            "Sources"
        ): "Myford & Wolfe (2003, 2004), J. Appl. Meas. 4(4), 5(2); Stephens (2017), Biostatistics "
        "18(2); Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57(1)",
        t("Rules"): _rules(t, released),
    }


def goals(t: Language, released: Released[GoalPace], preset: str) -> dict[str, str]:
    """Behind goal risk."""
    rule = next((found for found in PACE_PRESETS if found.name == preset), None)
    return {
        t("Method"): t(
            "Every goal is looked at as it was known on that day: its latest check-in, the target then in "
            "force, the time used. “Work left against time left” divides the pace it now needs by the pace "
            "it had so far."
        ),
        t("Rule"): preset_words(t)[preset],
        t("Source of the rule"): rule.source if rule is not None else "",
        t("Limits"): t(
            "This is a rule, not a probability, and it is not calibrated to this company. {evidence}",
            evidence=goal_chart.rule_evidence(t),
        ),
        t("Rules"): _rules(t, released),
    }


def warnings(t: Language, released: Released[EarlyWarnings], limit: str) -> dict[str, str]:
    """Behind early warnings."""
    return {
        t("Likely to be late"): limit,
        t("Not updated"): t("Nobody updated the goal for more than two of its review cadences."),
        t("Changed late"): t(
            "In the last third of its time the target was made harder or the due date was moved. It is news "
            "for four weeks."
        ),
        t("Confidence fell"): t(
            "The owner's confidence fell by 20 points of 100 or more from one check-in to the next. It is "
            "news for four weeks, or until it is back."
        ),
        t("Goals with goals below them"): t(
            "They are judged by the goals below them where that told better what became of past goals. Those "
            "were added up for the latest day and for 14, 28 and 91 days before it, so a warning arises on "
            "one of these days. What past warnings were worth is counted by each goal's own check-ins."
        ),
        t("Order"): t(
            "By consequence: the share of the strategic goal that rests on a goal, which is the weights "
            "along the path multiplied, times its delay probability."
        ),
        t("What past warnings were worth"): t(
            "Goals past their due date are counted, each due date once. What was said of a goal on a day "
            "comes from a model that knew only what was known before that day, and the limit of each quarter "
            "was chosen before it began. Intervals are Wilson's, for independent goals; goals of one owner "
            "or department share causes, so the truth is somewhat less certain."
        ),
        t("The pace rule beside it"): t(
            "The pace rule turns progress against time into a probability, with limits chosen from its own "
            "past in the same way. “As many warnings” gives it the limit that warns as often in the whole "
            "company, which is known only afterwards."
        ),
        t("Limits"): t(
            "A warning does not say who is to blame, and a goal can miss without one. A due date that was "
            "moved in time still counts as missed against the first date."
        ),
        t("Rules"): _rules(t, released),
    }


def mine(t: Language) -> dict[str, str]:
    """Behind what is recorded about oneself."""
    return {
        t("What is shown"): t(
            "Your overall ratings by your manager and yourself, after calibration where there was one, and "
            "your goals. What peers said about you is not shown, so that they can speak freely."
        ),
        t("If something is wrong"): t(
            "Ask your HR partner to correct it at its source; a correction is loaded with its reason. "
            "Against a rating you may appeal."
        ),
    }


def _number(t: Language, value: int | None) -> str:
    return t("a hidden number of") if value is None else f"{value:,}"


def _rules(t: Language, released: Released[object]) -> str:  # type: ignore[type-var]
    return t(
        "Rules version {rules}; data as of {day}. Evidence for a talk, not a verdict.",
        rules=released.rules,
        day=t.day(released.as_of),
    )
