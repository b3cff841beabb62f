"""The files of an explanation: a page, figures, and a summary for programs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from experiments.catalog.texts import as_share
from experiments.explaining import drawing
from experiments.explaining.attributions import BASELINE, TOLERANCE
from experiments.explaining.charts import confidences, reliability
from experiments.explaining.explanation import Attributed, Explanation
from experiments.explaining.folder import INDEX, KIND, SUMMARY
from experiments.report.charts import drawn as chart_file
from experiments.report.mistakes import as_address, as_png, encoded
from experiments.report.page import render
from experiments.report.run_charts import confusion_matrix

if TYPE_CHECKING:
    import altair as alt

_MATRIX = 40  # classes
METHODS = {
    "integrated_gradients": "integrated gradients",
    "saliency": "saliency",
    "occlusion": "occlusion",
}
"""the fields of `Attributions` with pictures, and their titles"""


def files_of(found: Explanation) -> dict[str, bytes]:
    """Return the contents of the files by their names."""
    charts: dict[str, alt.TopLevelMixin] = {
        "reliability": reliability(found.calibration),
        "confidences": confidences(found.calibration),
    }
    size = len(found.answers.counts)
    if size <= _MATRIX:
        charts["confusion"] = confusion_matrix(found.answers.counts, found.names[:size])
    figures = {f"{name}.png": chart_file(chart, "png") for name, chart in charts.items()}
    figures["attributions.png"] = _figure(found)
    if found.layer:
        image = drawing.on_paper(drawing.grid(found.layer.weights))
        figures["first_layer.png"] = encoded(image)
    told = json.dumps(summary(found), indent=2, ensure_ascii=False)
    page = _page(found, charts)
    # The summary comes first, so that the folder is known even if a kill leaves a part of it.
    return {SUMMARY: f"{told}\n".encode(), INDEX: page.encode(), **figures}


def summary(found: Explanation) -> dict[str, Any]:
    """Return the numbers of an explanation as plain data; a number that is NaN becomes None."""
    calibration = found.calibration
    return {
        "kind": KIND,
        "run": found.trained.id,
        "data": found.trained.data,
        "images": found.answers.total,
        "accuracy": found.answers.correct / found.answers.total,
        "recorded_accuracy": found.recorded,
        "classes": [
            {"name": name, **{key: _finite(value) for key, value in asdict(quality).items()}}
            for name, quality in zip(found.names, found.classes, strict=False)
        ],
        "confusion": [list(row) for row in found.answers.counts],
        "calibration": {
            "ece": calibration.ece,
            "mce": calibration.worst.gap,
            "confidence": calibration.confidence,
            "bins": [
                {key: _finite(value) for key, value in asdict(each).items()}
                for each in calibration.bins
            ],
        },
        "attributions": {
            "baseline": BASELINE,
            "tolerance": TOLERANCE,
            "images": [_told(each, found.names) for each in found.attributed],
        },
    }


def completeness(attributed: Sequence[Attributed]) -> str:
    """Return a sentence about the completeness of the integrated gradients."""
    errors = [each.attributions.error for each in attributed]
    failed = sum(not each.attributions.is_complete for each in attributed)
    steps = max(each.attributions.steps for each in attributed)
    if failed:
        return (
            f"Integrated gradients are not complete for {failed} of {len(errors)} images, even "
            f"with {steps} steps: their sum misses the difference of the logit from that of the "
            f"{BASELINE} baseline by more than {as_share(TOLERANCE, 0)}"
        )
    return (
        f"Integrated gradients are complete: their sum misses the difference of the logit from "
        f"that of the {BASELINE} baseline by at most {as_share(max(errors))}, with up to "
        f"{steps} steps"
    )


def _told(each: Attributed, names: Sequence[str]) -> dict[str, Any]:
    own = each.attributions
    return {
        "image": each.origin,
        "is_picture": each.is_picture,
        "class": None if each.truth is None else _name(names, each.truth),
        "answer": _name(names, each.answer),
        "confidence": each.confidence,
        "inverted": each.is_inverted,
        "logit_difference": own.difference,
        "completeness_error": _finite(own.error),
        "steps": own.steps,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _name(names: Sequence[str], label: int) -> str:
    """Return the name of a class; a label of a table may lie beyond the classes."""
    return names[label] if 0 <= label < len(names) else str(label)


def _figure(found: Explanation) -> bytes:
    titles = ["image", *METHODS.values()]
    rows = [
        (
            _caption(number, each, found.names),
            [drawing.image_of(each.image), *(drawing.heat(values) for values in _maps(each))],
        )
        for number, each in enumerate(found.attributed, 1)
    ]
    return drawing.table(titles, rows)


def _caption(number: int, each: Attributed, names: Sequence[str]) -> str:
    """Return the file and the answer, for a font that knows hardly more than ASCII."""
    file, answer = each.origin.rpartition(os.sep)[2], _name(names, each.answer)
    file = file if file.isascii() else f"picture {number}"
    return f"{file}: {answer if answer.isascii() else each.answer}"


def _maps(each: Attributed) -> list[Any]:
    return [getattr(each.attributions, name) for name in METHODS]


def _page(found: Explanation, charts: Mapping[str, alt.TopLevelMixin]) -> str:
    trained, layer = found.trained, found.layer
    return render(
        "explain.html",
        charts,
        title=trained.name,
        facts=[f"run {trained.short}", f"data {trained.data}", f"{found.answers.total:,} images"],
        place=os.path.relpath(trained.folder),
        accuracy=as_share(found.answers.correct / found.answers.total),
        ece=as_share(found.calibration.ece),
        worst_bin=(as_share(found.calibration.worst.gap), found.calibration.worst.count),
        confidence=as_share(found.calibration.confidence),
        bins=len(found.calibration.bins),
        differs=found.differs,
        classes=[
            (
                name,
                *(as_share(each, 1) for each in (own.precision, own.recall, own.f1)),
                own.support,
            )
            for name, own in zip(found.names, found.classes, strict=False)
        ],
        methods=list(METHODS.values()),
        groups=_groups(found),
        complete=completeness(found.attributed),
        worst=[
            {
                "image": each.image,
                "number": each.number,
                "answer": found.names[each.answer],
                "truth": found.names[each.truth],
                "share": as_share(each.confidence, 1),
            }
            for each in found.answers.worst
        ],
        layer=layer
        and {
            "name": layer.name,
            "kind": layer.kind,
            "shown": len(layer.weights),
            "units": layer.units,
            "channels": layer.channels,
            "image": as_address(encoded(drawing.grid(layer.weights))),
        },
    )


def _groups(found: Explanation) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the attributed images under their headings."""
    headings: dict[str, list[dict[str, Any]]] = {
        "Pictures": [],
        "Right answers, one to a class": [],
        "The worst mistakes": [],
    }
    for each in found.attributed:
        kind = 0 if each.is_picture else 2 if each.is_mistake else 1
        headings[list(headings)[kind]].append(_row(each, found.names))
    return [(heading, rows) for heading, rows in headings.items() if rows]


def _row(each: Attributed, names: Sequence[str]) -> dict[str, Any]:
    own = each.attributions
    shown = [as_png(each.image), *map(drawing.heat_png, _maps(each))]
    return {
        "origin": each.origin,
        "answer": _name(names, each.answer),
        "share": as_share(each.confidence, 1),
        "truth": _name(names, each.truth) if each.truth is not None and each.is_mistake else "",
        "inverted": each.is_inverted,
        "images": [as_address(png) for png in shown],
        "difference": f"{own.difference:.2f}",
        "error": as_share(own.error),
        "steps": own.steps,
    }
