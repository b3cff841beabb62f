"""Delivery: a run's journal becomes an MLflow run, at each of its destinations in a store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import journal
from experiments.journal.events import ADDITIONS
from experiments.registry.objective import Objective
from experiments.tracking import lease
from experiments.tracking.copies import Copies
from experiments.tracking.destinations import Copy, Destination
from experiments.tracking.mlflow_run import MlflowRun, has_ended
from experiments.tracking.permissions import DENIED, naming_the_experiment
from experiments.tracking.shared_views import provide_view_of_all
from experiments.tracking.spelling import storable
from experiments.tracking.sqlite import rename_run, sqlite_file
from experiments.tracking.store import (
    address,
    check_active,
    creating,
    experiment_named,
    provide_experiment,
)
from experiments.tracking.tag_names import HEARTBEAT, JOURNAL, PARENT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


class Delivery:
    """Delivers a run's journal to a store, from the byte at which the last delivery stopped.

    For a run without a destination in the store, `Copies.add_all` adds destinations.
    """

    def __init__(self, folder: Path, uri: str) -> None:
        """Read the run's destinations.

        Raises:
            InputError: its journal is damaged.
        """
        self._uri, self._store = uri, address(uri)
        self._copies = Copies(folder)
        self.folder = self._copies.folder

    @property
    def run_id(self) -> str | None:
        """The MLflow run id at the destination that was asked for last; None before it exists."""
        copies, last = self.copies, self._copies.last
        return (last if last in copies else copies[-1]).run_id if last and copies else None

    @property
    def copies(self) -> list[Copy]:
        """The run's copies in the store."""
        return self._copies.in_store(self._store)

    @property
    def complete(self) -> bool:
        """Whether the run has ended and all of it is delivered."""
        size = (self.folder / journal.NAME).stat().st_size
        copies = self.copies
        return bool(copies) and all(copy.complete and copy.offset >= size for copy in copies)

    @property
    def lacks_model(self) -> bool:
        """Whether a copy is to have the model, and lacks it."""
        return any(copy.lacks_model for copy in self.copies)

    @property
    def is_there(self) -> bool:
        """Whether no complete copy is known to be lost or deleted in MLflow."""
        return all(copy.is_whole(self.folder) for copy in self.copies if copy.complete)

    @property
    def ended(self) -> bool:
        """Whether the journal says that the run has ended, delivered or not."""
        return self.complete or journal.history(self.folder).status is not None

    def deliver(self, client: MlflowClient, *, abandoned: bool = False) -> None:
        """Deliver the new events.

        Args:
            client: a client to the store.
            abandoned: whether the run's process is gone; a run without an end is marked KILLED.

        Raises:
            InputError: the journal is damaged, or the experiment is deleted.
            MlflowException: the store fails; the next call delivers the rest.
        """
        problems: list[Exception] = []
        with self._copies.alone():
            for copy in self.copies or self._copies.add_all(self._store):
                try:
                    with naming_the_experiment(self._uri, copy.destination.experiment):
                        self._deliver(client, copy, abandoned=abandoned)
                except Exception as error:  # noqa: BLE001  (raised after the other copies)
                    problems.append(error)
        if problems:
            raise problems[0]

    def revive(self, client: MlflowClient, *, everything: bool = False) -> bool:
        """Restore the run if it was deleted in MLflow; return whether anything was restored.

        If the store has lost the run, the next delivery delivers all of it again.

        Args:
            client: a client to the store.
            everything: whether to restore all copies and their experiments, and not only the copy
                that was asked for last, and to look for runs of which the store has lost a part.

        Raises:
            InputError: the experiment of the copy asked for last is deleted.
            MlflowException: the store does not answer, or does not allow it.
        """
        from mlflow.exceptions import MlflowException

        restored = False
        with self._copies.alone():
            for copy in self.copies:
                if copy.run_id is None or not (everything or copy == self._copies.last):
                    continue
                found = experiment_named(client, self._uri, copy.destination.experiment)
                if found is not None and found.lifecycle_stage == "deleted":
                    if not everything:
                        check_active(self._uri, found)
                    client.restore_experiment(found.experiment_id)
                    restored = True
                try:
                    run = client.get_run(copy.run_id)
                except MlflowException as error:
                    # A server with logins denies a run that is not there, so that nobody can guess.
                    if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", DENIED}:
                        raise
                    lost = {"run_id": None, "lost_id": copy.run_id, "experiment_id": None}
                    lost |= {"model_id": None, "registered": None}
                    self._copies.change(copy, offset=0, complete=False, **lost)
                else:
                    if run.info.lifecycle_stage == "deleted":
                        client.restore_run(copy.run_id)
                        restored = True
                    if everything and self._has_lost_a_part(client, copy, run):
                        lost = {"model_id": None, "registered": None}
                        self._copies.change(copy, offset=0, complete=False, **lost)
        return restored

    def _has_lost_a_part(self, client: MlflowClient, copy: Copy, run: Run) -> bool:
        """Return whether the store lacks the run's end or model, since it is an older backup."""
        if run.info.status != (journal.history(self.folder).status or "KILLED"):
            return True
        found = client.search_logged_models(
            [run.info.experiment_id], f"source_run_id = '{copy.run_id}'"
        )
        return copy.model_id not in {None, *(model.model_id for model in found)}

    def renew_lease(self, client: MlflowClient) -> None:
        """Renew the lease, which proves that the run's process is alive.

        Raises:
            MlflowException: the store refuses the tag.
        """
        for copy in self.copies:
            if copy.run_id is not None and not copy.complete:
                client.set_tag(copy.run_id, HEARTBEAT, lease.now())

    def _deliver(self, client: MlflowClient, copy: Copy, *, abandoned: bool) -> None:
        events, offset = journal.read(self.folder, copy.offset)
        if events:
            if copy.run_id is None:
                begun = journal.history(self.folder).start
                experiment, run_id = self._create(client, copy, begun)
                made = {"run_id": run_id, "experiment_id": experiment}
                copy = self._copies.change(copy, **made)
            # A report, tag or metric that is added after the end does not begin the run again.
            added = ADDITIONS if copy.complete else {"artifacts"}
            times = [event["time"] for event in events if event["event"] not in added]
            if copy.complete and times:
                copy = self._copies.change(copy, complete=False)
            MlflowRun(client, str(copy.run_id), self.folder).apply(events)
            told = {"offset": offset, "time": times[-1] if times else copy.time}
            complete = has_ended(events) if times else copy.complete
            copy = self._copies.change(copy, **told, complete=complete)
        alive = not abandoned or journal.is_open(self.folder)  # another process may resume it
        if not alive and copy.run_id is not None and not copy.complete:
            MlflowRun(client, str(copy.run_id), self.folder).end("KILLED", copy.time)
            self._copies.change(copy, complete=True)

    def _create(
        self, client: MlflowClient, copy: Copy, begun: Mapping[str, Any]
    ) -> tuple[str, str]:
        """Return the ids of the experiment and of a run in it, which is created if needed."""
        found = provide_experiment(client, self._uri, copy.destination.experiment)
        provide_view_of_all(client, found, Objective.of_tags(begun["tags"]))
        experiment = found.experiment_id
        parent = self._parent_of(client, copy.destination)
        # A delivery may have been killed between creating the run and noting its id.
        known = {each.run_id for each in self.copies}
        tags = (JOURNAL, "journal_id")  # the second is of version 0.1.0
        queries = [f"tags.`{tag}` = '{begun['id']}'" for tag in tags]
        run = next(
            (
                found
                for query in queries
                for found in client.search_runs([experiment], query)
                if found.info.run_id not in known
                and parent.get(PARENT) in {None, found.data.tags.get(PARENT)}
            ),
            None,
        )
        if run is None:
            with creating():
                run = client.create_run(
                    experiment,
                    start_time=begun["time"],
                    tags={
                        JOURNAL: begun["id"],
                        "identity": begun["identity"],
                        "folder": str(self.folder),
                        **parent,
                        **self._original(copy),
                        **{key: storable(value) for key, value in begun["tags"].items()},
                    },
                    run_name=storable(copy.wishes.name or begun["name"]),
                )
            database = sqlite_file(self._uri)
            if database is not None and copy.lost_id:
                rename_run(database, run.info.run_id, copy.lost_id)
                return experiment, copy.lost_id
        return experiment, str(run.info.run_id)

    def _original(self, copy: Copy) -> dict[str, str]:
        """Return the tag that marks each copy in a store but the first."""
        first = self.copies[0]
        return {"copy_of": first.run_id} if first is not copy and first.run_id else {}

    def _parent_of(self, client: MlflowClient, destination: Destination) -> dict[str, str]:
        """Return the tag that nests a job under its sweep, which is delivered first if needed."""
        if destination.parent is None:
            return {}
        folder = Path(destination.parent["folder"])
        if journal.history(folder).start.get("id") != destination.parent["id"]:
            return {}  # the sweep's folder is gone
        above = Copies(folder).provide(Destination(self._store, destination.experiment))
        if above.run_id is None:
            Delivery(folder, self._uri).deliver(client)
            above = Copies(folder).provide(Destination(self._store, destination.experiment))
        return {PARENT: above.run_id} if above.run_id else {}
