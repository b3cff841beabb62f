"""MLflow's plugin: what a user's code logs by MLflow's functions becomes reports of its run.

MLflow loads it by the entry points in pyproject.toml, for addresses that begin `experiments:`.
"""
