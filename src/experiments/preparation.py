"""Preparation: everything about a run that can fail or make it needless, before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import journal
from experiments.claims import Earlier, foremost, look_up
from experiments.errors import InputError
from experiments.folders import check_writable
from experiments.identity import identity_of, ingredients
from experiments.runtime import load_torch

if TYPE_CHECKING:
    from experiments.assembly import Parts
    from experiments.config import RunConfig


@dataclass(frozen=True)
class Prepared:
    """A run that has passed all checks and is not begun."""

    config: RunConfig
    parts: Parts
    ingredients: dict[str, Any]
    identity: str
    here: Earlier | None
    """the identity's run on this file system"""
    earlier: Earlier | None
    """the identity's run, wherever it is"""
    folder: Path
    """the folder to train in"""
    warning: str | None
    """what is wrong with the tracking store, if it may pass"""

    @property
    def finished(self) -> Earlier | None:
        """The run that makes this one needless."""
        is_needless = self.earlier and self.earlier.state == "finished" and not self.config.force
        return self.earlier if is_needless else None


def prepare(config: RunConfig, run_dir: str, *, ask: bool = True) -> Prepared:
    """Check and build everything, and find the run that the identity has already.

    Args:
        config: what to run.
        run_dir: the folder of a new run; one that is continued keeps its own.
        ask: whether to ask the tracking store for runs on other machines.

    Raises:
        InputError: something is not as it must be.
    """
    if not run_dir:
        raise InputError("hydra.run.dir=: is empty; name a folder")
    folder, outputs = Path(run_dir), Path(config.outputs)
    check_writable("hydra.run.dir", folder)
    check_writable("outputs", outputs)
    if ask and config.tracking.uri is not None:
        from experiments.tracking import sender

        sender(config.tracking.uri)  # MLflow is imported there while torch is imported here
    parts = _assemble(config)
    what = ingredients(config, data_sha256=parts.splits.sha256, device=parts.device_kind)
    identity = identity_of(what)
    here = earlier = look_up(outputs, identity, folder)
    warning = None
    if ask and config.tracking.uri is not None and (earlier is None or earlier.state != "finished"):
        there, warning = ask_store(config.tracking.uri, identity)
        earlier = foremost(earlier, there)
    if earlier is not None:
        earlier.refuse_alive()
    if earlier and earlier.state == "dead" and earlier.folder is not None and not config.force:
        folder = earlier.folder
        _check_store(config, folder)
        here = look_up(outputs, identity, folder)
    elif (earlier is None or earlier.state == "dead" or config.force) and (
        folder / journal.NAME
    ).exists():
        raise InputError(f"hydra.run.dir={folder}: holds another run; name a new folder")
    return Prepared(config, parts, what, identity, here, earlier, folder, warning)


def _assemble(config: RunConfig) -> Parts:
    load_torch()
    from experiments.assembly import assemble

    return assemble(config)


def ask_store(uri: str, identity: str) -> tuple[Earlier | None, str | None]:
    """Return the identity's run in the store, and what is wrong with the store if it may pass.

    Raises:
        InputError: the address is wrong.
    """
    from experiments.tracking import Problem, exists, sender

    if not exists(uri):
        return None, None
    answer = sender(uri).find(identity)
    if isinstance(answer, Problem):
        if answer.mistake:
            raise InputError(answer.text)
        return None, (
            f"{answer.text}. The run goes on, and `experiments sync` delivers it later; whether it "
            "was trained before on another machine is not known"
        )
    if answer is None:
        return None, None
    folder = answer.pop("folder")
    return Earlier(folder=Path(folder) if folder else None, **answer), None


def _check_store(config: RunConfig, folder: Path) -> None:
    """Check that a run is continued in the store that it was begun in.

    Raises:
        InputError: it is not.
    """
    from experiments.tracking import address, same_store

    begun = journal.history(folder).store
    uri = config.tracking.uri
    if begun is not None and uri is not None and not same_store(begun, address(uri)):
        raise InputError(
            f"tracking.uri={uri}: the run to continue in {folder} is recorded "
            f"in {begun}; continue it there, or train anew with force=true"
        )
