"""`make bench`: runs every benchmark in turn."""

from benchmarks import (
    accuracy,
    catalog,
    checkpoint,
    contention,
    demo,
    drawn,
    epoch,
    lanes,
    logged_model,
    lookup,
    outage,
    predict,
    process,
    processes,
    reports,
    startup,
    sweep,
    verdict,
)

SCRIPTS = (
    *(startup, epoch, lanes, checkpoint, contention),
    *(outage, process, processes, logged_model, lookup, catalog, reports, sweep, verdict, accuracy),
    *(drawn, predict, demo),
)
for script in SCRIPTS:
    script.main()
