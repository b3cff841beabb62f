"""Data: verified files to tensors to batches. The data sets load torch only where they are read."""

from experiments.data.sets import KMNIST, MNIST, Digits, FashionMNIST

__all__ = ["KMNIST", "MNIST", "Digits", "FashionMNIST"]
