"""The promises of a sweep's verdict in simulated sweeps: coverage, false "worse", and power."""

from __future__ import annotations

import time

import numpy as np
from scipy import stats

from benchmarks.report import as_command, report
from experiments.sweep.comparison import (
    LEVEL,
    Numbers,
    compare,
    holm,
    intervals,
    pairwise,
    seeds_needed,
)

SWEEPS = 10_000  # the standard error of a share of 5 % is 0.2 points
MEAN, DEVIATION = 0.95, 0.005
KINDS = {
    "normal": "0.5 %",
    "seeds": "0.5 % and 2 % of the seed",
    "unequal": "0.1 % to 5 %",
    "missing": "0.1 % to 5 %, other seeds",
    "360": "0.5 %, 360 images",
    "10000": "0.5 %, 10,000 images",
    "counts": "binomial, 360 images",
}
SIZES = ((2, 2), (2, 3), (6, 2), (6, 3), (6, 10), (20, 3))


def noise(kind: str, settings: int, seeds: int, draw: np.random.Generator) -> Numbers:
    """Return accuracies of equal settings, shape (sweeps, settings, seeds)."""
    shape = (SWEEPS, settings, seeds)
    values = DEVIATION * draw.standard_normal(shape)
    if kind == "seeds":
        values += 0.02 * draw.standard_normal((SWEEPS, 1, seeds))
    elif kind in {"unequal", "missing"}:
        values *= np.geomspace(0.2, 10, settings)[:, None]
    elif kind == "counts":
        return draw.binomial(360, MEAN, shape) / 360
    values += MEAN
    if kind.isdecimal():
        values = np.round(values * int(kind)) / int(kind)
    if kind == "missing":
        apart = np.full((SWEEPS, settings, settings * seeds), np.nan)
        for place in range(settings):
            apart[:, place, place * seeds : (place + 1) * seeds] = values[:, place]
        return apart
    return values


def ranked(values: Numbers) -> Numbers:
    order = np.argsort(-np.nanmean(values, axis=-1), axis=-1)
    return np.take_along_axis(values, order[..., None], axis=1)


def share_of_false(p_values: Numbers) -> str:
    """Return the share of sweeps in which a setting would be called worse."""
    return f"{100 * np.mean((p_values < LEVEL).any(axis=-1)):.1f} %"


def pooled(values: Numbers) -> Numbers:
    """Return p-values of all pairs by a common variance: an analysis of variance by seed."""
    _, settings, seeds = values.shape
    means = values.mean(axis=-1)
    rest = values - means[..., None] - values.mean(axis=1)[:, None, :]
    rest += values.mean(axis=(1, 2))[:, None, None]
    freedom = (settings - 1) * (seeds - 1)
    error = np.sqrt(2 * (rest**2).sum(axis=(1, 2)) / freedom / seeds)
    first, second = np.triu_indices(settings, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(means[:, first] - means[:, second]) / error[:, None]
    return 2 * stats.t.sf(t, freedom)


def measure_promises() -> None:
    rows = []
    draw = np.random.default_rng(0)
    for kind, name in KINDS.items():
        for settings, seeds in SIZES:
            values = noise(kind, settings, seeds, draw)
            low, high = intervals(values)
            covered = np.mean((low <= MEAN) & (high >= MEAN))
            values, others = ranked(values), settings - 1
            p_values = pairwise(values, *np.triu_indices(settings, 1)).p_value
            common = holm(pooled(values))[:, :others] if kind != "missing" else None
            rows.append(
                [
                    *(name, f"{settings}", f"{seeds}", f"{100 * covered:.1f} %"),
                    share_of_false(holm(p_values)[:, :others]),
                    share_of_false(holm(p_values[:, :others])),
                    share_of_false(common) if common is not None else "",
                ]
            )
    header = (
        *("noise", "settings", "seeds", "coverage"),
        *("false worse", "Holm over pairs with the best", "common variance"),
    )
    report("verdict", f"Settings that are equal, {SWEEPS:,} sweeps each", header, rows)


def measure_power() -> None:
    rows = []
    draw = np.random.default_rng(0)
    for settings in (2, 6):
        for gap in (1, 2, 4):
            level = LEVEL / (settings * (settings - 1) / 2)
            # The difference of two runs has the standard deviation √2 of a run.
            needed = seeds_needed(gap, np.sqrt(2), level)
            assert needed is not None
            told = []
            for seeds in (3, 5, needed):
                values = noise("normal", settings, seeds, draw)
                values[:, 0] += gap * DEVIATION
                p_values = holm(pairwise(values, *np.triu_indices(settings, 1)).p_value)
                told.append(f"{100 * np.mean(p_values[:, 0] < LEVEL):.0f} %")
            rows.append([f"{settings}", f"{gap} deviations", *told[:2], f"{needed}: {told[2]}"])
    header = ("settings", "lead", "3 seeds", "5 seeds", "the number that the verdict names")
    title = "One setting leads: sweeps that tell it apart from one other"
    report("verdict_power", title, header, rows)


def measure_time() -> None:
    rows = []
    draw = np.random.default_rng(0)
    for settings, seeds in ((6, 3), (100, 3), (1_000, 3), (1_000, 10), (10_000, 3)):
        values = ranked(MEAN + DEVIATION * draw.standard_normal((1, settings, seeds)))[0]
        began = time.perf_counter()
        found = compare(values)
        taken = time.perf_counter() - began
        tests = found.tests if found.all_pairs else settings - 1
        rows.append([f"{settings:,}", f"{seeds}", f"{tests:,}", f"{1000 * taken:.1f} ms"])
    header = ("settings", "seeds", "pairs tested", "time")
    report("verdict_time", "Comparing the settings of a sweep", header, rows)


def main() -> None:
    """Measure and report."""
    measure_promises()
    measure_power()
    measure_time()


if __name__ == "__main__":
    as_command(main, __doc__)
