"""The models have the right layers, and SimpleNet equals the network of the article."""

from __future__ import annotations

import pytest
import torch
from benchmarks.article import ArticleNet

from experiments.models import ConvNet, SimpleNet

IMAGES = torch.randn(3, 1, 28, 28)


def test_simplenet_is_the_article_s_network() -> None:
    torch.manual_seed(0)
    ours = SimpleNet()
    torch.manual_seed(0)
    theirs = ArticleNet()
    assert list(ours.state_dict()) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
    assert torch.equal(ours(IMAGES), theirs(IMAGES))


def test_simplenet_takes_images_in_three_shapes() -> None:
    model = SimpleNet()
    expected = model(IMAGES)
    assert expected.shape == (3, 10)
    assert torch.equal(model(IMAGES.view(3, 28, 28)), expected)
    assert torch.equal(model(IMAGES.view(3, 784)), expected)


@pytest.mark.parametrize("hidden", [[7], [64, 32], [5, 6, 7]])
def test_simplenet_has_the_layers_asked_for(hidden: list[int]) -> None:
    model = SimpleNet(inputs=9, hidden=hidden, classes=4)
    assert [layer.out_features for layer in model.children()] == [*hidden, 4]
    assert model(torch.randn(2, 9)).shape == (2, 4)


@pytest.mark.parametrize("image_size", [4, 27, 28, 32])
def test_convnet_takes_images_of_its_size(image_size: int) -> None:
    model = ConvNet(image_size=image_size, channels=[3, 5], classes=6)
    assert model(torch.randn(2, 1, image_size, image_size)).shape == (2, 6)
