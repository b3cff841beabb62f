"""Training: the loop, evaluation, updates and the best epoch; plain functions on torch alone."""
