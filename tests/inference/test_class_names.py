"""Classes have the names of their data set, or the numbers of their labels."""

from pathlib import Path

import pytest

from experiments.inference.class_names import class_names


def test_shipped_names_are_in_the_order_of_the_labels() -> None:
    assert class_names("experiments.data.FashionMNIST", 10)[9] == "Ankle boot"
    assert class_names("experiments.data.KMNIST", 10)[0] == "お"
    assert class_names("experiments.data.MNIST", 3) == ["0", "1", "2"]


def test_a_user_s_data_set_may_name_its_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pets.py").write_text(
        "from torch.utils.data import Dataset\n"
        "class Pets(Dataset):\n    classes = ['cat', 'dog']\n"
        "class Twins(Dataset):\n    classes = ['cat', 'dog', 'cat']\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert class_names("pets.Pets", 3) == ["cat", "dog", "2"]
    assert class_names("pets.Twins", 3) == ["cat (0)", "dog", "cat (2)"]
    assert class_names("pets.Unknown", 1) == ["0"]
