"""Benchmarks. `make bench` runs all; each script prints a table and keeps it in results/."""

from experiments.run.load_torch import share_the_cores

share_the_cores()  # like train.py, before anything imports torch
