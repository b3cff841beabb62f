"""Tracking: a journal in the run's folder, delivered to MLflow by a second process."""

from experiments.tracking.copies import STATE, ask_for, model_problem_of, run_id_of
from experiments.tracking.current_run import logged_to
from experiments.tracking.destinations import Wishes
from experiments.tracking.given import give, given
from experiments.tracking.links import links_for_run, links_for_sweep
from experiments.tracking.problems import Problem
from experiments.tracking.recorder import Recorder
from experiments.tracking.recording import (
    parent_of,
    record_again,
    recording,
    what_to_do,
)
from experiments.tracking.sender import sender
from experiments.tracking.store import check_store, exists

__all__ = [
    "STATE",
    "Problem",
    "Recorder",
    "Wishes",
    "ask_for",
    "check_store",
    "exists",
    "give",
    "given",
    "links_for_run",
    "links_for_sweep",
    "logged_to",
    "model_problem_of",
    "parent_of",
    "record_again",
    "recording",
    "run_id_of",
    "sender",
    "what_to_do",
]
