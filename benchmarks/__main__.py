"""`make bench`: runs every benchmark in turn; fails at the end if one of them failed its aim."""

import sys

from benchmarks import (
    accuracy,
    catalog,
    checkpoint,
    contention,
    demo,
    drawn,
    epoch,
    first_epoch,
    lanes,
    lanes_epoch,
    logged_model,
    lookup,
    outage,
    predict,
    process,
    processes,
    reports,
    settings,
    startup,
    sweep,
    verdict,
)

SCRIPTS = (
    *(startup, epoch, first_epoch, lanes_epoch, lanes, settings, checkpoint, contention),
    *(outage, process, processes, logged_model, lookup, catalog, reports, sweep, verdict, accuracy),
    *(drawn, predict, demo),
)
missed = [script.main() for script in SCRIPTS]
sys.exit("\n".join(filter(None, missed)) or None)
