"""The journal, checkpoints and weights of a run must belong together."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.config import RunConfig
from experiments.errors import InputError
from experiments.journal import NAME, history
from experiments.process.signals import Interrupted
from experiments.registry.identities import claimed, look_up
from experiments.run.prepare import Prepared, prepare
from experiments.run.train_and_test import tidy, train_and_test
from experiments.tracking import recording
from tests.run.test_lifecycle import configuration, interrupting

SHORT = ("trainer.epochs=2", "trainer.limit_batches=3", "model.hidden=[4]")


def config_of(outputs: Path, root: str, *overrides: str) -> RunConfig:
    return configuration(root, f"outputs={outputs}", *SHORT, *overrides)


def execute(config: RunConfig, check: Callable[[], None] = lambda: None) -> Prepared:
    """Prepare and train a run as the program does; a finished run is not trained."""
    prepared = prepare(config, f"{config.outputs}/{config.seed}")
    if prepared.finished:
        return prepared
    prepared.folder.mkdir(parents=True, exist_ok=True)
    outputs = Path(config.outputs)
    with claimed(outputs, prepared.identity, prepared.folder, earlier=prepared.here) as journal:
        past = history(prepared.folder)
        with recording(
            journal=journal,
            past=past,
            uri=None,
            identity=prepared.identity,
            experiment="e",
            name="n",
            params={},
            tags={},
            dataset=None,
            given={},
        ) as recorder:
            result = train_and_test(
                config=config,
                parts=prepared.parts,
                identity=prepared.identity,
                overrides=(),
                recorder=recorder,
                folder=prepared.folder,
                check=check,
            )
        tidy(prepared.folder, result)
    return prepared


def stopped(config: RunConfig, batch: int = 5) -> Path:
    with pytest.raises(Interrupted):
        execute(config, interrupting(batch))
    return Path(config.outputs) / str(config.seed)


def exchanged(one: Path, other: Path) -> None:
    between = one.with_name("between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


def test_exchanged_checkpoints_are_refused(tmp_path: Path, root: str) -> None:
    configs = [config_of(tmp_path, root, f"seed={seed}") for seed in (1, 2)]
    folders = [stopped(config) for config in configs]
    exchanged(*(folder / "checkpoints" for folder in folders))
    for config in configs:
        with pytest.raises(InputError, match=r"safetensors: is of another run; restore .* force="):
            execute(config)
    exchanged(*(folder / "checkpoints" for folder in folders))
    for config in configs:
        execute(config)


def test_exchanged_journals_are_refused(tmp_path: Path, root: str) -> None:
    configs = [config_of(tmp_path, root, f"seed={seed}") for seed in (1, 2)]
    folders = [stopped(config) for config in configs]
    exchanged(*(folder / NAME for folder in folders))
    for config in configs:
        with pytest.raises(InputError, match=r"journal.jsonl: is of another run than .*; restore"):
            prepare(config, str(tmp_path / "new"))


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def half_a_line(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


@pytest.mark.parametrize("lose", [emptied, half_a_line, Path.unlink])
@pytest.mark.parametrize("is_finished", [True, False])
def test_a_journal_lost_beside_what_was_saved_is_refused(
    tmp_path: Path, root: str, lose: Callable[[Path], None], is_finished: bool
) -> None:
    config = config_of(tmp_path, root)
    folder = execute(config).folder if is_finished else stopped(config)
    content = (folder / NAME).read_bytes()
    lose(folder / NAME)
    kept = "weights.safetensors" if is_finished else "checkpoints"
    with pytest.raises(InputError, match=rf"{NAME}: is (empty|missing), and {kept} lies beside it"):
        execute(config)
    (folder / NAME).write_bytes(content)
    assert execute(config).finished if is_finished else execute(config)


def shortened(folder: Path, _other: Path) -> None:
    first, *_ = (folder / NAME).read_bytes().splitlines(keepends=True)
    (folder / NAME).write_bytes(first)


def replaced(folder: Path, other: Path) -> None:
    shutil.copy(other / NAME, folder / NAME)


@pytest.mark.parametrize("lose", [shortened, replaced])
def test_a_journal_that_does_not_lead_to_the_checkpoint_is_refused(
    tmp_path: Path, root: str, lose: Callable[[Path, Path], None]
) -> None:
    config = config_of(tmp_path, root)
    folder = stopped(config)
    lose(folder, stopped(config_of(tmp_path / "same", root)))
    with pytest.raises(InputError, match=r"is not the journal that the last checkpoint .* force="):
        execute(config)
    forced = config.model_copy(update={"force": True})
    prepared = prepare(forced, str(tmp_path / "anew"))
    assert prepared.folder == tmp_path / "anew"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\0"), "is damaged"),
        (emptied, "is damaged"),
        (Path.unlink, "cannot be read"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
    ],
)
def test_weights_that_are_not_the_ones_kept_are_no_result(
    tmp_path: Path, root: str, damage: Callable[[Path], object], said: str
) -> None:
    config = config_of(tmp_path, root)
    folder = execute(config).folder
    assert execute(config).finished
    damage(folder / "weights.safetensors")
    with pytest.raises(InputError, match=rf"weights.safetensors: {said}.*; restore .* force=true"):
        execute(config)
    forced = prepare(config.model_copy(update={"force": True}), str(tmp_path / "new"))
    assert forced.folder == tmp_path / "new"


def test_a_journal_stripped_of_its_checksums_is_no_result(tmp_path: Path, root: str) -> None:
    config = config_of(tmp_path, root)
    path = execute(config).folder / NAME
    tail = b', "checksum": "'
    lines = [line.partition(tail)[0] + b"}" for line in path.read_bytes().splitlines()]
    path.write_bytes(b"\n".join([*lines, b""]))
    with pytest.raises(InputError, match="its lines have no checksums"):
        execute(config)


def test_a_copied_run_is_continued(tmp_path: Path, root: str) -> None:
    config = config_of(tmp_path / "here", root)
    stopped(config)
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    copied = execute(config_of(tmp_path / "there", root))
    assert copied.folder.is_relative_to(tmp_path / "there")
    whole = execute(config_of(tmp_path / "whole", root))
    assert (copied.folder / "weights.safetensors").read_bytes() == (
        whole.folder / "weights.safetensors"
    ).read_bytes()


def test_a_folder_s_name_may_be_used_again(tmp_path: Path, root: str) -> None:
    first, second = (config_of(tmp_path, root, f"optimizer.lr={lr}") for lr in (0.1, 0.2))
    shutil.rmtree(stopped(first))
    stopped(second)
    assert look_up(tmp_path, prepare(first, str(tmp_path / "new")).identity, tmp_path) is None
