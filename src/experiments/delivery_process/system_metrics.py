"""The load of the machine during a run, as MLflow's own system metrics.

These metrics go to MLflow only: they tell nothing about the result, so no journal holds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.tracking.delivery import Delivery

if TYPE_CHECKING:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

_SECONDS = 1.0  # between two samples, unless MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL is set


class SystemMetrics:
    """Records the load of the machine for the runs that ask for it, by threads of this process."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._monitors: dict[str, SystemMetricsMonitor] = {}

    def follow(self, run: Delivery) -> None:
        """Begin or end the recording for the copies of a run, as its state asks."""
        for copy in run.copies:
            if copy.run_id is None or not copy.wishes.system_metrics:
                continue
            if copy.complete:
                if (monitor := self._monitors.pop(copy.run_id, None)) is not None:
                    monitor.finish()  # type: ignore[no-untyped-call]
            elif copy.run_id not in self._monitors:
                self._begin(copy.run_id)

    def _begin(self, run_id: str) -> None:
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
            run_id, sampling_interval=_SECONDS, resume_logging=True, tracking_uri=self._uri
        )
        monitor.start()  # type: ignore[no-untyped-call]
        self._monitors[run_id] = monitor
