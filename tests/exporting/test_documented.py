"""The commands and programs of docs/export.md do what the page says, on a run of the tests."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.catalog.summary import Summary
from experiments.exporting.source import Source
from tests.conftest import PROJECT, cases
from tests.exporting.conftest import Command

pytestmark = pytest.mark.xdist_group("exporting")  # one run for all

PAGE = (PROJECT / "docs" / "export.md").read_text()
SHOWN = {
    text: (text, output)
    for text, output in re.findall(r"^\$ experiments (export .*)\n((?:[^$`].*\n)+)", PAGE, re.M)
}


def test_the_page_shows_each_format() -> None:
    formats = [re.search(r"--format (\w+)", text) for text in SHOWN]
    assert [found and found[1] for found in formats] == [
        *("onnx", "mlflow", "safetensors", "torch_export")
    ]


@pytest.mark.parametrize(("text", "output"), cases(SHOWN, usual=1))
def test_a_documented_command_prints_such_lines(
    command: Command, run: Summary, text: str, output: str
) -> None:
    assert _form(command(*shlex.split(text.replace("5798", run.short)))) == _form(output)


@pytest.mark.slow
def test_the_documented_programs_give_the_logits(
    command: Command, run: Summary, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    images = {"onnx": source.images.numpy(), "torch_export": source.images}
    for program, (kind, given) in zip(programs, images.items(), strict=True):
        command("export", run.short, f"--format={kind}")
        monkeypatch.chdir(run.folder / "export" / kind)
        names: dict[str, object] = {"images": given}
        exec(program, names)
        monkeypatch.chdir(Path(run.folder).parents[2])
        logits = names["logits"]
        found = logits.detach().numpy() if isinstance(logits, torch.Tensor) else logits
        np.testing.assert_allclose(found, source.expected, atol=1e-4)


def _form(output: str) -> str:
    """Return lines without numbers and ids, which differ from run to run."""
    return re.sub(r"[0-9a-f_-]*\d[\w.,-]*", "#", re.sub(r"\([\d.]+ .B\)", "(#)", output))
