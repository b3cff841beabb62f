"""The process that trains a sweep's jobs, `python -m experiments.sweep`; see `worker`."""

from experiments.interruption import end_at_once

if __name__ == "__main__":
    end_at_once()  # before what follows, which takes long to import

    from experiments.sweep.worker import main

    main()
