"""Sweeps: planned before they begin, run on any launcher, continued by the same command."""
