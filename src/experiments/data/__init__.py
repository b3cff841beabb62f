"""Data: verified files, then tensors, then batches. A data set loads torch only to read files."""

from experiments.data.datasets import KMNIST, MNIST, Digits, FashionMNIST

__all__ = ["KMNIST", "MNIST", "Digits", "FashionMNIST"]
