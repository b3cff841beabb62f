"""An epoch of SimpleNet on MNIST: train.py's loop, the article's, and the matrix products alone.

`benchmarks.article` names the article. Everything is measured in turns in one process, on 2
threads, so that noise of the machine changes the ratios little. The *floor* of an epoch is the
time of the matrix products of its steps alone.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from benchmarks import article
from benchmarks.ratios import TURNS, Ratio, Samples
from benchmarks.report import as_command, report, spread
from benchmarks.training import epoch_seconds, trained
from experiments.run.load_torch import load_torch

ROOT = str(Path("~/.pytorch/MNIST_data/").expanduser())
BATCH, STEPS = 64, 938
EPOCHS = 3  # of train.py's loop in each turn
FLOOR, OURS, ARTICLE = "five matrix products", "train.py's loop", "the article's loop"
RATIOS = {
    "an epoch / its matrix products": Ratio(OURS, FLOOR, aim=1.6),
    "an epoch / the article's": Ratio(OURS, ARTICLE, aim=0.05),
}


def floor_seconds() -> float:
    """Return the seconds of an epoch's matrix products: per step two forward, three backward."""
    x, hidden = torch.randn(BATCH, 784), torch.randn(BATCH, 128)
    logits_grad, hidden_grad = torch.randn(BATCH, 10), torch.randn(BATCH, 128)
    w1, w2 = torch.randn(128, 784), torch.randn(10, 128)
    began = time.perf_counter()
    for _ in range(STEPS):
        torch.mm(x, w1.t())
        torch.mm(hidden, w2.t())
        torch.mm(logits_grad, w2)
        torch.mm(logits_grad.t(), hidden)
        torch.mm(hidden_grad.t(), x)
    return time.perf_counter() - began


def ours_seconds() -> list[float]:
    """Return the seconds of each epoch of train.py's loop, without the first, which warms up."""
    return epoch_seconds(trained(f"trainer.epochs={EPOCHS + 1}"))[1:]


def article_seconds(loader: DataLoader) -> float:
    """Return the seconds of one epoch of the article's loop."""
    model = article.ArticleNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    began = time.perf_counter()
    article.train_epoch(model, optimizer, loader)
    return time.perf_counter() - began


def measure() -> Samples:
    """Return the median seconds of each loop's epochs in each turn."""
    load_torch()
    torch.set_num_threads(2)
    loader = article.loaders(ROOT)[0]
    seconds: dict[str, list[float]] = {FLOOR: [], OURS: [], ARTICLE: []}
    for _ in range(TURNS):
        seconds[FLOOR].append(statistics.median(floor_seconds() for _ in range(3)))
        seconds[OURS].append(statistics.median(ours_seconds()))
        seconds[ARTICLE].append(article_seconds(loader))
    return seconds


def main() -> None:
    """Measure and report."""
    seconds = measure()
    rows = [(name, spread(values)) for name, values in seconds.items()]
    title = "One epoch of SimpleNet on MNIST, batch 64, momentum 0.9, 2 threads"
    header = ("an epoch of", "seconds")
    report("epoch", title, header, rows, seconds=seconds, ratios=RATIOS)


if __name__ == "__main__":
    as_command(main, __doc__)
