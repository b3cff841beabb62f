"""Classes have the names of their data set, or the numbers of their labels."""

import sys
from types import SimpleNamespace

import pytest

from experiments.inference.class_names import class_names


def test_shipped_names_are_in_the_order_of_the_labels() -> None:
    assert class_names("experiments.data.FashionMNIST", 10)[9] == "Ankle boot"
    assert class_names("experiments.data.KMNIST", 10)[0] == "お"
    assert class_names("experiments.data.MNIST", 3) == ["0", "1", "2"]


def test_a_user_s_data_set_may_name_its_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    pets = SimpleNamespace(Pets=SimpleNamespace(classes=["cat", "dog"]))
    monkeypatch.setitem(sys.modules, "pets", pets)
    assert class_names("pets.Pets", 3) == ["cat", "dog", "2"]
    assert class_names("pets.Unknown", 1) == ["0"]
