"""The command `experiments` itself; its subcommands have tests of their own."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.conftest import EXPERIMENTS, command
from tests.report.made_up import made_up_sweep

COMMANDS = {"script": (EXPERIMENTS,), "module": (sys.executable, "-m", "experiments")}


@pytest.mark.parametrize("program", COMMANDS.values(), ids=COMMANDS)
def test_it_tells_its_version(program: tuple[str, ...], tmp_path: Path) -> None:
    done = command(*program, "--version", cwd=tmp_path)
    assert done.stdout == f"experiments {metadata.version('experiments')}\n"
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("program", COMMANDS.values(), ids=COMMANDS)
def test_it_refuses_in_one_line(program: tuple[str, ...], tmp_path: Path) -> None:
    done = command(*program, "sync", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: nowhere: there is no such folder")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", ["--version", "--help", "sync --help"])
def test_looking_loads_nothing(arguments: str, tmp_path: Path) -> None:
    program = (sys.executable, "-X", "importtime", "-m", "experiments")
    done = command(*program, *arguments.split(), cwd=tmp_path)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.split("\n")}
    assert "experiments" in loaded
    assert not loaded & {"torch", "mlflow", "hydra", "omegaconf", "numpy", "rich"}


def test_sync_says_a_problem_in_one_line(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "outputs" / name).mkdir(parents=True)
        (tmp_path / "outputs" / name / "journal.jsonl").write_text('no event\n{"event": "end"}\n')
    done = command(EXPERIMENTS, "sync", cwd=tmp_path)
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [
        "outputs/one",
        "outputs/two",
    ]
    assert done.stdout == "0 delivered, 2 failed, 0 still running, 0 had no need\n"


@pytest.mark.parametrize("arguments", ["", "--help", "-h"])
def test_without_a_command_it_prints_its_help(arguments: str, tmp_path: Path) -> None:
    done = command(EXPERIMENTS, *arguments.split(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: experiments")
    assert len(done.stdout.splitlines()) > 20


@pytest.mark.parametrize("arguments", ["--version", "ls", "ls --json", "--help"])
def test_an_answer_that_cannot_be_written_is_an_error(arguments: str, tmp_path: Path) -> None:
    made_up_sweep(tmp_path / "outputs" / "sweep", 1, 1)
    done = command("sh", "-c", f"{EXPERIMENTS} {arguments} > /dev/full", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the standard output cannot be written (No space left")
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    shell = f"{{ {EXPERIMENTS} --help; echo $? >&2; }} | true"
    done = command("sh", "-c", shell, cwd=tmp_path)
    assert done.stderr == "0\n"
