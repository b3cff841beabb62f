"""Composition: from the command line, by way of Hydra, to a checked configuration."""
