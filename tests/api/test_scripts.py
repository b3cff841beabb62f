"""A plain script trains as the command does, gets its model back, and is left as it was."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.catalog.summary import Summary, summary_of
from tests.api.conftest import told_by
from tests.conftest import command
from tests.programs import provide_database

SCRIPT = """
logging.basicConfig(filename="mine.log", filemode="w")
logging.getLogger("quiet").disabled = True
signal.signal(signal.SIGTERM, signal.SIG_IGN)
random.seed(1), numpy.random.seed(2), torch.manual_seed(3)
numbers = random.random(), numpy.random.rand(), torch.rand(1).item()
random.seed(1), numpy.random.seed(2), torch.manual_seed(3)
torch.set_num_threads(3)
torch.set_default_dtype(torch.float64)
torch.use_deterministic_algorithms(True, warn_only=True)

def state():
    torchs = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()
    deterministic = torch.are_deterministic_algorithms_enabled()
    denormal = (torch.tensor([1e-310]) * 1).item()
    handlers = [*map(signal.getsignal, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))]
    loggers = logging.root.handlers, logging.root.level, logging.getLogger("quiet").disabled
    paths = os.getcwd(), {*sys.path}, sys.stdout, sys.stderr, sys.argv
    return str((torchs, deterministic, denormal, handlers, loggers, paths, sorted(os.environ)))

sys.path.append(str(Path("../project").absolute()))
before = state()
where = {"config_dir": "../project/conf"}
with torch.no_grad():
    first = train([*OFFLINE, "trainer.epochs=2", "model._target_=own.Dropping"], **where)
second = train([*DIGITS, "trainer.epochs=1", "seed=1"], **where)
again = train([*DIGITS, "trainer.epochs=1", "seed=1"], **where)
ranked = train([*DIGITS, "trainer.epochs=1", "seed=1", "task.objective=loss"], **where)
assert before == state(), (before, state())
after = random.random(), numpy.random.rand(), torch.rand(1, dtype=torch.float32).item()
logging.warning("the log of the script goes on")
torch.set_default_dtype(torch.float32)
for reference in (second.folder, second.identity[:8], second.mlflow_run_id):
    model = load(reference, **where)
    assert not model.training
    assert all(map(torch.equal, model.state_dict().values(), second.load().state_dict().values()))
assert second.weights.keys() == model.state_dict().keys()
own = load(first.folder, **where)
told |= {
    "folders": [str(first.folder), str(second.folder)],
    "identities": [first.identity, second.identity],
    "again": again == second,
    "ranked": ranked.objective,
    "numbers": [numbers, after],
    "metrics": second.metrics,
    "objective": second.objective,
    "mlflow": second.mlflow_run_id,
    "untracked": first.mlflow_run_id,
    "class": type(own).__module__,
    "hydra": compose(OFFLINE, **where).optimizer.arguments()["lr"],
    "log": Path("mine.log").read_text(),
}
"""


@pytest.fixture(scope="module")
def told(place: Path, root: str) -> Any:
    provide_database(place / "elsewhere", ())
    return told_by(SCRIPT, place / "elsewhere", root)


def summary(folder: str) -> Summary:
    found = summary_of(Path(folder))
    assert found is not None
    return found


@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_run_has_the_bits_and_the_identity_of_the_command(
    number: int, told, place: Path, root: str
) -> None:
    overrides = (
        ("trainer.epochs=2", "model._target_=own.Dropping"),
        ("trainer.epochs=1", "seed=1"),
    )
    data = ("data=digits", f"data.root={root}", "data.validation_size=100", "tracking=none")
    at = place / f"command{number}"
    at.mkdir()
    program = str(place / "project" / "train.py")
    done = command(sys.executable, program, *data, *overrides[number], cwd=at)
    assert done.returncode == 0, done.stderr
    (journal,) = at.glob("outputs/*/*/journal.jsonl")
    alone, called = summary(str(journal.parent)), summary(told["folders"][number])
    assert called.identity == alone.identity == told["identities"][number]
    assert called.tags["weights_sha256"] == alone.tags["weights_sha256"]
    there, here = ({each.name for each in run.folder.iterdir()} for run in (alone, called))
    assert here - {"mlflow.json", ".mlflow.lock"} == there


def test_a_run_is_returned_with_its_results(told) -> None:
    run = summary(told["folders"][1])
    assert told["metrics"] == run.metrics
    assert told["objective"] == run.metrics["val_accuracy"]
    assert told["mlflow"] == run.mlflow_id
    assert told["untracked"] is None
    assert told["class"] == "own"
    assert "Everything about this run: outputs/" in "\n".join(told["lines"])


def test_a_finished_run_is_not_trained_again(told) -> None:
    assert told["again"]
    assert sum(line.startswith("Finished before: ") for line in told["lines"]) == 2
    assert told["ranked"] == told["metrics"]["val_loss"]  # by the objective of its own call
    assert sum(line.startswith("Epoch: ") for line in told["lines"]) == 3


def test_the_script_is_left_as_it_was(told) -> None:
    assert told["numbers"][0] == pytest.approx(told["numbers"][1])
    assert told["log"] == "WARNING:root:the log of the script goes on\n"
