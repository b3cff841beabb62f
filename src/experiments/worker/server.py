"""The process that trains jobs, one after the other: `python -m experiments.worker`.

Torch is imported once for all of them. If a job ends or damages its process, it harms only this
one: the launcher's own process lives on, reports the end, and starts another worker.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import select
import sys
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import env_override, setup_globals
from omegaconf import DictConfig

from experiments.composition.entry_point import Refused
from experiments.composition.hydra_config import log_of, own
from experiments.composition.hydra_errors import in_one_line
from experiments.composition.tracebacks import place_in_user_code, print_traceback
from experiments.errors import AliveError, InputError, text_of
from experiments.files.safe_writes import open_to_append
from experiments.process.logs import own_log
from experiments.process.messages import parent
from experiments.process.signals import Interrupted, stop
from experiments.process.streams import guarded_output
from experiments.redaction.hide import hidden
from experiments.run.load_torch import load_torch
from experiments.run.request import number_of
from experiments.tracking.current_run import refused, trial


@guarded_output()
def main() -> None:
    """Answer requests until the other process closes the pipe; jobs print to their own logs."""
    channel, answers = parent()
    setup_globals()
    busy, alone = threading.Event(), threading.Event()
    threading.Thread(target=_stop_when_alone, args=(busy, alone), daemon=True).start()
    requests = _requests(channel)
    if (beginning := next(requests, None)) is None:
        return  # the sweep was stopped before its first message
    sys.path[:] = beginning["path"]
    load_torch()
    with contextlib.suppress(BrokenPipeError):  # the other process is gone
        for request in requests:
            busy.set()
            if alone.is_set():
                return
            for answer in _answer(request):
                answers.send(answer)
            busy.clear()
            answers.send(None)  # the last answer


def _stop_when_alone(busy: threading.Event, alone: threading.Event) -> None:
    """Stop the job, which saves a checkpoint, when the requesting process closes the pipe."""
    poller = select.poll()
    poller.register(sys.stdin.fileno(), 0)  # reports a closed pipe only
    poller.poll()
    alone.set()
    if busy.is_set():
        stop()


def _requests(channel: Connection) -> Iterator[dict[str, Any]]:
    """Yield requests until the other process closes the pipe, perhaps in the middle of one."""
    while True:
        try:
            content = channel.recv_bytes()
        except (EOFError, OSError):
            return
        yield pickle.loads(content)  # noqa: S301  (from our own parent, by a pipe)


def _answer(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match request:
        case {"facts": configs}:
            yield {"facts": [_facts(config) for config in configs]}
        case {"try": configs}:
            yield from _try(configs)
        case {"examine": config, "lanes": wanted}:
            yield _examine(config, wanted)
        case {"function": function, "jobs": [config]}:
            yield _run(function, config)
        case {"function": function, "jobs": configs}:
            yield from _run_lanes(function, configs)


def _try(configs: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Answer with the error of each first step; like a plan, this writes no file."""
    from experiments.worker.try_first_steps import try_choices

    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        with Path(os.devnull).open("ab") as nowhere, _output_to(nowhere), trial():
            for wrong in try_choices(configs):
                yield {"error": wrong}
    finally:
        sys.dont_write_bytecode = before


def _examine(config: Any, wanted: int | None) -> dict[str, Any]:
    from experiments.lanes.limits import examine
    from experiments.lanes.stack import CannotStackError

    try:
        with refused():
            return {"lanes": examine(config, wanted)}
    except (CannotStackError, InputError) as error:
        return {"reason": str(error)}
    except Interrupted:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001  (the job alone may fail and report it)
        return {"reason": f"{type(error).__name__}: {error}"}


def _run_lanes(function: bytes, configs: Sequence[DictConfig]) -> Iterator[dict[str, Any]]:
    from experiments.lanes.jobs import Job, LeftOutError, run_lanes

    left_out: list[tuple[Job, str]] = []
    with open_to_append(_log_of(configs[0])) as log, _output_to(log):
        for each in run_lanes(configs):
            if isinstance(each.error, LeftOutError):
                left_out.append((each, str(each.error)))
            elif each.error is not None:
                with (
                    open_to_append(_log_of(each.config)) as log_of_its_own,
                    _output_to(log_of_its_own),
                ):
                    told = _failure(each.error)
                yield {"number": each.number} | told
            else:
                yield {"number": each.number, "state": "finished", "objective": each.objective}
    for each, reason in left_out:
        told = {"state": "running", "reason": f"alone from here on: {reason}"}
        yield {"number": each.number} | told
        yield _run(function, each.config)


def _facts(config: Any) -> dict[str, str]:
    from experiments.run.build import surroundings

    try:
        data_sha256, device = surroundings(config)
    except InputError as error:
        return {"error": str(error)}
    return {"data_sha256": data_sha256, "device": device}


def _log_of(config: DictConfig) -> Path:
    return Path(config.hydra.runtime.output_dir) / log_of(config)


def _run(function: bytes, config: DictConfig) -> dict[str, Any]:
    HydraConfig.instance().set_config(config)
    told = HydraConfig.get()
    number = {"number": number_of(told)}
    with contextlib.ExitStack() as stack:
        root = logging.getLogger()
        try:
            log = stack.enter_context(open_to_append(_log_of(config)))
            stack.enter_context(_output_to(log))
            stack.enter_context(env_override(told.job.env_set))
            root.handlers = own_log(config)
            objective = float(pickle.loads(function)(own(config)))  # noqa: S301
            return number | {"state": "finished", "objective": objective}
        except Refused as refused:
            return number | _failure(refused.error)
        except BaseException as error:  # noqa: BLE001  (reported; the sweep goes on)
            return number | _failure(error)
        finally:
            for handler in list(root.handlers):
                handler.close()
                root.removeHandler(handler)


def _failure(error: BaseException) -> dict[str, Any]:
    """Return the state and reason of a job that has not finished; a traceback goes to its log."""
    match error:
        case Interrupted() | KeyboardInterrupt():
            return {"state": "interrupted", "reason": "interrupted"}
        case AliveError():
            return {"state": "in use", "reason": str(error)}
        case SystemExit():
            return {"state": "failed", "reason": f"called sys.exit({error.code!r})"}
    reason = in_one_line(error)
    if reason is None:
        print_traceback(error)
        first_line = hidden(text_of(error)).strip().partition("\n")[0]
        place = place_in_user_code(error)
        reason = f"{type(error).__name__}: {first_line}{f' ({place})' if place else ''}"
    else:
        print(f"error: {reason}", file=sys.stderr)  # noqa: T201
    return {"state": "failed", "reason": reason}


@contextlib.contextmanager
def _output_to(file: IO[bytes]) -> Iterator[None]:
    """Send everything that the process prints to a file."""
    before = [os.dup(number) for number in (1, 2)]
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
