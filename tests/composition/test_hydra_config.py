"""Bad input on the command line: one line, exit code 2, nothing created."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT, Program, command

# The numbers refer to the list in docs/reliability.md.
BAD = {
    "1 unknown key": (
        "optimizer.lrr=0.1",
        "optimizer.lrr: unknown key; did you mean optimizer.lr?",
    ),
    "1 unknown group": ("optimzer=sgd", "did you mean optimizer?"),
    "1 added key": ("+optimizer.lrr=0.1", "did you mean optimizer.lr?"),
    "2 no number": ("optimizer.lr=abc", "optimizer.lr=abc: it should be a valid number"),
    "3 negative": ("optimizer.lr=-1", "optimizer.lr=-1: it should be greater than 0"),
    "3 nan": ("optimizer.lr=nan", "optimizer.lr=nan: it should be a finite number"),
    "3 inf": ("optimizer.lr=inf", "optimizer.lr=inf: it should be a finite number"),
    "3 zero": ("optimizer.lr=0", "optimizer.lr=0: it should be greater than 0"),
    "4 no batch": ("data.batch_size=0", "data.batch_size=0: it should be greater than or equal"),
    "4 batch too large": ("data.batch_size=60001", "there are 60000 examples to train on"),
    "4 nothing left": ("data.validation_size=60000", "choose at most 59999"),
    "5 no epochs": ("trainer.epochs=0", "trainer.epochs=0: it should be greater than or equal"),
    "5 half an epoch": ("trainer.epochs=2.5", "trainer.epochs=2.5: it should be a valid integer"),
    "6 no layers": ("model.hidden=[]", "model.hidden=[]: it should have at least 1 item"),
    "6 empty layer": ("model.hidden=[0]", "model.hidden.0=0: it should be greater than or equal"),
    "7 sweep": ("optimizer.lr=0.1,0.2", "add -m to sweep over them"),
    "8 open bracket": ("optimizer.lr=[1", "is not a valid override"),
    "9 no such option": ("model=nope", "model is one of convnet, simplenet"),
    "13 cycle": ("optimizer.lr=${optimizer.lr}", "Recursive interpolation"),
    "13 unset variable": ("seed=${oc.env:UNSET_X}", "'UNSET_X' not found"),
    "13 no such key": ("seed=${nope.x}", "Interpolation key 'nope.x' not found"),
    "no value": ("seed=???", "seed: has no value"),
    "no part": ("~model", "model: is missing"),
    "cross-field": ("optimizer.nesterov=true optimizer.momentum=0", "needs optimizer.momentum"),
    "onecycle by epoch": ("schedule=onecycle schedule.interval=epoch", "schedule.interval=batch"),
    "patience without validation": (
        "trainer.patience=3",
        "trainer.patience=3: looks at val_accuracy, and there is no validation split; set "
        "data.validation_size",
    ),
    "best without validation": ("trainer.save_best=true", "trainer.save_best=true: looks at"),
    "no such metric": (
        "trainer.monitor=test_accuracy",
        "is no metric of this task; choose from val_loss, val_accuracy",
    ),
    "setting of a sweep": (
        "sweep.plan_only=true",
        "sweep.plan_only=true: has no effect on a single run; leave it out, or add -m for a sweep",
    ),
    "no patience": ("trainer.patience=0", "trainer.patience=0: it should be greater than or equal"),
    "no checkpoint": ("trainer.checkpoint_every=0", "trainer.checkpoint_every=0: it should be"),
    "no such device": ("trainer.device=gpu", "choose from auto, cpu, cuda, cuda:N or mps"),
    "key without its group": ("lr=0.1", "lr: unknown key; did you mean optimizer.lr?"),
    "added without its group": ("+epochs=5", "epochs: unknown key; did you mean trainer.epochs?"),
    "no likeness": (
        "optimizer.foo=1",
        "unknown key; choose from optimizer._target_",
    ),
    "key below a value": ("seed.x=1", "seed.x: unknown key; `python train.py --help`"),
    "8 no value": ("optimizer.lr", "write key=value"),
    "sweep by function": ("optimizer.lr=choice(0.1,0.2)", "add -m to sweep"),
    "9 null": ("model=null", "name an option, such as model=simplenet"),
    "no folder": ("hydra.run.dir=", "hydra.run.dir=: is empty"),
    "too many threads": ("trainer.threads=99999", "it should be less than or equal to 1024"),
    "twice": ("+model=convnet", "model: has a value already; write model=… once, without a +"),
}
FURTHER = frozenset(  # cases of a kind of which another is tested
    (
        *("1 added key", "3 nan", "3 inf", "3 zero", "4 nothing left", "5 half an epoch"),
        *("no patience", "no checkpoint", "added without its group", "sweep by function"),
        *("best without validation", "too many threads", "no part", "9 null"),
    )
)
BAD_WITH_TORCH = {
    "12 os.system": ("model._target_=os.system", "model._target_=os.system: is not allowed"),
    "12 alias": ("model._target_=subprocess.os", "is not allowed"),
    "12 nested": (
        "model._target_=torch.nn.Sequential ~model.hidden +model.args._target_=os.system",
        "nothing below a part may name a _target_",
    ),
    "17 nowhere to fetch from": ("data.root=/proc/nowhere data=digits", "cannot write"),
    "21 not a folder": ("hydra.run.dir=/dev/null/x", "cannot write in /dev/null"),
    "22 no cuda": ("trainer.device=cuda:7", "choose from"),
    "logits too few": ("model.classes=5", "the data has 10 classes"),
    "12 broken name": ("model._target_=..foo", "is not a full name"),
    "12 missing": ("model._target_=torch.nn.Foo", "torch.nn has no Foo; `python train.py --help`"),
    "too large": ("model.hidden=[9999999999999]", "model: SimpleNet refuses its arguments"),
    "no steps": (
        "schedule=onecycle trainer.limit_batches=2 schedule.pct_start=0.5",
        "schedule: OneCycleLR refuses its arguments: float division by zero",
    ),
    "no logits": (
        "model._target_=torch.nn.Identity ~model.hidden",
        "model: returns (2, 1, 28, 28) for 2 images",
    ),
    "wrong input": (
        "model.inputs=100",
        "model.inputs=100: the images have 1 x 28 x 28 = 784 values; set model.inputs=784",
    ),
}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        pytest.param(*values, id=name, marks=[pytest.mark.slow] * (name in FURTHER))
        for name, values in BAD.items()
    ],
)
def test_bad_input_is_refused_in_one_line(
    train: Program, tmp_path: Path, overrides: str, message: str
) -> None:
    assert_refused(train(*overrides.split()), tmp_path, message)


@pytest.mark.parametrize(("overrides", "message"), BAD_WITH_TORCH.values(), ids=BAD_WITH_TORCH)
def test_what_only_torch_can_tell_is_refused_in_one_line(
    offline: Program, digits, tmp_path: Path, overrides: str, message: str
) -> None:
    assert_refused(offline(*overrides.split()), tmp_path, message)


def test_a_folder_that_holds_a_run_is_not_used_again(offline: Program, tmp_path: Path) -> None:
    assert offline("hydra.run.dir=run").returncode == 0
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    done = offline("hydra.run.dir=run", "seed=1")
    assert done.returncode == 2
    assert done.stderr == "error: hydra.run.dir=run: holds another run; name a new folder\n"
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def assert_refused(done: subprocess.CompletedProcess[str], folder: Path, message: str) -> None:
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert done.returncode == 2
    assert not done.stdout
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("_target_: x\n\tlr: 1\n", "line 2, column 1: found character '\\t'"),
        ("_target_: x\nlr: 1\nlr: 2\n", "line 3, column 1: found duplicate key lr"),
    ],
    ids=["14 tab", "14 duplicate key"],
)
def test_broken_yaml_is_refused_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    shutil.copytree(PROJECT / "conf", tmp_path / "conf")
    shutil.copy(PROJECT / "train.py", tmp_path)
    broken = tmp_path / "conf" / "optimizer" / "broken.yaml"
    broken.write_text(text)
    done = command(sys.executable, "train.py", "optimizer=broken", cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"{broken}, {problem}" in line
    assert not (tmp_path / "outputs").exists()


def test_whole_traceback_on_request(train: Program) -> None:
    done = train("optimizer.lr=-1", HYDRA_FULL_ERROR="1")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "pydantic" in done.stderr
