"""Statistics of settings over their seeds: intervals, and tests of pairs.

Values are arrays of shape (..., settings, seeds), with NaN for a missing run; a larger value is
better. Pairs of settings are two arrays of indices, each of shape (pairs,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import nctdtr, stdtr, stdtrit

LEVEL = 0.05
"""the probability that any of a sweep's statements "worse" is false, at most"""
CONFIDENCE = 0.95
POWER = 0.8
MOST_SEEDS = 1_000
"""the largest number of seeds that is worth a statement"""
_MOST_NUMBERS = 5_000_000  # pairs x seeds; 0.3 s and 0.3 GB
_SAME = 1e-9  # values of size 1 that differ by less differ by a rounding error of their floats

Numbers = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Pairs:
    """The differences within pairs of settings; each array has the shape (..., pairs)."""

    difference: Numbers
    """the mean of the first less the mean of the second; if paired, over the shared seeds"""
    deviation: Numbers
    """the standard deviation of a difference between two runs"""
    error: Numbers
    """the standard error of `difference`"""
    freedom: Numbers
    """the degrees of freedom of `error`"""
    paired: NDArray[np.bool_]
    """whether the two runs of a seed form a pair"""
    p_value: Numbers
    """of the two-sided test without correction; NaN if a setting has fewer than two seeds"""

    @property
    def margin(self) -> Numbers:
        """Half the width of the 95 % interval of `difference`."""
        return _quantile(self.freedom) * self.error


@dataclass(frozen=True)
class Comparison:
    """The comparison of ranked settings with the best, which comes first."""

    with_best: Pairs
    """the best and each other setting, in the order of the ranking"""
    p_value: Numbers
    """corrected for choosing the best, shape (settings - 1,); NaN if there is no test"""
    tests: int
    """the number of tests that `p_value` is corrected for"""
    level: float
    """the level of the next test that would call a setting worse"""
    all_pairs: bool
    """whether all pairs were tested, or only pairs with the best"""

    @property
    def worse(self) -> NDArray[np.bool_]:
        """Whether each other setting is worse than the best beyond noise."""
        return (self.p_value < LEVEL) & (self.with_best.difference > 0)

    @property
    def worse_alone(self) -> NDArray[np.bool_]:
        """Whether each would be worse if the sweep had no other settings."""
        return (self.with_best.p_value < LEVEL) & (self.with_best.difference > 0)


def quantum(values: Numbers) -> Numbers:
    """Return the smallest gap between distinct accuracies of a sweep, shape (...); 0 without gaps.

    Accuracies are multiples of 1/images, so the gap is at least that.
    """
    ordered = np.sort(values.reshape(*values.shape[:-2], -1), axis=-1)
    gaps = np.diff(ordered, axis=-1)
    smallest = np.where(gaps > _SAME, gaps, np.inf).min(axis=-1, initial=np.inf)
    return np.where(np.isinf(smallest), 0, smallest)


def intervals(values: Numbers, *, counts: bool = True) -> tuple[Numbers, Numbers]:
    """Return the 95 % intervals of the settings' means, (..., settings) each.

    They are Student's: mean ± t(n - 1) · deviation / √n. They are NaN for one seed, and in a sweep
    whose accuracies are all the same.

    Args:
        values: the values, shape (..., settings, seeds).
        counts: whether they are accuracies on one set of images, and so have a rounding error.
    """
    mean, variance, count = _moments(values, _rounding(values, counts=counts))
    with np.errstate(invalid="ignore", divide="ignore"):
        margin = _quantile(count - 1) * np.sqrt(variance / count)
    margin = np.where(variance > 0, margin, np.nan)  # one accuracy: its rounding is not known
    return mean - margin, mean + margin


def pairwise(values: Numbers, first: Indices, second: Indices, *, counts: bool = True) -> Pairs:
    """Test pairs of settings for a difference between their means.

    Two settings that share at least two seeds are compared by Student's paired t-test on these
    seeds, because runs of one seed share batches, initial weights and the validation split.
    Otherwise it is Welch's test, with the degrees of freedom of Welch (1947), "The generalization
    of 'Student's' problem when several different population variances are involved", Biometrika 34.

    Accuracies are counts, so the differences of few seeds may be equal by chance, and their
    standard deviation 0. A value that is rounded to multiples of q has a rounding error of variance
    q²/12 (Sheppard 1898), so a variance below that of its rounding errors is no evidence, and is
    raised to it.
    """
    rounding = _rounding(values, counts=counts)
    mean, variance, count = _moments(values, rounding)
    differences = values[..., first, :] - values[..., second, :]
    paired_mean, paired_variance, shared = _moments(differences, 2 * rounding)
    paired = shared >= 2
    one, two = variance[..., first], variance[..., second]
    many, more = count[..., first], count[..., second]
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(np.where(paired, paired_variance / shared, one / many + two / more))
        welch = (one / many + two / more) ** 2 / (
            (one / many) ** 2 / (many - 1) + (two / more) ** 2 / (more - 1)
        )
        freedom = np.where(paired, shared - 1, welch)
        difference = np.where(paired, paired_mean, mean[..., first] - mean[..., second])
        largest = np.nanmax(np.abs(values), axis=(-2, -1), initial=0)[..., None]
        difference = np.where(np.abs(difference) < _SAME * largest, 0, difference)
        t = np.where(difference == 0, 0, difference / error)
    testable = paired | ((many >= 2) & (more >= 2))
    return Pairs(
        difference,
        np.sqrt(np.where(paired, paired_variance, one + two)),
        error,
        freedom,
        paired,
        np.where(testable, 2 * stdtr(freedom, -np.abs(t)), np.nan),
    )


def holm(p_values: Numbers) -> Numbers:
    """Return p-values corrected for their number along the last axis; NaN is not counted.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian
    Journal of Statistics 6. The probability of any false rejection stays below the level for any
    dependence between the tests.
    """
    tests = np.sum(~np.isnan(p_values), axis=-1, keepdims=True)
    order = np.argsort(p_values, axis=-1)  # NaN comes last
    factors = np.maximum(tests - np.arange(p_values.shape[-1]), 1)
    ordered = np.maximum.accumulate(np.take_along_axis(p_values, order, -1) * factors, axis=-1)
    corrected = np.empty_like(p_values)
    np.put_along_axis(corrected, order, np.minimum(ordered, 1), -1)
    return corrected


def compare(values: Numbers, *, counts: bool = True) -> Comparison:
    """Compare ranked settings with the best.

    The best is chosen by its result, so each pair counts as a test: the correction is Holm's over
    all pairs. Beyond some millions of differences only pairs with the best are tested, each at the
    level divided by the number of all pairs (Bonferroni), which is stricter.

    Args:
        values: the values, shape (settings, seeds), the best setting first; at least two settings.
        counts: whether they are accuracies on one set of images, and so have a rounding error.
    """
    settings, seeds = values.shape
    pairs = settings * (settings - 1) // 2
    others = settings - 1
    if pairs * seeds > _MOST_NUMBERS:
        with_best = pairwise(
            values, np.zeros(others, np.intp), np.arange(1, settings), counts=counts
        )
        corrected = np.minimum(1, with_best.p_value * pairs)
        return Comparison(with_best, corrected, pairs, LEVEL / pairs, all_pairs=False)
    tested = pairwise(values, *np.triu_indices(settings, 1), counts=counts)
    corrected = holm(tested.p_value)
    tests = int(np.sum(~np.isnan(corrected)))
    level = LEVEL / max(1, tests - int(np.sum(corrected < LEVEL)))
    # The pairs of the best setting are the first row of the triangle.
    with_best = Pairs(*(each[:others] for each in vars(tested).values()))
    return Comparison(with_best, corrected[:others], tests, level, all_pairs=True)


def seeds_needed(difference: float, deviation: float, level: float) -> int | None:
    """Return the number of seeds that would tell two settings apart with a power of 80 %.

    It is the smallest number n for which a t-test with n - 1 degrees of freedom rejects with that
    probability, from the noncentral t distribution: Cohen (1988), "Statistical Power Analysis for
    the Behavioral Sciences", chapter 2. For unpaired runs n - 1 is the least that Welch's test has.

    Args:
        difference: the true difference of the means, not 0.
        deviation: the true standard deviation of a difference between two runs.
        level: the level of the two-sided test.

    Returns:
        The number of seeds of each setting; None for more than 1,000.
    """
    seeds = np.arange(2, MOST_SEEDS + 1)
    threshold = stdtrit(seeds - 1, 1 - level / 2)
    power = 1 - nctdtr(seeds - 1, abs(difference) * np.sqrt(seeds) / deviation, threshold)
    enough = seeds[power >= POWER]
    return int(enough[0]) if len(enough) else None


def _moments(values: Numbers, least: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return mean, variance (n - 1; at least `least`) and count of the last axis without NaN."""
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0).sum(axis=-1) / count
        squares = np.where(known, values - mean[..., None], 0) ** 2
        variance = squares.sum(axis=-1) / np.where(count > 1, count - 1, np.nan)
    return mean, np.maximum(variance, least[..., None]), count


def _rounding(values: Numbers, *, counts: bool) -> Numbers:
    """Return the variance of the rounding error of counts; 0 for other values."""
    return quantum(values) ** 2 / 12 if counts else np.zeros(values.shape[:-2])


def _quantile(freedom: Numbers) -> Numbers:
    """Return the quantile of Student's t for a 95 % interval; NaN without freedom."""
    quantile: Numbers = stdtrit(np.where(freedom > 0, freedom, np.nan), (1 + CONFIDENCE) / 2)
    return quantile
