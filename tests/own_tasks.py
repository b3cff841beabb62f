"""A user's own tasks, losses, metrics and callbacks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from experiments.callbacks import Callback
from experiments.tasks import Task


class Autoencoder(Task):
    """The targets are the images themselves."""

    def targets(self, images, labels):
        del labels
        return images.flatten(1)

    def outputs(self, splits):
        return splits.train.images[0].numel()


class Focal(nn.Module):
    """The focal loss of Lin et al. (2017), a loss with an argument."""

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        each = nn.functional.cross_entropy(outputs, targets, reduction="none")
        return ((1 - (-each).exp()) ** self.gamma * each).mean()


class Remembering(nn.Module):
    """A loss with a state of its own, which a checkpoint must hold: it decays with each call."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(()))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.scale.mul_(0.99)
        return self.scale * nn.functional.cross_entropy(outputs, targets)


class Summing(nn.Module):
    """No loss: it returns a number per example."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets, reduction="none")


class WeightedTogether(Callback):
    """A callback with state that changes the training: it shrinks weights, more at each step."""

    def __init__(self, rate: float = 1e-4) -> None:
        self.rate, self.steps = rate, 0
        self.noise = torch.zeros(3)

    def on_batch_end(self, training, loss) -> None:
        self.steps += 1
        self.noise += torch.rand(3)
        with torch.no_grad():
            for weight in training.model.parameters():
                weight.mul_(1 - self.rate * self.steps * float(self.noise.mean()) / 100)

    def on_epoch_end(self, training, metrics) -> None:
        training.log({"shrunk_steps": self.steps, "noise": float(self.noise[0])})

    def state_dict(self):
        return {"steps": self.steps, "noise": self.noise}

    def load_state_dict(self, state) -> None:
        self.steps, self.noise = state["steps"], state["noise"].clone()


class Averaging(Callback):
    """Gives the mean of the weights of all steps to be evaluated and kept."""

    def on_fit_start(self, training) -> None:
        self.count = 0
        self.sums = {k: torch.zeros_like(v) for k, v in training.model.state_dict().items()}

    def on_batch_end(self, training, loss) -> None:
        self.count += 1
        for name, value in training.model.state_dict().items():
            self.sums[name] += value

    def weights(self):
        return {name: value / self.count for name, value in self.sums.items()}

    def state_dict(self):
        return {"count": self.count, "sums": self.sums}

    def load_state_dict(self, state) -> None:
        self.count = state["count"]
        self.sums = {name: value.clone() for name, value in state["sums"].items()}


class Stopping(Callback):
    """Stops after an epoch."""

    def __init__(self, epoch: int) -> None:
        self.last = epoch

    def on_epoch_end(self, training, metrics) -> None:
        if training.epoch == self.last:
            training.stop("it was asked to")


class Raising(Callback):
    """Fails at one moment."""

    def __init__(self, moment: str) -> None:
        self.moment = moment

    def _raise(self, moment: str) -> None:
        if moment == self.moment:
            raise LookupError(f"no luck at {moment}")

    def on_fit_start(self, training) -> None:
        self._raise("on_fit_start")

    def on_before_step(self, training) -> None:
        self._raise("on_before_step")

    def on_batch_end(self, training, loss) -> None:
        self._raise("on_batch_end")

    def on_epoch_end(self, training, metrics) -> None:
        self._raise("on_epoch_end")

    def on_test_end(self, training, metrics) -> None:
        self._raise("on_test_end")

    def state_dict(self):
        self._raise("state_dict")
        return {}


class Unsaveable(Callback):
    """Its state is nothing that a checkpoint can hold."""

    def state_dict(self):
        return {"x": object()}


class Misspelt(Callback):
    """Has a moment of another framework's."""

    def on_train_epoch_end(self, training, metrics) -> None:
        training.log({"x": 1.0})


class Detaching(nn.Module):
    """A loss that loses the gradient."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets).detach()


def few(outputs: Tensor, targets: Tensor) -> Tensor:
    """A metric that takes the images of the trial, and no more."""
    if len(targets) > 7:
        raise ArithmeticError(f"{len(targets)} are too many")
    return outputs.mean()


class Telling(Callback):
    """Logs at every moment that has an epoch."""

    def on_fit_start(self, training) -> None:
        training.log({"begun": training.epoch})

    def on_epoch_end(self, training, metrics) -> None:
        training.log({"last": training.epoch})

    def on_test_end(self, training, metrics) -> None:
        training.log({"last": -1.0, "tested_at": training.epoch})
