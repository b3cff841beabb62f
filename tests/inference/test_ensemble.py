"""Runs in use: a run alone gives the results of its test, and several give the mean."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from experiments import journal, load
from experiments.data.batches import normalise
from experiments.errors import InputError
from experiments.identity.sources import sources_of
from experiments.inference.code import edited_modules
from experiments.inference.data import data_of, examples_of
from experiments.inference.ensemble import load_members, probabilities
from experiments.inference.members import members_of
from experiments.inference.trained import Trained
from experiments.tasks import Classification, Regression

pytestmark = pytest.mark.xdist_group("inference")


def test_a_sweep_answers_by_the_seeds_of_its_best_setting(
    seeds_sweep: Path, members: Sequence[Trained]
) -> None:
    assert {member.seed for member in members} == {0, 1, 2}
    assert {member.settings["optimizer"]["lr"] for member in members} == {0.05}
    one = members_of(members[0].id, seeds_sweep / "outputs")
    assert [run.id for run in one] == [members[0].id]


def test_a_member_gives_the_results_of_its_run(members: Sequence[Trained]) -> None:
    member = members[0]
    test = data_of(member).test
    logits = member.logits(test.images)
    assert torch.equal(logits, load(member.folder)(normalise(test.images)))
    recorded = journal.history(member.folder).metrics["test_accuracy"]
    assert (logits.argmax(1) == test.labels).float().mean().item() == pytest.approx(recorded)


def test_the_ensemble_is_the_mean_of_probabilities(members: Sequence[Trained]) -> None:
    images = data_of(members[0]).test.images
    each = [member.logits(images).softmax(1) for member in members]
    assert torch.allclose(probabilities(members, images), sum(each) / 3)
    assert probabilities(members, images).sum(1).allclose(torch.ones(len(images)))


def test_an_unfinished_sweep_has_no_members(seeds_sweep: Path, tmp_path: Path) -> None:
    sweep = tmp_path / "outputs" / "sweep"
    sweep.mkdir(parents=True)
    text = (seeds_sweep / "outputs" / "sweep" / journal.NAME).read_text()
    (sweep / journal.NAME).write_text(text)
    with pytest.raises(InputError, match=r"none of the sweep's 0 jobs is finished"):
        members_of(str(sweep), tmp_path / "outputs")


def test_runs_on_different_data_are_refused(
    members: Sequence[Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = dataclasses.replace(members[1], data_sha256="0" * 64)
    both = iter([members[0], other])
    monkeypatch.setattr("experiments.inference.ensemble.load_trained", lambda _: next(both))
    with pytest.raises(InputError, match="were trained on different data"):
        load_members([members[0].folder, members[1].folder])


def test_another_task_has_no_classes(members: Sequence[Trained]) -> None:
    regression = dataclasses.replace(members[0], task=Regression())
    with pytest.raises(InputError, match="name a run with task=classification"):
        regression.probabilities(torch.zeros(1, 28, 28, dtype=torch.uint8))


class Parity(Classification):
    def targets(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return labels % 2


def test_the_examples_have_the_targets_of_the_task(members: Sequence[Trained]) -> None:
    images, classes = examples_of(members[0])
    same, parities = examples_of(dataclasses.replace(members[0], task=Parity()))
    assert torch.equal(images, same)
    assert torch.equal(parities, classes % 2)


def test_an_edited_module_of_the_model_is_known(
    members: Sequence[Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_net.py").write_text("from experiments.models import SimpleNet as Net\n")
    monkeypatch.syspath_prepend(tmp_path)
    source = sources_of("own_net.Net")
    (tmp_path / "identity.json").write_text(json.dumps({"source": source}))
    assert edited_modules(tmp_path, "own_net.Net") == []
    (tmp_path / "own_net.py").write_text("from experiments.models import ConvNet as Net\n")
    importlib.invalidate_caches()
    assert edited_modules(tmp_path, "own_net.Net") == ["own_net"]
    assert members[0].edited == []


def test_data_that_is_not_here_is_told(members: Sequence[Trained]) -> None:
    settings = json.loads(json.dumps(members[0].settings))
    settings["data"]["root"] = "elsewhere"
    with pytest.raises(InputError, match=r"data\.root=elsewhere: .*only training fetches them"):
        data_of(dataclasses.replace(members[0], settings=settings))
