"""What a sweep tells each of its jobs, by the variables that Hydra sets in a job's environment."""

from __future__ import annotations

NUMBER = "EXPERIMENTS_JOB"
"""the job's number in the sweep"""
SOURCE = "EXPERIMENTS_SOURCE"
"""the SHA-256 of the source that the sweep was planned with"""
DELIVERED = "EXPERIMENTS_DELIVERED"
"""whether the sweep asks MLflow and delivers to it, so that the job need not: 1 or nothing"""
