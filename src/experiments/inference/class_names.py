"""The names of the classes of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from torch.utils.data import Dataset

from experiments.data.datasets import IdxImages, shipped
from experiments.errors import InputError
from experiments.target_classes import resolve

# In the order of the labels, as the authors of each data set give them.
_NAMES = {
    "FashionMNIST": (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    "KMNIST": tuple("おきすつなはまやれを"),
}


def class_names(target: str, classes: int) -> Sequence[str]:
    """Return a name for each class: the data set's own, or the number of the label.

    Args:
        target: the `_target_` of the data set; a class of the user's may have an attribute
            `classes`, a sequence of texts, as torchvision's data sets have.
        classes: the number of classes, which may be larger than the number of names.
    """
    known = shipped(target)
    if known is not None:
        names: Sequence[str] = _NAMES.get(known.__name__, ())
    else:
        names = _own_names(target)
    counts = Counter(names)
    unique = [name if counts[name] == 1 else f"{name} ({at})" for at, name in enumerate(names)]
    return [*unique[:classes], *(str(label) for label in range(len(names), classes))]


def _own_names(target: str) -> Sequence[str]:
    try:
        found = getattr(resolve("data", target, Dataset, IdxImages), "classes", ())
    except InputError:
        return ()  # the code of the data is gone, and the model answers without it
    return [str(each) for each in found] if isinstance(found, list | tuple) else ()
