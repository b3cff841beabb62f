"""The Python interface: `compose`, `train` and `load` for scripts and notebooks."""
