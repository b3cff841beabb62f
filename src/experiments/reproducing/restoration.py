"""What of a run can be restored and what cannot, in sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from experiments.differences.ingredients import changed_keys, changed_sources, in_words, leaves
from experiments.differences.record import Record
from experiments.differences.section import counted
from experiments.reproducing.worktree import Code


def lost_files(record: Record) -> Iterator[str]:
    """Yield a sentence about each file of a run that is lost or damaged."""
    for name, problem in record.missing.items():
        if name == "identity.json":
            yield f"{problem}: whether the code and data are the run's cannot be checked"
        elif name != "git.patch":
            yield problem


def changed_environment(record: Record, present: Mapping[str, Any]) -> Iterator[str]:
    """Yield sentences about the Python, the packages and the processor that have changed.

    Args:
        record: the run.
        present: the present environment, as `environment.json` holds it.
    """
    packages = present["packages"]
    now = {"python": present["python"], "torch": packages.get("torch", "none")}
    for name, then in record.versions.items():
        if then and now.get(name, then) != then:
            yield f"the run had {name} {then}; here is {now[name]}"
    others = [
        name
        for name in record.packages.keys() | packages.keys()
        if record.packages and name not in now and record.packages.get(name) != packages.get(name)
    ]
    if others:
        yield (
            f"{counted(len(others), 'installed package')} outside the identity differ from the "
            f"run's: {in_words(sorted(others))}"
        )
    processor = record.environment.get("processor")
    if processor and processor != present["processor"]:
        yield f"the run's processor was {processor}; here is {present['processor']}"


def changed_ingredients(record: Record, again: Record, code: Code) -> Iterator[str]:
    """Yield sentences about the ingredients of the identity that the new training does not share.

    Args:
        record: the run.
        again: the run trained again.
        code: the code that it was trained with.
    """
    if not again.ingredients:
        return  # it ended before it recorded them, and its points tell
    written = leaves(record.config)
    counted_config = leaves(record.ingredients.get("config", {}))
    for key in changed_keys(record, again):
        if key == "trainer.strategy" and " on " in str(counted_config.get(key)):
            yield f"the run was trained by {counted_config[key]}; here it was trained by one"
        elif "${" in str(written.get(key)):
            yield f"{key} comes from the environment ({written[key]}), where its value has changed"
        else:
            yield f"{key} is not the run's"
    for name in changed_sources(record, again):
        yield _source(name, record, again, code)
    if record.data_sha256 != again.data_sha256 and record.data_sha256:
        yield "the data has changed: its SHA-256 is not the run's"
    if record.device != again.device and record.device:
        yield f"the run was trained on {record.device}; here it was trained on {again.device}"


def _source(name: str, record: Record, again: Record, code: Code) -> str:
    then, now = record.source.get(name), again.source.get(name)
    if then is None:
        return f"{name} is a module that the run did not use"
    if now is None:
        return f"{name} was a module of the run, and is not used now"
    if not re.fullmatch("[0-9a-f]{64}", then):
        return f"the run had {name} {then}; here is {now}"
    if code.top is not None and _is_in(code, name):
        return f"the source of {name} is not the run's, although its commit is restored"
    return (
        f"the source of {name} has changed since, and its former content is in no file of the run"
    )


def _is_in(code: Code, name: str) -> bool:
    place = name.replace(".", "/")
    bases = (code.project, code.project / "src")
    ends = (f"{place}.py", f"{place}/__init__.py")
    return any((base / end).exists() for base in bases for end in ends)
