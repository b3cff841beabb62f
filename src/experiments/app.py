"""The run of train.py: from a composed configuration to a trained, tested and recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import OmegaConf, open_dict, read_write

from experiments.composition.entry_point import Refused, past_hydra
from experiments.composition.hydra_config import check_hydra, checked, log_of, own
from experiments.distributed.meeting import Silenced
from experiments.distributed.together import agreeing, alone, ending_together
from experiments.distributed.world import world
from experiments.errors import InputError
from experiments.process.signals import postpone

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from experiments.run.prepare import Prepared


class Finished(SystemExit):
    """Ends a command whose run has finished before: there is nothing to train."""

    def __init__(self, prepared: Prepared) -> None:
        super().__init__(0)
        self.prepared = prepared


class Preflight(Callback):
    """Refuses a run that cannot work, and reports a finished one, before Hydra makes a folder."""

    passed: ClassVar[tuple[DictConfig, Prepared] | None] = None
    """the composed configuration and its run; Hydra itself can pass no object on to `run`"""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse a sweep in several processes.

        Raises:
            Refused: there are several; its `error` gives the reason.
            Silenced: there are several, and rank 0 says so.
        """
        del config
        if world().rank:
            raise Silenced
        try:
            alone("-m", "start `python train.py -m …`, or single runs with torchrun")
        except InputError as error:
            raise Refused(error) from error

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Check values, classes, device, data, folders and tracking; look up the earlier run.

        Raises:
            Refused: the run cannot work; its `error` gives the reason.
            Finished: a finished earlier run was reported.
        """
        from experiments.run.prepare import prepare

        try:
            if world().rank:
                from experiments.run.follow import follow

                follow(config)
            with agreeing() as agree:
                check_hydra(config)
                log_of(config)
                prepared = prepare(checked(config), config.hydra.run.dir)
                lines: list[str] = []
                if prepared.finished:
                    from experiments.run.request import request_of
                    from experiments.run.session import report, with_metrics

                    prepared = with_metrics(prepared)
                    lines = report(prepared, request_of(config.hydra))
                agree(prepared.identity, is_finished=prepared.finished is not None)
        except Exception as error:
            raise Refused(error) from error
        if prepared.finished:
            print(*lines, sep="\n")  # noqa: T201  (no folder, so no log)
            raise Finished(prepared)
        with read_write(config), open_dict(config):
            OmegaConf.update(config, "hydra.run.dir", str(prepared.folder))
        Preflight.passed = own(config), prepared
        postpone()  # a folder exists from here on, so a signal must leave a run in it

    @classmethod
    def take(cls, config: DictConfig) -> Prepared | None:
        """Return the run prepared for a configuration, once; None if it was not prepared."""
        passed, cls.passed = cls.passed, None
        return passed[1] if passed and passed[0] == own(config) else None


@past_hydra
def run(cfg: DictConfig) -> float:
    """Train, test and record one run; return its objective.

    The objective is the value of `task.objective` on the validation images in the tested epoch, or
    without a validation split on the test images; NaN for a run that diverged. It is the plain
    value, whether a larger or a smaller one is better. A finished run is not trained again, and an
    interrupted run is resumed: see `experiments.registry.identities`.

    Raises:
        Refused: the run could not begin or has failed; its `error` gives the reason.
    """
    from experiments.run.folder import removed_if_refused
    from experiments.run.request import request_of
    from experiments.run.session import prepare_job, train

    request = request_of(HydraConfig.get())
    own_folder = None if request.sweep else Path(request.folder)
    with (
        removed_if_refused(own_folder),
        ending_together(),
    ):  # a job's stays: the sweep's verdict names its log
        prepared = Preflight.take(cfg)
        if prepared is None:
            prepared = prepare_job(checked(cfg), request)
        if prepared.finished:
            return prepared.finished.objective
        return train(prepared, request)
