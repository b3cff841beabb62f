"""The name, tags and note that a user gives a run; they may change after its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from experiments import journal
from experiments.errors import RunError
from experiments.journal import History, InUseError, Journal
from experiments.redaction.hide import hidden
from experiments.tracking.tag_names import NAME, USER_NOTE

if TYPE_CHECKING:
    from experiments.config.tracking import Tracking


def given(tracking: Tracking, name: str) -> dict[str, str]:
    """Return the tags that a configuration gives a run, without secrets.

    Args:
        tracking: that part of the configuration.
        name: the run's name, which is one of the tags only if the user gives it.
    """
    tags = dict(tracking.tags)
    if tracking.run_name is not None:
        tags[NAME] = name
    if tracking.note is not None:
        tags[USER_NOTE] = tracking.note
    return {key: hidden(value) for key, value in tags.items()}


def changes(past: History, tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that a run does not have, or has with another value.

    Args:
        past: the run's history.
        tags: as `given` returns them.
    """
    has = {NAME: past.start["name"], **past.start["tags"], **past.tags}
    return {key: value for key, value in tags.items() if has.get(key) != value}


def give(folder: Path, tags: Mapping[str, str]) -> None:
    """Write tags into the journal of a run that has ended; its copies in MLflow get them from it.

    A tag that the run has already, with this value, is not written again. No tag is removed.

    Args:
        folder: the run's folder.
        tags: as `given` returns them.

    Raises:
        InputError: the journal is damaged or cannot be opened.
        RunError: it cannot be written, or another process writes it.
    """
    if not tags or not (new := changes(journal.history(folder), tags)):
        return
    try:
        with Journal(folder) as opened:
            opened.write("tags", tags=new)
    except InUseError as error:
        raise RunError(
            f"{folder}: another process writes its journal; repeat the command for {', '.join(new)}"
        ) from error
