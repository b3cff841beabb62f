"""Lanes: runs of one model trained together, as one model whose weights are stacked."""
