"""The files of an explanation hold its numbers, and the page is quiet in a browser."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser

from experiments import journal
from experiments.errors import InputError
from experiments.explaining import drawing, explanation
from experiments.explaining.explanation import Explanation, explain
from experiments.explaining.page import completeness, files_of, summary
from experiments.inference.data import examples_of
from experiments.inference.pictures import Picture
from experiments.inference.trained import Trained
from tests.report.test_page import opened
from tests.report.test_sweep_report import text_of

pytestmark = pytest.mark.xdist_group("inference")


@pytest.fixture(scope="module")
def explained(members: Sequence[Trained]) -> Explanation:
    return explain(members[0], [])


@pytest.fixture(scope="module")
def files(explained: Explanation) -> dict[str, bytes]:
    return files_of(explained)


def test_an_image_of_each_class_and_the_worst_mistakes_are_attributed(
    explained: Explanation, members: Sequence[Trained]
) -> None:
    images, labels = examples_of(members[0])
    answers = members[0].logits(images).argmax(1)
    right = [each for each in explained.attributed if not each.is_mistake]
    assert [each.truth for each in right] == torch.unique(labels[answers == labels]).tolist()
    wrong = explained.attributed[len(right) :]
    assert [each.origin for each in wrong] == [
        f"no. {each.number}" for each in explained.answers.worst[:6]
    ]
    for each in explained.attributed:
        place = int(each.origin.removeprefix("no. "))
        assert torch.equal(each.image, images[place])
        assert (each.truth, each.answer) == (int(labels[place]), int(answers[place]))


def test_the_files_are_a_page_figures_and_a_summary(
    explained: Explanation, files: dict[str, bytes]
) -> None:
    figures = {name for name, content in files.items() if content.startswith(b"\x89PNG")}
    names = ("attributions", "confidences", "confusion", "first_layer", "reliability")
    assert figures == {f"{name}.png" for name in names}
    assert files.keys() - figures == {"index.html", "summary.json"}
    told = json.loads(files["summary.json"])
    assert told == summary(explained)
    recorded = journal.history(explained.trained.folder).metrics["test_accuracy"]
    assert told["accuracy"] == told["recorded_accuracy"] == pytest.approx(recorded)
    assert sum(each["support"] for each in told["classes"]) == told["images"] == 297
    errors = [each["completeness_error"] for each in told["attributions"]["images"]]
    assert max(errors) <= told["attributions"]["tolerance"]


def test_the_page_has_all_sections(explained: Explanation, files: dict[str, bytes]) -> None:
    page = files["index.html"].decode()
    assert re.findall(r"<h2>([^<]+)", page.partition("</main>")[0]) == [
        *("Classes", "Calibration", "Attributions", "The most confident mistakes", "First layer")
    ]
    text = text_of(page)
    assert completeness(explained.attributed) in text
    assert f"expected calibration error {100 * explained.calibration.ece:.2f} %" in text
    pictures = 4 * len(explained.attributed) + len(explained.answers.worst) + 1
    assert page.count('<img src="data:image/png') + page.count('<img class="weights"') == pictures


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_the_page_is_quiet_and_fits(
    files: dict[str, bytes], chromium: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    facts = opened(chromium, files["index.html"].decode(), tmp_path, width, scheme)
    assert facts["charts"] == 3
    assert (facts["dark"] < 128) == (scheme == "dark")


def test_pictures_are_attributed_in_place_of_test_images(
    members: Sequence[Trained], digits
) -> None:
    pixels = digits.test.images[0].numpy()
    pictures = [Picture("no. 5.png", pixels), Picture("dark.png", 255 - pixels, label=3)]
    found = explain(members[0], pictures)
    light, dark = found.attributed
    assert (light.origin, light.truth, light.is_inverted) == ("no. 5.png", None, False)
    assert (dark.truth, dark.is_inverted) == (3, True)
    assert torch.equal(light.image, dark.image)
    assert light.answer == dark.answer
    text = text_of(files_of(found)["index.html"].decode())
    assert "no. 5.png" in text
    assert "Pictures" in text
    assert "Right answers" not in text
    assert [each["is_picture"] for each in summary(found)["attributions"]["images"]] == [True] * 2


def test_the_images_of_many_classes_are_limited(
    members: Sequence[Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explanation, "_MOST", 8)
    found = explain(members[0], []).attributed
    assert len(found) == 8
    assert sum(each.is_mistake for each in found) == 6


def test_names_that_the_font_lacks_become_numbers_in_the_figure(
    explained: Explanation, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = explained.attributed[0]
    attributed = [first, dataclasses.replace(first, origin="数.png", is_picture=True)]
    names = ["お"] * len(explained.names)
    found = dataclasses.replace(explained, names=names, attributed=attributed)
    written: list[str] = []

    def note(_: object, rows: Sequence[tuple[str, object]]) -> bytes:
        written.extend(text for text, _ in rows)
        return b""

    monkeypatch.setattr(drawing, "table", note)
    files_of(found)
    assert written == [f"{first.origin}: {first.answer}", f"picture 2: {first.answer}"]


def test_too_many_pictures_are_refused(members: Sequence[Trained]) -> None:
    many = [Picture("a.png", np.zeros((28, 28), np.uint8))] * 101
    with pytest.raises(InputError, match="101 pictures are too many for a page; name at most 100"):
        explain(members[0], many)


def test_a_model_that_answers_otherwise_is_told(explained: Explanation) -> None:
    assert explained.differs == ""
    other = dataclasses.replace(explained, recorded=0.125)
    assert "at the end of the run it had 12.50 %" in other.differs


def test_attributions_that_are_not_complete_are_told(explained: Explanation) -> None:
    first, *others = explained.attributed
    wrong = dataclasses.replace(first.attributions, error=0.02, steps=1024)
    told = completeness([dataclasses.replace(first, attributions=wrong), *others])
    total = len(explained.attributed)
    assert told.startswith(f"Integrated gradients are not complete for 1 of {total} images, even")


def test_heat_is_opaque_where_numbers_are_large() -> None:
    pixels = np.asarray(drawing.heat(torch.tensor([[-2.0, 1.0], [0.0, 0.5]])))
    assert pixels[:, :, 3].tolist() == [[255, 128], [0, 64]]
    assert pixels[0, 0, 0] > pixels[0, 0, 2]  # orange
    assert pixels[0, 1, 2] > pixels[0, 1, 0]  # blue
    assert not np.asarray(drawing.heat(torch.zeros(2, 2)))[:, :, 3].any()


def test_a_grid_holds_all_cells() -> None:
    cells = torch.arange(1, 8).float().view(7, 1, 1).expand(7, 3, 3)
    image = drawing.grid(cells)
    assert image.size == (4 * 5 - 2, 2 * 5 - 2)
    opacity = np.asarray(image)[:, :, 3]
    assert [int(opacity[0, 5 * place]) for place in range(4)] == [36, 73, 109, 146]
    png = Image.open(io.BytesIO(drawing.heat_png(cells[0])))
    assert (png.mode, png.size) == ("RGBA", (3, 3))
