"""Settings of a sweep; a single run ignores them."""

from __future__ import annotations

from pydantic import Field

from experiments.config.types import Count, Strict


class Sweep(Strict):
    """The settings of a sweep; they have no effect on a single run."""

    plan_only: bool = Field(examples=["true"])
    """whether to print the plan and train nothing"""
    fail_fast: bool = Field(examples=["true"])
    """whether no further job begins after a job has failed"""
    max_jobs: Count = Field(examples=[5000])
    """the largest number of jobs that a sweep may have"""
    gpus_per_job: Count | None = Field(examples=[1])
    """the number of GPUs that a job of a launcher with processes sees; null for one, if any"""
