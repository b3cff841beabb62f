"""A real Jupyter kernel trains, is interrupted, resumes, and gets the model back."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.api.conftest import COMMON
from tests.conftest import clean_environment
from tests.programs import holding, wait_until

CELLS = (
    COMMON + 'Path("pid").write_text(str(os.getpid()))\n'
    'overrides = [*OFFLINE, "trainer.epochs=3", "model._target_=own.Dropping"]',
    "trained = train(overrides)",
    'Path("hold/hold").unlink()\nresumed = train(overrides)\nagain = train(overrides)',
    "print(json.dumps([str(resumed.folder), again == resumed, type(resumed.load()).__name__, "
    "str(signal.getsignal(signal.SIGINT)), len(logging.root.handlers)]))",
    "from experiments.models import SimpleNet\n"
    "class Mine(SimpleNet):\n    pass\n"
    'train([*OFFLINE, "model._target_=__main__.Mine"])',
    'train([*OFFLINE, "optimizer.lr=-1"])',
)


@pytest.fixture(scope="module")
def cells(place: Path, root: str) -> list[nbformat.NotebookNode]:
    """Return the cells of the notebook, executed in a folder below the project's."""
    folder = place / "project" / "notebooks"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": str(folder)}},
    )

    def interrupt() -> None:
        wait_until(lambda: [*folder.glob("outputs/*/*/checkpoints/*.safetensors")], 300)
        os.kill(int((folder / "pid").read_text()), signal.SIGINT)

    interrupting = threading.Thread(target=interrupt, daemon=True)
    interrupting.start()
    environment = {"ROOT": root} | holding(folder / "hold", after=30)
    client.execute(env=clean_environment() | environment)
    interrupting.join()
    return list(notebook.cells)


def text_of(cell: nbformat.NotebookNode) -> str:
    return "".join(each.text for each in cell.outputs if each.output_type == "stream")


def error_of(cell: nbformat.NotebookNode) -> tuple[str, str]:
    (error,) = (each for each in cell.outputs if each.output_type == "error")
    return error.ename, error.evalue


def test_the_kernel_is_interrupted_and_the_same_cell_resumes_its_run(cells) -> None:
    assert cells[0].outputs == []
    assert error_of(cells[1])[0] == "KeyboardInterrupt"
    assert "Stopped; the checkpoint is in outputs/" in text_of(cells[1])
    assert "Resuming at epoch " in text_of(cells[2])
    assert "Finished before: test accuracy" in text_of(cells[2])
    (told,) = (json.loads(line) for line in text_of(cells[3]).splitlines())
    folder, *others = told
    assert Path(folder).name in text_of(cells[1])
    assert others[:2] == [True, "Dropping"]
    assert "_postpone" not in others[2]


def test_a_mistake_in_a_notebook_is_one_line(cells) -> None:
    name, line = error_of(cells[5])
    assert name == "InputError"
    assert line.startswith("optimizer.lr=-1: it should be greater than 0")
    (error,) = cells[5].outputs
    assert "hydra" not in "".join(error.traceback)


def test_a_class_of_the_notebook_itself_is_refused(cells) -> None:
    name, line = error_of(cells[4])
    assert name == "InputError"
    assert line.startswith("model._target_=__main__.Mine: __main__ is no module with a file")
    assert line.endswith("move the class into a module beside train.py and write module.Class")
