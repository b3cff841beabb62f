"""The results of two runs, compared: curves, weights, and the last values of all metrics."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.differences.record import Record
from experiments.differences.section import Row, Section, Value, counted
from experiments.files.checksums import sha256_of
from experiments.journal.points import Points, are_equal, differing, without_times
from experiments.registry.integrity import WEIGHTS

if TYPE_CHECKING:
    import numpy as np

_SHA = 12  # characters that are shown


def curves(a: Record, b: Record) -> Section:
    """Compare all metric points to the bit, by key and step; times aside."""
    one, other = (without_times(each.past.points) for each in (a, b))
    wrong = differing(one, other)
    if not wrong:
        return Section("curves")
    rows = curve_rows(one, other)
    key, step = wrong[0]
    unequal = sum(not row["equal"] for row in rows)
    says = f"{unequal} of {counted(len(rows), 'metric')} differ, first {key} at step {step}"
    return Section("curves", says, rows)


def curve_rows(one: Points, other: Points) -> list[Row]:
    """Return a row for each metric of two runs: its points, its first and largest difference."""
    return [_curve(key, one, other) for key in sorted({key for key, _ in (*one, *other)})]


def _curve(key: str, one: Points, other: Points) -> Row:
    ours, theirs = ({p: v for p, v in each.items() if p[0] == key} for each in (one, other))
    wrong = differing(ours, theirs)
    both = [point for point in wrong if point in ours and point in theirs]
    sizes = [(abs(ours[point] - theirs[point]), point[1]) for point in both]
    largest = max((each for each in sizes if not math.isnan(each[0])), default=None)
    return {
        "metric": key,
        "points in a": len(ours),
        "points in b": len(theirs),
        "equal": not wrong,
        "first difference at step": wrong[0][1] if wrong else None,
        "largest difference": largest[0] if largest else None,
        "at step": largest[1] if largest else None,
    }


def weights(a: Record, b: Record) -> Section:
    """Compare the weights, tensor by tensor if they differ."""
    shas = [each.tags.get("weights_sha256") for each in (a, b)]
    if shas[0] == shas[1]:
        return Section("weights")
    lacking = [name for name, sha in zip("ab", shas, strict=True) if sha is None]
    if lacking:
        return Section("weights", f"{lacking[0]} has none")
    says = " → ".join(str(sha)[:_SHA] for sha in shas)
    for each in (a, b):
        if problem := weights_problem(each):
            return Section("weights", f"{says}; {problem}")
    rows = _tensors(a.summary.folder / WEIGHTS, b.summary.folder / WEIGHTS)
    unequal = sum(not row["equal"] for row in rows)
    return Section("weights", f"{says}; {unequal} of {counted(len(rows), 'tensor')} differ", rows)


def weights_problem(run: Record) -> str:
    """Return the reason why the weights of a run cannot be read; empty if they can."""
    path = run.summary.folder / WEIGHTS
    try:
        found = sha256_of(path)
    except OSError as error:
        return f"{os.path.relpath(path)} cannot be read ({error.strerror})"
    if found != run.tags.get("weights_sha256"):
        return f"{os.path.relpath(path)} is damaged: its SHA-256 is not the one in the journal"
    return ""


def _tensors(a: Path, b: Path) -> list[Row]:
    from safetensors import safe_open

    with safe_open(a, framework="np") as one, safe_open(b, framework="np") as other:
        names = sorted({*one.keys(), *other.keys()})
        return [_tensor(name, one, other) for name in names]


def _tensor(name: str, one: Any, other: Any) -> Row:
    row: dict[str, Value] = {
        "tensor": name,
        "shape": _shape(name, one, other),
        "equal": False,
        "largest difference": None,
        "relative L2": None,
    }
    if "→" in str(row["shape"]):
        return row
    try:
        ours, theirs = one.get_tensor(name), other.get_tensor(name)
    except TypeError:  # numpy lacks bfloat16 and the types of 8 bits
        return row | {"shape": f"{row['shape']}, which numpy cannot read", "equal": None}
    largest, relative = _distances(ours, theirs)
    equal = ours.tobytes() == theirs.tobytes()
    return row | {"equal": equal, "largest difference": largest, "relative L2": relative}


def _shape(name: str, one: Any, other: Any) -> str:
    told = []
    for file in (one, other):
        held = name in file.keys()  # noqa: SIM118  (a file of safetensors, no mapping)
        part = file.get_slice(name) if held else None
        told.append(f"{part.get_shape()} {part.get_dtype()}" if part else "none")
    return told[0] if told[0] == told[1] else " → ".join(told)


def _distances(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return max |a - b| and ||a - b|| / ||a||, both in float64."""
    import numpy as np

    exact = ours.astype(np.float64)
    delta = exact - theirs.astype(np.float64)
    norm = float(np.linalg.norm(exact))
    distance = float(np.linalg.norm(delta))
    relative = distance / norm if norm else math.inf if distance else 0.0
    return float(np.abs(delta).max(initial=0.0)), relative


def result(a: Record, b: Record) -> Section:
    """Compare the states and the last values of all metrics."""
    ours, theirs = (
        {key: value for (key, _), value in sorted(without_times(each.past.points).items())}
        for each in (a, b)
    )
    rows: list[Row] = [
        {"metric": key, "a": ours.get(key), "b": theirs.get(key)}
        for key in dict.fromkeys((*ours, *theirs))
        if not are_equal(ours.get(key), theirs.get(key))
    ]
    states = [each.summary.state for each in (a, b)]
    says = [] if states[0] == states[1] else [f"{states[0]} → {states[1]}"]
    one, other = (each.summary.objective for each in (a, b))
    if not are_equal(one, other):
        says.append(f"objective {one:.4f} → {other:.4f}")
    if rows and not says:
        says.append(f"{counted(len(rows), 'metric')} differ")
    return Section("result", ", ".join(says), rows)


RESULTS = (curves, weights, result)
"""the sections, in their order"""
