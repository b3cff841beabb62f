"""Benchmarks. `make bench` runs all; each script prints a table and keeps it in results/."""

import os

from experiments.run.load_torch import share_the_cores

share_the_cores()  # like train.py, before anything imports torch
# Without bytecode, each process that a benchmark starts would compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
