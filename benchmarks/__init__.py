"""Measurements. `make bench` runs all; each script prints a table and keeps it in results/."""
