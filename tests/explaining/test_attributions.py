"""Attributions keep their axioms, on real runs and on models whose attributions are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from experiments.data.batches import normalise
from experiments.errors import InputError
from experiments.explaining import attributions
from experiments.explaining.attributions import TOLERANCE, attributions_of
from experiments.explaining.first_layer import first_layer
from experiments.inference.data import examples_of
from experiments.inference.trained import Trained

pytestmark = pytest.mark.xdist_group("inference")


def with_model(trained: Trained, model: nn.Module, side: int = 28) -> Trained:
    return dataclasses.replace(trained, model=model.eval(), shape=(1, side, side))


def images_of(side: int, count: int = 3) -> Tensor:
    made = torch.Generator().manual_seed(0)
    return torch.randint(1, 256, (count, side, side), dtype=torch.uint8, generator=made)


def test_integrated_gradients_of_a_run_are_complete(members: Sequence[Trained]) -> None:
    member = members[0]
    images, _ = examples_of(member)
    logits = member.logits(images)
    black = member.logits(torch.zeros_like(images[:1]))
    classes = logits.argmax(1)
    for place, found in enumerate(attributions_of(member, images, classes)):
        label = classes[place]
        difference = float(logits[place, label] - black[0, label])
        assert found.difference == pytest.approx(difference, rel=1e-4)
        missed = abs(found.integrated_gradients.sum().item() - difference)
        assert missed <= TOLERANCE * abs(difference) + 1e-4
        assert found.is_complete


def test_attributions_of_a_linear_model_are_exact(members: Sequence[Trained]) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(49, 4))
    images, classes = images_of(7), torch.tensor([2, 0, 3])
    for place, found in enumerate(
        attributions_of(with_model(members[0], model, 7), images, classes)
    ):
        weights = model[1].weight[classes[place]].detach().view(7, 7)
        parts = weights * (normalise(images[place : place + 1])[0, 0] + 1)
        assert torch.allclose(found.integrated_gradients, parts, atol=1e-5)
        assert torch.allclose(found.occlusion, parts, atol=1e-5)  # 7 pixels: the square is one
        assert torch.allclose(found.saliency, weights.abs())
        assert (found.steps, found.is_complete) == (32, True)


def test_an_image_that_is_the_baseline_is_complete(members: Sequence[Trained]) -> None:
    black = torch.zeros(1, 28, 28, dtype=torch.uint8)
    (found,) = attributions_of(members[0], black, torch.tensor([4]))
    assert (found.difference, found.error, found.steps) == (0, 0, 32)
    assert found.is_complete


class Watched(nn.Module):
    """A linear model that notes the largest batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(49, 4)
        self.most = 0

    def forward(self, x: Tensor) -> Tensor:
        self.most = max(self.most, len(x))
        logits: Tensor = self.layer(x.flatten(1))
        return logits


@pytest.mark.parametrize("points", [1, 16, 40])
def test_a_batch_is_bounded_by_its_pixels(
    members: Sequence[Trained], monkeypatch: pytest.MonkeyPatch, points: int
) -> None:
    trained = with_model(members[0], Watched(), 7)
    images, classes = images_of(7, 5), torch.tensor([0, 1, 2, 3, 0])
    expected = attributions_of(trained, images, classes)
    trained.model.most = 0
    monkeypatch.setattr(attributions, "_AT_ONCE", points * 49 + 1)
    found = attributions_of(trained, images, classes)
    assert trained.model.most == points
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one.integrated_gradients, other.integrated_gradients, atol=1e-6)
        assert torch.allclose(one.occlusion, other.occlusion, atol=1e-6)


class Kink(nn.Module):
    """A logit that rises from 0 to 1 within a short part of the way, or at once."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        way = (x.flatten(1).mean(1, keepdim=True) + 1) / 2 * 10
        rise = ((way - 0.301) / self.width).clamp(0, 1) if self.width else (way > 0.3) + 0 * way
        return torch.cat([rise, -rise], 1)


def test_steps_are_doubled_until_the_sum_is_right(members: Sequence[Trained]) -> None:
    white = torch.full((1, 7, 7), 255, dtype=torch.uint8)
    sharp = with_model(members[0], Kink(0.7), 7)
    (found,) = attributions_of(sharp, white, torch.tensor([0]))
    assert found.is_complete
    assert 32 < found.steps <= 1024


def test_a_sum_that_stays_wrong_is_told(members: Sequence[Trained]) -> None:
    white = torch.full((1, 7, 7), 255, dtype=torch.uint8)
    jump = with_model(members[0], Kink(0), 7)
    (found,) = attributions_of(jump, white, torch.tensor([0]))
    assert (found.is_complete, found.error, found.steps) == (False, 1, 1024)


def test_a_model_without_a_gradient_is_refused(members: Sequence[Trained]) -> None:
    class Rounded(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1)[:, :3].detach()

    with pytest.raises(InputError, match="model: to attribute its answers"):
        attributions_of(with_model(members[0], Rounded(), 7), images_of(7), torch.tensor([0, 1, 2]))


def test_without_captum_the_line_tells_the_command(
    members: Sequence[Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attributions, "find_spec", lambda _: None)
    with pytest.raises(InputError) as caught:
        attributions_of(members[0], images_of(28), torch.tensor([0, 1, 2]))
    assert str(caught.value) == (
        "experiments explain: Captum is not installed; "
        "pip install -c constraints.txt -e '.[explain]'"
    )


def test_the_first_layer_of_a_run_has_its_weights(members: Sequence[Trained]) -> None:
    images, _ = examples_of(members[0])
    found = first_layer(members[0], images[:1])
    assert found is not None
    assert (found.name, found.kind, found.units, found.channels) == ("fc1", "Linear", 128, 1)
    weight = members[0].model.get_parameter("fc1.weight").detach()
    assert torch.equal(found.weights.flatten(1), weight[:64])


class Backwards(nn.Module):
    """A model that calls its layers in another order than it made them."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4 * 49, 3)
        self.first = nn.Conv2d(1, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(self.first(x).flatten(1))
        return logits


def test_the_first_layer_is_the_one_that_is_called_first(members: Sequence[Trained]) -> None:
    model = Backwards()
    found = first_layer(with_model(members[0], model, 7), images_of(7, 1))
    assert found is not None
    assert (found.name, found.kind, found.units) == ("first", "Conv2d", 4)
    assert torch.equal(found.weights, model.first.weight.detach()[:, 0])
    assert not any(layer._forward_pre_hooks for layer in model.modules())


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(9, 3)),
        nn.Sequential(nn.AvgPool2d(7), nn.Flatten()),
    ],
    ids=["of less than the image", "none"],
)
def test_a_layer_that_sees_no_pixels_is_not_shown(
    members: Sequence[Trained], model: nn.Module
) -> None:
    assert first_layer(with_model(members[0], model, 7), images_of(7, 1)) is None
