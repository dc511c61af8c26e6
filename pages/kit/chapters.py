"""How the figures are made, chapter by chapter: what is done, the formula, what it assumes, where it ends.

Words only; the figures beside them come from `pages.kit.proofs`, the thresholds from `analytics.policy`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from analytics.language import Language
from analytics.policy import (
    CHANCE_SPREAD,
    FALSE_SIGN_RATE,
    FEWEST_FOR_BOOSTING,
    FEWEST_FOR_LOGISTIC,
    MINIMUM_GROUP,
    MINIMUM_RATEES,
    PRACTICAL_SEVERITY,
    SNAPSHOT_DAYS,
)


@dataclass(frozen=True)
class Chapter:
    """One method.

    Attributes
    ----------
    key
        What the link and the proofs call it.
    question
        What it answers.
    done
        What is done, in plain sentences.
    formulas
        In LaTeX, none for methods without.
    assumes, ends
        What must hold, and where the method ends.
    sources
        As they are cited.
    """

    key: str
    question: Callable[[Language], str]
    done: Callable[[Language], str]
    formulas: tuple[str, ...]
    assumes: Callable[[Language], str]
    ends: Callable[[Language], str]
    sources: tuple[str, ...]


CHAPTERS: Final = (
    Chapter(
        "linear",
        lambda t: t("Who rates softer or harder than an average rater? (rating points)"),
        lambda t: t(
            "All ratings of all cycles are explained at once: by cycle, source and department, by the person "
            "rated, by the rater, by the standard of the rater's department, by what this rater lastingly "
            "thinks of this person, by the rater's mood of that cycle, and by chance. A rater is compared "
            "with others through people whom both rated. What is left of a rater once all else is accounted "
            "for is the severity; it is drawn towards nought the less the data say."
        ),
        (
            (
                r"y_{ijc} = x'\beta + \text{ratee}_i + \text{rater}_j + \text{standard}_{d(j)} "
                r"+ \text{pair}_{ij} + \text{mood}_{jc} + \varepsilon_{ijc}"
            ),
            (
                r"\text{severity}_j = \widehat{\text{rater}_j + \text{standard}_{d(j)}}, \qquad "
                r"\text{interval} = \text{severity}_j \pm 1.96\,\text{SE}_j"
            ),
        ),
        lambda t: t(
            "Effects are drawn from normal distributions whose spreads are estimated from the same ratings "
            "(restricted maximum likelihood). People do not become better or worse just when they change "
            "managers. The standard error is the full one: it knows that cycles, sources and departments "
            "are estimated too."
        ),
        lambda t: t(
            "One cycle with one manager each says nothing about managers: then it refuses. Raters who share "
            "nobody with others, or rated fewer than {people} people, are listed as “the data cannot tell”.",
            people=int(MINIMUM_RATEES.value),
        ),
        (
            "Bates et al. (2015), J. Stat. Softw. 67(1). doi:10.18637/jss.v067.i01",
            "Gilmour, Thompson & Cullis (1995), Biometrics 51. doi:10.2307/2533274",
            "Scullen, Mount & Goff (2000), J. Appl. Psychol. 85(6). doi:10.1037/0021-9010.85.6.956",
        ),
    ),
    Chapter(
        "ordinal",
        lambda t: t("The same by levels: what if the steps of the scale are not equally wide?"),
        lambda t: t(
            "The ordered levels themselves are explained, by a judgement underneath that is cut by "
            "thresholds. Severity is a shift of that judgement, said again in rating points: how the "
            "expected rating changes if an average rater had rated the same people. It takes longer than "
            "the fast view; where both disagree, the page says for whom and why."
        ),
        (
            (
                r"P(y \le k) = \operatorname{logit}^{-1}\!\big(\theta_k - x'\beta - \text{ratee}_i "
                r"- \text{rater}_j - \text{standard}_{d(j)} - \text{pair}_{ij}\big)"
            ),
        ),
        lambda t: t(
            "Thresholds are the same for all raters of a scale. The likelihood is approximated around its "
            "most likely effects (Laplace)."
        ),
        lambda t: t(
            "Scores without levels have no thresholds. Somebody who uses one level only is bounded by the "
            "others: the estimate stays finite and its interval wide."
        ),
        (
            "Agresti (2010), Analysis of Ordinal Categorical Data, 2nd ed.",
            "Christensen (2019), ordinal: Regression Models for Ordinal Data (R package), clmm",
        ),
    ),
    Chapter(
        "facets",
        lambda t: t("Which dimensions and sources are rated harder, and who rates unpredictably?"),
        lambda t: t(
            "Ratings of single dimensions are explained by the person's ability, the rater, the dimension "
            "and the source on one ruler. Fit says whether a rater's single ratings are less predictable "
            "than chance allows, or more. The fair average is what an average person would get."
        ),
        (
            (
                r"\ln\frac{P_{nijdk}}{P_{nijd(k-1)}} = \text{ability}_n - \text{rater}_j "
                r"- \text{dimension}_d - \text{source}_s - \text{step}_k"
            ),
            (
                r"\text{infit} = \frac{\sum w z^2}{\sum w}, \quad \text{outfit} = \overline{z^2}, \quad "
                r"G = \frac{\text{SD}}{\text{RMSE}}, \quad \text{strata} = \frac{4G+1}{3}, \quad "
                r"R = \frac{G^2}{1+G^2}"
            ),
        ),
        lambda t: t(
            "A person is equally able on all dimensions but for their difficulty. Ratings by one rater of "
            "one person hang together (halo); standard errors count people, not single ratings."
        ),
        lambda t: t("Only raters linked by people whom others rated too are on one ruler."),
        (
            "Linacre (1989), Many-Facet Rasch Measurement",
            "Myford & Wolfe (2003, 2004), J. Appl. Meas. 4(4), 5(2)",
            "Wright & Masters (1982), Rating Scale Analysis",
        ),
    ),
    Chapter(
        "linkage",
        lambda t: t("Can raters be compared at all, and what would help?"),
        lambda t: t(
            "Raters are linked when somebody was rated by both: in one cycle, or in different ones after a "
            "move. Groups that share nobody cannot be compared with each other, however many ratings there "
            "are. The extra reviews proposed are the fewest that link all groups."
        ),
        (),
        lambda t: t("Working in the same department is no link; being rated by two is."),
        lambda t: t(
            "A link that hangs on a single person is marked: that person's change of form would count."
        ),
        (
            "Abowd, Creecy & Kramarz (2002), connected sets",
            "Kline, Saggio & Sølvsten (2020), Econometrica 88(5). doi:10.3982/ECTA16410",
        ),
    ),
    Chapter(
        "flags",
        lambda t: t("When is a rater flagged, and how many flags are false?"),
        lambda t: t(
            "A flag needs three things: the estimate lies at least {practical} standard deviations of a "
            "rating from the average rater, the chance that it points the other way is at most {rate} %, and "
            "raters differ at all by more than chance ({chance}). The sum of these chances over all flags is "
            "how many of them are expected to point the wrong way; it stands beside every list of flags.",
            practical=f"{PRACTICAL_SEVERITY.value:g}",
            rate=f"{100 * FALSE_SIGN_RATE.value:g}",
            chance=f"p ≤ {CHANCE_SPREAD.value:g}",
        ),
        (
            (
                r"\text{lfsr}_j = \Phi\!\left(-\frac{|\text{severity}_j|}{\text{SE}_j}\right), \qquad "
                r"\text{expected false} = \sum_{j \in \text{flags}} \text{lfsr}_j"
            ),
        ),
        lambda t: t("The spread of raters is estimated well enough to be taken as known."),
        lambda t: t("A flag is a reason for a talk, never a verdict; it says nothing about why."),
        (
            "Stephens (2017), Biostatistics 18(2). doi:10.1093/biostatistics/kxw041",
            "Self & Liang (1987), JASA 82(398). doi:10.1080/01621459.1987.10478472",
        ),
    ),
    Chapter(
        "adjusted",
        lambda t: t("What would an average rater have given?"),
        lambda t: t(
            "The level given says between which thresholds the judgement lay. The rater's severity, with its "
            "uncertainty, is taken out of that judgement and all else is kept; what comes out is the chance "
            "of each level under an average rater. It is advice for the meeting and is never written back."
        ),
        (
            (
                r"P(y^{*} = k \mid y) = \int P\big(\theta_{k-1} < \eta + \varepsilon - b \le \theta_k "
                r"\,\big|\, \theta_{y-1} < \eta + \varepsilon \le \theta_y\big)\, p(b)\, \mathrm{d}b"
            ),
        ),
        lambda t: t("The rater shifts judgements; the order the rater put people into is kept."),
        lambda t: t("Of raters the data cannot tell about, no rating is adjusted."),
        ("Myford & Wolfe (2003), J. Appl. Meas. 4(4) (fair average)",),
    ),
    Chapter(
        "profile",
        lambda t: t("How does a rater use the scale?"),
        lambda t: t(
            "Beside severity: how often the middle and the ends are used, how much a rater tells people "
            "apart, how much all dimensions of one person get the same rating (halo), how far self-ratings "
            "lie from the rater's, whether late progress counts more than early. Each is set against what "
            "is usual in this company, with an interval."
        ),
        (),
        lambda t: t(
            "People of different raters differ about equally, unless the ratings of others say otherwise."
        ),
        lambda t: t(
            "Below a minimum of people nothing is said; flags are corrected for the number of raters."
        ),
        (
            "Saal, Downey & Lahey (1980), Psychol. Bull. 88(2). doi:10.1037/0033-2909.88.2.413",
            "Wolfe (2004), Psychol. Sci. 46(1)",
            "Heidemeier & Moser (2009), J. Appl. Psychol. 94(2). doi:10.1037/0021-9010.94.2.353",
        ),
    ),
    Chapter(
        "differential",
        lambda t: t("Does a rater use the same yardstick for everybody?"),
        lambda t: t(
            "For each rater and group it is asked whether the rater rates that group relatively softer than "
            "other raters rate it. A gap that all raters share is no rater's doing and is shown apart."
        ),
        (r"y = \dots + \beta_g + \text{rater}_j + \text{rater}_j \times g + \varepsilon",),
        lambda t: t("The people of a group are as good under this rater as under others."),
        lambda t: t(
            "Only where a rater rated at least {people} people of the group; flags are corrected for the "
            "number of comparisons (Benjamini–Hochberg).",
            people=int(MINIMUM_GROUP.value),
        ),
        ("Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57(1). doi:10.1111/j.2517-6161.1995.tb02031.x",),
    ),
    Chapter(
        "evidence",
        lambda t: t("Do ratings follow the evidence?"),
        lambda t: t(
            "Goal attainment and the ratings of others stand beside the rating, and severity is shown with "
            "and without them. Evidence can be wrong in two ways: missing it, a manager of a strong team "
            "looks soft; taking out too much, a soft manager who also sets soft goals looks fair."
        ),
        (),
        lambda t: t("Attainment is what was known at the end of the cycle; unknown is unknown, not nought."),
        lambda t: t(
            "Where evidence explains next to nothing of the ratings, the page says so and flags nobody by it."
        ),
        (),
    ),
    Chapter(
        "risk",
        lambda t: t("How likely is a goal to miss its due date?"),
        lambda t: t(
            "Every goal is looked at every {days} days while it is open, with what could be known that day: "
            "work left against time left, recent pace, silence, changes of target and due date, the owner's "
            "confidence, and how earlier goals of the owner and the department went. On a row of days in the "
            "past all is learnt anew from what was settled by then, and speaks about the days that followed. "
            "Those statements choose the model (pace rule, penalised logistic regression, "
            "boosted trees, or the mean of both), bend its probabilities until they come true, and are what "
            "the page on honesty shows. Goals that are still open count: they have not landed so far.",
            days=int(SNAPSHOT_DAYS.value),
        ),
        (
            (
                r"P(\text{miss} \mid x) = \prod_{k=1}^{K} \big(1 - h_k(x)\big), \qquad "
                r"h_k(x) = P(\text{lands in part } k \text{ of the time left} \mid \text{open before}, x)"
            ),
            (
                r"\text{Brier} = \overline{(p - y)^2}, \qquad \text{skill} = 1 - "
                r"\frac{\text{Brier}}{\text{Brier of the base rate}}"
            ),
        ),
        lambda t: t(
            "Goals to come go as goals went. A miss is not done by the due date in force on the day: moving "
            "a due date does not undo it, and a goal given up is not done. No protected attribute enters."
        ),
        lambda t: t(
            "With fewer than {few} settled goals only the pace rule speaks, with a wide interval, and says "
            "that it was never checked; decision trees are not tried below {many}. A change nobody has seen "
            "before is not foreseen.",
            few=int(FEWEST_FOR_LOGISTIC.value),
            many=int(FEWEST_FOR_BOOSTING.value),
        ),
        (
            "Tutz & Schmid (2016), Modeling Discrete Time-to-Event Data. doi:10.1007/978-3-319-28158-2",
            "van Houwelingen (2007), Scand. J. Stat. 34(1). doi:10.1111/j.1467-9469.2006.00529.x",
            "Niculescu-Mizil & Caruana (2005), ICML. doi:10.1145/1102351.1102430",
            "Choetkiertikul et al. (2018), IEEE Trans. Softw. Eng. 44(6). doi:10.1109/TSE.2017.2693989",
        ),
    ),
    Chapter(
        "landing",
        lambda t: t("How likely does a goal land, given the goals below it?"),
        lambda t: t(
            "Every open goal below carries a load; it misses if the load exceeds what its delay probability "
            "leaves. Goals of one owner, one department and under one goal share part of their load, as "
            "much as past misses went together. Loads are drawn some thousand times and rolled up by the "
            "rule of each goal: its own metric, all below, a share of the weight, or so many of them. What "
            "a goal below would gain or lose is found by letting it surely land or miss in the same draws. "
            "The rule, where nobody stated one, and the way to weigh a goal's own check-ins against those "
            "below are chosen by what became of past goals."
        ),
        (
            (
                r"z_i = \sqrt{\rho_o}\,O_{o(i)} + \sqrt{\rho_d}\,D_{d(i)} + \sqrt{\rho_p}\,S_{p(i)} "
                r"+ \sqrt{1 - \rho_o - \rho_d - \rho_p}\;\varepsilon_i, \qquad "
                r"i \text{ misses} \iff \Phi(z_i) > 1 - p_i"
            ),
        ),
        lambda t: t(
            "What hangs below what, and by which rule, held in the past as it does now: exports keep no "
            "history of that. Causes are shared evenly by all goals of an owner or a department."
        ),
        lambda t: t(
            "Goals in a loop go by their own chance and are reported. Dependencies nobody wrote down are not "
            "known."
        ),
        (
            "Vasicek (2002), The distribution of loan portfolio value, Risk 15(12)",
            "Li (2000), J. Fixed Income 9(4). doi:10.3905/jfi.2000.319253",
            "Ranjan & Gneiting (2010), J. R. Stat. Soc. B 72(1). doi:10.1111/j.1467-9868.2009.00726.x",
        ),
    ),
    Chapter(
        "forecast",
        lambda t: t("How far will a goal have come by when, and when will it be finished?"),
        lambda t: t(
            "A straight expectation from the pace so far and the pace needed, and around it what such "
            "expectations got wrong about past goals at the same point, moving or stalled (conformal "
            "prediction). It is learnt on earlier goals, its errors on later ones and the width of its "
            "ranges on the latest, so that a range of 90 % holds nine in ten; that is checked quarter by "
            "quarter."
        ),
        (),
        lambda t: t("Goals go on as goals like them did; one that was given up is watched no longer."),
        lambda t: t(
            "A goal without a target or a starting value, or one that is to hold a level, has no forecast."
        ),
        (
            "Lei et al. (2018), JASA 113(523). doi:10.1080/01621459.2017.1307116",
            "Guan (2023), Biometrika 110(1). doi:10.1093/biomet/asac040",
        ),
    ),
    Chapter(
        "warning",
        lambda t: t("When are you warned, and what were past warnings worth?"),
        lambda t: t(
            "A warning arises when the delay probability crosses a limit, when nobody updates a goal, when "
            "it is made harder late, or when its owner's confidence falls; it ends only well below the "
            "limit, so that it does not flicker. The limit is chosen from quarters that had passed before. "
            "Past warnings are held against what became of the goals: how many came true, how many misses "
            "were warned of, and how long before."
        ),
        (),
        lambda t: t("A miss that nobody could have prevented counts like any other."),
        lambda t: t(
            "A warning that leads to help may turn a miss into a landing and then looks false: precision is "
            "a lower bound."
        ),
        ("Wilson (1927), J. Am. Stat. Assoc. 22(158). doi:10.1080/01621459.1927.10502953",),
    ),
    Chapter(
        "owners",
        lambda t: t("Who over-promises, and who holds back?"),
        lambda t: t(
            "The confidence an owner stated is set against what became of the goals, drawn towards what is "
            "usual in the company the fewer goals there are. An owner is named only where the whole interval "
            "lies beyond what matters."
        ),
        (),
        lambda t: t("Confidence was stated in earnest and meant the chance of landing in time."),
        lambda t: t("Over few cycles a habit cannot be told from a bad half-year; then nobody is named."),
        (),
    ),
    Chapter(
        "small",
        lambda t: t("What is hidden, and why?"),
        lambda t: t(
            "Figures about fewer than {people} people are hidden, and as many more as it takes that no "
            "hidden one can be worked out from what is shown. What somebody was shown is remembered for a "
            "day and set against each new choice.",
            people=int(MINIMUM_GROUP.value),
        ),
        (),
        lambda t: t("Readers do not pool what they were shown over days or with each other."),
        lambda t: t("Three choices that only together single somebody out are not found."),
        (),
    ),
)
