"""Tasks in a run: own losses and metrics, regressions and autoencoders, errors in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sklearn import metrics as sklearn
from torch.nn import functional as F

from experiments.data.batches import batches, normalise, order_of
from experiments.errors import InputError
from experiments.run.build import assemble
from tests.own_tasks import Focal
from tests.run.test_lifecycle import configuration, execute

CROSS_ENTROPY = "~task.loss.label_smoothing"
FOCAL = ("task.loss._target_=tests.own_tasks.Focal", CROSS_ENTROPY, "+task.loss.gamma=1.5")
AUTOENCODER = (
    "task=regression",
    "task._target_=tests.own_tasks.Autoencoder",
    "model.classes=784",
    "~task.metrics.r2",
)


def targets_of(overrides, images, labels):
    if overrides is AUTOENCODER:
        return images.flatten(1)
    return labels.float()[:, None] if "task=regression" in overrides else labels


def clip_by_hand(model, clip) -> None:
    gradients = [parameter.grad for parameter in model.parameters()]
    match clip:
        case "norm", bound:
            norm = float(torch.cat([each.flatten() for each in gradients]).norm())
            for each in gradients:
                each.mul_(min(1.0, bound / (norm + 1e-6)))
        case "value", bound:
            for each in gradients:
                each.clamp_(-bound, bound)


@pytest.mark.parametrize(
    ("overrides", "loss"),
    [
        (FOCAL, Focal(1.5)),
        (("task.loss.label_smoothing=0.1",), torch.nn.CrossEntropyLoss(label_smoothing=0.1)),
        (("task=regression", "model.classes=1"), None),
        (AUTOENCODER, None),
    ],
)
@pytest.mark.parametrize("clip", [None, ("norm", 0.1), ("value", 0.001)])
@pytest.mark.parametrize("accumulate", [1, 5])
def test_training_equals_a_loop_by_hand(
    tmp_path: Path, root: str, overrides, loss, clip, accumulate: int
) -> None:
    trainer = [f"trainer.accumulate_grad_batches={accumulate}", "trainer.epochs=1"]
    if clip:
        algorithm, bound = clip
        trainer += [
            f"trainer.gradient_clip_algorithm={algorithm}",
            f"trainer.gradient_clip_val={bound}",
        ]
    # At a larger rate the loss of the regression oscillates, and rounding errors grow with it.
    config = configuration(root, *overrides, *trainer, "optimizer=sgd", "optimizer.lr=0.001")
    by_hand = assemble(config)
    model = by_hand.model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=config.optimizer.arguments()["lr"])
    losses, chunks = (
        [],
        list(batches(by_hand.splits.train, 64, order=order_of(by_hand.splits.train, 0, 1))),
    )
    for number, (images, labels) in enumerate(chunks):
        value = (loss or F.mse_loss)(model(images), targets_of(overrides, images, labels))
        losses.append(float(value.detach()))
        first = number // accumulate * accumulate
        (value / min(accumulate, len(chunks) - first)).backward()
        if (number + 1) % accumulate and number + 1 < len(chunks):
            continue
        clip_by_hand(model, clip)
        optimizer.step()
        optimizer.zero_grad()
    parts, history = execute(config, tmp_path)
    assert history.points["train_loss", 1] == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    for mine, its in zip(model.parameters(), parts.model.parameters(), strict=True):
        assert torch.allclose(mine, its, rtol=1e-4, atol=1e-6)


def test_the_metrics_of_torchmetrics_are_scikit_learn_s(tmp_path: Path, root: str) -> None:
    chosen = [f"+task/metric@task.metrics.{name}={name}" for name in ("f1", "top5")]
    config = configuration(root, *chosen, "data.validation_size=300", "trainer.epochs=1")
    parts, history = execute(config, tmp_path)
    test = parts.splits.test
    with torch.no_grad():
        logits = parts.model.eval()(normalise(test.images))
    labels, answers = test.labels.numpy(), logits.argmax(1).numpy()
    expected = {
        "test_accuracy": sklearn.accuracy_score(labels, answers),
        "test_f1": sklearn.f1_score(labels, answers, average="macro"),
        "test_top5": sklearn.top_k_accuracy_score(labels, logits.softmax(1).numpy(), k=5),
        "test_loss": sklearn.log_loss(labels, logits.double().softmax(1).numpy()),
    }
    for name, value in expected.items():
        assert history.metrics[name] == pytest.approx(value, abs=1e-6)
    assert {"val_f1", "val_top5"} <= history.metrics.keys()


def test_the_metrics_of_a_regression_are_scikit_learn_s(tmp_path: Path, root: str) -> None:
    chosen = "+task/metric@task.metrics.mse=mse"
    config = configuration(root, "task=regression", "model.classes=1", chosen, "trainer.epochs=1")
    parts, history = execute(config, tmp_path)
    test = parts.splits.test
    with torch.no_grad():
        answers = parts.model.eval()(normalise(test.images)).numpy()
    labels = test.labels.numpy()[:, None]
    expected = {
        "test_mse": sklearn.mean_squared_error(labels, answers),
        "test_loss": sklearn.mean_squared_error(labels, answers),
        "test_mae": sklearn.mean_absolute_error(labels, answers),
        "test_r2": sklearn.r2_score(labels, answers),
    }
    for name, value in expected.items():
        assert history.metrics[name] == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ("task.loss._target_=tests.own_tasks.Summing", CROSS_ENTROPY),
            r"^task\.loss: Summing returns \(7,\) for a batch, and a loss is one number",
        ),
        (
            ("+task.loss.reduction=sum",),
            r"^task\.loss: CrossEntropyLoss returns the sum over a batch, .*\(reduction=mean\)$",
        ),
        (
            ("task=regression", "model.classes=10"),
            r"^model\.classes=10: the data has 1 number to predict; set model\.classes=1, or null",
        ),
        (
            ("task.loss._target_=tests.own_tasks.Detaching", CROSS_ENTROPY),
            r"^task\.loss: Detaching returns a loss without a gradient; it may not detach",
        ),
        (
            ("+task/metric@task.metrics.f1=f1", "task.metrics.f1.direction=minimize"),
            r"^task\.metrics\.f1\.direction=minimize: .* says maximize$",
        ),
        (
            ("+task/metric@task.metrics.f1=f1", "task.metrics.f1.average=none"),
            r"^task\.metrics\.f1: MulticlassF1Score fails .* returns 10 values in place of one",
        ),
        (
            ("task._target_=experiments.models.SimpleNet",),
            r"^task\._target_=.*: is not allowed; only a subclass of experiments\.tasks",
        ),
    ],
)
def test_bad_parts_are_refused_in_one_line(root: str, overrides, said: str) -> None:
    config = configuration(root, *overrides)
    with pytest.raises(InputError, match=said) as raised:
        assemble(config)
    assert "\n" not in str(raised.value)
