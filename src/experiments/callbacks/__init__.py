"""Callbacks: objects that a run calls at a few moments of its training."""

from experiments.callbacks.callback import Callback, Training
from experiments.callbacks.confusion_matrix import ConfusionMatrix
from experiments.callbacks.ema import ExponentialMovingAverage
from experiments.callbacks.grad_norm import GradientNorm
from experiments.callbacks.lr_monitor import LearningRateMonitor

__all__ = [
    "Callback",
    "ConfusionMatrix",
    "ExponentialMovingAverage",
    "GradientNorm",
    "LearningRateMonitor",
    "Training",
]
