"""Exact, fast, validated runs: Hydra composes, PyTorch trains, MLflow compares."""
