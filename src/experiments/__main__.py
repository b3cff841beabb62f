"""`python -m experiments` is the command `experiments`."""

from experiments.cli import main

main()
