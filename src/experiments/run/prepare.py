"""Preparation of a run: all checks, and the look-up of an earlier run, before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import InputError
from experiments.files.folders import check_writable
from experiments.identity.ingredients import Ingredients, ingredients_of
from experiments.identity.sources import refuse_unseen
from experiments.registry.earlier import Earlier, foremost
from experiments.registry.identities import look_up
from experiments.registry.integrity import check_weights
from experiments.registry.objective import Objective
from experiments.run.folder import check_free
from experiments.run.load_torch import load_torch

if TYPE_CHECKING:
    from experiments.config import RunConfig
    from experiments.run.build import Parts


@dataclass(frozen=True)
class Prepared:
    """A run that has passed all checks and has not begun."""

    config: RunConfig
    parts: Parts
    ingredients: Ingredients
    here: Earlier | None
    """the earlier run of this identity on this file system"""
    earlier: Earlier | None
    """the earlier run of this identity, here or on another machine"""
    folder: Path
    """the folder to train in"""
    warnings: Sequence[str]
    """problems of the compiler or, perhaps for a while, of the tracking store"""

    @property
    def identity(self) -> str:
        """The hash of everything that determines the result."""
        return self.ingredients.identity

    @property
    def finished(self) -> Earlier | None:
        """The finished earlier run, unless `force` asks for another training."""
        is_needless = self.earlier and self.earlier.state == "finished" and not self.config.force
        return self.earlier if is_needless else None

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """The metrics that the finished earlier run was not measured by."""
        return self.finished.lacks(self.ingredients.measures) if self.finished else ()


def prepare(config: RunConfig, run_dir: str, *, planned: bool = False) -> Prepared:
    """Check and build everything, and look up the earlier run of the identity.

    Args:
        config: the run's configuration.
        run_dir: the folder of a new run; a resumed run keeps its own.
        planned: whether a sweep on this machine has already asked the tracking store for runs on
            other machines, and tried the first step.

    Raises:
        InputError: a value, folder, part, the data or the tracking store cannot be used, or another
            process trains this run.
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
    wanted = config.trainer.compile
    config, parts = assembled(config, tried=planned)
    warnings = []
    if parts.not_compiled is not None:
        warnings.append(
            f"trainer.compile={wanted}: the model is not compiled "
            f"({parts.not_compiled}); this is the run of trainer.compile=null"
        )
    ingredients = ingredients_of(config, data_sha256=parts.splits.sha256, device=parts.device_kind)
    refuse_unseen(parts.classes, ingredients.source.keys() | ingredients.measured_by)
    identity = ingredients.identity
    here = earlier = look_up(outputs, identity, folder)
    if not planned and config.tracking.uri is not None and not (here and here.state == "finished"):
        there, problem = ask_store(config, identity)
        warnings += [problem] if problem else []
        # Without the weights of a run elsewhere, its missing metrics cannot be measured.
        is_whole = there is None or not there.lacks(ingredients.measures) or there.folder
        earlier = foremost(here, there if is_whole else None)
    if earlier is not None:
        earlier.refuse_alive()
    prepared = Prepared(config, parts, ingredients, here, earlier, folder, warnings)
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


def uncompiled(config: RunConfig) -> RunConfig:
    """Return the configuration of the run whose model is not compiled."""
    trainer = config.trainer.model_copy(update={"compile": None})
    return config.model_copy(update={"trainer": trainer})


def assembled(config: RunConfig, *, tried: bool = False) -> tuple[RunConfig, Parts]:
    """Build everything that a run needs, as `run.build.assemble` does, and import torch for it.

    Returns:
        The configuration of the run, uncompiled if its model cannot be compiled; and the parts.
    """
    load_torch()
    from experiments.run.build import assemble
    from experiments.tracking.current_run import trial

    with trial():
        parts = assemble(config, tried=tried)
    return (config if parts.not_compiled is None else uncompiled(config)), parts


def ask_store(config: RunConfig, identity: str) -> tuple[Earlier | None, str | None]:
    """Look up the earlier run of an identity in the tracking store.

    Returns:
        The run, or None; and a warning if the store cannot be asked at the moment.

    Raises:
        InputError: the address is wrong, or the experiment is deleted.
    """
    from experiments.tracking import Problem, exists, sender

    uri = config.tracking.uri
    if uri is None or not exists(uri):
        return None, None
    answer = sender(uri).find(identity, config.tracking.experiment, force=config.force)
    if isinstance(answer, Problem):
        if answer.mistake:
            raise InputError(answer.text)
        return None, (
            f"{answer.text}. The run goes on, and `experiments sync` delivers it later; an "
            "earlier run on another machine would not be found"
        )
    if answer is None:
        return None, None
    folder, objective = answer.pop("folder"), Objective.of_tags(answer.pop("ranked_by"))
    place = Path(folder) if folder else None
    return Earlier(folder=place, ranked_by=objective, **answer), None
