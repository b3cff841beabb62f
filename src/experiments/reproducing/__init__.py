"""Reproducing: a recorded run is trained once more from its own code, and compared to the bit."""
