"""Filters choose runs by states and conditions, and refuse mistakes in one line."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from experiments.catalog.filters import chosen
from experiments.errors import InputError
from tests.catalog.made_up import summary

RUNS = [
    summary(
        1,
        params={"model": "simplenet", "optimizer.lr": "0.1", "optimizer.fused": "true"},
        tags={"dirty": "false"},
    ),
    summary(
        2,
        params={"model": "convnet", "optimizer.lr": "0.01", "model.hidden": "[128]"},
        sweeps=("5feed",),
    ),
    summary(3, state="dead", metrics={}, params={"model": "convnet", "seed": "null"}),
    summary(4, state="diverged", metrics={"test_accuracy": math.nan}, params={}),
]

SWEEP = summary(9, id="5feed", mlflow_ids=("a11",), is_sweep=True, folder=Path("outputs/s"))

CASES = {
    "": [1, 2, 3, 4],
    "dead": [3],
    "finished model=convnet": [2],
    "model=*net": [1, 2, 3],
    "model!=simplenet": [2, 3, 4],
    "optimizer.lr=0.10": [1],
    "optimizer.lr=1e-2": [2],
    "optimizer.lr<0.1": [2],
    "optimizer.lr<=0.1 test_accuracy>=0.02": [2],
    "optimizer.fused=true": [1],
    "optimizer.fused=1": [],
    "test_accuracy=nan": [4],
    "seed=null": [1, 2, 3, 4],
    "sweep=5fee": [2],
    "sweep!=5feed": [1, 3, 4],
    "sweep=a11": [2],
    "sweep=outputs/s": [2],
    "name=lr=3": [3],
    "dirty=false": [1],
    "model.hidden=[128]": [2],
    "model.hidden=[1*": [2],
    "model.hidden=[821]": [],
    "dead,diverged": [3, 4],
    "id=0003": [3],
    "id=0003*": [3],
    "id!=0003": [1, 2, 4],
    "begun>2020": [1, 2, 3, 4],
    "begun<2020-01-31": [],
    "name>3": [],
}


@pytest.mark.parametrize("filters", CASES)
def test_a_run_is_chosen_if_it_meets_all_conditions(filters: str) -> None:
    names = [run.name for run in chosen(RUNS, filters.split(), [SWEEP])]
    assert names == [f"lr={number}" for number in CASES[filters]]


MISTAKES = {
    "finish": "finish: is no filter; give a state",
    "=3": "=3: is no filter",
    "optimizer.l=3": "optimizer.l=3: no run has optimizer.l; did you mean optimizer.lr?",
    "fused=true": "fused=true: no run has fused; did you mean optimizer.fused?",
    "hiden=3": "hiden=3: no run has hiden; did you mean model.hidden?",
    "zzz=3": "zzz=3: no run has zzz; the metrics are test_accuracy",
    "optimizer.lr>high": "optimizer.lr>high: high is no number; > compares numbers",
    "optimizer.lr>": "optimizer.lr>: nothing is no number",
    "optimizer.lr==1": "optimizer.lr==1: is no filter",
    "optimizer.lr=>1": "optimizer.lr=>1: is no filter",
    "sweep>5": "sweep>5: give the folder or an id of a sweep",
    "sweep=": "sweep=: give the folder",
    "sweep=9": "sweep=9: there is no such sweep; `experiments ls --sweeps` lists them",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        chosen(RUNS, [text], [SWEEP])
    assert str(caught.value).startswith(MISTAKES[text])
    assert "\n" not in str(caught.value)


def test_without_runs_nothing_is_a_mistake() -> None:
    assert chosen([], ["optimizer.lr=1"], []) == []
