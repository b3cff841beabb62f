"""Tracking: a journal in the run's folder, delivered to MLflow by a second process."""

from experiments.tracking.recording import Recorder, recording
from experiments.tracking.sender import sender

__all__ = ["Recorder", "recording", "sender"]
