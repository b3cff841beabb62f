"""The origins of two runs, compared: configuration, overrides, code, data, versions, machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from experiments.composition.run_names import is_noise
from experiments.differences.ingredients import changed_keys, changed_sources
from experiments.differences.record import Record
from experiments.differences.section import Row, Section, Value, changed, counted
from experiments.provenance.repository import RepositoryError, is_within_repository, opened

_SHA = 12  # characters that are shown


def configuration(a: Record, b: Record) -> Section:
    """Compare the chosen parts and the values; places and tracking aside."""
    one, other = dict(a.summary.params), dict(b.summary.params)
    rows = [row for row in changed(one, other, "key") if not is_noise(str(row["key"]))]
    hidden = [key for key in changed_keys(a, b) if key in one and one[key] == other.get(key)]
    rows += [{"key": key, "a": one.get(key), "b": "the same text, another value"} for key in hidden]
    says = f"{counted(len(rows), 'key')} differ" if rows else ""
    return Section("configuration", says.replace("1 key differ", "1 key differs"), rows)


def overrides(a: Record, b: Record) -> Section:
    """Compare the overrides as they were typed, except places and tracking."""
    one, other = ([text for text in each.overrides if not is_noise(text)] for each in (a, b))
    rows: list[Row] = [
        {"override": text, "a": text in one, "b": text in other}
        for text in dict.fromkeys((*one, *other))
        if (text in one) != (text in other)
    ]
    if not rows and one != other:
        return Section("overrides", "the same, in another order")
    return Section(
        "overrides", f"{counted(len(rows), 'override')} of only one" if rows else "", rows
    )


def code(a: Record, b: Record) -> Section:
    """Compare the commits, the uncommitted changes and the modules that determine the result."""
    says = []
    if a.commit != b.commit:
        says.append(f"commit {_short(a.commit)} → {_short(b.commit)}{_apart(a.commit, b.commit)}")
    if a.patch != b.patch:
        both = " and ".join(f"{name} {_patched(run)}" for name, run in (("a", a), ("b", b)))
        says.append(f"uncommitted changes differ: {both}")
    modules = changed_sources(a, b)
    rows = changed(
        {k: a.source.get(k) for k in modules}, {k: b.source.get(k) for k in modules}, "module"
    )
    shown = [{key: _short_sha(value) for key, value in row.items()} for row in rows]
    if modules:
        says.append(f"{counted(len(modules), 'module')} with another source")
    elif says and a.source and b.source:
        says.append("every module that determines the result is the same")
    return Section("code", "; ".join(says), shown)


def data(a: Record, b: Record) -> Section:
    """Compare the checksums of the data."""
    return _single("data", {"SHA-256": a.data_sha256}, {"SHA-256": b.data_sha256}, "checksum")


def versions(a: Record, b: Record) -> Section:
    """Compare Python and all packages; those that belong to the identity come first."""
    own = changed(a.versions, b.versions, "package")
    told = {row["package"] for row in own}
    known = a.packages and b.packages
    rest = changed(a.packages, b.packages, "package") if known else []
    others = [row for row in rest if row["package"] not in told]
    says = [f"{row['package']} {row['a']} → {row['b']}" for row in own]
    if others:
        says.append(
            f"{counted(len(others), 'package')} beside them"
            if own
            else f"{counted(len(others), 'package')} outside the identity"
        )
    return Section("versions", ", ".join(says), [*own, *others])


def machine(a: Record, b: Record) -> Section:
    """Compare the host, the device and the processor."""
    return _single("machine", _machine(a), _machine(b), "fact")


def _machine(run: Record) -> dict[str, Value]:
    facts = {key: run.environment.get(key) for key in ("processor", "cores", "platform")}
    return {"host": run.past.host, "device": run.device, **facts}


def _single(name: str, a: Mapping[str, Value], b: Mapping[str, Value], column: str) -> Section:
    both = [key for key in a if a[key] and b[key]]
    rows = changed({k: a[k] for k in both}, {k: b[k] for k in both}, column)
    short = [{key: _short_sha(value) for key, value in row.items()} for row in rows]
    says = ", ".join(f"{row[column]} {row['a']} → {row['b']}" for row in short)
    return Section(name, says, rows)


def _short(sha: str | None) -> str:
    return sha[:_SHA] if sha else "none"


def _short_sha(value: Value) -> Value:
    is_sha = isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value)
    return value[:_SHA] if isinstance(value, str) and is_sha else value


def _apart(one: str | None, other: str | None) -> str:
    """Return the distance of two commits in the repository of the present folder, in words."""
    if not one or not other or not is_within_repository(Path.cwd()):
        return ""
    try:
        with opened(Path.cwd()) as repository:
            unknown = [sha for sha in (one, other) if not repository.holds(sha)]
            if unknown:
                return f" ({_short(unknown[0])} is not in this repository)"
            before, after = repository.apart(one, other)
    except RepositoryError as error:
        return f" ({error})"
    if before and after:
        return f" ({counted(before, 'commit')} only in a, {counted(after, 'commit')} only in b)"
    return f" ({counted(before or after, 'commit')} {'earlier' if before else 'later'})"


def _patched(run: Record) -> str:
    files = len(re.findall(rb"(?m)^diff --git ", run.patch))
    return f"has changes in {counted(files, 'file')}" if run.patch else "has none"


ORIGINS: tuple[Callable[[Record, Record], Section], ...] = (
    *(configuration, overrides, code, data, versions, machine),
)
"""the sections, in their order"""
