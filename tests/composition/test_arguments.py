"""Hydra's command line: valid arguments work, and forbidden ones end with one line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import yaml

from tests.composition.test_hydra_config import assert_refused
from tests.conftest import PROJECT, Program, cases, command, run_folder

REFUSED = {
    "log outside": ("hydra.job.name=../../x", "hydra.job.name=../../x: names the log in the run's"),
    "log below": ("hydra.job.name=a/b", "give it a short name without a /"),
    "log without a name": ("hydra.job.name=", "give it a short name without a /"),
    "log with a long name": (f"hydra.job.name={'x' * 300}", "give it a short name without a /"),
    "passwords": ("hydra.output_subdir=.hydra", "Hydra would write passwords there"),
    "chdir": ("hydra.job.chdir=true", "leave it false"),
    "long folder": (f"hydra.run.dir={'x' * 300}", "is too long, with"),
    "long outputs": (f"outputs={'x' * 300}", "is too long, with"),
    "pickle": ("--experimental-rerun=a.pickle", "would load a pickle, which may run any code"),
    "no such option": ("--foo", "--foo: there is no such option; `python train.py --hydra-help`"),
    "no such choice": ("--cfg foo", "argument --cfg/-c: invalid choice: 'foo' (choose from 'job',"),
    "no value": ("--config-name", "argument --config-name/-cn: expected one argument"),
    "apart": ("seed=1 -m optimizer.lr=1", "optimizer.lr=1: stands apart from the other overrides"),
    "no such folder": ("--config-dir=nowhere", "nowhere' not found; name a folder that exists"),
    "no such config": ("-cn nope", "nope: there is no such file in conf/"),
    "no such mode": ("hydra.mode=FOO", "hydra.mode=FOO: Invalid value 'FOO', expected one of [RUN"),
    "no such callback": ("+hydra.callbacks.x._target_=a.B", "is its module installed, or beside"),
    "key of Hydra's": ("hydra.launcher.n_jobs=2", "choose from hydra.launcher._target_"),
    "twice": ("+experiment=article", "experiment: has a value already; write experiment=… once"),
    "added twice": ("+seed=1 +seed=2", "seed"),
    "no such key": ("~x", "there is no such key"),
    "no sweeper": ("hydra.sweeper=null -m", "choose hydra/sweeper=grid"),
    "no launcher": ("hydra.launcher=null -m", "hydra/launcher=None: is no launcher"),
    "no workers": (
        "hydra/launcher=vectorized hydra.launcher.workers=null -m",
        "choose one, such as hydra/launcher@hydra.launcher.workers=basic",
    ),
    "no folder of a sweep": ("hydra.sweep.dir= -m", "hydra.sweep.dir=: is empty; name a folder"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_one_line(
    train: Program, tmp_path: Path, arguments: str, message: str
) -> None:
    assert_refused(train(*arguments.split()), tmp_path, message)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    override = os.fsdecode(b"tracking.experiment='\xff'")
    done = command(sys.executable, str(PROJECT / "train.py"), override, cwd=tmp_path)
    assert_refused(done, tmp_path, "holds bytes that are no text in the encoding utf-8")


ACCEPTED = {
    "run.dir": ("hydra.run.dir=here/${optimizer.lr}", "here/0.01/train.log"),
    "absolute run.dir": ("hydra.run.dir={folder}/there", "there/train.log"),
    "job.name": ("hydra.job.name=abc", "outputs/*/*/abc.log"),
    "job_logging": ("hydra/job_logging=default", "outputs/*/*/train.log"),
    "no logging": ("hydra/job_logging=disabled", "outputs/*/*/journal.jsonl"),
    "verbose": ("hydra.verbose=true", "outputs/*/*/train.log"),
    "config-name": ("--config-name=config.yaml", "outputs/*/*/train.log"),
    "config-dir": ("+extra=mine --config-dir=more", "outputs/*/*/train.log"),
    "mode": ("hydra.mode=MULTIRUN", "outputs/*/*_sweep/0/train.log"),
    "interpolation": ("schedule.factor=${oc.decode:'1.0'}", "outputs/*/*/train.log"),
}


@pytest.mark.parametrize(("arguments", "written"), cases(ACCEPTED, usual=3))
def test_what_hydra_accepts_works(
    offline: Program, digits, tmp_path: Path, arguments: str, written: str
) -> None:
    (tmp_path / "more" / "extra").mkdir(parents=True)
    (tmp_path / "more" / "extra" / "mine.yaml").write_text("# @package _global_\nseed: 5\n")
    done = offline(*arguments.replace("{folder}", str(tmp_path)).split())
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(list(tmp_path.glob(written))) == 1


def test_an_override_is_recorded_as_it_was_typed(offline: Program, tmp_path: Path) -> None:
    typed = "schedule.factor=${oc.decode:'1.0'}"
    assert offline(typed).returncode == 0
    assert typed in yaml.safe_load((run_folder(tmp_path) / "overrides.yaml").read_text())


@pytest.mark.parametrize("name", ["config.yaml", "overrides.yaml", "weights.safetensors"])
def test_a_run_overwrites_nobody_s_files(offline: Program, tmp_path: Path, name: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("kept")
    done = offline("hydra.run.dir=mine")
    assert done.returncode == 2
    refused = {
        "weights.safetensors": "mine/journal.jsonl: is missing, and weights.safetensors lies "
        "beside it; restore it, or move mine away to train anew"
    }
    usual = f"hydra.run.dir=mine: a run would overwrite {name} there; name a folder of its own"
    assert done.stderr == f"error: {refused.get(name, usual)}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine" / name).read_text() == "kept"


MISFITS = {
    "own class": (
        "optimizer._target_=torch.optim.NAdam",
        "optimizer: NAdam takes no momentum, dampening, nesterov, fused; it takes lr, betas",
    ),
    "one key": (
        "optimizer=adamw optimizer._target_=torch.optim.RAdam",
        "optimizer: RAdam takes no fused; it takes lr",
    ),
    "schedule": (
        "schedule._target_=torch.optim.lr_scheduler.PolynomialLR",
        "schedule: PolynomialLR takes no factor; it takes total_iters, power",
    ),
    "shipped class": (
        "optimizer._target_=torch.optim.AdamW",
        "optimizer: AdamW takes no momentum, dampening, nesterov; it takes lr, betas",
    ),
    "shipped model": (
        "model._target_=experiments.models.ConvNet",
        "model: ConvNet takes no inputs, hidden; it takes image_size, channels, classes",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), cases(MISFITS, usual=1))
def test_a_class_changed_alone_is_mended_by_what_is_told(
    offline: Program, digits, tmp_path: Path, arguments: str, message: str
) -> None:
    done = offline(*arguments.split())
    assert_refused(done, tmp_path, message)
    _, found, told = done.stderr.strip().partition("; add to the command: ")
    assert found
    done = offline(*arguments.split(), *told.split())
    assert done.returncode == 0, done.stderr
