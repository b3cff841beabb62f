"""The comparison of a run with the same run trained again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.differences.record import Record
from experiments.differences.results import curve_rows
from experiments.differences.section import Row, counted
from experiments.journal.points import differing, without_times


@dataclass(frozen=True)
class Verdict:
    """Whether two trainings gave the same result."""

    is_equal: bool
    sentence: str
    rows: Sequence[Row]
    """what was compared: the points of each metric"""


def verdict(record: Record, again: Record) -> Verdict:
    """Compare all metric points, times aside, and the weights of a run and its repetition.

    A run that recorded no end is compared as far as it got.
    """
    then, now = (without_times(each.past.points) for each in (record, again))
    is_whole = record.summary.status == "FINISHED"
    if not is_whole:
        now = {point: value for point, value in now.items() if point in then}
    rows = curve_rows(then, now)
    weights = [each.tags.get("weights_sha256") for each in (record, again)]
    if found := _difference(again, then, now, weights if is_whole else []):
        return Verdict(False, f"Different: {found}", rows)
    if not then:
        return Verdict(False, "Nothing is proved: the run recorded no metric point", rows)
    points = counted(len(then), "metric point")
    if is_whole and weights[0]:
        return Verdict(
            True, f"Equal to the bit: {points} and the weights ({weights[0][:12]})", rows
        )
    if is_whole:
        return Verdict(True, f"Equal to the bit: {points}; it diverged again", rows)
    reason = again.tags.get("failure")
    failed = f"; it failed again: {reason}" if reason and "failure" in record.tags else ""
    return Verdict(True, f"Equal to the bit as far as the run got: {points}{failed}", rows)


def _difference(
    again: Record,
    then: dict[tuple[str, int], float],
    now: dict[tuple[str, int], float],
    weights: Sequence[str | None],
) -> str:
    """Return the first difference in words; empty if there is none."""
    wrong = differing(then, now)
    if wrong:
        key, step = wrong[0]
        one, other = (_number(each.get((key, step))) for each in (then, now))
        more = f", and {counted(len(wrong) - 1, 'point')} more" if len(wrong) > 1 else ""
        ended = f"; it failed: {reason}" if (reason := again.tags.get("failure")) else ""
        return f"{key} at step {step} is {other} instead of {one}{more}{ended}"
    if weights and weights[0] != weights[1]:
        one, other = (each[:12] if each else "none" for each in weights)
        return f"the weights are {other} instead of {one}, while all metric points are equal"
    if weights and again.summary.status != "FINISHED":
        return f"it ended {again.summary.state}"
    return ""


def _number(value: float | None) -> str:
    return "missing" if value is None else repr(value)
