"""Measurements. `make bench` runs all; each script prints a table and keeps it in results/."""

from experiments.runtime import share_the_cores

share_the_cores()  # as train.py does, before anything imports torch
