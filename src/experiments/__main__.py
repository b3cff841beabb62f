"""`python -m experiments` is the command `experiments`."""

from experiments.cli.main import main

main()
