"""`make bench`: runs every benchmark in turn; fails at the end if one of them failed its aim."""

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
from benchmarks.report import as_command

SCRIPTS = (
    *(startup, epoch, first_epoch, lanes_epoch, lanes, settings, checkpoint, contention),
    *(outage, process, processes, logged_model, lookup, catalog, reports, sweep, verdict, accuracy),
    *(drawn, predict, demo),
)


def main() -> str | None:
    """Run all of them; return the lines about missed aims."""
    missed = [script.main() for script in SCRIPTS]
    return "\n".join(filter(None, missed)) or None


as_command(main, __doc__)
