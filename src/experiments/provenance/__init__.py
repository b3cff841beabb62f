"""Provenance: where a run comes from: commit, patch, versions, machine."""
