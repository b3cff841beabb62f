"""Evaluations give the run's own results when clean, and the mean of several runs' answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
import torch

from experiments import journal
from experiments.errors import InputError
from experiments.inference.ensemble import probabilities
from experiments.inference.trained import Trained
from experiments.robustness import evaluation, examples
from experiments.robustness.evaluation import evaluate
from experiments.robustness.examples import Examples, other_examples, own_examples
from experiments.tasks import Classification

pytestmark = pytest.mark.xdist_group("inference")


def test_clean_images_give_the_results_of_each_run(members: Sequence[Trained]) -> None:
    found = evaluate(members, own_examples(members[0]), names=[], severities=[], seed=0)
    for member, score in zip(members, found.clean.runs, strict=True):
        metrics = journal.history(member.folder).metrics
        assert score.accuracy == pytest.approx(metrics["test_accuracy"], abs=1e-12)
        assert score.loss == pytest.approx(metrics["test_loss"], rel=1e-5)
    assert found.notes == []
    assert found.mean_error is None


def test_one_run_is_its_own_ensemble(members: Sequence[Trained]) -> None:
    found = evaluate(members[:1], own_examples(members[0]), names=[], severities=[], seed=0)
    assert found.clean.all == found.clean.runs[0]
    assert found.clean.mean == found.clean.best == found.clean.all.accuracy


def test_several_runs_answer_by_the_mean_of_their_probabilities(
    members: Sequence[Trained],
) -> None:
    own = own_examples(members[0])
    mean = probabilities(members, own.images)
    clean = evaluate(members, own, names=[], severities=[], seed=0).clean
    assert clean.all.accuracy == pytest.approx((mean.argmax(1) == own.labels).float().mean().item())
    shares = mean.gather(1, own.labels.unsqueeze(1))
    assert clean.all.loss == pytest.approx(-shares.log().mean().item(), rel=1e-5)
    assert clean.mean == pytest.approx(sum(each.accuracy for each in clean.runs) / len(members))


def test_severity_0_is_the_clean_score_and_the_mean_error_that_of_all(
    members: Sequence[Trained],
) -> None:
    kinds = ("rotate", "gaussian_noise")
    own = own_examples(members[0])
    found = evaluate(members, own, names=kinds, severities=[0, 4], seed=0)
    for name in kinds:
        assert found.corrupted[name][0] == found.clean
        assert found.corrupted[name][4].all.accuracy < found.clean.all.accuracy
    errors = [1 - each.all.accuracy for name in kinds for each in found.corrupted[name].values()]
    assert found.mean_error == pytest.approx(sum(errors) / 4)


def test_a_run_that_answers_otherwise_is_told(
    members: Sequence[Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "recorded_accuracy", lambda _: 0.125)
    found = evaluate(members[:1], own_examples(members[0]), names=[], severities=[], seed=0)
    (note,) = found.notes
    assert "and at the end of the run it had 12.50 %" in note


def test_the_same_data_by_name_gives_the_same_scores(members: Sequence[Trained]) -> None:
    member = members[0]
    other = other_examples(member, member.settings["data"])
    assert (other.data, other.note, other.is_own) == ("Digits", "", False)
    found = evaluate([member], other, names=[], severities=[], seed=0)
    assert (
        found.clean
        == evaluate([member], own_examples(member), names=[], severities=[], seed=0).clean
    )
    assert found.recorded == [None]


def test_the_labels_of_other_data_are_those_of_the_task(members: Sequence[Trained]) -> None:
    class Parity(Classification):
        def targets(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            del images
            return labels % 2

    plain = other_examples(members[0], members[0].settings["data"])
    trained = dataclasses.replace(members[0], task=Parity())
    found = other_examples(trained, trained.settings["data"])
    assert torch.equal(found.labels, plain.labels % 2)
    assert torch.equal(own_examples(trained).labels, found.labels)


UNFIT = {
    "another shape": (torch.zeros(2, 3, 8, 8), torch.tensor([0, 1]), "images of 3 x 8 x 8"),
    "more classes": (torch.zeros(2, 28, 28), torch.tensor([0, 10]), "has 11 classes"),
    "numbers": (torch.zeros(2, 28, 28), torch.tensor([0.5, 1]), "numbers in place of classes"),
}


@pytest.mark.parametrize(("images", "labels", "said"), UNFIT.values(), ids=UNFIT)
def test_data_that_does_not_fit_is_refused(
    members: Sequence[Trained], monkeypatch: pytest.MonkeyPatch, images, labels, said: str
) -> None:
    test = SimpleNamespace(images=images.to(torch.uint8), labels=labels)
    monkeypatch.setattr(examples, "load_data", lambda *_, **__: SimpleNamespace(test=test))
    with pytest.raises(InputError, match=said):
        other_examples(members[0], {"_target_": "pets.Pets"})


def test_classes_of_other_names_are_told(
    members: Sequence[Trained], monkeypatch: pytest.MonkeyPatch, digits
) -> None:
    monkeypatch.setattr(examples, "load_data", lambda *_, **__: digits)
    found = other_examples(members[0], {"_target_": "experiments.data.KMNIST"})
    assert (
        found.note == "the classes of KMNIST have other names (お, …) than those of Digits (0, …)"
    )
    limited = dataclasses.replace(found, images=found.images[:5], labels=found.labels[:5])
    assert isinstance(limited, Examples)
    assert evaluate(members, limited, names=[], severities=[], seed=0).notes == [found.note]
