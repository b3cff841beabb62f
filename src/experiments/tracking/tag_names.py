"""Names of the tags that the program itself needs; the MLflow UI shows none that begin so."""

from __future__ import annotations

JOURNAL = "mlflow.experiments.journal_id"
"""the id of the journal that a run is a copy of"""
PID = "mlflow.experiments.pid"
"""the id, on the tag `host`, of the process that trains or trained the run"""
HEARTBEAT = "mlflow.experiments.heartbeat"
"""the time of the last proof that this process is alive, in milliseconds since 1970"""
FAILURE = "failure"
"""the error of a run that failed"""
PARENT = "mlflow.parentRunId"
"""MLflow's own: the run above a nested run"""
NAME = "mlflow.runName"
"""MLflow's own: the name of a run"""
NOTE = "mlflow.note.content"
"""MLflow's own: the description of a run, in Markdown"""
