"""A run is found by the beginning of one of its ids, if only one run has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.catalog import find as module
from experiments.catalog.listing import Listing
from experiments.errors import InputError
from tests.catalog.made_up import summary


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> Path:
    runs = [summary(number) for number in (1, 2, 17)]
    monkeypatch.setattr(module, "listing", lambda folder: Listing(folder, runs, []))
    return Path("outputs")


@pytest.mark.parametrize("reference", ["0001", "0001b", "0001c", "0011aaa", "0011AAA"])
def test_each_kind_of_id_counts(outputs: Path, reference: str) -> None:
    assert module.find(reference, outputs).id[:4] == reference[:4]


def test_an_ambiguous_beginning_lists_the_runs(outputs: Path) -> None:
    with pytest.raises(InputError) as caught:
        module.find("000", outputs)
    assert str(caught.value) == (
        "000: is the beginning of 2 ids: 0001aaaa (lr=1, outputs/1), 0002aaaa (lr=2, outputs/2); "
        "give more characters, or the folder"
    )


def test_a_sweep_is_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [summary(1, is_sweep=True)]
    monkeypatch.setattr(module, "listing", lambda folder: Listing(folder, runs, []))
    assert module.find("0001", Path()).is_sweep
    with pytest.raises(InputError, match="0001: is a sweep; name one of its runs"):
        module.find_run("0001", Path())
