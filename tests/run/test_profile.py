"""Profiles of a few steps: they change no bit, and tell where the time went."""

from __future__ import annotations

import gzip
import json
import logging
import re
from collections import Counter
from pathlib import Path

import pytest

from experiments.config import RunConfig
from experiments.identity.ingredients import ingredients_of
from experiments.process.signals import Interrupted
from experiments.sweep.vectorized import _must_be_alone
from tests.run.test_lifecycle import configuration, execute, interrupting

SHORT = ("trainer.epochs=2", "trainer.limit_batches=7", "data.validation_size=100")
NAMES = ["profile/table.txt", "profile/trace.json.gz"]


def identity(config: RunConfig) -> str:
    return ingredients_of(config, data_sha256="", device="cpu").identity


@pytest.mark.parametrize("more", ["seed=0", "trainer.precision=fp16-mixed"])
def test_a_profile_changes_no_bit_and_shows_each_phase_of_each_step(
    tmp_path: Path, root: str, caplog: pytest.LogCaptureFixture, more: str
) -> None:
    plain, profiled = (
        configuration(root, *SHORT, more),
        configuration(
            root,
            *SHORT,
            more,
            "trainer.profile=6",  # 5 steps to warm up, and 6 across an evaluation
        ),
    )
    assert identity(plain) == identity(profiled)
    execute(plain, tmp_path / "plain")
    with caplog.at_level(logging.INFO):
        _, history = execute(profiled, tmp_path / "profiled")
    weights = [tmp_path / name / "weights.safetensors" for name in ("plain", "profiled")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert not (tmp_path / "plain" / "profile").exists()

    assert set(NAMES) <= set(history.artifacts)
    table, trace = (tmp_path / "profiled" / name for name in NAMES)
    told = json.loads(gzip.decompress(trace.read_bytes()))
    seen = Counter(event["name"] for event in told["traceEvents"] if event.get("ph") == "X")
    assert {name: seen[name] for name in ("forward", "backward", "optimizer")} == dict.fromkeys(
        ("forward", "backward", "optimizer"), 6
    )
    assert 6 <= seen["data"] <= 8  # two epochs end in the profiled steps
    line = table.read_text().partition("\n")[0]
    shares = re.findall(r"(data|forward|backward|optimizer|other) (\d+)%", line)
    assert len(shares) == 5
    assert 97 <= sum(int(share) for _, share in shares) <= 103  # each is rounded
    assert line in caplog.messages
    assert f"{tmp_path.name}/profiled/profile/table.txt; ui.perfetto.dev opens" in caplog.text
    assert "as the training had" not in caplog.text


def test_a_training_of_too_few_steps_says_so(
    tmp_path: Path, root: str, caplog: pytest.LogCaptureFixture
) -> None:
    few = ("trainer.epochs=1", "trainer.limit_batches=5", "trainer.profile=3")
    _, history = execute(configuration(root, *few), tmp_path / "run")
    assert "No profile: the training had 5 steps, and the first 5 are the warm-up" in caplog.text
    assert not set(NAMES) & set(history.artifacts)


def test_a_profile_ends_with_the_training_if_that_is_shorter(
    tmp_path: Path, root: str, caplog: pytest.LogCaptureFixture
) -> None:
    few = ("trainer.epochs=1", "trainer.limit_batches=7", "trainer.profile=30")
    with caplog.at_level(logging.INFO):
        execute(configuration(root, *few), tmp_path / "run")
    why = "; 2 of 30 steps, as the training had 7 steps here, 5 of them as the warm-up"
    assert [each for each in caplog.messages if why in each]
    assert (tmp_path / "run" / NAMES[0]).read_text().startswith("2 steps of ")
    told = json.loads(gzip.decompress((tmp_path / "run" / NAMES[1]).read_bytes()))
    seen = [event["name"].partition("#")[0] for event in told["traceEvents"]]
    assert seen.count("ProfilerStep") == 2  # neither the last evaluation nor a checkpoint


def test_an_interrupted_profile_is_none(tmp_path: Path, root: str) -> None:
    config = configuration(root, *SHORT, "trainer.profile=3")
    with pytest.raises(Interrupted):
        execute(config, tmp_path / "run", interrupting(6))
    assert not (tmp_path / "run" / "profile").exists()
    execute(config, tmp_path / "run")
    assert (tmp_path / "run" / NAMES[1]).exists()


def test_profiled_jobs_are_no_lanes(root: str) -> None:
    reason = _must_be_alone(configuration(root, "trainer.profile=3"))
    assert reason == "trainer.profile profiles the steps of one run at a time"
