"""Batches equal those of the article: the same floats, and every example once."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from torchvision import transforms

from experiments.data.batches import batches, count_batches, normalise
from experiments.data.splits import Split


def split_of(count: int) -> Split:
    images = torch.randint(256, (count, 4, 5), dtype=torch.uint8)
    return Split(images, torch.arange(count))


def test_normalised_as_the_article_does_to_the_bit() -> None:
    images = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    steps = [transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
    theirs = transforms.Compose(steps)(Image.fromarray(images[0].numpy()))
    assert torch.equal(normalise(images)[0], theirs)


def test_colour_images_keep_their_channels() -> None:
    assert normalise(torch.zeros(2, 3, 4, 5, dtype=torch.uint8)).shape == (2, 3, 4, 5)


@pytest.mark.parametrize("count", [1, 6, 64, 97, 100, 333])
@pytest.mark.parametrize("batch_size", [1, 6, 100])
def test_every_example_once_in_the_order_asked_for(count: int, batch_size: int) -> None:
    split, order = split_of(count), torch.randperm(count)
    seen = list(batches(split, batch_size, order=order))
    assert torch.equal(torch.cat([labels for _, labels in seen]), order)
    images = torch.cat([images for images, _ in seen])
    assert torch.equal(images, normalise(split.images[order]))
    assert all(len(labels) == batch_size for _, labels in seen[:-1])
    assert len(seen) == count_batches(split, batch_size)


def test_without_an_order_as_they_lie() -> None:
    labels = torch.cat([labels for _, labels in batches(split_of(50), 7)])
    assert torch.equal(labels, torch.arange(50))


@pytest.mark.parametrize("limit", [1, 3, 17, 1000])
def test_a_limit_ends_early_with_whole_batches(limit: int) -> None:
    split = split_of(200)
    seen = [len(labels) for _, labels in batches(split, 8, limit=limit)]
    assert seen == [8] * min(limit, 25)
    assert count_batches(split, 8, limit) == len(seen)
