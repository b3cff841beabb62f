"""The article's training script, the baseline of all benchmarks.

The article is the PyTorch tutorial "PyTorch的模型定义和训练" (model definition and training). This
is its complete example, rewritten as functions; `python -m benchmarks.article` runs it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import transforms

TRANSFORM = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])

Batches = Iterable[tuple[Tensor, Tensor]]


class ArticleNet(nn.Module):
    """The article's network: 784 inputs, 128 hidden units with ReLU, 10 logits."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10) for images (B, 1, 28, 28)."""
        return self.fc2(F.relu(self.fc1(x.view(-1, 28 * 28))))


def train_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches) -> float:
    """Train one epoch with the article's loop; return the mean of the batch losses."""
    criterion = nn.CrossEntropyLoss()
    losses = []
    for images, labels in batches:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def test_accuracy(model: nn.Module, batches: Batches) -> float:
    """Return the share of examples that are classified correctly (0 to 1)."""
    correct = total = 0
    with torch.no_grad():
        for images, labels in batches:
            predicted = model(images).max(1).indices
            total += labels.size(0)
            correct += (predicted == labels).sum().item()
    return correct / total


def loaders(root: str) -> tuple[DataLoader, DataLoader]:
    """Return the article's loaders of MNIST: training and test, batch 64."""
    sets = [
        torchvision.datasets.MNIST(root, download=True, train=train, transform=TRANSFORM)
        for train in (True, False)
    ]
    return DataLoader(sets[0], batch_size=64, shuffle=True), DataLoader(sets[1], batch_size=64)


def run(root: str, *, seed: int, epochs: int, momentum: float, say: Callable[[str], None]) -> float:
    """Run the article's complete example; return the test accuracy (0 to 1)."""
    torch.manual_seed(seed)
    train, test = loaders(root)
    model = ArticleNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=momentum)
    for epoch in range(1, epochs + 1):
        say(f"Epoch: {epoch} Loss: {train_epoch(model, optimizer, train):.3f}")
    accuracy = test_accuracy(model, test)
    say(f"Accuracy of the network on the 10000 test images: {100 * accuracy:.2f} %")
    return accuracy


def main() -> None:
    """Run the example from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default=str(Path("~/.pytorch/MNIST_data/").expanduser()))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--momentum", type=float, default=0.9)
    options = parser.parse_args()
    torch.set_num_threads(2)
    run(
        options.root,
        seed=options.seed,
        epochs=options.epochs,
        momentum=options.momentum,
        say=print,
    )


if __name__ == "__main__":
    main()
