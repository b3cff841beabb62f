"""Training agrees with the article's loop, repeats to the bit, and reports the right metrics."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from benchmarks.article import TRANSFORM, ArticleNet, test_accuracy, train_epoch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from experiments.data.splits import Split, Splits, hold_out
from experiments.models import SimpleNet
from experiments.randomness import generator
from experiments.training.evaluation import Evaluation, evaluate
from experiments.training.loop import fit
from experiments.training.position import Position
from tests.made_tasks import classification

test_accuracy.__test__ = False  # a function of the article, not a test


class Pictures(Dataset):
    """Images as the loader of the article takes them: PIL, then transforms, one at a time."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __getitem__(self, index: int):
        image = Image.fromarray(self.split.images[index].numpy())
        return TRANSFORM(image), int(self.split.labels[index])

    def __len__(self) -> int:
        return len(self.split)


class EpochOrder(torch.utils.data.Sampler):
    """The order in which our epochs visit the examples."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed, self.epoch = size, seed, 0

    def __iter__(self) -> Iterator[int]:
        self.epoch += 1
        order = torch.randperm(self.size, generator=generator(self.seed, "shuffle", self.epoch))
        return iter(order.tolist())

    def __len__(self) -> int:
        return self.size


def train_ours(
    splits: Splits,
    *,
    seed: int = 0,
    epochs: int = 3,
    schedule=None,
    limit_batches=None,
    after_batch=lambda: None,
    **sgd,
) -> tuple[SimpleNet, list[dict[str, float]]]:
    torch.manual_seed(seed)
    model = SimpleNet()
    optimizer = torch.optim.SGD(model.parameters(), **{"lr": 0.01, "fused": True, **sgd})
    logged: list[dict[str, float]] = []

    def log(metrics, epoch: int) -> None:
        assert epoch == len(logged) + 1
        logged.append(dict(metrics))

    fit(
        model=model,
        task=classification(),
        optimizer=optimizer,
        schedule=(schedule or torch.optim.lr_scheduler.ConstantLR)(
            optimizer, **({} if schedule else {"factor": 1.0})
        ),
        schedule_interval="epoch",
        train=splits.train,
        validation=splits.validation,
        epochs=epochs,
        batch_size=64,
        limit_batches=limit_batches,
        seed=seed,
        position=Position(),
        log=log,
        after_epoch=lambda: None,
        after_batch=after_batch,
    )
    return model, logged


def evaluation(model: SimpleNet, split: Split, limit_batches=None) -> Evaluation:
    (result,) = evaluate(
        models=[model],
        seeds=[0],
        task=classification(),
        split=split,
        limit_batches=limit_batches,
        after_batch=lambda: None,
    )
    return result


def test_accuracy_of(model: SimpleNet, split: Split) -> float:
    return evaluation(model, split).metrics["accuracy"]


test_accuracy_of.__test__ = False


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_article_s_loop_on_the_same_batches(digits, momentum: float, seed: int) -> None:
    model, logged = train_ours(digits, seed=seed, momentum=momentum)

    torch.manual_seed(seed)
    theirs = ArticleNet()
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.01, momentum=momentum)
    loader = DataLoader(
        Pictures(digits.train), batch_size=64, sampler=EpochOrder(len(digits.train), seed)
    )
    for metrics in logged:
        expected = train_epoch(theirs, optimizer, loader)
        assert metrics["train_loss"] == pytest.approx(expected, abs=1e-5)
    expected = test_accuracy(theirs, DataLoader(Pictures(digits.test), batch_size=64))
    assert test_accuracy_of(model, digits.test) == expected


def test_the_same_twice_to_the_bit(digits) -> None:
    (first, logged), (again, logged_again) = (train_ours(digits, momentum=0.9) for _ in range(2))
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    losses = [[metrics["train_loss"] for metrics in run] for run in (logged, logged_again)]
    assert losses[0] == losses[1]


def test_seed_0_is_a_seed_like_any_other(digits) -> None:
    torch.manual_seed(123)
    zero, _ = train_ours(digits, seed=0, epochs=1)
    one, _ = train_ours(digits, seed=1, epochs=1)
    assert not torch.equal(zero.fc1.weight, one.fc1.weight)


def test_training_learns(digits) -> None:
    model, logged = train_ours(digits, epochs=10, lr=0.05, momentum=0.9)
    assert logged[-1]["train_loss"] < 0.1 < logged[0]["train_loss"]
    assert test_accuracy_of(model, digits.test) > 0.9


def test_what_is_reported(digits) -> None:
    _, logged = train_ours(hold_out(digits, 200, seed=0), epochs=1)
    assert set(logged[0]) == {"train_loss", "lr", "epoch_seconds", "val_loss", "val_accuracy"}
    _, logged = train_ours(digits, epochs=1)
    assert set(logged[0]) == {"train_loss", "lr", "epoch_seconds"}


def test_validating_does_not_change_the_training(digits) -> None:
    held = hold_out(digits, 200, seed=0)
    with_validation, _ = train_ours(held)
    without, _ = train_ours(Splits(held.train, None, held.test, held.sha256))
    assert torch.equal(with_validation.fc1.weight, without.fc1.weight)


def test_the_learning_rate_follows_the_schedule(digits) -> None:
    def halving(optimizer):
        return torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)

    _, logged = train_ours(digits, schedule=halving, lr=0.4)
    assert [metrics["lr"] for metrics in logged] == pytest.approx([0.4, 0.2, 0.1])


def test_limit_batches_trains_on_the_first_ones(digits) -> None:
    limited, _ = train_ours(digits, epochs=1, limit_batches=2)
    everything, _ = train_ours(digits, epochs=1)
    assert not torch.equal(limited.fc1.weight, everything.fc1.weight)


def test_evaluation_is_exact(digits) -> None:
    model = SimpleNet()
    result = evaluation(model, digits.train, limit_batches=1)
    assert result.total == 1000
    result = evaluation(model, digits.train)
    assert result.total == 1500
    logits = model(digits.train.images.float().div(255).sub(0.5).div(0.5))
    correct = int((logits.argmax(1) == digits.train.labels).sum())
    loss = torch.nn.functional.cross_entropy(logits, digits.train.labels)
    assert result.loss == pytest.approx(loss.item(), rel=1e-6)
    assert result.metrics == {"accuracy": correct / 1500}


@pytest.mark.parametrize("batch", [1, 3, 24, 25, 40])
def test_what_after_batch_raises_ends_the_training(digits, batch: int) -> None:
    calls = []

    def after_batch() -> None:
        calls.append(1)
        if len(calls) == batch:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train_ours(digits, after_batch=after_batch)
    assert len(calls) == batch


class Caching(SimpleNet):
    """Keeps the scale of its first inputs, in training and in evaluation."""

    scale = None

    def forward(self, x):
        if self.scale is None:
            self.scale = x.std() + self.fc1.weight.detach().std()
        return super().forward(x / self.scale)


def test_a_tensor_that_a_model_keeps_from_validation_can_be_trained_with(digits) -> None:
    model = Caching()
    evaluation(model, digits.train, limit_batches=1)
    torch.nn.functional.cross_entropy(
        model(digits.train.images[:8] / 255), digits.train.labels[:8]
    ).backward()
    assert model.fc1.weight.grad is not None
