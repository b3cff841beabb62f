"""Everything in which two runs differ, from their origin to their weights; no torch."""
