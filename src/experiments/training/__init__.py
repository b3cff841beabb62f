"""Training: plain functions and torch, nothing else."""
