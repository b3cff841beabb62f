"""The average equals its formula to the bit, is evaluated, and leaves the training alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from experiments.callbacks import Callback, ExponentialMovingAverage
from tests.callbacks.plain_training import PlainTraining, few


class Trace(Callback):
    """Keeps the weights after every step, and those at the end of every epoch."""

    def __init__(self) -> None:
        self.steps: list[dict[str, torch.Tensor]] = []
        self.evaluated: list[dict[str, torch.Tensor]] = []

    def on_fit_start(self, training) -> None:
        self.on_batch_end(training, torch.zeros(()))

    def on_batch_end(self, training, loss) -> None:
        self.steps.append(cloned(training.model))

    def on_epoch_end(self, training, metrics) -> None:
        self.evaluated.append(cloned(training.model))


def cloned(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def traced(digits, model: nn.Module | None = None, **chosen) -> tuple[Trace, PlainTraining]:
    trace, ema = Trace(), ExponentialMovingAverage(**chosen)
    return trace, PlainTraining(few(digits), {"trace": trace, "ema": ema}, model=model).run()


def by_hand(steps: list[dict[str, torch.Tensor]], decays: list[float]) -> dict[str, torch.Tensor]:
    average = steps[0]
    for weights, decay in zip(steps[1:], decays, strict=True):
        average = {name: torch.lerp(old, weights[name], 1 - decay) for name, old in average.items()}
    return average


@pytest.mark.parametrize(
    ("chosen", "decays"),
    [
        ({"decay": 0.9, "warmup": False}, [0.9] * 12),
        ({"decay": 0.5}, [min(0.5, (1 + n) / (10 + n)) for n in range(1, 13)]),
        ({"decay": 0.8, "warmup": False, "start_step": 4}, [0.0] * 4 + [0.8] * 8),
        ({"decay": 0.0}, [0.0] * 12),
    ],
)
def test_it_equals_its_formula_to_the_bit(digits, chosen, decays) -> None:
    trace, training = traced(digits, **chosen)
    expected = by_hand(trace.steps, decays)
    found = training.moments.weights(training.model)
    assert found.keys() == expected.keys()
    for name, average in expected.items():
        assert torch.equal(found[name], average)
        assert torch.equal(trace.evaluated[-1][name], average)


def test_the_formula_is_that_of_the_docstring(digits) -> None:
    trace, training = traced(digits, decay=0.9, warmup=False)
    average = {name: value.double() for name, value in trace.steps[0].items()}
    for weights in trace.steps[1:]:
        average = {name: 0.9 * old + 0.1 * weights[name] for name, old in average.items()}
    for name, value in training.moments.weights(training.model).items():
        torch.testing.assert_close(value.double(), average[name], rtol=1e-5, atol=1e-7)


def test_it_equals_torch_s_average_of_models(digits) -> None:
    trace, training = traced(digits, decay=0.9, warmup=False)
    source = PlainTraining(few(digits), {}).model
    torchs = AveragedModel(source, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for weights in trace.steps:
        source.load_state_dict(weights)
        torchs.update_parameters(source)
    for name, value in torchs.module.state_dict().items():
        assert torch.equal(training.moments.weights(training.model)[name], value)


def test_the_training_goes_on_with_its_own_weights(digits) -> None:
    _, averaged = traced(digits, decay=0.9)
    plain = PlainTraining(few(digits), {}).run()
    for name, value in plain.model.state_dict().items():
        assert torch.equal(averaged.model.state_dict()[name], value)


@pytest.mark.parametrize("use_buffers", [True, False])
def test_statistics_of_batch_normalisation_are_averaged_if_asked(digits, use_buffers) -> None:
    layers = nn.Flatten(), nn.Linear(784, 8), nn.BatchNorm1d(8), nn.Linear(8, 10)
    trace, training = traced(digits, nn.Sequential(*layers), use_buffers=use_buffers, decay=0.9)
    assert ("2.running_mean" in training.moments.weights(training.model)) == use_buffers
    assert "2.num_batches_tracked" not in training.moments.weights(training.model)
    kept = torch.equal(trace.evaluated[-1]["2.running_mean"], trace.steps[-1]["2.running_mean"])
    assert kept != use_buffers


@pytest.mark.parametrize(
    ("chosen", "words"),
    [({"decay": 1.0}, "decay=1.0: it should be"), ({"start_step": -1}, "start_step=-1: it should")],
)
def test_a_number_out_of_range_is_refused(chosen, words) -> None:
    with pytest.raises(ValueError, match=words):
        ExponentialMovingAverage(**chosen)
