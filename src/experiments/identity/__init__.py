"""Identity: a hash of everything that determines a run's result."""
