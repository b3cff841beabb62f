"""`make bench`: every measurement in turn."""

from benchmarks import accuracy, contention, epoch, process, startup

for script in (startup, epoch, contention, process, accuracy):
    script.main()
