"""Lanes of linear layers have the bits that they have alone, whatever their neighbours are."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
import torch

from experiments.data.batches import normalise
from experiments.lanes import together as lanes_together
from experiments.lanes.lane import Lane
from experiments.lanes.training import fit_lanes
from experiments.training import loop
from experiments.training.chain_gradients import chain_gradients
from experiments.training.gradients import Autograd
from experiments.training.loop import fit
from experiments.training.steps_library import library
from tests.lanes.conftest import Run, adamw, sgd
from tests.lanes.test_lanes import SETTINGS


def chain(run: Run) -> Lane:
    lane = run.lane()
    images, labels = lane.train.at(torch.arange(64))
    gradients = chain_gradients(Autograd(lane.model, lane.task), normalise(images), labels)
    assert gradients is not None
    return dataclasses.replace(lane, gradients=gradients)


@pytest.mark.parametrize(
    "settings",
    [SETTINGS[name] for name in ("learning rates", "seeds", "options of SGD", "schedules")]
    + [[{"optimizer": adamw}, {"optimizer": sgd}]],
    ids=["learning rates", "seeds", "options of SGD", "schedules", "optimizers"],
)
def test_a_chain_has_the_bits_of_the_run_alone(digits, settings) -> None:
    lanes = [Run(digits, **setting) for setting in settings]
    list(
        fit_lanes(
            list(map(chain, lanes)), batch_size=64, limit_batches=None, after_batch=lambda: None
        )
    )
    for lane, setting in zip(lanes, settings, strict=True):
        alone = Run(digits, **setting)
        given = chain(alone)
        fit(
            **{field.name: getattr(given, field.name) for field in dataclasses.fields(given)},
            batch_size=64,
            limit_batches=None,
            after_batch=lambda: None,
        )
        assert lane.losses == alone.losses
        assert torch.equal(lane.weights(), alone.weights())


@pytest.mark.skipif(not library().exists(), reason="the steps are not compiled")
def test_compiled_lanes_have_the_bits_of_lanes_in_python(digits, monkeypatch) -> None:
    """They have other numbers of epochs, and one is stopped and goes on."""

    def train() -> list[Run]:
        runs = [Run(digits, seed=seed, epochs=1 + seed) for seed in range(3)]
        lanes = [chain(run) for run in runs]
        goes_on = iter([True] * 4)

        def stop() -> None:
            if not next(goes_on, False):
                raise KeyboardInterrupt

        for after_batch in (stop, lambda: None):
            with contextlib.suppress(KeyboardInterrupt):
                told = {"batch_size": 64, "limit_batches": None, "after_batch": after_batch}
                list(fit_lanes(lanes, **told))
        return runs

    compiled = train()
    for module in (lanes_together, loop):
        monkeypatch.setattr(module, "compiled_steps", lambda *_: None)
    for mine, its in zip(compiled, train(), strict=True):
        assert mine.losses == its.losses
        assert mine.position.steps == its.position.steps == mine.epochs * 24
        assert torch.equal(mine.weights(), its.weights())
