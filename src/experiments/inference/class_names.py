"""The names of the classes of a data set."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from experiments.data.datasets import shipped

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
        target: the `_target_` of the data set; a class of the user's that is imported may have an
            attribute `classes`, a sequence of texts, as torchvision's data sets have.
        classes: the number of classes, which may be larger than the number of names.
    """
    known = shipped(target)
    if known is not None:
        names: Sequence[str] = _NAMES.get(known.__name__, ())
    else:
        module, _, name = target.rpartition(".")
        found = getattr(getattr(sys.modules.get(module), name, None), "classes", ())
        names = [str(each) for each in found] if isinstance(found, list | tuple) else ()
    return [*names[:classes], *(str(label) for label in range(len(names), classes))]
