"""Data: verified files to tensors to batches."""

from experiments.data.batches import batches, count_batches
from experiments.data.sets import KMNIST, MNIST, Digits, FashionMNIST
from experiments.data.splits import Split, Splits, hold_out, load

__all__ = [
    "KMNIST",
    "MNIST",
    "Digits",
    "FashionMNIST",
    "Split",
    "Splits",
    "batches",
    "count_batches",
    "hold_out",
    "load",
]
