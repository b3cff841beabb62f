"""Demo: the time from a movement of the pen to the painted answer, in Chromium on this machine."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.report import as_command, report, spread
from benchmarks.strokes import moved, strokes_of

DIGITS = range(10)
MOVES = 20  # of the pen for each stroke
SWEEP = "outputs/sweep"
SEEDS = 5
CASES = (("one run", f"{SWEEP}/0"), (f"{SEEDS} runs together", SWEEP))
TRAIN = ("-m", "hydra/launcher=vectorized", "tracking=none", f"hydra.sweep.dir={SWEEP}")
# A container's user may be root, for whom Chromium has no sandbox.
SANDBOX = [] if os.getuid() else ["--no-sandbox"]
# An answer counts for all movements up to the state that it is about. A task after the frame's
# callback begins when the frame is painted.
TIMED = """
const open = [];
window.taken = [];
addEventListener("pointermove", (event) => {
    const state = Number(document.getElementById("page").dataset.drawn);
    if (event.buttons) open.push([state, event.timeStamp]);
});
document.addEventListener("DOMContentLoaded", () => {
    const page = document.getElementById("page");
    new MutationObserver(() => {
        const answered = Number(page.dataset.answered);
        requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel();
            port2.onmessage = () => {
                while (open.length && open[0][0] <= answered)
                    window.taken.push(performance.now() - open.shift()[1]);
            };
            port1.postMessage(0);
        });
    }).observe(page, { attributeFilter: ["data-answered"] });
});
"""
IS_ANSWERED = "() => { const { drawn, answered } = page.dataset; return drawn === answered; }"


@contextmanager
def served(folder: Path, reference: str) -> Iterator[str]:
    """Serve the page of a run or a sweep; yield its address."""
    program = Path(sys.executable).parent / "experiments"
    process = subprocess.Popen(
        [program, "demo", reference, "--no-browser", "--port=0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    (address,) = re.findall(r"http://\S+", process.stdout.readline())
    try:
        yield address
    finally:
        process.terminate()
        process.wait()


def draw(page: Page, digit: int, chance: np.random.Generator) -> None:
    """Draw a digit with the mouse, after an empty board, and wait for the answer to all of it."""
    page.keyboard.press("Escape")
    box = page.locator("#board").bounding_box()
    assert box is not None
    for stroke in moved(strokes_of(digit, chance), chance):
        places = np.linspace(0, len(stroke) - 1, MOVES).round().astype(int)
        points = stroke[places] * box["width"] + [box["x"], box["y"]]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()
    page.wait_for_function(IS_ANSWERED)


def times(page: Page) -> Sequence[float]:
    """Return the milliseconds of all movements while each digit is drawn once."""
    chance = np.random.default_rng(0)
    draw(page, 0, chance)  # compiles the page's script
    page.evaluate("window.taken.length = 0")
    for digit in DIGITS:
        draw(page, digit, chance)
    found: Sequence[float] = page.evaluate("window.taken")
    return found


def main() -> None:
    """Measure and report."""
    program = Path(__file__).parent.parent / "train.py"
    seeds = f"seed={','.join(map(str, range(SEEDS)))}"
    rows = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        subprocess.run([sys.executable, program, *TRAIN, seeds], cwd=folder, check=True)
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=SANDBOX
        )
        for name, reference in CASES:
            with served(Path(folder), reference) as address:
                page = chromium.new_page()
                page.add_init_script(TIMED)
                page.goto(address)
                found = times(page)
                page.close()
            late = f"{statistics.quantiles(found, n=20)[-1]:.1f} ms"
            rows.append((name, f"{spread(found, '{:.1f}')} ms", late))
        chromium.close()
    header = ("models that answer", "from a movement to the painted answer", "95 % are faster than")
    report("demo", "Answers of the demo while ten digits are drawn", header, rows)


if __name__ == "__main__":
    as_command(main, __doc__)
