"""The registry: an identity belongs to one run, and a run to one process at a time."""
