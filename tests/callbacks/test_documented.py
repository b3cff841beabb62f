"""docs/callbacks.md is true: its callbacks run, with the output that it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from experiments import journal
from experiments.callbacks import Callback, Training
from tests.conftest import EXPERIMENTS, PROJECT, forked, new_project, run_folder

PAGE = (PROJECT / "docs" / "callbacks.md").read_text()
SNIPPETS = {
    name: text
    for text, name in re.findall(r"```(?:python|yaml)\n(# (\S+)\n.*?)```", PAGE, flags=re.DOTALL)
}
((COMMAND, OUTPUT),) = re.findall(r"^\$ python (train\.py .*)\n((?:.+\n)+?)```", PAGE, re.M)
_SHIPPED = PAGE.partition("## The shipped ones")[2].partition("\n## ")[0]
(TABLE,) = re.findall(r"^epoch  .*\n(?:.+\n)+?(?=```)", PAGE, re.M)


def without_numbers(text: str) -> list[list[str]]:
    return [re.sub(r"\d+(\.\d+)?", "0", line).split() for line in text.splitlines()]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_project(tmp_path_factory.mktemp("documented"), SNIPPETS)


def test_the_callback_prints_and_logs_what_the_page_shows(project: Path, root: str) -> None:
    usual = ("tracking=none", f"data.root={root}")
    done = forked(*shlex.split(COMMAND), *usual, cwd=project)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.partition("Everything about")[0]
    assert without_numbers(printed) == without_numbers(OUTPUT)
    shown = forked(EXPERIMENTS, "show", str(run_folder(project)), cwd=project).stdout
    assert without_numbers(TABLE) == without_numbers(shown.partition("Epochs\n")[2])[:4]


def test_mlflow_s_functions_log_to_the_run(project: Path, root: str) -> None:
    overrides = ("+callbacks.figures._target_=my_figures.FirstLayer", "outputs=other")
    usual = ("data=digits", f"data.root={root}", "trainer.epochs=2", "tracking=none")
    done = forked("train.py", *overrides, *usual, cwd=project)
    assert done.returncode == 0, done.stderr
    (folder,) = (path.parent for path in project.glob("other/*/*/journal.jsonl"))
    past = journal.history(folder)
    assert {step for key, step in past.points if key == "first_layer_norm"} == {1, 2}
    assert past.params == {"first_layer_size": "100352"}
    assert past.tags["looked_at"] == "first layer"
    assert past.artifacts >= {"means/epoch_1.txt", "means/epoch_2.txt"}


def test_every_moment_and_every_offer_is_on_the_page() -> None:
    for name in (*vars(Callback), *vars(Training), *Training.__annotations__):
        if not name.startswith("_"):
            assert re.search(rf"`(?:training\.)?{name}\b", PAGE), name


def test_every_shipped_callback_is_on_the_page() -> None:
    shipped = {path.stem for path in (PROJECT / "conf" / "callbacks").glob("*.yaml")}
    assert shipped == set(re.findall(r"^\| `(\w+)` \|", _SHIPPED, re.M))
