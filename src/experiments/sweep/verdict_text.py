"""The verdict of a sweep as lines of text, and as Markdown for its description in MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from experiments.errors import shortened
from experiments.redaction.hide import hidden
from experiments.sweep.settings import Setting
from experiments.sweep.statements import figure, span
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
    yield Line(f"The best by {ranking.measure}:")
    shown = ranking.settings[:_SHOWN]
    figures = [_figure(*entry) for entry in zip(shown, verdict.intervals, strict=False)]
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
        accuracy = figure(ranking.best.mean, ranking.best.deviation)
        name = _escaped(shortened(ranking.best.name, _LONGEST_NAME))
        notes = f" ({', '.join(ranking.best.notes)})" if ranking.best.notes else ""
        yield f"**The best by {ranking.measure}: {name}, {accuracy}**{notes}\n"
    # MLflow shows the first lines, and the rest on request.
    yield from (f"- {text}" for text in sentences(verdict))
    if shown:
        yield "\n| place | setting | mean | ± sd | n | 95 % interval | against the best (Holm) |"
        yield "|---|---|---|---|---|---|---|"
        for place in range(1, shown + 1):
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
    told = [f"{number} {name.rpartition('_')[2]}" for name, number in counts.items()]
    yield f"\n{told[0]}: {', '.join(told[1:])}\n"
    if len(command) <= _LONGEST_COMMAND:
        yield f"`` {command} ``"  # within the text, so that MLflow wraps it
    else:
        yield "The command is in the tag `sweep.command`."


def _cells(verdict: Verdict, place: int) -> Iterator[str]:
    setting, interval = verdict.ranking.settings[place - 1], verdict.intervals[place - 1]
    mean, _, deviation = figure(setting.mean, setting.deviation).removesuffix(" %").partition(" ± ")
    diverged = bool(setting.diverged)
    yield f"{place}"
    yield _escaped(shortened(setting.name, _LONGEST_NAME))
    yield "" if diverged else f"{mean} %"
    yield "" if diverged else deviation
    yield f"{len(setting.values)}"
    yield span(interval) if interval else ""
    yield ", ".join([*_against_the_best(verdict, place), *setting.notes])


def _against_the_best(verdict: Verdict, place: int) -> Iterator[str]:
    found = verdict.comparison
    if verdict.ranking.settings[place - 1] is verdict.ranking.best:
        yield "the best"
    elif found is not None and place - 2 < len(found.p_value):
        p_value = found.p_value[place - 2]
        if p_value == p_value:  # not NaN
            verb = "worse" if found.worse[place - 2] else "not told apart"
            yield f"{verb} (p {'<' if p_value < 0.001 else '='} {max(p_value, 0.001):.3f})"


def _escaped(text: str) -> str:
    r"""Return a text that Markdown shows as it is, also in a table."""
    plain = " ".join(text.split())
    return "".join(f"\\{each}" if each in r"\`*_{}[]<>#|~" else each for each in plain)


def _figure(setting: Setting, interval: tuple[float, float] | None) -> str:
    if setting.diverged:
        return "diverged"
    told = figure(setting.mean, setting.deviation)
    return f"{told}, {span(interval)} (n={len(setting.values)})" if interval else told
