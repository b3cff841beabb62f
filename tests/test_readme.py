"""The README is true: its commands, snippets, error messages and links are tested."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from experiments.composition.hydra_config import checked
from tests.conftest import EXPERIMENTS, PROJECT, forked, new_project
from tests.conftest import command as run_command

README = (PROJECT / "README.md").read_text()
COMMANDS = sorted(set(re.findall(r"`(python train\.py[^`]*)`", README)))
ERRORS = re.findall(r"^\$ (python train\.py .*)\n(error: .*)$", README, flags=re.MULTILINE)
SNIPPETS = {
    name: text
    for text, name in re.findall(r"```(?:python|yaml)\n(# (\S+)\n.*?)```", README, flags=re.DOTALL)
}


def test_the_readme_was_understood() -> None:
    assert len(COMMANDS) >= 12
    assert len(ERRORS) == 3
    assert set(SNIPPETS) == {
        *("my_models.py", "conf/model/mlp.yaml", "conf/optimizer/rmsprop.yaml"),
        *("my_data.py", "conf/data/stripes.yaml"),
    }


@pytest.fixture(scope="module")
def project_with_snippets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_project(tmp_path_factory.mktemp("readme"), SNIPPETS)


def run(command: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    program, *arguments = shlex.split(command)
    assert program == "python"
    return forked(*arguments, *more, cwd=folder)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_composes_and_validates(command: str, project_with_snippets: Path) -> None:
    arguments = shlex.split(command)[2:]
    flags = [argument for argument in arguments if argument.startswith("-")]
    assert set(flags) <= {"-m", "--cfg", "--help"}
    overrides = [argument for argument in arguments if "=" in argument]
    parsed = OverridesParser.create().parse_overrides(overrides)
    (jobs,) = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    assert len(jobs) > 1 or "-m" not in flags
    with initialize_config_dir(str(project_with_snippets / "conf"), version_base="1.3"):
        for job in jobs:
            checked(compose("config", list(job), return_hydra_config=True))


@pytest.mark.parametrize(
    "overrides",
    [
        "model=mlp model.dropout=0.3 optimizer=adamw schedule=cosine",
        "optimizer=rmsprop data.validation_size=500",
        "data=stripes schedule=onecycle",
        "model=convnet schedule=step",
    ],
)
def test_the_parts_run(overrides: str, project_with_snippets: Path, root: str) -> None:
    base = f"python train.py trainer=debug tracking=none data.root={root}"
    data = () if "data=" in overrides else ("data=digits",)
    done = run(base, project_with_snippets, *data, *overrides.split())
    assert done.returncode == 0, done.stderr
    assert "Accuracy of the network on the" in done.stdout


@pytest.mark.parametrize(
    "names",
    [
        ("my_models.py", "conf/model/mlp.yaml"),
        ("conf/optimizer/rmsprop.yaml",),
        ("my_data.py", "conf/data/stripes.yaml"),
    ],
)
def test_a_part_of_one_s_own_takes_few_lines(names: tuple[str, ...]) -> None:
    for name in names:
        code = [line for line in SNIPPETS[name].splitlines() if line and line[0] != "#"]
        assert len(code) < 10


@pytest.mark.parametrize(("command", "error"), ERRORS)
def test_the_errors_read_as_shown(command: str, error: str, tmp_path: Path) -> None:
    done = run(command.replace("train.py", str(PROJECT / "train.py")), tmp_path)
    assert done.stderr == f"{error}\n"


@pytest.mark.slow
def test_the_certificate_runs(root: str) -> None:
    assert re.search(r"^\$ experiments verify-resume ", README, flags=re.MULTILINE)
    overrides = ("data=digits", f"data.root={root}", "trainer.epochs=20")
    done = run_command(EXPERIMENTS, "verify-resume", "--kills", "1", *overrides, cwd=PROJECT)
    assert done.returncode == 0, done.stdout + done.stderr
    (verdict,) = re.findall(r"^The same to the bit: .*", README, flags=re.MULTILINE)
    # 42 points: 2 metrics x 20 epochs + 2
    assert re.sub(r"\d+", "42", verdict) == done.stdout.splitlines()[-1]


def test_the_certificate_says_what_is_wrong(tmp_path: Path) -> None:
    for arguments, folder, words in (
        (("--kills", "0"), PROJECT, "--kills=0: it should be at least 1"),
        ((), tmp_path, "train.py: is not in this folder"),
        (("optimizer.lr=-1",), PROJECT, "optimizer.lr=-1: it should be greater than 0"),
    ):
        done = run_command(EXPERIMENTS, "verify-resume", *arguments, cwd=folder)
        assert done.returncode == 2
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_the_make_targets_exist() -> None:
    targets = set(re.findall(r"(?:`|^)make ([a-z]+)", README, flags=re.MULTILINE))
    assert targets >= {"train", "test", "bench", "ui"}
    for target in targets:
        subprocess.run(["make", "-n", target], cwd=PROJECT, check=True, capture_output=True)


def test_ci_runs_what_the_readme_tells() -> None:
    assert "make test" in (PROJECT / ".ci" / "run").read_text()


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_somewhere(link: str) -> None:
    assert link.startswith("http") or (PROJECT / link).exists()
