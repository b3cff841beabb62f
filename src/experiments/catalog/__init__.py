"""The catalog: all runs and sweeps below a folder, found, filtered and grouped; no torch."""
