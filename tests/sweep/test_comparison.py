"""The statistics of settings agree with scipy.stats, and keep their promises in simulations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from experiments.sweep.comparison import (
    LEVEL,
    Numbers,
    compare,
    holm,
    intervals,
    pairwise,
    quantum,
    seeds_needed,
)

SWEEPS = 2_000
# The standard error of a share of 5 % among 2,000 sweeps is 0.5 points.
AT_MOST = LEVEL + 2 * 0.005


def normal(*shape: int, seed: int = 0) -> Numbers:
    return 0.9 + 0.01 * np.random.default_rng(seed).standard_normal(shape)


def pairs_of(settings: int) -> tuple[np.ndarray, np.ndarray]:
    return np.triu_indices(settings, 1)


def test_the_interval_is_student_s() -> None:
    values = normal(4, 5)
    low, high = intervals(values)
    for place, each in enumerate(values):
        expected = stats.t.interval(0.95, 4, loc=each.mean(), scale=stats.sem(each))
        assert (low[place], high[place]) == pytest.approx(expected, rel=1e-9)
    assert np.isnan(intervals(normal(3, 1))).all()


def test_shared_seeds_are_paired() -> None:
    values = normal(3, 6)
    values[1, 0] = np.nan  # this seed failed
    found = pairwise(values, *pairs_of(3))
    for number, (one, two) in enumerate(((0, 1), (0, 2), (1, 2))):
        both = ~np.isnan(values[one] + values[two])
        expected = stats.ttest_rel(values[one][both], values[two][both])
        assert found.p_value[number] == pytest.approx(expected.pvalue, rel=1e-9)
        low, high = expected.confidence_interval(0.95)
        middle, margin = found.difference[number], found.margin[number]
        assert (middle - margin, middle + margin) == pytest.approx((low, high), rel=1e-7)


def test_other_seeds_are_compared_by_welch_s_test() -> None:
    values = np.full((2, 7), np.nan)
    values[0, :4], values[1, 3:] = normal(4), 0.01 + normal(4, seed=1) * 0.5
    (p_value,) = pairwise(values, *pairs_of(2)).p_value
    one, two = values[0, :4], values[1, 3:]
    assert p_value == pytest.approx(stats.ttest_ind(one, two, equal_var=False).pvalue, rel=1e-9)


def test_one_seed_has_no_test() -> None:
    values = normal(3, 4)
    values[2, 1:] = np.nan
    tested = np.isnan(pairwise(values, *pairs_of(3)).p_value)
    assert tested.tolist() == [False, True, True]
    assert compare(values).tests == 1


def test_holm_s_correction_of_a_known_example() -> None:
    # Multiplied by 4, 3, 2, 1 in ascending order, then never below the p-value before.
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    corrected = holm(np.array([0.02, np.nan, 0.9]))
    assert corrected == pytest.approx([0.04, np.nan, 0.9], nan_ok=True)


def test_holm_s_correction_step_by_step() -> None:
    for p_values in np.random.default_rng(0).random((50, 6)) ** 3:
        expected = {}
        left, highest = sorted(p_values), 0.0
        while left:
            highest = max(highest, len(left) * left[0])
            expected[left.pop(0)] = min(1, highest)
        assert holm(p_values) == pytest.approx([expected[each] for each in p_values])


def test_the_quantum_is_the_smallest_gap() -> None:
    assert quantum(np.array([[3, 5], [9, 5]]) / 360) == pytest.approx(2 / 360)
    assert quantum(np.full((2, 2), 0.9)) == 0


def test_equal_differences_of_two_seeds_are_no_proof() -> None:
    values = np.array([[350, 348], [347, 345]]) / 360
    assert pairwise(values, *pairs_of(2)).p_value[0] > LEVEL
    same = np.full((2, 3), 0.9)
    assert pairwise(same, *pairs_of(2)).p_value[0] == 1


def test_a_constant_changes_no_decision() -> None:
    values = np.sort(normal(5, 6), axis=0)[::-1]
    values[3:] -= 0.1
    one, two = compare(values), compare(values + 0.05)
    assert one.worse.tolist() == two.worse.tolist()
    assert one.p_value == pytest.approx(two.p_value, rel=1e-6)


def test_many_settings_are_compared_with_the_best_more_strictly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = normal(8, 5) - 0.01 * np.arange(8)[:, None]
    exact = compare(values)
    monkeypatch.setattr("experiments.sweep.comparison._MOST_NUMBERS", 0)
    quick = compare(values)
    assert exact.all_pairs
    assert not quick.all_pairs
    assert quick.tests == exact.tests == 28
    assert (quick.p_value >= exact.p_value).all()
    assert quick.worse.any()


@pytest.mark.parametrize(("difference", "level"), [(0.5, 0.05), (1.0, 0.01), (3.0, 0.05 / 15)])
def test_the_seeds_needed_have_the_power(difference: float, level: float) -> None:
    needed = seeds_needed(difference, 1, level)
    assert needed is not None

    def power(seeds: int) -> float:
        threshold = stats.t.ppf(1 - level / 2, seeds - 1)
        return float(stats.nct.sf(threshold, seeds - 1, difference * np.sqrt(seeds)))

    assert power(needed) >= 0.8 > power(needed - 1)


def test_a_tiny_difference_needs_more_seeds_than_are_worth_a_statement() -> None:
    assert seeds_needed(0.001, 1, 0.05) is None


def test_the_intervals_cover_the_mean_in_95_percent() -> None:
    low, high = intervals(normal(SWEEPS, 6, 3))
    assert np.mean((low <= 0.9) & (high >= 0.9)) == pytest.approx(0.95, abs=0.015)


def noise(kind: str, settings: int, seeds: int) -> Numbers:
    """Return the accuracies of sweeps whose settings are all equal."""
    drawn = np.random.default_rng(1).standard_normal((SWEEPS, settings, seeds))
    if kind == "of each seed":
        shared = np.random.default_rng(2).standard_normal((SWEEPS, 1, seeds))
        return 0.9 + 0.01 * drawn + 0.03 * shared
    if kind == "unequal":
        return 0.9 + 0.001 * np.geomspace(1, 30, settings)[:, None] * drawn
    if kind.isdecimal():
        return np.round((0.95 + 0.01 * drawn) * int(kind)) / int(kind)
    return 0.9 + 0.01 * drawn


def share_with_a_worse_setting(values: Numbers) -> float:
    order = np.argsort(-values.mean(axis=-1), axis=-1)
    ranked = np.take_along_axis(values, order[..., None], axis=1)
    settings = values.shape[1]
    corrected = holm(pairwise(ranked, *pairs_of(settings)).p_value)
    return float(np.mean((corrected[:, : settings - 1] < LEVEL).any(axis=-1)))


@pytest.mark.parametrize("seeds", [2, 3, 10])
@pytest.mark.parametrize("settings", [2, 6])
@pytest.mark.parametrize("kind", ["normal", "of each seed", "unequal", "360", "10000"])
def test_equal_settings_are_rarely_called_worse(kind: str, settings: int, seeds: int) -> None:
    assert share_with_a_worse_setting(noise(kind, settings, seeds)) <= AT_MOST


def test_pairs_with_the_best_only_would_be_called_worse_too_often() -> None:
    values = noise("normal", 6, 10)
    order = np.argsort(-values.mean(axis=-1), axis=-1)
    ranked = np.take_along_axis(values, order[..., None], axis=1)
    others = np.arange(1, 6)
    p_values = pairwise(ranked, np.zeros(5, np.intp), others).p_value
    assert np.mean((holm(p_values) < LEVEL).any(axis=-1)) > AT_MOST


def test_a_real_difference_is_found() -> None:
    values = noise("of each seed", 4, 8)
    values[:, 0] += 0.04  # four standard deviations of a run beside its seed
    assert np.mean(holm(pairwise(values, *pairs_of(4)).p_value)[:, 0] < LEVEL) > 0.95
