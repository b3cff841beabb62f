"""`make bench`: every measurement in turn."""

from benchmarks import (
    accuracy,
    checkpoint,
    contention,
    epoch,
    lookup,
    outage,
    process,
    startup,
    sweep,
)

for script in (startup, epoch, checkpoint, contention, outage, process, lookup, sweep, accuracy):
    script.main()
