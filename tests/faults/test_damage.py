"""An altered byte anywhere in a run's files is noticed, or does not change the result."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from experiments.errors import InputError
from experiments.journal import NAME, history
from tests.registry.test_integrity import config_of, execute, stopped

CHANGES, A_FEW = 300, 30


def result(outputs: Path, root: str) -> tuple[bytes, dict[str, float]]:
    """Return the weights and metrics that the command ends with, without times."""
    prepared = execute(config_of(outputs, root))
    folder = prepared.folder
    if prepared.finished:
        assert prepared.finished.folder is not None
        folder = prepared.finished.folder
    metrics = history(folder).metrics
    del metrics["epoch_seconds"]
    return (folder / "weights.safetensors").read_bytes(), metrics


def targets(outputs: Path) -> list[Path]:
    """Return the files of a run that later commands read."""
    names = (NAME, "weights.safetensors", "checkpoints/*.safetensors")
    found = [path for name in names for path in outputs.glob(f"*/{name}")]
    return sorted([*found, *(outputs / ".identities").glob("[0-9a-f]*")])


def altered(path: Path, drawn: random.Random) -> str:
    """Alter one byte of a file; return its place."""
    content = bytearray(path.read_bytes())
    # Half of the places are in the first bytes, in the header of a large file.
    place = drawn.randrange(drawn.choice([len(content), min(len(content), 2000)]))
    content[place] ^= drawn.randrange(1, 256)
    path.write_bytes(content)
    return f"{path}: byte {place}"


@pytest.mark.row("altered files")
@pytest.mark.parametrize("count", [A_FEW, pytest.param(CHANGES, marks=pytest.mark.faults)])
def test_every_single_byte_is_noticed_or_harmless(
    tmp_path: Path, root: str, record_property, count: int
) -> None:
    kept = [tmp_path / "finished", tmp_path / "halfway"]
    expected = result(kept[0], root)
    stopped(config_of(kept[1], root))
    drawn, seen = random.Random(count), Counter[str]()
    for number in range(count):
        outputs = tmp_path / str(number)
        shutil.copytree(kept[number % 2], outputs)
        where = altered(drawn.choice(targets(outputs)), drawn)
        try:
            found = result(outputs, root)
        except InputError:
            seen["noticed"] += 1
        else:
            assert found == expected, where
            seen["harmless"] += 1
        shutil.rmtree(outputs)
    assert seen.total() == count
    record_property(
        "figure",
        f"{count} single bytes of journals, checkpoints, weights and the index altered: "
        f"{seen['noticed']} refused in one line, {seen['harmless']} without effect on the result",
    )
