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
from benchmarks.report import report, spread
from experiments.data import MNIST
from experiments.data.splits import load
from experiments.models import SimpleNet
from experiments.run.load_torch import load_torch
from experiments.tasks import Accuracy, Classification
from experiments.training.loop import fit
from experiments.training.position import Position

ROOT = str(Path("~/.pytorch/MNIST_data/").expanduser())
BATCH, STEPS = 64, 938
ROUNDS, EPOCHS = 5, 3  # each round: the floor, EPOCHS of train.py's loop, one of the article's


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


def classification() -> Classification:
    """Return the default task: cross-entropy and accuracy."""
    task = Classification()
    task.loss, task.metrics = torch.nn.CrossEntropyLoss(), {"accuracy": Accuracy()}
    return task


def ours_seconds() -> list[float]:
    """Return the seconds of each epoch of train.py's loop, without the first, which warms up."""
    splits = load(MNIST, {"root": ROOT})
    torch.manual_seed(0)
    model = SimpleNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
    seconds: list[float] = []
    fit(
        model=model,
        task=classification(),
        optimizer=optimizer,
        schedule=torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0),
        schedule_interval="epoch",
        train=splits.train,
        validation=None,
        epochs=EPOCHS + 1,
        batch_size=BATCH,
        limit_batches=None,
        seed=0,
        position=Position(),
        log=lambda metrics, _: seconds.append(metrics["epoch_seconds"]),
        after_epoch=lambda: None,
        after_batch=lambda: None,
    )
    return seconds[1:]


def article_seconds(loader: DataLoader) -> float:
    """Return the seconds of one epoch of the article's loop."""
    model = article.ArticleNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    began = time.perf_counter()
    article.train_epoch(model, optimizer, loader)
    return time.perf_counter() - began


def main() -> None:
    """Measure and report."""
    load_torch()
    torch.set_num_threads(2)
    loader = article.loaders(ROOT)[0]
    floors: list[float] = []
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        floors += [floor_seconds() for _ in range(3)]
        ours += ours_seconds()
        theirs.append(article_seconds(loader))
    floor, our, their = map(statistics.median, (floors, ours, theirs))
    rows = [
        ("five matrix products", spread(floors), "1", ""),
        ("train.py's loop", spread(ours), f"{our / floor:.1f}", f"{their / our:.1f}x"),
        ("the article's loop", spread(theirs), f"{their / floor:.1f}", "1x"),
    ]
    header = ("an epoch of", "seconds", "times the floor", "faster than the article's loop")
    title = "One epoch of SimpleNet on MNIST, batch 64, momentum 0.9, 2 threads"
    report("epoch", title, header, rows)
    print("bars: >= 12x the article's loop, <= 3x the floor")


if __name__ == "__main__":
    main()
