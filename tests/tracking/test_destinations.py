"""Destinations and wishes: wishes add up, and a note that lacks them can be read."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from experiments.tracking.destinations import Copy, Destination, Wishes

COPY = Copy(Destination("sqlite:////db", "e"), run_id="r", complete=True)


def test_later_wishes_add_to_earlier_ones() -> None:
    first = Wishes("name", log_model=True, register="digits")
    assert Wishes().added_to(first) == first
    best = Wishes(register="other", alias="best", system_metrics=True).added_to(first)
    assert best == Wishes("name", True, "other", "best", True)
    assert Wishes(register="third").added_to(best) == Wishes("name", True, "third")


@pytest.mark.parametrize(
    ("copy", "lacks"),
    [
        (COPY, False),
        (replace(COPY, wishes=Wishes(log_model=True)), True),
        (replace(COPY, wishes=Wishes(log_model=True), model_id="m"), False),
        (replace(COPY, wishes=Wishes(log_model=True, register="a"), model_id="m"), True),
        (
            replace(
                COPY, wishes=Wishes(log_model=True, register="a"), model_id="m", registered="a"
            ),
            False,
        ),
        (
            replace(
                COPY, wishes=Wishes(log_model=True, register="a"), model_id="m", registered="b"
            ),
            True,
        ),
        (replace(COPY, wishes=Wishes(log_model=True), model_problem="no graph"), False),
    ],
)
def test_a_copy_lacks_a_model_until_it_is_logged_and_registered(copy: Copy, lacks: bool) -> None:
    assert copy.lacks_model == lacks


def test_a_note_is_read_as_it_was_written_and_without_newer_entries() -> None:
    copy = replace(COPY, wishes=Wishes("n", log_model=True), model_id="m", experiment_id="1")
    noted = asdict(copy)
    assert Copy.read(noted) == copy
    for name in ("wishes", "model_id", "registered", "experiment_id"):
        del noted[name]
    assert Copy.read(noted) == COPY
