"""Explanations of a finished run: its quality by class, its calibration, attributions, weights."""
