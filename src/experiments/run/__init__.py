"""A run: prepared, built, trained, saved, continued, tested."""
