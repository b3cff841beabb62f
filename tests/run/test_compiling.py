"""Compiled models: plain names of weights, resumed to the bit, uncompiled without a compiler."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from experiments.config import RunConfig
from experiments.errors import InputError
from experiments.run import follow
from experiments.run.build import assemble
from experiments.run.compiling import compile_model, obstacle, restore_settings
from experiments.run.lines import COMPILING
from experiments.run.prepare import prepare
from experiments.run.request import Request
from experiments.run.session import prepare_job
from experiments.sweep.data_and_device import on_the_cpu
from experiments.sweep.vectorized import _must_be_alone
from experiments.worker.try_first_steps import try_choices
from tests.run.test_lifecycle import assert_the_same, configuration

SMALL = ("trainer.epochs=2", "trainer.limit_batches=3", "model.hidden=[8]", "data.batch_size=32")
COMPILED = (*SMALL, "trainer.compile=default")
SWITCHES = "TORCH_COMPILE_DISABLE or TORCHDYNAMO_DISABLE"


@pytest.fixture(autouse=True)
def settings_of_the_compiler():
    yield
    restore_settings()
    if hasattr(torch, "_dynamo"):
        torch._dynamo.reset()


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torch._inductor.config as inductor

    monkeypatch.setattr(inductor.cpp, "cxx", ("no-such-compiler",))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))


def at(config: RunConfig, folder: Path) -> RunConfig:
    return config.model_copy(update={"outputs": str(folder / "outputs")})


def test_a_compiled_run_is_resumed_to_the_bit_and_has_plain_names(
    tmp_path: Path, root: str
) -> None:
    from torch._dynamo.utils import counters

    counters.clear()
    assert_the_same(configuration(root, *COMPILED), tmp_path, 2, 3)
    assert counters["frames"]["ok"] > 0  # torch has compiled indeed
    names = load_file(tmp_path / "whole" / "weights.safetensors").keys()
    assert names == {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}


def test_without_a_compiler_the_run_is_the_uncompiled_one(
    tmp_path: Path, root: str, without_compiler: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, plain = (at(configuration(root, *each), tmp_path) for each in (COMPILED, SMALL))
    prepared = prepare(config, str(tmp_path / "run"))
    (line,) = prepared.warnings
    assert "\n" not in line
    assert line.startswith(
        "trainer.compile=default: the model is not compiled (InductorError: InvalidCxxCompiler: "
    )
    assert line.endswith("; this is the run of trainer.compile=null")
    assert prepared.config.trainer.compile is None
    assert prepared.parts.model._compiled_call_impl is None
    assert prepared.identity == prepare(plain, str(tmp_path / "run")).identity
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(follow, "checked", lambda composed: composed)
    told: list[str] = []

    @contextmanager
    def only_noted() -> Iterator[Callable[[str], None]]:
        yield told.append
        raise InterruptedError

    monkeypatch.setattr(follow, "agreeing", only_noted)
    with pytest.raises(InterruptedError):
        follow.follow(config)  # another process of the run
    assert told == [prepared.identity]


def test_in_a_sweep_it_is_refused_as_its_plan_knows_the_identity(
    tmp_path: Path, root: str, without_compiler: None
) -> None:
    config = at(configuration(root, *COMPILED), tmp_path)
    said = r"^trainer\.compile=default: InductorError: .*; set trainer\.compile=null$"
    of_a_remote_launcher: dict[str, Any] = {
        "is_delivered": True,
        "planned_identity": "of another device",
    }
    for told in ({}, of_a_remote_launcher):  # whose jobs were tried on the CPU, and not compiled
        request = Request([], str(tmp_path / "run"), sweep=tmp_path, **told)
        with pytest.raises(InputError, match=said):
            prepare_job(config, request)
    (refused,) = try_choices([config])
    assert refused is not None
    assert refused.endswith("; set trainer.compile=null")
    assert list(try_choices([on_the_cpu(config)])) == [None]


def test_the_trial_leaves_the_model_and_the_generators_alone(
    root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = assemble(configuration(root, *SMALL))
    before = {name: value.clone() for name, value in parts.model.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    config = configuration(root, *COMPILED)
    assert obstacle(config, parts.model, parts.task, parts.splits) is None
    assert capsys.readouterr().out == f"{COMPILING}\n"
    assert torch.equal(torch.rand(1), expected)
    assert parts.model._compiled_call_impl is None
    assert all(each.grad is None for each in parts.model.parameters())
    for name, value in parts.model.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    "name", ["TORCHDYNAMO_DISABLE", pytest.param("TORCH_COMPILE_DISABLE", marks=pytest.mark.slow)]
)
def test_a_compiler_that_is_switched_off_is_an_obstacle(
    root: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    import torch._dynamo.config as dynamo

    monkeypatch.setenv(name, "1")
    if name == "TORCH_COMPILE_DISABLE":  # torch reads it when it is imported
        monkeypatch.setattr(dynamo, "disable", True)
    parts = assemble(configuration(root, *SMALL))
    config = configuration(root, *COMPILED)
    reason = obstacle(config, parts.model, parts.task, parts.splits)
    assert reason == f"torch compiles no part of it; {SWITCHES} may be 1"


def test_an_error_of_the_compiler_is_not_suppressed(
    root: str, monkeypatch: pytest.MonkeyPatch, without_compiler: None
) -> None:
    import torch._dynamo.config as dynamo

    monkeypatch.setattr(dynamo, "suppress_errors", True)
    parts = assemble(configuration(root, *SMALL))
    reason = obstacle(configuration(root, *COMPILED), parts.model, parts.task, parts.splits)
    assert reason is not None
    assert "InvalidCxxCompiler" in reason
    restore_settings()
    assert dynamo.suppress_errors


def test_each_shape_of_a_batch_is_tried(root: str) -> None:
    """One of them that fails would stop a run in its middle."""
    chosen = (*COMPILED, "data.batch_size=300", "trainer.limit_batches=2", "trainer.shards=2")
    parts = assemble(configuration(root, *SMALL, "data.validation_size=1050"))
    seen: list[int] = []

    def forward(model: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))  # torch's compiler traces it once for each shape
        return torch.nn.functional.linear(images.flatten(1), model.weight)

    model = type("Traced", (torch.nn.Linear,), {"forward": forward})(784, 10)
    assert obstacle(configuration(root, *chosen), model, parts.task, parts.splits) is None
    train, test = len(parts.splits.train), len(parts.splits.test)
    last = min(600, train) - 300
    training = {150, -(-last // 2), last // 2}
    assert set(seen) == training | {1000, 50, test}


def test_more_shapes_than_torch_keeps_are_an_error_and_no_silent_change(root: str) -> None:
    import torch._dynamo.config as dynamo

    usual = dynamo.recompile_limit, dynamo.fail_on_recompile_limit_hit
    foreign = logging.getLogger("torch.utils.cpp_extension")
    about_cuda, other = (
        logging.makeLogRecord({"msg": text, "args": ("/usr",)})
        for text in ("No CUDA runtime is found, using CUDA_HOME='%s'", "No compiler in %s")
    )
    model = torch.nn.Linear(2, 2)
    compile_model(model, configuration(root, *COMPILED))
    assert dynamo.fail_on_recompile_limit_hit
    assert dynamo.recompile_limit > usual[0]
    assert not foreign.filter(about_cuda)
    assert foreign.filter(other)
    restore_settings()
    assert (dynamo.recompile_limit, dynamo.fail_on_recompile_limit_hit) == usual
    assert foreign.filter(about_cuda)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["compile=fast"], r"trainer\.compile=fast: .*default.*reduce-overhead.*max-autotune"),
        (["compile=max-autotune"], r"trainer\.compile=max-autotune: .*deterministic=false$"),
        (
            ["compile=reduce-overhead", "accumulate_grad_batches=2"],
            r"trainer\.compile=reduce-overhead: .*; choose trainer\.compile=default, or ",
        ),
    ],
)
def test_a_mode_that_cannot_be_is_refused(root: str, overrides: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        configuration(root, *(f"trainer.{each}" for each in overrides))


def test_compiled_jobs_are_no_lanes(root: str) -> None:
    reason = _must_be_alone(configuration(root, *COMPILED))
    assert reason == "trainer.compile=default compiles the model of one run at a time"
