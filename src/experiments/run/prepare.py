"""Preparation: everything about a run that can fail or make it needless, before it begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import InputError
from experiments.files.folders import check_writable
from experiments.identity.ingredients import Ingredients, ingredients_of
from experiments.identity.sources import refuse_unseen
from experiments.registry.claims import look_up
from experiments.registry.earlier import Earlier, foremost
from experiments.registry.integrity import check_weights
from experiments.run.folder import check_free
from experiments.run.load_torch import load_torch

if TYPE_CHECKING:
    from experiments.config import RunConfig
    from experiments.run.build import Parts


@dataclass(frozen=True)
class Prepared:
    """A run that has passed all checks and is not begun."""

    config: RunConfig
    parts: Parts
    ingredients: Ingredients
    here: Earlier | None
    """the identity's run on this file system"""
    earlier: Earlier | None
    """the identity's run, wherever it is"""
    folder: Path
    """the folder to train in"""
    warning: str | None
    """what is wrong with the tracking store, if it may pass"""

    @property
    def identity(self) -> str:
        """The hash of everything that determines the result."""
        return self.ingredients.identity

    @property
    def finished(self) -> Earlier | None:
        """The run that makes this one needless."""
        is_needless = self.earlier and self.earlier.state == "finished" and not self.config.force
        return self.earlier if is_needless else None


def prepare(config: RunConfig, run_dir: str, *, planned: bool = False) -> Prepared:
    """Check and build everything, and find the run that the identity has already.

    Args:
        config: what to run.
        run_dir: the folder of a new run; one that is continued keeps its own.
        planned: whether a sweep on this machine has asked the tracking store for runs on other
            machines, and tried the first step.

    Raises:
        InputError: something is not as it must be.
    """
    if not run_dir:
        raise InputError("hydra.run.dir=: is empty; name a folder")
    folder, outputs = Path(run_dir), Path(config.outputs)
    check_writable("hydra.run.dir", folder)
    check_writable("outputs", outputs)
    if not planned and config.tracking.uri is not None:
        from experiments.tracking import check_store, sender

        check_store(config.tracking.uri)
        sender(config.tracking.uri)  # MLflow is imported there while torch is imported here
    parts = _assemble(config, tried=planned)
    ingredients = ingredients_of(config, data_sha256=parts.splits.sha256, device=parts.device_kind)
    refuse_unseen(parts.classes, ingredients.source)
    identity = ingredients.identity
    here = earlier = look_up(outputs, identity, folder)
    warning = None
    if not planned and config.tracking.uri is not None and not (here and here.state == "finished"):
        there, warning = ask_store(config, identity)
        earlier = foremost(here, there)
    if earlier is not None:
        earlier.refuse_alive()
    prepared = Prepared(config, parts, ingredients, here, earlier, folder, warning)
    if prepared.finished:
        if prepared.finished.folder:
            check_weights(prepared.finished.folder)
        return prepared
    if earlier and earlier.folder and not config.force:
        here = here if earlier is here else look_up(outputs, identity, earlier.folder)
        prepared = replace(prepared, here=here, folder=earlier.folder)
        if here is not None:
            return prepared
    check_free(prepared.folder)
    return prepared


def _assemble(config: RunConfig, *, tried: bool) -> Parts:
    load_torch()
    from experiments.run.build import assemble

    return assemble(config, tried=tried)


def ask_store(config: RunConfig, identity: str) -> tuple[Earlier | None, str | None]:
    """Return the identity's run in the store, and what is wrong with the store if it may pass.

    Raises:
        InputError: the address is wrong, or the experiment is deleted.
    """
    from experiments.tracking import Problem, exists, sender

    uri = config.tracking.uri
    if uri is None or not exists(uri):
        return None, None
    answer = sender(uri).find(identity, config.tracking.experiment)
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
