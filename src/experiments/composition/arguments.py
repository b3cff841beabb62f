"""Check the command line before Hydra reads it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hydra._internal.utils import get_args_parser

from experiments.errors import InputError


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse arguments that make Hydra print a screen of usage or load a pickle.

    Raises:
        InputError: an argument is not allowed.
    """
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"{argument}: holds bytes that are no text in the encoding "
                f"{sys.getfilesystemencoding()}; set LC_ALL=C.UTF-8, or use another name"
            ) from error
    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        known, others = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise InputError(f"{error}; `python train.py --hydra-help` lists the options") from error
    options = [argument for argument in others if argument.startswith("-")]
    if options:
        raise InputError(
            f"{options[0]}: there is no such option; `python train.py --hydra-help` lists them"
        )
    if others:
        raise InputError(
            f"{others[0]}: stands apart from the other overrides; put -m and the like before or "
            "behind all of them"
        )
    if known.experimental_rerun is not None:
        raise InputError(
            f"--experimental-rerun={known.experimental_rerun}: would load a pickle, which may run "
            "any code; repeat the run's command, which resumes or reports it"
        )
