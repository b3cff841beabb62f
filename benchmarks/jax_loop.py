"""The default training as a jitted scan in JAX; `benchmarks.jax_epoch` runs it in `.venv-jax`.

It is a script of its own: that environment has neither torch nor this package. It takes a file of
NumPy arrays (`images`, uint8 (N, 784); `labels`, int32 (N)) and a number of epochs, and prints the
seconds and the mean batch loss of each epoch as JSON. The first epoch includes its compilation.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import sys
import time
from collections.abc import Mapping

import jax
import numpy as np
from jax import Array, lax
from jax import numpy as jnp

BATCH, RATE, MOMENTUM = 64, 0.01, 0.9
SIZES = (784, 128, 10)
Weights = Mapping[str, Array]
State = tuple[Weights, Weights]
"""weights and momenta"""


def initial(key: Array) -> dict[str, Array]:
    """Return weights with the distribution of torch.nn.Linear: uniform within 1/√(fan in)."""
    weights = {}
    for number, (fan_in, fan_out) in enumerate(itertools.pairwise(SIZES), start=1):
        bound = 1 / math.sqrt(fan_in)
        key, *keys = jax.random.split(key, 3)
        for name, each, shape in (("w", keys[0], (fan_in, fan_out)), ("b", keys[1], (fan_out,))):
            weights[f"{name}{number}"] = jax.random.uniform(
                each, shape, minval=-bound, maxval=bound
            )
    return weights


def mean_loss(weights: Weights, images: Array, labels: Array) -> Array:
    """Return the mean cross-entropy of bytes (B, 784) with labels (B)."""
    x = images.astype(jnp.float32) / 127.5 - 1
    hidden = jax.nn.relu(x @ weights["w1"] + weights["b1"])
    log_shares = jax.nn.log_softmax(hidden @ weights["w2"] + weights["b2"])
    return -jnp.take_along_axis(log_shares, labels[:, None], axis=1).mean()


@functools.partial(jax.jit, donate_argnums=(0, 1))
def epoch(
    weights: Weights, momenta: Weights, key: Array, images: Array, labels: Array
) -> tuple[Weights, Weights, Array]:
    """Train one epoch, its shuffle included; return weights, momenta and the mean batch loss."""

    def step(carried: State, chosen: Array) -> tuple[State, Array]:
        weights, momenta = carried
        loss, gradients = jax.value_and_grad(mean_loss)(weights, images[chosen], labels[chosen])
        momenta = jax.tree.map(lambda m, g: MOMENTUM * m + g, momenta, gradients)
        weights = jax.tree.map(lambda w, m: w - RATE * m, weights, momenta)
        return (weights, momenta), loss

    order = jax.random.permutation(key, len(labels))
    whole = len(labels) // BATCH * BATCH
    carried, losses = lax.scan(step, (weights, momenta), order[:whole].reshape(-1, BATCH))
    total, count = losses.sum(), len(losses)
    if whole < len(labels):  # a scan's steps have one shape, and the last batch is smaller
        carried, loss = step(carried, order[whole:])
        total, count = total + loss, count + 1
    return *carried, total / count


def main(file: str, epochs: str) -> None:
    """Train and print."""
    arrays = np.load(file)
    images, labels = jnp.asarray(arrays["images"]), jnp.asarray(arrays["labels"])
    key = jax.random.key(0)
    weights = initial(key)
    momenta = jax.tree.map(jnp.zeros_like, weights)
    seconds, losses = [], []
    for number in range(int(epochs)):
        began = time.perf_counter()
        weights, momenta, loss = epoch(
            weights, momenta, jax.random.fold_in(key, number), images, labels
        )
        losses.append(float(loss))  # waits for the epoch's end
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"seconds": seconds, "losses": losses, "jax": jax.__version__}))


if __name__ == "__main__":
    main(*sys.argv[1:])
