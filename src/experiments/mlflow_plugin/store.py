"""The tracking store at which MLflow's functions find the run that is trained in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from mlflow.entities import Experiment, Metric, Param, Run, RunTag
from mlflow.store.tracking.abstract_store import AbstractStore
from mlflow.utils.async_logging.run_operations import RunOperations
from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_ARTIFACTS, MLFLOW_LOGGED_IMAGES
from mlflow.utils.validation import _validate_batch_log_data

from experiments.config.tracking import RESERVED
from experiments.errors import RunError
from experiments.mlflow_plugin.entities import EXPERIMENT_ID, entity_of, experiment_of, found
from experiments.redaction.hide import hidden
from experiments.tracking.current_run import CurrentRun, Trial, current
from experiments.tracking.tag_names import NAME, NOTE

_FREE = frozenset({NAME, NOTE, MLFLOW_LOGGED_IMAGES, MLFLOW_LOGGED_ARTIFACTS})


class RunStore(AbstractStore):
    """Records metrics, parameters, tags and artifacts as reports of the current run."""

    def __init__(self, store_uri: str | None = None, artifact_uri: str | None = None) -> None:
        del store_uri, artifact_uri  # there is one run
        super().__init__()

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Return the run's experiment.

        Raises:
            RunError: another one is asked for.
        """
        asked = None if experiment_id == EXPERIMENT_ID else experiment_id
        return experiment_of(current(), asked)

    def get_experiment_by_name(self, experiment_name: str) -> Experiment:
        """Return the run's experiment.

        Raises:
            RunError: another one is asked for.
        """
        return experiment_of(current(), experiment_name)

    def create_run(
        self,
        experiment_id: str,
        user_id: str,
        start_time: int,
        tags: Sequence[RunTag],
        run_name: str | None,
    ) -> Run:
        """Return the run itself, nested or not; its name stays, and tags are recorded."""
        del experiment_id, user_id, start_time, run_name
        run = current()
        told = {tag.key: tag.value for tag in tags}
        _tag(run, {k: v for k, v in told.items() if k == NOTE or not k.startswith("mlflow.")})
        return entity_of(run, with_data=False)

    def get_run(self, run_id: str) -> Run:
        """Return the run."""
        return entity_of(found(run_id), with_data=True)

    def update_run_info(
        self, run_id: str, run_status: object, end_time: int | None, run_name: str | None
    ) -> Any:
        """Record a new name. The run ends when its training does, whatever the status says."""
        del run_status, end_time
        run = found(run_id)
        _tag(run, {NAME: run_name} if run_name else {})
        return entity_of(run, with_data=False).info

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric],
        params: Sequence[Param],
        tags: Sequence[RunTag],
    ) -> None:
        """Record metrics, parameters and tags.

        Raises:
            MlflowException: a name or a value is none that MLflow takes.
            RunError: the run itself records a metric, a parameter or a tag of that name.
        """
        run = found(run_id)
        metrics, params, tags = _validate_batch_log_data(metrics, params, tags)
        if isinstance(run, Trial):
            return
        for metric in metrics:
            run.recorder.value(metric.key, float(metric.value), int(metric.step))
        _log_params(run, {param.key: param.value for param in params})
        _tag(run, {tag.key: tag.value for tag in tags})

    def set_tag(self, run_id: str, tag: RunTag) -> None:
        """Record a tag."""
        self.log_batch(run_id, metrics=[], params=[], tags=[tag])

    def log_batch_async(
        self,
        run_id: str,
        metrics: Sequence[Metric],
        params: Sequence[Param],
        tags: Sequence[RunTag],
    ) -> RunOperations:
        """Record at once, which is as quick, and cannot come after the end of the run."""
        self.log_batch(run_id, metrics, params, tags)
        return RunOperations([])


def _log_params(run: CurrentRun, params: Mapping[str, str]) -> None:
    """Record parameters; one that is there with the same value is skipped."""
    there = run.params if params else {}
    new = {key: hidden(value) for key, value in params.items()}
    for key, value in new.items():
        if there.get(key, value) != value:
            owner = "the configuration" if key in run.start["params"] else "an earlier call"
            raise RunError(
                f"mlflow.log_param('{key}', '{value}'): {owner} gives {key} the value "
                f"{there[key]}; choose another name"
            )
    if added := {key: value for key, value in new.items() if key not in there}:
        run.recorder.params(added)
        there |= added


def _tag(run: CurrentRun | Trial, tags: Mapping[str, str]) -> None:
    """Record tags."""
    if isinstance(run, Trial) or not tags:
        return
    for key in tags:
        if RESERVED.fullmatch(key) and key not in _FREE:
            raise RunError(
                f"mlflow.set_tag('{key}', …): is a tag that MLflow or the run itself "
                "writes; choose another name"
            )
    run.recorder.tags(tags)


def _refusing(name: str) -> Callable[..., NoReturn]:
    def method(*_: object, **__: object) -> NoReturn:
        raise RunError(
            f"MLflow: {name} is not for a run in training, which takes metrics, parameters, tags "
            "and artifacts; name a store with MlflowClient(tracking_uri)"
        )

    method.__doc__ = f"Refuse {name}: only the current run is here."
    return method


for _name in (
    *("create_experiment", "delete_experiment", "restore_experiment", "rename_experiment"),
    *("search_experiments", "set_experiment_tag", "delete_experiment_tag"),
    *("delete_run", "restore_run", "_search_runs", "delete_tag", "get_metric_history"),
    *("log_inputs", "log_outputs", "record_logged_model", "create_logged_model"),
    *("search_logged_models", "get_logged_model", "start_trace", "log_spans"),
):
    setattr(RunStore, _name, _refusing(_name.removeprefix("_")))
