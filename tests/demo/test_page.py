"""The page in a real browser: drawn on by mouse, finger and keyboard, and what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from benchmarks.demo import IS_ANSWERED, draw
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from experiments.demo.recogniser import SIDE
from experiments.inference.pictures import read_pictures
from experiments.inference.predict import predict
from experiments.inference.trained import Trained

NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A phone in light colours."""
    size = {"width": 360, "height": 740}
    made = chromium.new_context(viewport=size, has_touch=True, color_scheme="light")
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, address: str) -> Iterator[Page]:
    """The page, which says nothing in the console and asks only its own server."""
    page, told, asked = context.new_page(), [], []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    yield page
    assert told == []
    assert set(asked) <= {f"{address}/", f"{address}/answer", "data:,"}
    assert f"{address}/" in asked


def answered(page: Page) -> str:
    page.wait_for_function(IS_ANSWERED)
    return page.locator("#said").inner_text()


def shares(page: Page) -> list[float]:
    """Return the probability of each class, in percent, as a screen reader gets it."""
    meters = page.get_by_role("meter").all()
    return [float(each.get_attribute("aria-valuenow") or "nan") for each in meters]


def ink(page: Page) -> np.ndarray:
    """Return the drawing as the page sends it."""
    script = f"[...pencil.getImageData(0, 0, {SIDE}, {SIDE}).data]"
    return np.array(page.evaluate(script), np.uint8).reshape(SIDE, SIDE, 4)[:, :, 0]


def pixels(page: Page, part: str) -> np.ndarray:
    """Return a part of the page as it is painted, uint8 (H, W, 3)."""
    return np.asarray(Image.open(BytesIO(page.locator(part).screenshot())).convert("RGB"))


def test_a_digit_drawn_with_the_mouse_gets_the_answer_of_predict(
    page: Page, trained: Trained, tmp_path: Path
) -> None:
    draw(page, 0, np.random.default_rng(0))
    said = answered(page)
    Image.fromarray(ink(page)).save(tmp_path / "drawn.png")
    pictures = read_pictures([tmp_path / "drawn.png"], trained.shape)
    (expected,) = predict([trained], pictures).all
    assert shares(page) == pytest.approx([100 * each for each in expected.probabilities], abs=0.06)
    assert said == f"{expected.name}, {100 * max(expected.probabilities):.1f} %"
    assert expected.label == 0
    # The answer is told to a screen reader once the pen rests.
    page.get_by_role("status").filter(has_text=said).wait_for(state="attached")


def test_the_keyboard_draws_what_the_mouse_draws(page: Page) -> None:
    page.locator("#board").focus()
    page.keyboard.press(" ")
    for _ in range(7):
        page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    page.keyboard.press("ArrowRight")  # the pen is up
    said, by_keyboard = answered(page), ink(page)
    assert by_keyboard[SIDE * 5 // 8, SIDE // 2] == 255
    assert by_keyboard[:, : SIDE * 3 // 8].max() == by_keyboard[:, SIDE * 5 // 8 :].max() == 0

    page.keyboard.press("Delete")
    assert (answered(page), max(shares(page))) == ("Draw.", 0)

    box = page.locator("#board").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + box["height"] / 4)
    page.mouse.up()
    assert answered(page) == said
    assert np.abs(ink(page).astype(int) - by_keyboard).mean() < 1


def test_a_finger_draws_and_undo_the_eraser_and_clear_take_back(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    board = page.locator("#board")
    board.tap()
    said, dot = answered(page), ink(page)
    assert dot.any()
    board.tap(position={"x": 60, "y": 60})
    page.keyboard.press("Control+z")
    assert answered(page) == said
    assert (ink(page) == dot).all()
    page.get_by_role("button", name="Eraser").tap()
    board.tap()
    assert answered(page) == "Draw."
    page.get_by_role("button", name="Clear").tap()
    page.get_by_role("button", name="Eraser").tap()
    board.tap()
    assert answered(page) == said


def test_the_page_is_light_or_dark_as_the_system_is(page: Page) -> None:
    draw(page, 0, np.random.default_rng(0))

    def looks() -> tuple[np.ndarray, bytes]:
        return pixels(page, "#board")[5, 5], page.screenshot()

    light, light_page = looks()
    page.emulate_media(color_scheme="dark")
    page.evaluate(NEXT_FRAME)
    dark, dark_page = looks()
    assert light.min() > 200 > 60 > dark.max()
    assert light_page != dark_page


def test_the_attribution_colours_the_image_that_the_model_sees(page: Page) -> None:
    draw(page, 0, np.random.default_rng(0))

    def colours() -> np.ndarray:
        page.evaluate(NEXT_FRAME)
        return pixels(page, "#image")[2:-2, 2:-2].reshape(-1, 3)  # without the frame

    def is_grey(values: np.ndarray) -> bool:
        return bool((values == values[:, :1]).all())

    with_attribution = colours()
    assert not is_grey(with_attribution)
    page.get_by_label("Attribution").uncheck()
    assert is_grey(colours())
    assert colours().any()
