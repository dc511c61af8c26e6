"""How sure can we be of a mean, a share or a difference when a person is the unit?

People rated several times say less than as many people rated once. All variances here are therefore
sums over *people* of squared influences (linearised, cluster-robust, with the n/(n − 1) correction),
which is the textbook formula where everybody has one rating.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

REFERENCE: Final = (
    "Wilson (1927), JASA 22(158); Brown, Cai & DasGupta (2001), Stat. Sci. 16(2). doi:10.1214/ss/1009213286; "
    "Korn & Graubard (1998), Survey Methodology 24(2), for the effective number of ratings; "
    "Zou & Donner (2008), Stat. Med. 27(10). doi:10.1002/sim.3095, for differences of shares; "
    "Obuchowski (1997), Biometrics 53(2). doi:10.2307/2533958, for the probability of superiority; "
    "Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57(1)"
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Booleans = NDArray[np.bool_]


def sums(index: Ints, weight: Floats, size: int) -> Floats:
    """Sums of the weights by index, as floats also where there is nothing to sum."""
    return np.bincount(index, weight, minlength=size).astype(np.float64)


def wilson(share: Floats, n: Floats, *, confidence: float) -> tuple[Floats, Floats]:
    """Wilson's score interval of shares.

    Parameters
    ----------
    share
        Observed shares, any shape.
    n
        (Effective) numbers they rest on, same shape; 0 gives nan.
    confidence
        For example .95.

    Returns
    -------
    tuple of arrays
        Lower and upper ends.
    """
    z = float(special.ndtri(0.5 + confidence / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
        low = np.where(n > 0, np.clip(centre - half, 0.0, 1.0), np.nan)
        high = np.where(n > 0, np.clip(centre + half, 0.0, 1.0), np.nan)
    return np.where(share == 0, np.where(n > 0, 0.0, np.nan), low), np.where(
        share == 1, np.where(n > 0, 1.0, np.nan), high
    )


def effective_n(share: Floats, variance: Floats, *, ratings: Floats, people: Floats) -> Floats:
    """How many independent ratings the shares are worth.

    The number of ratings over the design effect, never more than the number of ratings. Where nobody or
    everybody is at a level no design effect can be seen, and only the people count.

    Parameters
    ----------
    share, variance
        Observed shares and their person-clustered variances, same shape.
    ratings, people
        What they rest on, same shape.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        design = variance / (share * (1 - share) / np.maximum(ratings - 1, 1))
        worth = ratings / np.maximum(design, 1.0)
    return np.where((share <= 0) | (share >= 1) | (people < 2), people, worth)


def t_interval(
    value: Floats, variance: Floats, df: Floats, *, confidence: float
) -> tuple[Floats, Floats, Floats]:
    """Student interval and two-sided p of values that would be nought if nothing were there.

    Returns
    -------
    tuple of arrays
        Lower end, upper end, p. nan where there are no degrees of freedom or no variance (as good as
        none): equal ratings of a few people do not make the mean of such people certain.
    """
    usable = (df > 0) & np.isfinite(variance) & (variance > 1e-15)
    freedom = np.where(usable, df, np.nan)
    error = np.sqrt(np.where(usable, variance, np.nan))
    half = special.stdtrit(freedom, 0.5 + confidence / 2) * error
    p = 2 * special.stdtr(freedom, -np.abs(value) / error)
    return value - half, value + half, np.asarray(p)


def benjamini_hochberg(p: Floats) -> Floats:
    """False-discovery adjusted p-values; nan stays nan and is not counted as a test."""
    q = np.full(p.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    if tested.size == 0:
        return q
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = p[order] * tested.size / np.arange(1, tested.size + 1)
    q[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return q


@dataclass(frozen=True)
class Contrast:
    """Variance of "group minus everybody else" for every group, and its degrees of freedom."""

    variance: Floats
    df: Floats


def contrast(
    inside: Floats,
    everyone: Floats,
    *,
    group: Ints,
    person: Ints,
    weight_in: Floats,
    weight_out: Floats,
) -> Contrast:
    """Person-clustered variance of a contrast of every group with the rest, in one pass.

    A person's influence on the contrast of group g is ``inside · weight_in[g]`` for what was given to
    them in g plus ``(everyone − inside) · weight_out[g]`` for the rest, so that people who stand on both
    sides (two cycles, two sources) are paired, not counted as independent.

    Parameters
    ----------
    inside
        (pairs, features): sums over the ratings of one person in one group.
    everyone
        (people, features): sums over all ratings of one person.
    group, person
        (pairs,): indices of the pairs.
    weight_in, weight_out
        (groups, features): influence of one unit of a feature inside and outside the group.
    """
    groups = weight_in.shape[0]
    mine = everyone[person]
    own = np.einsum("pf,pf->p", inside, weight_in[group])
    other = np.einsum("pf,pf->p", mine - inside, weight_out[group])
    as_outsider = np.einsum("pf,pf->p", mine, weight_out[group])
    within = sums(group, own**2, groups)
    across = sums(group, own * other, groups)
    # Everybody counted as an outsider, then the group's people corrected: no people × groups table.
    outside = np.einsum("gf,fh,gh->g", weight_out, everyone.T @ everyone, weight_out)
    outside = outside + sums(group, other**2 - as_outsider**2, groups)
    outside = np.maximum(outside, 0.0)

    n = np.bincount(group, minlength=groups).astype(float)
    only_here = np.isclose(mine - inside, 0.0).all(axis=1)
    m = everyone.shape[0] - np.bincount(group, only_here, minlength=groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        a = within * n / (n - 1)
        b = outside * m / (m - 1)
        covariance = across * np.sqrt(n / (n - 1) * m / (m - 1))
        df = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
    usable = (n > 1) & (m > 1)
    variance = np.where(usable, np.maximum(a + b + 2 * covariance, 0.0), np.nan)
    return Contrast(variance, np.where(usable, np.where(np.isfinite(df), df, n + m - 2), np.nan))
