"""Train a recorded run once more, from its own commit, changes and configuration."""

from __future__ import annotations

import contextlib
import errno
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from experiments.catalog.listing import REPRODUCED
from experiments.catalog.summary import Summary, summary_of
from experiments.composition.secret_overrides import to_environment
from experiments.differences.record import Record, record_of
from experiments.differences.results import weights_problem
from experiments.differences.section import counted
from experiments.errors import InputError, RunError, unwritable
from experiments.files.safe_writes import make_folder
from experiments.provenance.origin import environment
from experiments.reproducing.arguments import Arguments, arguments_for
from experiments.reproducing.lanes import first_job, is_lane, placed_beside_twin
from experiments.reproducing.restoration import (
    changed_environment,
    changed_ingredients,
    lost_files,
)
from experiments.reproducing.training import compose, environment_for, train
from experiments.reproducing.worktree import PROGRAM, Code, restored

PREFIX = "experiments-reproduce-"
"""the beginning of the name of a temporary folder, which only kill -9 leaves behind"""
_TAKEN = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Reproduced:
    """A run and the same run trained again."""

    record: Record
    again: Record
    lacking: Sequence[str]
    """sentences about everything that could not be restored, known before the training"""
    changed: Sequence[str]
    """sentences about the ingredients of the identity that the new training does not share"""


def reproduce(
    run: Summary, given: Sequence[str], outputs: Path, say: Say, *, keep: bool = False
) -> Reproduced:
    """Train a run again from its commit, uncommitted changes and configuration.

    The new run gets a folder of its own below `outputs`, once it has trained. Nothing else there
    changes, and nothing is sent to MLflow.

    Args:
        run: the run.
        given: overrides that replace recorded ones, such as hidden secrets and places.
        outputs: the folder of all runs.
        say: receives each line about the progress.
        keep: whether to keep the worktree.

    Raises:
        InputError: the run is being trained, this folder has no train.py, or a value is hidden.
        RunError: the code cannot be restored, or trains nothing.
    """
    project = Path.cwd()
    if not (project / PROGRAM).exists():
        raise InputError(f"{PROGRAM}: is not in this folder; change to the project's folder")
    if run.state == "running":
        raise InputError(f"{run.short}: is being trained; wait for its end, or stop it")
    record = record_of(run)
    given = to_environment(given)  # command lines are visible to all users of a machine
    say(f"Run {run.short} ({run.name}), {run.state}")
    with (
        _temporary(keep=keep) as folder,
        restored(record, project, folder / f"reproduce-{run.short}", keep=keep) as code,
    ):
        path = environment_for(code, folder / "path")
        arguments = arguments_for(
            record, given, code.project / "conf", lambda asked: compose(code, asked, path)
        )
        lacking = _lacking(record, code, arguments)
        _tell(code, arguments, lacking, record, say)
        if keep:
            say(f"  kept: {code.project}" + _removal(code))
        above = outputs.absolute() / REPRODUCED
        with _own_folder(above) as own:
            trained = _trained(record, code, arguments, path, folder / "outputs", own, say)
            again = _kept(trained, above, run.short)
        return Reproduced(record, again, lacking, list(changed_ingredients(record, again, code)))


def _removal(code: Code) -> str:
    return f" (`git worktree remove --force {code.top}` removes it)" if code.top else ""


def _lacking(record: Record, code: Code, arguments: Arguments) -> list[str]:
    found = [
        *code.lacking,
        *lost_files(record),
        *changed_environment(record, environment()),
        *(
            f"{override} chooses a file that is in no commit; config.yaml has its values"
            for override in arguments.dropped
        ),
    ]
    if "weights_sha256" in record.tags and (problem := weights_problem(record)):
        found.append(f"{problem}; its SHA-256 in the journal is compared")
    return found


def _tell(
    code: Code, arguments: Arguments, lacking: Sequence[str], record: Record, say: Say
) -> None:
    say(f"  code: {code.restored}")
    values = arguments.from_config
    added = f", and from config.yaml the values of {', '.join(values)}" if values else ""
    say(f"  configuration: {counted(len(arguments.overrides), 'override')}{added}")
    if is_lane(record):
        say("  trained as a lane beside a twin, since the run was one of several lanes")
    for sentence in lacking:
        say(f"  not restored: {sentence}")


def _trained(
    record: Record,
    code: Code,
    arguments: Arguments,
    path: dict[str, str],
    outputs: Path,
    own: Path,
    say: Say,
) -> Path:
    """Train the run in an empty folder of this command's own; return the run's folder below it."""
    target, sweep = own / record.summary.short, own / "sweep"
    if is_lane(record):
        placed = placed_beside_twin(record, arguments, outputs, sweep)
    else:
        placed = arguments.placed(outputs, target)
    ended = train(code, placed, path, lambda line: say(f"  | {line}"))
    if is_lane(record) and sweep.exists():
        target = first_job(sweep) or target
    if summary_of(target) is None:
        raise RunError(f"train.py of the run's code has trained nothing: {ended.reason}")
    return target


def _kept(trained: Path, above: Path, name: str) -> Record:
    """Move a new run to a free name in a folder; return its record."""
    for count in itertools.count(1):
        place = above / (name if count == 1 else f"{name}-{count}")
        try:
            trained.rename(place)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise unwritable(error, place) from error
        else:
            break
    summary = summary_of(place)
    assert summary is not None  # noqa: S101  (it was there before the move)
    return record_of(summary)


@contextmanager
def _temporary(*, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder)


@contextmanager
def _own_folder(above: Path) -> Iterator[Path]:
    """Yield an empty folder that no other command uses, and remove it afterwards."""
    own = _made(above)
    try:
        yield own
    finally:
        remove(own)


def _made(above: Path) -> Path:
    while True:
        make_folder(above)
        try:
            return Path(tempfile.mkdtemp(prefix=".", dir=above))
        except FileNotFoundError:
            continue  # another command has removed the folder above, since it was empty
        except OSError as error:
            raise unwritable(error, above) from error


def remove(folder: Path) -> None:
    """Delete the folder of a reproduced run, and the folders above it that are now empty."""
    shutil.rmtree(folder)
    for above in (folder.parent, folder.parent.parent):
        with contextlib.suppress(OSError):  # it holds other runs
            above.rmdir()
