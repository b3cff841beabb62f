"""The verdict's words fit the numbers, on a terminal, in a file and in MLflow."""

from __future__ import annotations

import csv
import math
import random
import re
from pathlib import Path

import pytest

from experiments.sweep.report import JobResult, as_csv
from experiments.sweep.statements import places
from experiments.sweep.verdict import counts, judge, sentences
from experiments.sweep.verdict_text import as_lines, as_markdown
from tests.sweep.made_up import results

NAN = math.nan
CLEAR = {
    "m.lr=1": [0.952, 0.947, 0.951, 0.955],
    "m.lr=2": [0.950, 0.949, 0.952, 0.948],
    "m.lr=3": [0.701, 0.699, 0.702, 0.700],
    "m.lr=4": [0.602, 0.600, 0.599, 0.603],
}


def told(made: list[JobResult]) -> str:
    return "\n".join(line.text for line in as_lines(judge(made)))


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([1], "1"),
        ([1, 2], "1 and 2"),
        ([1, 2, 3], "1 to 3"),
        ([1, 2, 4], "1, 2 and 4"),
        ([1, 3, 4, 5, 9], "1, 3 to 5 and 9"),
        (range(1, 100, 2), "1, 3, 5, 7, 9, 11, 13, 15 and further places"),
    ],
)
def test_places_are_told_in_ranges(numbers: list[int], words: str) -> None:
    assert places(numbers) == words


def test_it_says_which_settings_are_the_same_and_which_are_worse() -> None:
    text = told(results(CLEAR))
    assert "1 and 2 cannot be told apart with 4 seeds; 3 and 4 are worse" in text
    assert re.search(r"1 leads 2 by 0\.15 points, 95 % interval -\d\.\d\d to \d\.\d\d", text)
    assert re.search(r"about \d+ seeds would be needed to tell 1 and 2 apart", text)
    assert "Holm's correction for 6 pairs" in text


def test_a_clear_winner_needs_no_more_seeds() -> None:
    text = told(results({name: CLEAR[name] for name in ("m.lr=1", "m.lr=3", "m.lr=4")}))
    assert "1 is better than 2 and 3 beyond the noise of 4 seeds" in text
    assert "needed" not in text


def test_a_pattern_with_a_gap() -> None:
    accuracies = dict(CLEAR)
    del accuracies["m.lr=4"]
    accuracies["m.lr=5"] = [0.1, 0.9, 0.2, 0.8]
    text = told(results(accuracies))
    assert "1, 2 and 4 cannot be told apart with 4 seeds; 3 is worse" in text


def test_one_seed_has_unknown_noise() -> None:
    text = told(results({"m.lr=1": [0.9], "m.lr=2": [0.8]}))
    assert "The noise is unknown with one seed per setting" in text
    assert "seed=0,1,2" in text
    assert "±" not in text


def test_a_setting_with_one_seed_beside_others_is_not_compared() -> None:
    text = told(results({"m.lr=1": [0.9, 0.91, 0.9], "m.lr=2": [0.5, 0.5, 0.51], "m.lr=3": [0.8]}))
    assert "2 cannot be compared with 1, for lack of a second seed" in text


def test_equal_means_are_told_apart_by_no_number_of_seeds() -> None:
    text = told(results({"m.lr=1": [0.9, 0.8], "m.lr=2": [0.8, 0.9]}))
    assert "1 and 2 have the same mean; the one begun first comes first" in text
    tiny = told(results({"m.lr=1": [0.90001, 0.8, 0.85], "m.lr=2": [0.8, 0.9, 0.85]}))
    assert "more than 1,000 seeds" in tiny


def test_diverged_settings_are_last_and_not_compared() -> None:
    text = told(results(CLEAR | {"m.lr=9": [NAN, 0.99, 0.99, 0.99]}))
    assert "lr=9 (1 of 4 diverged)" in text
    assert "5 ranks last because of diverged runs" in text
    assert "No setting is the best" in told(results({"m.lr=1": [NAN], "m.lr=2": [NAN]}))


def test_the_test_images_are_used_once_if_validation_images_rank() -> None:
    made = results(CLEAR, split=tuple(CLEAR))
    text = told(made)
    assert text.startswith("The best by validation accuracy:")
    assert "Test accuracy of 1: 94.12 ± 0.33 % (n=4)" in text
    assert text.count("est accuracy") == 1
    assert "data.validation_size" not in text
    assert "data.validation_size" in told(results(CLEAR))


def test_settings_without_a_split_are_counted_and_left_out() -> None:
    text = told(results(CLEAR, split=("m.lr=3", "m.lr=4")))
    assert "2 settings without a validation split are not ranked" in text
    assert "lr=1" not in text


def test_the_effects_of_keys_and_of_their_combinations_are_told() -> None:
    # Beside the mean of 0.7 each key adds 0.1 or takes it, and so does their combination.
    table = {"m.lr=1 o=a": [1.0], "m.lr=1 o=b": [0.6], "m.lr=2 o=a": [0.6], "m.lr=2 o=b": [0.6]}
    text = told(results(table))
    assert "m.lr explains 33 %: 1 80.00 %, 2 60.00 %" in text
    assert "o explains 33 %: a 80.00 %, b 60.00 %" in text
    assert "combinations of keys explain 33 %" in text
    del table["m.lr=2 o=b"]
    assert "combinations" not in told(results(table))


def test_the_order_of_jobs_changes_no_word() -> None:
    made = results(CLEAR | {"m.lr=9": [NAN, 0.99]})
    assert told(random.Random(0).sample(made, len(made))) == told(made)


def test_the_lines_do_not_depend_on_their_style() -> None:
    lines = list(as_lines(judge(results(CLEAR))))
    assert [line.text.split()[0] for line in lines if line.style] == ["1."]
    many = {f"m.lr={number}": [0.5 + number / 1000, 0.5] for number in range(30)}
    assert "and 20 more settings" in told(results(many))


def test_nothing_finished_has_no_verdict() -> None:
    assert told(results({"m.lr=1": [None, None]})) == ""


def test_the_markdown_is_one_table_and_short() -> None:
    many = {
        f"m.name='a|b{number}{'x' * 200}' o=c{number % 3}": [0.9 - number / 1000, 0.8, 0.7]
        for number in range(40)
    }
    made = results(many)
    command = "python train.py -m " + "x" * 900
    text = as_markdown(judge(made), counts(made), command)
    assert len(text) <= 4500
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert re.search(r"\d+ more settings are in `jobs.csv`", text)
    assert f"`` {command} ``" in text
    assert "tag `sweep.command`" in as_markdown(judge(made), counts(made), command * 10)


def test_the_markdown_has_the_sentences_and_the_counts() -> None:
    made = results(CLEAR | {"m.lr=9": [NAN, None]})
    verdict = judge(made)
    text = as_markdown(verdict, counts(made), "python train.py -m seed=0,1")
    assert all(sentence in text for sentence in sentences(verdict))
    assert "18 jobs: 17 finished, 1 failed, 1 diverged" in text
    assert "| 1 | lr=1 | 95.12 % | 0.33 | 4 |" in text
    assert "the best" in text
    assert "not told apart (p = " in text
    assert "worse (p < 0.001)" in text


def test_jobs_csv_has_a_column_for_each_varied_key(tmp_path: Path) -> None:
    made = results({"m.lr=1e-3 model='a,b'": [0.9, None]})
    rows = list(csv.DictReader(as_csv(made, tmp_path).splitlines()))
    assert list(rows[0]) == [
        *("job", "m.lr", "model", "seed", "state", "test_accuracy", "folder", "run_id", "reason")
    ]
    assert (rows[0]["m.lr"], rows[0]["model"], rows[0]["run_id"]) == ("1e-3", "'a,b'", "run0")
    assert (rows[1]["state"], rows[1]["reason"]) == ("failed", "MemoryError")


def test_no_password_is_in_a_table(tmp_path: Path) -> None:
    password = "hunter" + "2"
    made = results({f"model.password={password}{n} m.lr={n}": [0.9, 0.8] for n in (1, 2)})
    verdict = judge(made)
    text = as_csv(made, tmp_path) + told(made) + as_markdown(verdict, counts(made), "")
    assert password not in text
