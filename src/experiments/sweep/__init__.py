"""Sweeps: planned before they begin, run on any launcher, resumed by the same command."""
