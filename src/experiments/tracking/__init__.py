"""Tracking: a journal in the run's folder, delivered to MLflow by a second process."""

from experiments.tracking.delivery import is_behind, run_id_of
from experiments.tracking.problems import Problem
from experiments.tracking.recording import Recorder, parent_of, recording
from experiments.tracking.sender import sender
from experiments.tracking.store import address, exists, same_store

__all__ = [
    "Problem",
    "Recorder",
    "address",
    "exists",
    "is_behind",
    "parent_of",
    "recording",
    "run_id_of",
    "same_store",
    "sender",
]
