"""The report of a run answers the test images again, and tells why if it cannot."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.errors import InputError
from experiments.inference.trained import load_trained
from experiments.report.mistakes import Answers, answers_of
from experiments.report.run_report import run_report
from experiments.report.sweep_report import sweep_report
from tests.report.conftest import Sweeps, found
from tests.report.test_sweep_report import text_of

pytestmark = pytest.mark.xdist_group("sweeps")


def answers(folder: Path) -> Answers:
    return answers_of(folder)


def test_the_answers_are_those_of_the_run(sweeps: Sweeps, digits) -> None:
    for number in "07":
        run = found(sweeps.good / number)
        given = answers(run.folder)
        assert given.total == len(digits.test)
        assert given.correct / given.total == run.metrics["test_accuracy"]
        counts = [int((digits.test.labels == truth).sum()) for truth in range(10)]
        assert [sum(row) for row in given.counts] == counts


def test_the_worst_mistakes_are_the_most_confident_and_their_images_exact(
    sweeps: Sweeps, digits
) -> None:
    given = answers(sweeps.good / "0")
    confidences = [each.confidence for each in given.worst]
    assert confidences == sorted(confidences, reverse=True)
    assert len(given.worst) == min(24, given.total - given.correct)
    for each in given.worst:
        assert each.answer != each.truth == int(digits.test.labels[each.number])
        content = base64.b64decode(each.image.removeprefix("data:image/png;base64,"))
        pixels = np.asarray(Image.open(io.BytesIO(content)))
        assert np.array_equal(pixels, digits.test.images[each.number].numpy())


def test_a_finished_run_has_all_sections(sweeps: Sweeps) -> None:
    run = found(sweeps.good / "0")
    page = run_report(run)
    text = text_of(page)
    given = answers(run.folder)
    assert f"{given.correct} of {given.total} answers are right" in text
    assert f"test accuracy {100 * run.metrics['test_accuracy']:.2f} %" in text
    assert page.count('<img src="data:image/png') == len(given.worst)
    assert re.findall(r"<h2>([^<]+)", page.partition("</main>")[0]) == [
        *("Result", "Curves", "Test images", "Configuration", "Origin", "Time", "Files", "Repeat")
    ]
    for known in (run.identity, run.tags["data_sha256"], run.tags["weights_sha256"]):
        assert known in text
    assert "optimizer.lr=0.001" in text.partition("Repeat")[2]


@pytest.mark.parametrize(
    ("harm", "said"),
    {
        "deleted weights": (lambda f: (f / "weights.safetensors").unlink(), "there is no such"),
        "damaged weights": (lambda f: (f / "weights.safetensors").write_bytes(b"?"), "is damaged"),
        "deleted configuration": (lambda f: (f / "config.yaml").unlink(), "config.yaml"),
    }.values(),
)
def test_without_its_files_a_run_has_a_report_that_tells_why(sweeps: Sweeps, harm, said) -> None:
    folder = sweeps.good / "0"
    harm(folder)
    text = text_of(run_report(found(folder)))
    reason = text.partition("The answers to the test images cannot be shown:")[2]
    assert said in reason.partition("Configuration")[0]


def test_files_that_cannot_be_read_are_told(sweeps: Sweeps) -> None:
    folder = sweeps.bad / "1"  # it failed, so that its report shows its log
    for name in ("config.yaml", "train.log"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()  # an error for root as well
    text = text_of(run_report(found(folder)))
    for name in ("config.yaml", "train.log"):
        assert f"{name}: cannot be read (Is a directory)" in text


@pytest.mark.parametrize("content", ["", "[]", "{}", "\xff", "null"])
def test_a_damaged_environment_is_told(sweeps: Sweeps, content: str) -> None:
    for number in ("0", "1"):
        (sweeps.bad / number / "environment.json").write_text(content, encoding="latin-1")
    told = "machine unknown: environment.json is damaged"
    assert told in text_of(run_report(found(sweeps.bad / "1")))
    assert told in text_of(sweep_report(found(sweeps.bad)))


def test_other_data_is_refused(sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch) -> None:
    other = dataclasses.replace(load_trained(sweeps.good / "0"), data_sha256="0" * 64)
    monkeypatch.setattr("experiments.inference.trained.load_trained", lambda _: other)
    with pytest.raises(InputError, match="the data there is not the data of the run"):
        answers_of(sweeps.good / "0")


def test_data_is_not_fetched(sweeps: Sweeps) -> None:
    config = sweeps.good / "0" / "config.yaml"
    config.write_text(re.sub(r"root: .*", "root: elsewhere", config.read_text()))
    with pytest.raises(InputError, match=r"data\.root=elsewhere: .* only training fetches them"):
        answers(sweeps.good / "0")


def test_code_that_answers_otherwise_is_told(sweeps: Sweeps) -> None:
    own = (sweeps.folder / "own.py").read_text()
    (sweeps.folder / "own.py").write_text(own + OTHERWISE)
    config = sweeps.bad / "0" / "config.yaml"
    config.write_text(config.read_text().replace("own.Fragile", "own.Otherwise"))
    text = text_of(run_report(found(sweeps.bad / "0")))
    assert "The model now has a test accuracy of" in text


OTHERWISE = """
class Otherwise(Fragile):
    def forward(self, x):
        return -super().forward(x)
"""


def test_runs_without_a_result_have_a_report(sweeps: Sweeps) -> None:
    diverged = text_of(run_report(found(sweeps.bad / "1")))
    assert "This run diverged, so it has no result and keeps no weights." in diverged
    assert "train_loss is NaN or infinite in one epoch, first in epoch 1." in diverged
    dead = text_of(run_report(found(sweeps.bad / "2")))
    assert "This run ended without a result; its command resumes it." in dead
    assert "ArithmeticError: in the middle of training" in dead
    assert "Last lines of the log" in dead
    assert "Traceback (most recent call last)" in dead
    assert html.escape("<h2>Test images") not in dead
