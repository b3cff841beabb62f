"""Provenance: the origin of a run: commit, patch, versions, machine."""
