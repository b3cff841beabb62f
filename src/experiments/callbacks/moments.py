"""The moments of a training at which callbacks are called, and the weights that they give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from experiments.callbacks.callback import Callback, Training
from experiments.errors import RunError, text_of
from experiments.process.signals import Interrupted


class Moments:
    """The callbacks of a run, called in the order of their configuration.

    Only the moments that a class overrides are called. An exception of a callback becomes a
    `RunError` with the name of the callback.
    """

    def __init__(
        self,
        callbacks: Mapping[str, Callback] | None = None,
        training: Training | None = None,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the callbacks.

        Args:
            callbacks: the callbacks by name.
            training: the training that they see.
            between: called before and after each moment but those of a step.
        """
        self._callbacks, self._training, self._between = callbacks or {}, training, between
        self._before_step = self._overriding("on_before_step")
        self._batch_end = self._overriding("on_batch_end")
        self._weights = self._overriding("weights")

    @property
    def see_steps(self) -> bool:
        """Whether a callback is called in the course of a step."""
        return bool(self._before_step or self._batch_end)

    def _overriding(self, moment: str) -> list[str]:
        """Return the names of the callbacks that override a moment."""
        base = getattr(Callback, moment)
        return [
            name
            for name, each in self._callbacks.items()
            if getattr(type(each), moment) is not base
        ]

    def fit_start(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Begin the training in this process, then restore states by the callbacks' names."""
        for name in self._callbacks:
            self._call_apart(name, "on_fit_start", self._training)
            if states.get(name):
                self._call(name, "load_state_dict", states[name])

    def before_step(self) -> None:
        """After `backward` and before the optimizer steps."""
        for name in self._before_step:
            self._call(name, "on_before_step", self._training)

    def batch_end(self, loss: Tensor) -> None:
        """After an optimizer step."""
        for name in self._batch_end:
            self._call(name, "on_batch_end", self._training, loss)

    def epoch_end(self, metrics: Mapping[str, float]) -> None:
        """After an epoch, with its metrics."""
        for name in self._callbacks:
            self._call_apart(name, "on_epoch_end", self._training, dict(metrics))

    def test_end(self, metrics: Mapping[str, float]) -> None:
        """After the test, with its metrics."""
        for name in self._callbacks:
            self._call_apart(name, "on_test_end", self._training, dict(metrics))

    def states(self) -> dict[str, dict[str, object]]:
        """Return the states of the callbacks, by name."""
        return {name: self._call(name, "state_dict") for name in self._callbacks}

    def weights(self, model: nn.Module) -> Mapping[str, Tensor]:
        """Return the weights to evaluate, test and keep in place of a model's own, by name.

        Raises:
            RunError: two callbacks give weights, or one gives some that the model does not have.
        """
        found = {name: self._call(name, "weights") for name in self._weights}
        given = {name: weights for name, weights in found.items() if weights is not None}
        if len(given) > 1:
            raise RunError(
                f"callbacks.{' and callbacks.'.join(given)} both give the weights to evaluate; "
                "remove one of them"
            )
        for name, weights in given.items():
            self._check_weights(name, weights, model.state_dict())
        return next(iter(given.values()), {})

    def _check_weights(self, name: str, weights: object, own: Mapping[str, Tensor]) -> None:
        told = f"callbacks.{name}: {type(self._callbacks[name]).__name__}.weights gives"
        should = "give tensors by the names and shapes of the model's state_dict()"
        if not isinstance(weights, Mapping):
            raise RunError(f"{told} a {type(weights).__name__}; {should}")
        for key, value in weights.items():
            if not isinstance(value, Tensor):
                raise RunError(f"{told} a {type(value).__name__} as {key}; {should}")
            if key not in own or own[key].shape != value.shape:
                raise RunError(
                    f"{told} {key} of the shape {tuple(value.shape)}, which the model does not "
                    f"have; {should}"
                )

    @contextmanager
    def evaluated_weights(self, model: nn.Module) -> Iterator[None]:
        """Give a model the weights to evaluate, and afterwards its own again, bit for bit."""
        weights = self.weights(model)
        own = model.state_dict() if weights else {}
        before = {name: own[name].clone() for name in weights}
        try:
            load_weights(model, weights)
            yield
        finally:
            load_weights(model, before)

    def _call_apart(self, name: str, moment: str, *arguments: object) -> None:
        self._between()
        self._call(name, moment, *arguments)
        self._between()

    def _call(self, name: str, moment: str, *arguments: object) -> Any:
        method: Callable[..., Any] = getattr(self._callbacks[name], moment)
        try:
            return method(*arguments)
        except (Interrupted, RunError):
            raise
        except Exception as error:
            kind = type(self._callbacks[name]).__name__
            raise RunError(
                f"callbacks.{name}: {kind}.{moment} raised {type(error).__name__}: "
                f"{text_of(error)}; mend the class and repeat the command"
            ) from error


NO_CALLBACKS = Moments()


@torch.no_grad()
def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights by name into a model that has them; weights that are not named stay."""
    own = model.state_dict() if weights else {}
    for name, weight in weights.items():
        own[name].copy_(weight)
