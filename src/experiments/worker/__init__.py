"""The worker: a process that trains a sweep's jobs, and its client."""
