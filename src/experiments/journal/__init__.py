"""The journal: all reports of a run, as sealed lines of a file in its folder."""

from experiments.journal.events import NAME, Place
from experiments.journal.run_history import History, folders, history, is_open, last_values, read
from experiments.journal.writer import InUseError, Journal

__all__ = [
    "NAME",
    "History",
    "InUseError",
    "Journal",
    "Place",
    "folders",
    "history",
    "is_open",
    "last_values",
    "read",
]
