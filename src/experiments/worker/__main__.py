"""The process that trains a sweep's jobs: `python -m experiments.worker`; see `server`."""

from experiments.process.signals import end_at_once

if __name__ == "__main__":
    end_at_once()  # before the import below, which takes long

    from experiments.worker.server import main

    main()
