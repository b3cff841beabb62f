"""Settings are ranked by the mean over their seeds, and the best one has one run to show."""

from __future__ import annotations

import math
import random

from experiments.sweep.effects import effects_of, eta_squared
from experiments.sweep.settings import rank
from tests.sweep.made_up import Values, results

NAN = math.nan


def names(values: Values, *, split: tuple[str, ...] = ()) -> list[str]:
    return [setting.name for setting in rank(results(values, split=split)).settings]


def test_the_mean_ranks_and_not_the_luckiest_seed() -> None:
    ranking = rank(results({"m.lr=1": [0.99, 0.5], "m.lr=2": [0.9, 0.8]}))
    assert [setting.name for setting in ranking.settings] == ["lr=2", "lr=1"]
    assert ranking.best is ranking.settings[0]


def test_a_setting_with_a_diverged_run_comes_last() -> None:
    accuracies = {"m.lr=1": [NAN, 0.99, 0.99], "m.lr=2": [0.1, 0.1, 0.1], "m.lr=3": [NAN, NAN, 0.9]}
    ranking = rank(results(accuracies))
    assert [setting.name for setting in ranking.settings] == ["lr=2", "lr=1", "lr=3"]
    assert ranking.settings[1].notes == ("1 of 3 diverged",)
    everywhere = rank(results({"m.lr=1": [NAN], "m.lr=2": [NAN]}))
    assert everywhere.best is everywhere.representative is None


def test_failed_runs_are_noted_and_settings_of_them_have_no_place() -> None:
    ranking = rank(results({"m.lr=1": [0.9, None], "m.lr=2": [None, None]}))
    assert [setting.notes for setting in ranking.settings] == [("1 of 2 not finished",)]
    assert len(ranking.unfinished) == 1


def test_the_order_of_the_jobs_does_not_matter() -> None:
    made = results({"m.lr=1": [0.9, 0.8], "m.lr=2": [0.8, 0.9], "m.lr=3": [0.7, 0.6, NAN]})
    shuffled = random.Random(0).sample(made, len(made))
    assert rank(made) == rank(shuffled)


def test_settings_differ_in_values_even_if_their_short_names_are_equal() -> None:
    assert names({"a.lr=1 b.lr=2": [0.9], "a.lr=2 b.lr=1": [0.8]}) == [
        "a.lr=1 b.lr=2",
        "a.lr=2 b.lr=1",
    ]
    assert names({"": [0.8, 0.9]}) == ["all seeds"]


def test_validation_and_test_accuracies_are_not_ranked_together() -> None:
    accuracies = {"m.lr=1": [0.9, 0.9], "m.lr=2": [0.8, 0.8], "m.lr=3": [0.95, 0.9]}
    ranking = rank(results(accuracies, split=("m.lr=1", "m.lr=2")))
    assert ranking.measure.name == "validation accuracy"
    assert [setting.name for setting in ranking.settings] == ["lr=1", "lr=2"]
    assert ranking.without_split == 1


def test_only_validation_images_choose_the_run_of_the_best_setting() -> None:
    accuracies = {"m.lr=1": [0.8, 0.9, 0.85], "m.lr=2": [0.99, 0.1, 0.1]}
    by_test = rank(results(accuracies)).representative
    by_validation = rank(results(accuracies, split=tuple(accuracies))).representative
    assert by_test is not None
    assert by_validation is not None
    assert (by_test.job.number, by_validation.job.number) == (0, 1)


def test_the_effects_of_crossed_keys_share_the_variance() -> None:
    # Without an interaction two crossed keys explain everything.
    table = {
        f"m.lr={lr} optimizer={name}": [0.5 + 0.1 * lr + 0.05 * place] * 2
        for lr in (1, 2, 3)
        for place, name in enumerate(("sgd", "adam"))
    }
    ranking = rank(results(table))
    effects = effects_of(ranking.settings, ranking.measure)
    assert [effect.key for effect in effects] == ["m.lr", "optimizer"]
    assert math.isclose(sum(effect.share for effect in effects), 1)
    assert [value for value, _ in effects[0].means] == ["3", "2", "1"]
    assert math.isclose(dict(effects[1].means)["adam"], 0.75)


def test_one_key_has_no_table_of_effects() -> None:
    for table in ({"m.lr=1": [0.9], "m.lr=2": [0.8]}, {"m.lr=1 o=a": [0.9], "m.lr=2 o=b": [0.9]}):
        ranking = rank(results(table))
        assert effects_of(ranking.settings, ranking.measure) == []


def test_eta_squared_of_a_known_example() -> None:
    # Means 2 and 5 about 3.5: 6 · 1.5² = 13.5 of 17.5.
    share = eta_squared([1, 2, 3, 4, 5, 6], ["a", "a", "a", "b", "b", "b"])
    assert math.isclose(share, 13.5 / 17.5)
