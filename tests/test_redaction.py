"""Secrets in addresses are hidden, the rest is left."""

from __future__ import annotations

import pytest

from experiments.redaction import without_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:secret@host:5000/x", "http://me:***@host:5000/x"),
        ("http://me:se@cr@et@host/x", "http://me:***@host/x"),
        ("https://token@host/x", "https://***@host/x"),
        (
            "postgresql://host/db?user=me&password=s3&x=1",
            "postgresql://host/db?user=me&password=***&x=1",
        ),
        ("see http://a:b@c and http://d:e@f.", "see http://a:***@c and http://d:***@f."),
        ("http://host/?access_token=s3#x", "http://host/?access_token=***#x"),
        (r"uri=http\://me\:s3cret@host\:5000", r"uri=http\://me:***@host\:5000"),
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
        ("model.hidden=[128] mail me@host", "model.hidden=[128] mail me@host"),
    ],
)
def test_without_passwords(text: str, shown: str) -> None:
    assert without_passwords(text) == shown
