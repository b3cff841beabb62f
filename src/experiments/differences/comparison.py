"""Two runs compared, section by section, with one sentence at the top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from experiments.catalog.summary import Summary
from experiments.differences.ingredients import differences, in_words
from experiments.differences.origins import ORIGINS
from experiments.differences.record import Record, record_of
from experiments.differences.results import RESULTS
from experiments.differences.section import Section, counted
from experiments.journal.points import differing, without_times


@dataclass(frozen=True)
class Comparison:
    """Everything in which two runs differ."""

    a: Record
    b: Record
    sentence: str
    sections: Sequence[Section]
    """configuration, overrides, code, data, versions, machine, curves, weights, result"""

    @property
    def missing(self) -> list[str]:
        """Sentences about files that could not be compared."""
        found = (*self.a.missing.values(), *self.b.missing.values())
        return list(dict.fromkeys(found))

    def as_data(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        runs = {
            key: {"id": run.summary.id, "name": run.summary.name, "folder": str(run.summary.folder)}
            for key, run in (("a", self.a), ("b", self.b))
        }
        sections = {each.name: asdict(each) for each in self.sections}
        return {"sentence": self.sentence, **runs, "missing": self.missing, "sections": sections}


def compare(a: Summary, b: Summary) -> Comparison:
    """Compare two runs.

    Raises:
        InputError: the journal of one of them is damaged.
    """
    one, other = record_of(a), record_of(b)
    sections = [section(one, other) for section in (*ORIGINS, *RESULTS)]
    return Comparison(one, other, _sentence(one, other), sections)


def _sentence(a: Record, b: Record) -> str:
    if a.summary.folder.resolve() == b.summary.folder.resolve():
        return "The same run"
    said = _difference_of(a, b)
    if a.summary.identity and a.summary.identity == b.summary.identity:
        if not said:
            return f"Equal to the bit: the same identity, {_evidence(a)}"
        if part := _unfinished(a, b):
            return f"The same identity, and equal to the bit as far as {part} got"
        return f"The same identity, but different results: {said}{_reason(a, b)}"
    found = differences(a, b)
    what = in_words(found) if found else "their identity, and no file tells in which part of it"
    return f"Differ in {what}" + (
        "" if said else f"; the results are equal to the bit: {_evidence(a)}"
    )


def _difference_of(a: Record, b: Record) -> str:
    """Return the first difference of the results; empty if they are equal to the bit."""
    wrong = differing(without_times(a.past.points), without_times(b.past.points))
    if wrong:
        key, step = wrong[0]
        return f"{key} differs at step {step}"
    same = a.tags.get("weights_sha256") == b.tags.get("weights_sha256")
    return "" if same else "the weights differ"


def _unfinished(a: Record, b: Record) -> str:
    """Return which run has the beginning of the other's points, if it recorded no result."""
    for name, part, whole in (("a", a, b), ("b", b, a)):
        points = without_times(part.past.points)
        begun = {key: value for key, value in whole.past.points.items() if key in points}
        if part.summary.status != "FINISHED" and not differing(points, begun):
            return name
    return ""


def _reason(a: Record, b: Record) -> str:
    lanes = ["lanes" in each.tags for each in (a, b)]
    if lanes[0] != lanes[1]:
        return "; one was trained as a lane, whose last bits are other ones by design"
    one, other = (each.environment.get("processor") for each in (a, b))
    if one and other and one != other:
        return f"; the processors differ ({one} → {other})"
    return "; the training is not deterministic"


def _evidence(run: Record) -> str:
    points = counted(len(without_times(run.past.points)), "metric point")
    has_weights = "weights_sha256" in run.tags
    return f"{points} and the weights" if has_weights else f"{points}; neither has weights"
