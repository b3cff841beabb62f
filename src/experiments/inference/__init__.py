"""Finished runs in use: their models, the data they know, images made ready, predictions."""
