"""The current run as MLflow's objects."""

from __future__ import annotations

from mlflow.entities import (
    Experiment,
    LifecycleStage,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunStatus,
    RunTag,
)

from experiments.errors import RunError
from experiments.tracking.current_run import CurrentRun, Trial, current
from experiments.tracking.environment import ADDRESS

EXPERIMENT_ID = "0"
"""of the only experiment that a run sees: its own"""


def found(run_id: str) -> CurrentRun | Trial:
    """Return the current run, which should have an id.

    Raises:
        RunError: the current run has another id, or there is none.
    """
    run = current()
    if run.id != run_id:
        raise RunError(
            f"MLflow: {run_id} is not the run that is trained here ({run.id}); to reach another "
            "run, name its store: MlflowClient(tracking_uri)"
        )
    return run


def entity_of(run: CurrentRun | Trial, *, with_data: bool) -> Run:
    """Return a run as MLflow's functions see it.

    Args:
        run: the run.
        with_data: whether with everything that is recorded by now, which takes a look through the
            whole journal.
    """
    name, data = "trial", RunData()
    if isinstance(run, CurrentRun):
        name = run.name
    if isinstance(run, CurrentRun) and with_data:
        past = run.history
        tags = {**run.start["tags"], **past.tags}
        data = RunData(
            # MLflow needs a time, and the values of one step have none of their own.
            metrics=[Metric(key, value, past.changed, 0) for key, value in past.metrics.items()],
            params=[Param(key, value) for key, value in run.params.items()],
            tags=[RunTag(key, value) for key, value in tags.items()],
        )
    info = RunInfo(
        run_id=run.id,
        experiment_id=EXPERIMENT_ID,
        user_id="",
        status=RunStatus.to_string(RunStatus.RUNNING),
        start_time=0,
        end_time=None,
        lifecycle_stage=LifecycleStage.ACTIVE,
        artifact_uri=f"{ADDRESS}/{run.id}",
        run_name=name,
    )
    return Run(info, data)


def experiment_of(run: CurrentRun | Trial, asked: str | None = None) -> Experiment:
    """Return a run's experiment.

    Args:
        run: the run.
        asked: the name that the user's code asks for; None for any.

    Raises:
        RunError: the experiment has another name.
    """
    name = asked or "trial"
    if isinstance(run, CurrentRun):
        name = run.experiment
        if asked not in {None, name}:
            raise RunError(
                f"mlflow.set_experiment('{asked}'): this run belongs to the experiment {name}; "
                f"set tracking.experiment={asked} and remove the call"
            )
    return Experiment(EXPERIMENT_ID, name, ADDRESS, LifecycleStage.ACTIVE)
