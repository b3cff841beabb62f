"""Recording: the reports of a run go to its journal, and from there to MLflow."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from experiments.errors import InputError, RunError, shortened, text_of
from experiments.journal import History, Journal, history
from experiments.process.signals import Interrupted
from experiments.redaction.hide import hidden
from experiments.registry.earlier import MEASURES, redefined
from experiments.registry.integrity import WEIGHTS
from experiments.registry.objective import Objective
from experiments.tracking.copies import Copies, ask_for, run_id_of
from experiments.tracking.destinations import NO_WISHES, Destination, Wishes
from experiments.tracking.given import changes
from experiments.tracking.links import links_for_run, links_for_sweep
from experiments.tracking.problems import Problem
from experiments.tracking.recorder import Recorder
from experiments.tracking.sender import Sender, sender
from experiments.tracking.store import address
from experiments.tracking.tag_names import FAILURE, NAME

_log = logging.getLogger(__name__)


@contextmanager
def recording(
    *,
    journal: Journal,
    past: History,
    uri: str | None,
    identity: str,
    experiment: str,
    name: str,
    params: Mapping[str, str],
    tags: Mapping[str, str],
    dataset: Mapping[str, str] | None,
    given: Mapping[str, str],
    view: Mapping[str, Sequence[str]] | None = None,
    parent: Mapping[str, str] | None = None,
    wishes: Wishes = NO_WISHES,
    delivered: bool = False,
) -> Iterator[Recorder]:
    """Record a run in its folder and in MLflow, and at its end the right status.

    A resumed run stays the same MLflow run.

    Args:
        journal: the run's journal.
        past: the history in the journal.
        uri: MLflow's tracking address; None keeps the run in its folder only.
        identity: the hash of everything that determines the run's result.
        experiment: the MLflow experiment.
        name: the run's name in MLflow.
        params: the configuration, flat.
        tags: searchable texts about the run.
        dataset: the data's `name`, `digest` (at most 36 characters), `source`, `schema` and
            `profile`; None for a sweep.
        given: the tags that the user gives the run, from `experiments.tracking.given`; a resumed
            run gets those that have changed.
        view: the `metrics` and `params` by which MLflow shows a sweep's jobs; None for a run.
        parent: the sweep that the run belongs to, as `parent_of` returns it.
        wishes: the wishes for the copy in MLflow.
        delivered: whether another process delivers the journal to MLflow.
    """
    to = sender(uri) if uri is not None and not delivered else None
    objective = Objective.of_tags(tags)
    recorder = Recorder(journal, past, to, objective)
    folder = journal.folder.absolute()
    process = {"host": platform.node(), "pid": os.getpid(), "folder": str(folder)}
    store = address(uri) if uri is not None else None
    if uri is not None:
        ask_for(folder, uri, experiment, parent, wishes)
    if past.start:
        changed, mark = redefined(past, tags)
        recorder.forget(changed)
        recorder.write("continue", store=store, redefined=changed, **process)
        # The objective and the metrics do not count for the identity of every run.
        own = {key: text for key, text in tags.items() if key in {MEASURES, *objective.tags}}
        if new := changes(past, {**own, **mark, **given}):
            recorder.tags(new)
    else:
        recorder.write(
            "start",
            id=uuid.uuid4().hex,
            identity=identity,
            store=store,
            experiment=experiment,
            name=name,
            params=dict(params),
            tags={**tags, **{key: text for key, text in given.items() if key != NAME}},
            dataset=dataset and dict(dataset),
            view=view and dict(view),
            parent=parent and dict(parent),
            **process,
        )
    try:
        yield recorder
    except (Interrupted, KeyboardInterrupt):
        recorder.end("KILLED")
        raise
    except BaseException as error:
        # On a full disk the journal gets no end, as after a kill.
        with contextlib.suppress(RunError):
            said = hidden(f"{type(error).__name__}: {text_of(error)}")
            recorder.tags({FAILURE: shortened(said, 500)})
            recorder.end("FAILED")
        raise
    else:
        recorder.end("FINISHED")
    finally:
        if to is not None:
            _confirm(to, journal, experiment, links_for_sweep if view else links_for_run)


def parent_of(folder: Path) -> dict[str, str] | None:
    """Return the `id` and `folder` by which jobs name a sweep; None if its journal is missing."""
    begun = history(folder).start
    return {"id": begun["id"], "folder": str(folder.absolute())} if begun else None


def record_again(
    folder: Path,
    uri: str,
    experiment: str,
    parent: Mapping[str, str] | None,
    wishes: Wishes = NO_WISHES,
) -> tuple[str | None, Problem | None]:
    """Deliver a finished run to a place in MLflow; return its MLflow run id and the problem.

    Args:
        folder: the run's folder.
        uri: the tracking address.
        experiment: the MLflow experiment.
        parent: the sweep above the run, if any.
        wishes: the wishes for the copy there.

    Raises:
        InputError: the place is a mistake of the user's; nothing was delivered there, and the run
            is no longer asked for there.
    """
    try:
        if ask_for(folder, uri, experiment, parent, wishes):
            return run_id_of(folder), None
    except (InputError, RunError) as error:
        return run_id_of(folder), Problem(str(error), mistake=True)
    to = sender(uri)
    to.tell(folder)
    run_id, problem = to.wait(folder)
    destination = Destination(address(uri), experiment, parent)
    if problem is not None and problem.mistake and Copies(folder).forget(destination):
        raise InputError(problem.text)
    return run_id, problem


def _confirm(
    to: Sender, journal: Journal, experiment: str, links: Callable[[Path], list[str]]
) -> None:
    run_id, problem = to.wait(journal.folder)
    if problem is None:
        copy = Copies(journal.folder).last
        is_due = copy is not None and copy.lacks_model and (journal.folder / WEIGHTS).exists()
        follows = "; its model follows within seconds" if is_due else ""
        _log.info("MLflow run %s in experiment %s%s", run_id, experiment, follows)
        for line in links(journal.folder):
            _log.info("%s", line)
    else:
        _log.warning(
            "MLflow has not taken all of this run: %s", what_to_do(problem, journal.folder)
        )


def what_to_do(problem: Problem, folder: Path) -> str:
    """Return the reason why MLflow lacks data of a folder, and the command that delivers it."""
    later = "after that, " if problem.mistake else ""
    return f"{problem.text}; {later}`experiments sync {os.path.relpath(folder)}` delivers it"
