"""A run: prepared, built, trained, saved, resumed, tested."""
