"""An error of any type in a user's own part is reported in one line."""

from __future__ import annotations

import abc
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from experiments.errors import InputError
from experiments.run.build import assemble
from experiments.target_classes import accepts, build, resolve
from tests.run.test_lifecycle import configuration

RAISED = {
    "no text": "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})",
    "KeyError": "raise KeyError('width')",
    "AttributeError": "nn.nowhere",
    "AssertionError": "assert nn is None",
    "ImportError": "import no_such_module",
    "OSError": "open('/nowhere/at/all')",
    "RecursionError": "f = lambda: f(); f()",
    "an error of C++": "torch.zeros(2) @ torch.zeros(3, 3)",
    "MemoryError": "raise MemoryError",
    "sys.exit": "raise SystemExit(0)",
    "an exception of its own": "raise BaseException('odd')",
    "StopIteration": "next(iter([]))",
}
HEAD = "import torch\nfrom torch import nn\nfrom experiments.models import SimpleNet\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write a user's module; return its name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made: list[str] = []

    def write(source: str) -> str:
        name = f"own_part_{len(made)}"
        made.append(name)
        (tmp_path / f"{name}.py").write_text(HEAD + source)
        importlib.invalidate_caches()
        sys.modules.pop(name, None)
        return name

    return write


@pytest.mark.parametrize("raising", RAISED.values(), ids=RAISED)
def test_whatever_a_module_raises_when_it_is_imported(module, raising: str) -> None:
    name = module(raising)
    with pytest.raises(InputError, match=rf"^model\._target_={name}\.Net: to import {name}: "):
        resolve("model", f"{name}.Net", nn.Module)


@pytest.mark.parametrize("raising", RAISED.values(), ids=RAISED)
@pytest.mark.parametrize("method", ["__init__", "forward", "to", "state_dict", "parameters"])
def test_whatever_a_model_raises_while_it_is_made(
    module, root: str, method: str, raising: str
) -> None:
    body = f"class Net(SimpleNet):\n    def {method}(self, *_, **__):\n        {raising}\n"
    name = module(body)
    config = configuration(root, f"model._target_={name}.Net")
    with pytest.raises(InputError, match=r"^(model|optimizer): ") as caught:
        assemble(config)
    assert caught.value.__cause__ is not None  # HYDRA_FULL_ERROR=1 shows it


class Abstract(nn.Module, abc.ABC):
    @abc.abstractmethod
    def width(self) -> int: ...


class WithoutSignature(nn.Module):
    __signature__ = "none"


class Replaced(nn.Module):
    def __new__(cls):
        return 1


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (Abstract, "Abstract refuses its arguments: Can't instantiate abstract class"),
        (WithoutSignature, "the names of its arguments"),
        (Replaced, "Replaced makes a int"),
    ],
)
def test_a_class_that_cannot_be_built_is_said(cls: type[nn.Module], said: str) -> None:
    with pytest.raises(InputError, match=said):
        build("model", cls, {}, {})


def test_what_a_class_accepts_may_not_be_told() -> None:
    with pytest.raises(InputError, match="the names of its arguments"):
        accepts(WithoutSignature, "total_steps")


def test_ctrl_c_in_a_part_is_no_mistake_of_it() -> None:
    class Interrupting(torch.nn.Module):
        def __init__(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build("model", Interrupting, {}, {})


@pytest.mark.parametrize(
    ("override", "files", "said"),
    [
        ("model._target_=raising.Net", {"raising.py": "raise KeyError('width')"}, "KeyError"),
        ("model._target_=leaving.Net", {"leaving.py": "raise SystemExit(0)"}, "SystemExit"),
        ("+deep=deep", {"conf/deep/deep.yaml": "[" * 1000 + "]" * 1000}, "nests too deeply"),
    ],
)
def test_the_program_says_it_in_one_line(
    offline, tmp_path: Path, override: str, files: dict[str, str], said: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    place = [f"hydra.searchpath=[file://{tmp_path}/conf]"] if (tmp_path / "conf").exists() else []
    done = offline(override, *place, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert not (tmp_path / "outputs").exists()
