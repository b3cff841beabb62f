"""oneDNN's products of float32 matrices have the same bits on any number of threads."""

from __future__ import annotations

import itertools

import pytest
import torch

from tests.training.test_chain_gradients import threads  # noqa: F401  (restores the number)


def product(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise.default(x, weight, None, "none", [], "")


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 7, 16, 32, 33, 64, 100, 128, 256, 1000])
def test_the_number_of_threads_changes_no_bit(batch: int) -> None:
    """Of the forward product, the gradient of the weight and that of the input: 64 shapes each."""
    torch.manual_seed(0)
    for inputs, outputs in itertools.product(
        (3, 10, 64, 100, 128, 300, 784, 1000), (1, 2, 10, 17, 64, 100, 128, 512)
    ):
        x, weight = torch.randn(batch, inputs), torch.randn(outputs, inputs)
        gradient = torch.randn(batch, outputs)
        for pair in ((x, weight), (gradient.t(), x.t()), (gradient, weight.t())):
            found = []
            for number in (1, 2, 3, 4):
                torch.set_num_threads(number)
                found.append(product(*pair))
            assert all(torch.equal(found[0], each) for each in found)
