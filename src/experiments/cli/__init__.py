"""The command `experiments`: a module for each group of its commands."""
