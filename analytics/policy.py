"""Dated, cited thresholds: every number with a legal, statistical or customary meaning.

Each threshold says since when this product uses it and on whose authority. ``RULES_VERSION`` changes
with any of them and stands beside every figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

RULES_VERSION: Final = "2026.11.2"


@dataclass(frozen=True)
class Threshold:
    """A number that decides something.

    Attributes
    ----------
    value
        The number itself.
    since
        In force in this product from this day.
    source
        The paper, norm or vendor page it rests on.
    why
        One sentence a reader outside statistics understands.
    """

    value: float
    since: date
    source: str
    why: str


MINIMUM_GROUP: Final = Threshold(
    5,
    date(2026, 11, 22),
    "Culture Amp and vivainsights (mingroup=5) practice; GDPR recital 26",
    "A figure about fewer than five people says too much about each of them.",
)
MINIMUM_GROUP_FOR_COMMENTS: Final = Threshold(
    10,
    date(2026, 11, 22),
    "Viva Glint practice",
    "Words give their writer away sooner than numbers do.",
)
CONFIDENCE: Final = Threshold(
    0.95,
    date(2026, 11, 22),
    "Convention",
    "Intervals cover the true value in 19 of 20 such cases.",
)
FALSE_DISCOVERY: Final = Threshold(
    0.05,
    date(2026, 11, 22),
    "Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57(1). doi:10.1111/j.2517-6161.1995.tb02031.x",
    "Of the groups flagged on one page, about one in twenty may be chance.",
)
NEGLIGIBLE_VARIANCE: Final = Threshold(
    0.01,
    date(2026, 11, 22),
    "Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd ed., p. 284 (small: .0099)",
    "Groups that explain less than one per cent of the variation are alike for every practical purpose.",
)
SMALL_DIFFERENCE: Final = Threshold(
    0.2,
    date(2026, 11, 22),
    "Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd ed., p. 25",
    "A difference under a fifth of the spread between people is too small to act upon.",
)
GUIDANCE_TOLERANCE: Final = Threshold(
    0.05,
    date(2026, 11, 22),
    "Custom of forced-distribution schemes; no norm prescribes it",
    "People come in whole numbers: a share within five percentage points of its target meets it.",
)
GOAL_SILENCE: Final = Threshold(
    30,
    date(2026, 11, 22),
    "Custom: a monthly review, for goals that name no cadence of their own",
    "A goal nobody has updated for a month says nothing about today.",
)
SNAPSHOT_DAYS: Final = Threshold(
    14,
    date(2026, 11, 22),
    "Custom: the shortest usual cadence of check-ins is two weeks",
    "Every goal is looked at once a fortnight while it is open, updated or not: silence says something too.",
)
FEWEST_FOR_LOGISTIC: Final = Threshold(
    20,
    date(2026, 11, 22),
    "METHODS of this product, on the sprints of Choetkiertikul et al. (2017). doi:10.1109/TSE.2017.2693989",
    "With fewer than twenty settled goals nothing is learnt but the pace rule.",
)
FEWEST_FOR_BOOSTING: Final = Threshold(
    300,
    date(2026, 11, 22),
    "METHODS of this product, on the sprints of Choetkiertikul et al. (2017). doi:10.1109/TSE.2017.2693989",
    "With fewer than three hundred settled goals decision trees learn accidents.",
)
ISOTONIC_FROM: Final = Threshold(
    1000,
    date(2026, 11, 22),
    "Niculescu-Mizil & Caruana (2005), ICML. doi:10.1145/1102351.1102430",
    "A curve of any rising shape needs about a thousand settled goals; with fewer it is an S-shape.",
)


@dataclass(frozen=True)
class PacePreset:
    """A published rule that turns the pace of a goal into a word.

    Attributes
    ----------
    name
        What to ask for it by.
    measure
        ``gap``: expected minus actual progress, a share (lower is better). ``ratio``: actual ÷ expected
        progress (higher is better). ``pace_needed``: pace needed from now on ÷ pace so far (lower is
        better). ``confidence``: the owner's latest stated chance (higher is better). ``worst_child``: the
        worst of the goals below, and ``gap`` where there are none.
    on_track
        Limit of *on track*.
    behind
        Limit of *behind*; beyond it a goal is *at risk*.
    strict
        Whether a goal exactly on the limit of *on track* is no longer on track.
    since
        In force in this product from this day.
    source
        Whose rule it is: a short citation, shown in every language as it is.
    why
        One sentence a reader outside statistics understands.
    """

    name: str
    measure: str
    on_track: float
    behind: float
    strict: bool
    since: date
    source: str
    why: str


PACE_PRESETS: Final = (
    PacePreset(
        "remaining_work",
        "pace_needed",
        1.25,
        2.0,
        False,
        date(2026, 11, 22),
        "Evenhand; Choetkiertikul et al. (2017), IEEE TSE 44(6). doi:10.1109/TSE.2017.2693989",
        "A goal that needs more than twice the pace it had will hardly arrive in time.",
    ),
    PacePreset(
        "engagedly",
        "gap",
        0.165,
        0.33,
        True,
        date(2026, 11, 22),
        "Engagedly, Goal Status",
        "Up to a sixth behind a straight line from start to due date is in order.",
    ),
    PacePreset(
        "upraise",
        "ratio",
        0.95,
        0.75,
        False,
        date(2026, 11, 22),
        "UpRaise, Objective Status",
        "A goal should have 95 per cent of the progress a straight line would have.",
    ),
    PacePreset(
        "recruiterflow",
        "ratio",
        0.99,
        0.81,
        False,
        date(2026, 11, 22),
        "Recruiterflow, Goal Status",
        "A goal should have all the progress a straight line would have.",
    ),
    PacePreset(
        "worst_child",
        "worst_child",
        0.165,
        0.33,
        True,
        date(2026, 11, 22),
        "Perdoo; Feishu OKR, status_calculate_type 2; Engagedly, Goal Status",
        "A goal stands no better than the worst of the goals it rests on.",
    ),
    PacePreset(
        "owner",
        "confidence",
        0.7,
        0.4,
        False,
        date(2026, 11, 22),
        "Google re:Work, OKR grades",
        "The owner thinks that the goal will land.",
    ),
)
PRACTICAL_SEVERITY: Final = Threshold(
    0.2,
    date(2026, 11, 22),
    "Cohen (1988), Statistical Power Analysis, small effect: 0.2 standard deviations",
    "A rater within a fifth of the usual spread of ratings rates like an average rater for any purpose.",
)
FALSE_SIGN_RATE: Final = Threshold(
    0.025,
    date(2026, 11, 22),
    "Stephens (2017), Biostatistics 18(2). doi:10.1093/biostatistics/kxw041",
    "A flag is raised only if the chance that it points the wrong way is at most 1 in 40: exactly when the "
    "interval beside it, which misses on either side in 1 of 40 cases, does not reach nought.",
)
CHANCE_SPREAD: Final = Threshold(
    0.05,
    date(2026, 11, 22),
    "Self & Liang (1987), JASA 82(398). doi:10.1080/01621459.1987.10478472",
    "Where chance alone would make raters differ this much in 1 of 20 such companies, nobody is flagged.",
)
MINIMUM_RATEES: Final = Threshold(
    5,
    date(2026, 11, 22),
    "Same as the smallest group shown: Culture Amp and vivainsights practice",
    "From fewer than five people a rater's habit cannot be told from who they happened to rate.",
)
MINIMUM_LINKED_RATERS: Final = Threshold(
    5,
    date(2026, 11, 22),
    "Gelman & Hill (2007), Data Analysis Using Regression and Multilevel Models, p. 247",
    "Among fewer than five raters nobody can say what an average rater would do.",
)
MINIMUM_REPEATS: Final = Threshold(
    30,
    date(2026, 11, 22),
    "Our choice: thirty degrees of freedom give a variance to within about a quarter of its size",
    "With fewer than thirty ratings of somebody the rater had rated before, nobody can say how much raters "
    "like or dislike particular people.",
)
MINIMUM_CROSSING: Final = Threshold(
    5,
    date(2026, 11, 22),
    "Our choice: as many people as a rater needs before anything is said about the rater",
    "With fewer than five people rated from outside their department, nobody can say whether departments "
    "rate by different standards.",
)
MINIMUM_MOODS: Final = Threshold(
    30,
    date(2026, 11, 22),
    "Our choice: thirty degrees of freedom give a variance to within about a quarter of its size",
    "With fewer than thirty further cycles in which somebody rates several people again, nobody can say how "
    "much raters swing from cycle to cycle.",
)
MOST_ISLANDS: Final = Threshold(
    40,
    date(2026, 11, 22),
    "Our choice: each island costs a coefficient of its own",
    "Raters are compared within at most forty groups that share nobody with each other.",
)
MINIMUM_HABIT_RATEES: Final = Threshold(
    8,
    date(2026, 11, 22),
    "Our choice: an interval of a correlation of seven people spans nearly the whole range",
    "From fewer than eight people nobody can say how somebody uses a rating scale.",
)
HABIT_SHARE: Final = Threshold(
    0.1,
    date(2026, 11, 22),
    "Our choice: one person in ten would have had another kind of level",
    "Ten percentage points more of one kind of level than comparable people get is worth a talk.",
)
HABIT_RATIO: Final = Threshold(
    0.8,
    date(2026, 11, 22),
    "Our choice, after the fifth of a spread that Cohen (1988) calls small",
    "Differences between people that are less than a fifth narrower than usual matter little.",
)
HABIT_CORRELATION: Final = Threshold(
    0.3,
    date(2026, 11, 22),
    "Cohen (1988), Statistical Power Analysis, p. 115: medium q (difference of Fisher z)",
    "Below this two correlations are alike for every practical purpose.",
)
HABIT_GAP: Final = Threshold(
    0.5,
    date(2026, 11, 22),
    "Cohen (1988), Statistical Power Analysis, p. 26: medium effect",
    "Half the usual spread of ratings more or less than the usual gap is one that people notice.",
)
TELLING_EVIDENCE: Final = Threshold(
    0.09,
    date(2026, 11, 22),
    "Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd ed., p. 80: medium r = .3",
    "Evidence that explains less than nine per cent of the ratings cannot say who is rated too high.",
)
MINIMUM_COMPARISONS: Final = Threshold(
    5,
    date(2026, 11, 22),
    "Same as the fewest people a rater must have rated",
    "A rater whose comparison is as good as fewer than five people rated by both sides hangs by a thread.",
)
TOLD_APART: Final = Threshold(
    0.5,
    date(2026, 11, 22),
    "Our choice; below it the estimate is nearer to the average rater than to what this rater's ratings say",
    "Comparisons should tell more about a rater than is known about any rater.",
)
MOST_EXTRA_REVIEWS: Final = Threshold(
    3,
    date(2026, 11, 22),
    "Our choice: what can be asked of one person in one cycle",
    "Nobody is asked for, or looked at in, more than three extra reviews as long as others can be.",
)
ADJUSTED_RANGE: Final = Threshold(
    0.8,
    date(2026, 11, 22),
    "Our choice",
    "A range of levels that is right four times in five is narrow enough to talk about.",
)
MISFIT_LOW: Final = Threshold(
    0.5,
    date(2026, 11, 22),
    "Linacre (2002), Rasch Meas. Trans. 16(2), p. 878: mean squares of .5 to 1.5 are productive",
    "Ratings that scatter half as much as chance alone would make them are made by rote, not by looking.",
)
MISFIT_HIGH: Final = Threshold(
    1.5,
    date(2026, 11, 22),
    "Linacre (2002), Rasch Meas. Trans. 16(2), p. 878: mean squares of .5 to 1.5 are productive",
    "Ratings that scatter half as much again as chance explains follow something the others do not see.",
)
NOTABLE_MOODS: Final = Threshold(
    0.25,
    date(2026, 11, 22),
    "Our choice, by simulation: from there on 95 per cent intervals that leave moods out cover under 90",
    "Where raters are softer in some cycles than in others, their habit is known less well than the number "
    "of their ratings promises.",
)
WARNING_PRECISION: Final = Threshold(
    0.72,
    date(2026, 11, 22),
    "Our choice: a little above the 70 per cent that warnings must reach to be heeded",
    "Of four warned goals about three should miss: people stop reading warnings that are wrong more often.",
)
WARNING_TRUST: Final = Threshold(
    2,
    date(2026, 11, 22),
    "Our choice: goals of one quarter miss together, so a quarter is one observation, however many goals",
    "That a delay probability means what it says counts as much as two quarters of past warnings.",
)
WARNING_HALF: Final = Threshold(
    20,
    date(2026, 11, 22),
    "Our choice: a share of twenty is known to within about ten percentage points",
    "A quarter with twenty warnings counts half of one with very many.",
)
WARNING_GAP: Final = Threshold(
    0.15,
    date(2026, 11, 22),
    "Our choice; two limits instead of one as in a Schmitt trigger (Schmitt 1938, J. Sci. Instrum. 15)",
    "A warning ends only when the delay probability is well below where it began, or it would flicker.",
)
WARNING_LEAD: Final = Threshold(
    14,
    date(2026, 11, 22),
    "Our choice: two weeks are the least in which a goal can still be helped",
    "A warning on the last days is a report, not a warning.",
)
WARNING_SILENCE: Final = Threshold(
    2,
    date(2026, 11, 22),
    "Our choice: once may be a holiday",
    "A goal not updated for more than two of its cadences has been forgotten, or nobody dares to say.",
)
WARNING_LATE: Final = Threshold(
    2 / 3,
    date(2026, 11, 22),
    "Our choice: the last third of a goal's time",
    "What is changed in the last third of a goal's time leaves little time to act upon.",
)
WARNING_CONFIDENCE: Final = Threshold(
    0.2,
    date(2026, 11, 22),
    "Our choice: two steps of ten on the scale of Google re:Work, OKR grades",
    "An owner whose confidence falls by a fifth from one check-in to the next has learnt something.",
)
WARNING_NEWS: Final = Threshold(
    28,
    date(2026, 11, 22),
    "Our choice: four weeks",
    "A change of scope or of confidence is news for four weeks; afterwards the delay probability tells.",
)
MINIMUM_JUDGED_GOALS: Final = Threshold(
    30,
    date(2026, 11, 22),
    "Our choice: the interval of a share of thirty goals reaches eighteen percentage points either way",
    "From fewer than thirty goals that came due nobody can say whether a probability is honest.",
)
MINIMUM_EACH_OUTCOME: Final = Threshold(
    10,
    date(2026, 11, 22),
    "Our choice: as many as Peduzzi et al. (1996) ask per parameter. doi:10.1016/S0895-4356(96)00236-3",
    "From fewer than ten goals that missed, or that landed, nobody can say how well the two are told apart.",
)
MINIMUM_CLUSTERS: Final = Threshold(
    10,
    date(2026, 11, 22),
    "Cameron & Miller (2015), J. Hum. Resour. 50(2), 317-372: few clusters make intervals too short",
    "How alike goals of one owner or department turn out can be told from ten of them on.",
)
CALIBRATION_GAP: Final = Threshold(
    0.05,
    date(2026, 11, 22),
    "Our choice",
    "A probability that is off by less than five percentage points serves every practical purpose.",
)
CALIBRATION_KNOWN: Final = Threshold(
    0.1,
    date(2026, 11, 22),
    "Our choice: twice the gap that matters",
    "Where the data do not rule out that a probability is off by more than ten percentage points, they "
    "cannot tell.",
)
MINIMUM_FINISHED_GOALS: Final = Threshold(
    5,
    date(2026, 11, 22),
    "Same as the fewest people a rater must have rated",
    "From fewer than five goals that came due an owner's habit cannot be told from luck.",
)
MINIMUM_OWNERS: Final = Threshold(
    5,
    date(2026, 11, 22),
    "Gelman & Hill (2007), Data Analysis Using Regression and Multilevel Models, p. 247",
    "Among fewer than five owners nobody can say what an average owner would promise.",
)
PRACTICAL_PROMISE: Final = Threshold(
    0.1,
    date(2026, 11, 22),
    "Our choice: one goal in ten",
    "A stated confidence that is off by less than ten percentage points is a fair promise.",
)
EARLY_LANDING: Final = Threshold(
    0.75,
    date(2026, 11, 22),
    "Our choice",
    "A goal that is reached with a quarter of its time to spare was set low, or somebody did well.",
)
SHARED_BY_OWNER: Final = Threshold(
    0.12,
    date(2026, 11, 22),
    "Basel Committee (2005), An Explanatory Note on the Basel II IRB Risk Weight Functions: .12 to .24 "
    "between firms, .03 to .16 between households",
    "Where the past cannot tell, goals of one owner are taken to fail together about as much as firms do.",
)
SHARED_BY_DEPARTMENT: Final = Threshold(
    0.05,
    date(2026, 11, 22),
    "Basel Committee (2005), An Explanatory Note on the Basel II IRB Risk Weight Functions: .03 to .16 "
    "between households",
    "Where the past cannot tell, goals of one department are taken to fail together a little.",
)
SHARED_BY_PARENT: Final = Threshold(
    0.05,
    date(2026, 11, 22),
    "Basel Committee (2005), An Explanatory Note on the Basel II IRB Risk Weight Functions: .03 to .16 "
    "between households",
    "Where the past cannot tell, goals that serve the same goal are taken to fail together a little.",
)
MINIMUM_SHARED_PAIRS: Final = Threshold(
    500,
    date(2026, 11, 22),
    "Our choice: five hundred pairs of which four in ten miss give the correlation to within .07",
    "From fewer than five hundred pairs of past goals nobody can say how much goals fail together.",
)
MINIMUM_SHARING: Final = Threshold(
    5,
    date(2026, 11, 22),
    "Gelman & Hill (2007), Data Analysis Using Regression and Multilevel Models, p. 247",
    "From fewer than five owners or departments nobody can say how much the goals of one fail together.",
)
UNSTATED_ROLLUP: Final = Threshold(
    0.7,
    date(2026, 11, 22),
    "Google re:Work, OKR grades: .6 to .7 is a success",
    "Where nobody said how much of the weight below a goal is needed, it is seven tenths.",
)
HALF_OF_GOALS: Final = Threshold(
    0.5,
    date(2026, 11, 22),
    "Our choice",
    "Where nobody said how many of the goals below are needed, it is half of them.",
)
MINIMUM_PARENTS: Final = Threshold(
    30,
    date(2026, 11, 22),
    "Our choice: the interval of a share of thirty goals reaches eighteen percentage points either way",
    "From fewer than thirty goals with goals below them nobody can say which way of adding up is best.",
)
AFTER_A_MISS: Final = (
    (0.0, (0.0, 0.0, 0.0, 0.0, 0.0, 0.17, 0.36, 0.50, 0.68, 0.81, 0.99)),
    (0.3, (0.0, 0.0, 0.0, 0.0, 0.0, 0.10, 0.27, 0.50, 0.60, 0.75, 0.97)),
    (0.5, (0.0, 0.0, 0.0, 0.0, 0.0, 0.00, 0.25, 0.42, 0.56, 0.71, 0.97)),
    (0.8, (0.0, 0.0, 0.0, 0.0, 0.0, 0.00, 0.05, 0.25, 0.50, 0.68, 0.99)),
)
"""Share of its time passed → deciles of the share of the work left that is still done by the due date.

Of the 1,497 to 1,989 sprints that missed and had work planned among those of Choetkiertikul et al. (2017),
doi:10.1109/TSE.2017.2693989. Used until a company has enough misses of its own. Since 22 November 2026.
"""
SETTING_LATE: Final = Threshold(
    30,
    date(2026, 11, 22),
    "Our choice: a month, a third of a quarter and a sixth of a half-year",
    "A goal that is agreed more than a month after it began steers little of what was done in it.",
)
WEIGHT_TOLERANCE: Final = Threshold(
    0.5,
    date(2026, 11, 22),
    "Our choice: three weights of 33.3 per cent add up to 99.9",
    "Weights that miss a hundred per cent by less than half a point are rounded, not wrong.",
)
WARNING_MISSES: Final = Threshold(
    10,
    date(2026, 11, 22),
    "Our choice: of ten misses one more or less is a tenth",
    "From fewer than ten goals that missed, or ten that were warned of, nobody can say what warnings are "
    "worth.",
)
FORECAST_SPREAD: Final = Threshold(
    0.6,
    date(2026, 11, 22),
    "Our choice: on the sprints of Choetkiertikul et al. (2017), doi:10.1109/TSE.2017.2693989, ranges this "
    "wide held at least what they say",
    "Until enough goals have shown how goals go here, progress after the whole planned time is taken to lie "
    "anywhere within the whole way around what its pace suggests.",
)
FORECAST_POOLING: Final = Threshold(
    10,
    date(2026, 11, 22),
    "Our choice, by simulation",
    "How goals at the same point went counts as much as how goals went in general once ten were seen.",
)
FORECAST_REACH: Final = Threshold(
    1.5,
    date(2026, 11, 22),
    "Our choice: half the planned time after the due date",
    "Nobody looks further ahead than half a goal's planned time beyond its due date.",
)
MINIMUM_FORECAST_GOALS: Final = Threshold(
    20,
    date(2026, 11, 22),
    "Our choice: of fewer than twenty goals, one outside a 90 per cent range says nothing about the range",
    "With fewer than twenty past goals nobody can say whether forecasts hold what they promise.",
)
MINIMUM_RETURNS: Final = Threshold(
    30,
    date(2026, 11, 22),
    "Our choice: thirty degrees of freedom give a variance to within about a quarter of its size",
    "With fewer than thirty further cycles of owners with goals before, nobody can tell a habit from a bad "
    "half-year.",
)
MINIMUM_MISSES: Final = Threshold(
    100,
    date(2026, 11, 22),
    "Our choice: a share of a hundred goals is known to within ten percentage points",
    "From fewer than a hundred goals that missed nobody can say how far they came, or how long after.",
)
LANDS_LIKELY: Final = Threshold(
    0.7,
    date(2026, 11, 22),
    "Same as the limit of the owner's own confidence: Google re:Work, OKR grades",
    "A goal that lands in at least seven of ten such cases is likely to land.",
)
LANDS_UNLIKELY: Final = Threshold(
    0.4,
    date(2026, 11, 22),
    "Same as the limit of the owner's own confidence: Google re:Work, OKR grades",
    "A goal that lands in fewer than four of ten such cases is unlikely to land.",
)
SETTING_GAP: Final = Threshold(
    0.1,
    date(2026, 11, 22),
    "Our choice: one goal in ten",
    "A department that agrees on ten percentage points more of its goals late than others do needs a talk.",
)
