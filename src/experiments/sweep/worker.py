"""The process that trains jobs, one after the other: `python -m experiments.sweep.worker`.

Torch is imported once for all of them. Whatever a job does to its process, it does to
this one: the launcher's own process lives on, says what happened, and starts another.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pickle
import select
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import configure_log, env_override, setup_globals
from omegaconf import DictConfig, OmegaConf

from experiments.composition import Refused, in_one_line
from experiments.errors import AliveError, InputError
from experiments.interruption import Interrupted
from experiments.runtime import load_torch

SIZE = struct.Struct(">Q")  # before each request


def main() -> None:
    """Answer requests from the standard input until it ends; what jobs print goes to their logs."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1) as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        setup_globals()
        busy = threading.Event()
        threading.Thread(target=_stop_when_alone, args=(busy,), daemon=True).start()
        requests = _requests(sys.stdin.buffer)
        sys.path[:] = next(requests)["path"]
        load_torch()

        for request in requests:
            busy.set()
            answer = _answer(request)
            busy.clear()
            print(json.dumps(answer), file=answers)


def _stop_when_alone(busy: threading.Event) -> None:
    """Stop the job, which saves a checkpoint, when the process that asked for it is gone."""
    poller = select.poll()
    poller.register(sys.stdin.fileno(), 0)  # reports a closed pipe only
    poller.poll()
    if busy.is_set():
        os.kill(os.getpid(), signal.SIGTERM)


def _requests(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    while head := stream.read(SIZE.size):
        (size,) = SIZE.unpack(head)
        yield pickle.loads(stream.read(size))  # noqa: S301  (from our own parent, by a pipe)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    if "facts" in request:
        return {"facts": [_facts(config) for config in request["facts"]]}
    return _run(request["job"], request["config"])


def _facts(config: Any) -> dict[str, str]:
    from experiments.assembly import surroundings

    try:
        data_sha256, device = surroundings(config)
    except InputError as error:
        return {"error": str(error)}
    return {"data_sha256": data_sha256, "device": device}


def _run(function: bytes, config: DictConfig) -> dict[str, Any]:
    HydraConfig.instance().set_config(config)
    told = HydraConfig.get()
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    log = Path(told.runtime.output_dir) / f"{told.job.name}.log"
    with _output_to(log), env_override(told.job.env_set):
        configure_log(config.hydra.job_logging, told.verbose)
        root = logging.getLogger()
        for handler in list(root.handlers):
            if not isinstance(handler, logging.FileHandler):
                root.removeHandler(handler)  # the console of a job is its log
        try:
            return {"state": "finished", "objective": float(pickle.loads(function)(own))}  # noqa: S301
        except Refused as refused:
            return _failure(refused.error)
        except BaseException as error:  # noqa: BLE001  (the sweep goes on, and says what it was)
            return _failure(error)
        finally:
            for handler in list(root.handlers):
                handler.close()
                root.removeHandler(handler)


def _failure(error: BaseException) -> dict[str, Any]:
    """Return what to say of a job that has not finished; the traceback goes to its log."""
    match error:
        case Interrupted() | KeyboardInterrupt():
            return {"state": "interrupted", "reason": "interrupted"}
        case AliveError():
            return {"state": "in use", "reason": str(error)}
        case SystemExit():
            return {"state": "failed", "reason": f"called sys.exit({error.code!r})"}
    reason = in_one_line(error)
    if reason is None:
        traceback.print_exception(error)
        lines = str(error).strip().splitlines() or [""]
        reason = f"{type(error).__name__}: {lines[0]}"
    else:
        print(f"error: {reason}", file=sys.stderr)  # noqa: T201
    return {"state": "failed", "reason": reason}


@contextlib.contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Send all that the process prints to a file."""
    before = [os.dup(number) for number in (1, 2)]
    with log.open("ab", buffering=0) as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, kept in zip((1, 2), before, strict=True):
            os.dup2(kept, number)
            os.close(kept)


if __name__ == "__main__":
    main()
