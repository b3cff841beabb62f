"""The verdict of a sweep as lines of text, and as Markdown for its description in MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from experiments.errors import shortened
from experiments.redaction.hide import hidden
from experiments.sweep.verdict import Verdict, about_effects, method, sentences

_SHOWN, _SHOWN_IN_MLFLOW = 10, 20  # settings
_LONGEST = 4_500  # characters; MLflow takes 5,000 in a tag
_LONGEST_NAME, _LONGEST_COMMAND = 80, 1_000  # characters


class Line(NamedTuple):
    """A line of text, and its style on a terminal in the words of rich."""

    text: str
    style: str = ""


def as_lines(verdict: Verdict) -> Iterator[Line]:
    """Yield the ranking and the statements about it; no line depends on its style."""
    ranking = verdict.ranking
    if not ranking.settings:
        return
    yield Line(f"The best by {ranking.measure.name}:")
    shown = ranking.settings[:_SHOWN]
    figures = [_figure(verdict, place) for place in range(len(shown))]
    width = max(map(len, figures))
    for place, (setting, told) in enumerate(zip(shown, figures, strict=True), 1):
        notes = f" ({', '.join(setting.notes)})" if setting.notes else ""
        style = "bold green" if setting is ranking.best else ""
        yield Line(f"  {place:2}. {told:{width}}  {setting.name}{notes}", style)
    if len(ranking.settings) > _SHOWN:
        yield Line(f"  and {len(ranking.settings) - _SHOWN} more settings")
    yield from (Line(f"  {text}") for text in sentences(verdict))
    if verdict.effects:
        yield Line("  Share of the variance between settings, and the mean for each value:")
        yield from (Line(f"    {text}") for text in about_effects(verdict))
    yield from (Line(f"  {text}") for text in method(verdict))


def as_markdown(
    verdict: Verdict, counts: Mapping[str, int], command: str, unfinished: Sequence[str] = ()
) -> str:
    """Return the verdict as Markdown of at most 4,500 characters.

    Settings beyond the first 20, or as many as fit, are left out, and a line says so.

    Args:
        verdict: the verdict.
        counts: the numbers of jobs, by the names that `verdict.counts` gives them.
        command: the command that repeats the sweep.
        unfinished: the reasons why jobs are unfinished, from `failures.reasons`.
    """
    for shown in range(min(_SHOWN_IN_MLFLOW, len(verdict.ranking.settings)), -1, -1):
        text = "\n".join(_markdown(verdict, counts, command, unfinished, shown))
        if len(text) <= _LONGEST:
            return text
    return shortened(text, _LONGEST)


def _markdown(
    verdict: Verdict,
    counts: Mapping[str, int],
    command: str,
    unfinished: Sequence[str],
    shown: int,
) -> Iterator[str]:
    ranking = verdict.ranking
    if ranking.best is not None:
        told = ranking.measure.figure(ranking.best.mean, ranking.best.deviation)
        name = _escaped(shortened(ranking.best.name, _LONGEST_NAME))
        notes = f" ({', '.join(ranking.best.notes)})" if ranking.best.notes else ""
        yield f"**The best by {ranking.measure.name}: {name}, {told}**{notes}\n"
    # MLflow shows the first lines, and the rest on request.
    yield from (f"- {text}" for text in sentences(verdict))
    if shown:
        yield "\n| place | setting | mean | ± sd | n | 95 % interval | against the best (Holm) |"
        yield "|---|---|---|---|---|---|---|"
        for place in range(shown):
            yield f"| {' | '.join(_cells(verdict, place))} |"
        yield ""
    if len(ranking.settings) > shown:
        yield f"{len(ranking.settings) - shown} more settings are in `jobs.csv`.\n"
    yield from (f"- {text}" for text in method(verdict))
    if verdict.effects:
        yield "\n**Share of the variance between settings, and the mean for each value**\n"
        yield from (f"- {_escaped(shortened(text, 300))}" for text in about_effects(verdict))
    if unfinished:
        yield "\n**Not finished**\n"
        yield from (f"- {_escaped(shortened(hidden(text), 300))}" for text in unfinished)
    numbers = [f"{number} {name.rpartition('_')[2]}" for name, number in counts.items()]
    yield f"\n{numbers[0]}: {', '.join(numbers[1:])}\n"
    if len(command) <= _LONGEST_COMMAND:
        yield f"`` {command} ``"  # within the text, so that MLflow wraps it
    else:
        yield "The command is in the tag `sweep.command`."


def _cells(verdict: Verdict, place: int) -> Iterator[str]:
    """Yield the cells of the row of a place, counted from 0."""
    setting, interval = verdict.ranking.settings[place], verdict.intervals[place]
    measure, is_ranked = verdict.ranking.measure, not setting.lacking
    yield f"{place + 1}"
    yield _escaped(shortened(setting.name, _LONGEST_NAME))
    yield measure.shown(setting.mean) if is_ranked else ""
    yield measure.deviation(setting.deviation) if is_ranked else ""
    yield f"{len(setting.numbers)}"
    yield measure.span(interval) if interval else ""
    yield ", ".join(filter(None, [verdict.against_best(place), *setting.notes]))


def _escaped(text: str) -> str:
    r"""Return a text that Markdown shows as it is, also in a table."""
    plain = " ".join(text.split())
    return "".join(f"\\{each}" if each in r"\`*_{}[]<>#|~" else each for each in plain)


def _figure(verdict: Verdict, place: int) -> str:
    """Return the figures of a place, counted from 0."""
    setting, interval = verdict.ranking.settings[place], verdict.intervals[place]
    if setting.lacking:
        return "diverged" if setting.diverged else "no finite value"
    measure = verdict.ranking.measure
    told = measure.figure(setting.mean, setting.deviation)
    return f"{told}, {measure.span(interval)} (n={len(setting.numbers)})" if interval else told
