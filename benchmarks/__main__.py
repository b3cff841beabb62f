"""`make bench`: runs every benchmark in turn."""

from benchmarks import (
    accuracy,
    checkpoint,
    contention,
    epoch,
    lanes,
    lookup,
    outage,
    process,
    startup,
    sweep,
    verdict,
)

SCRIPTS = (
    *(startup, epoch, lanes, checkpoint, contention),
    *(outage, process, lookup, sweep, verdict, accuracy),
)
for script in SCRIPTS:
    script.main()
