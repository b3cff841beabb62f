"""Mistakes raise the line of the command, and create nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import experiments
from experiments import InputError, compose, load, train
from experiments.api.entry_point import from_python
from experiments.errors import RunError
from tests.conftest import PROJECT

CONF = PROJECT / "conf"


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["optimizer.lr=-1"], "optimizer.lr=-1: it should be greater than 0"),
        (["optimiser=sgd"], "optimiser"),
        (["seed=1,2"], "seed=1,2: several values for one run"),
        (["optimizer.lr"], "optimizer.lr: is not a valid override"),
        ("seed=1", "overrides='seed=1': is no list of texts; give a list such as"),
        ({"seed": 1}, "overrides={'seed': 1}: is no list of texts"),
        (["seed=1", 2], "overrides: 2 is no text"),
        (["-m", "seed=1,2"], "overrides: -m is an option of the command"),
        (["hydra.mode=MULTIRUN"], "hydra.mode=MULTIRUN: a call trains one run"),
        (["hydra.job.chdir=true"], "hydra.job.chdir=true: "),
    ],
)
def test_a_mistake_is_one_line(
    overrides, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for call in (compose, train):
        with pytest.raises(InputError) as raised:
            call(overrides, config_dir=CONF)
        assert str(raised.value).startswith(line)
        assert "\n" not in str(raised.value)
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__
    assert list(tmp_path.iterdir()) == []


def test_the_folder_conf_is_found_above_the_current_folder(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place / "project" / "notebooks")
    assert compose(["seed=3"]).seed == 3
    monkeypatch.chdir(place / "elsewhere")
    with pytest.raises(InputError, match=r"config_dir=None: neither .* nor a folder above it has"):
        compose()
    with pytest.raises(InputError, match=r"config_dir=here: has no config.yaml; name the folder"):
        compose(config_dir="here")
    assert compose(["optimizer=adamw"], config_dir="../project/conf").optimizer.target


def test_a_run_that_is_not_there_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    with pytest.raises(InputError, match="abcdef: no run in outputs has an id that begins so"):
        load("abcdef")
    with pytest.raises(InputError, match="elsewhere: there is no such folder"):
        load("abcdef", outputs="elsewhere")


def test_a_cause_outside_keeps_its_class_and_an_error_of_the_user_itself() -> None:
    error = ArithmeticError("of the user")

    @from_python
    def call(raised: Exception) -> None:
        raise raised

    with pytest.raises(RunError, match="the disk is full"):
        call(RunError("the disk is full"))
    with pytest.raises(ArithmeticError) as found:
        call(error)
    assert found.value is error


def test_a_second_call_at_the_same_time_is_refused() -> None:
    begun, done = threading.Event(), threading.Event()

    @from_python
    def call() -> None:
        begun.set()
        assert done.wait(60)

    thread = threading.Thread(target=call)
    thread.start()
    assert begun.wait(60)
    with pytest.raises(InputError, match="another call is at work in this process"):
        compose(config_dir=CONF)
    done.set()
    thread.join()
    assert compose(config_dir=CONF).seed == 0


def test_all_causes_are_kept_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(InputError) as raised:
        compose(["optimizer.lr"], config_dir=CONF)
    assert raised.value.__cause__ is not None


@pytest.mark.parametrize("rank", ["0", "1"])
def test_several_processes_are_refused_in_each(monkeypatch: pytest.MonkeyPatch, rank: str) -> None:
    place = {"WORLD_SIZE": "2", "RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"^experiments\.train: needs one process, and torchrun"):
        train(config_dir=CONF)


def test_every_name_is_there() -> None:
    assert all(getattr(experiments, name) for name in experiments.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'fit'"):
        _ = experiments.fit
