"""The configuration of a run, checked before anything is created."""

from experiments.config.data import DataPart
from experiments.config.explain import check
from experiments.config.run import RunConfig
from experiments.config.schedule import Scheduled
from experiments.config.task import TaskPart
from experiments.config.trainer import Trainer

__all__ = ["DataPart", "RunConfig", "Scheduled", "TaskPart", "Trainer", "check"]
