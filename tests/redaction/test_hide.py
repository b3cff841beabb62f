"""Known secrets and texts with the form of one are hidden; the rest of a text is unchanged."""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from collections import UserDict
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import yaml

from experiments.process.streams import guarded_output
from experiments.redaction.hide import hidden, hidden_data, hidden_patch, remember
from experiments.redaction.secret_forms import is_secret, passwords_in, without_secrets

NASTY = """p/w:o"r d's@%\\ü{]"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:secret@host:5000/x", "http://me:***@host:5000/x"),
        ("http://me:se@cr@et@host/x", "http://me:***@host/x"),
        ("http://me:se/cr et:'\"@host:5/x", "http://me:***@host:5/x"),
        ("http://me:x://y@host", "http://me:***@host"),
        ("http://me@corp.com:secret@host", "http://***@host"),
        ("redis://:secret@host", "redis://:***@host"),
        ("postgresql+psycopg2://me:p%2Fw@db/x", "postgresql+psycopg2://me:***@db/x"),
        ("https://token@host/x", "https://***@host/x"),
        (
            "postgresql://host/db?user=me&password=s3&x=1",
            "postgresql://host/db?user=me&password=***&x=1",
        ),
        ("see http://a:b@c and http://d:e@f.", "see http://a:***@c and http://d:***@f."),
        ("http://host/?access_token=s3#x", "http://host/?access_token=***#x"),
        (r"uri=http\://me\:s3cret@host\:5000", r"uri=http\://me:***@host\:5000"),
        ("to=http%3A%2F%2Fme%3As3%40host", "to=http%3A%2F%2Fme%3A***%40host"),
        ("http://host:5000/a@b", "http://host:***@b"),  # a user `host` or a path: hidden
        ("http://me:${oc.env:PW}@host", "http://me:${oc.env:PW}@host"),
        ("Authorization: Bearer s3.cr3t", "Authorization: ***"),
        ("401 for Bearer s3cret", "401 for Bearer ***"),
        ("login(password='a, b', user=me)", "login(password='***', user=me)"),
        ("password: correct horse", "password: ***"),
        ("+model.token='a b','c d' seed=1", "+model.token='***' seed=1"),
        ('token: str = "s3cret"', 'token: str = "***"'),
        ("os.environ['API_KEY'] = 's 3'", "os.environ['API_KEY'] = '***'"),
        ("{'password': 123456, 'lr': 1}", "{'password': ***, 'lr': 1}"),
        ("+data.key=s3cret", "+data.key=***"),
        ("pushed with ghp_0123456789abcdefABCDEF", "pushed with ***"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
    assert without_secrets(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///mlflow.db",
        "sqlite:////home/me@work/mlflow.db",
        "http://localhost:5000 is up",
        "model.hidden=[128] mail me@host",
        "+model.max_tokens=128",
        "hydra.job.config.override_dirname.exclude_keys=[seed]",
        "unexpected keyword argument 'foo' full_key: hydra.launcher",
        "http://127.0.0.1:5000/#/experiments/1/runs?viewStateShareKey=0123abcd",
        "{'max_tokens': 128, 'lr': 0.1}",
        "model.tokenizer=bert",
        "optimizer.lrr: unknown key; did you mean optimizer.lr?",
        "model.password: unknown key; did you mean model.passes?",
        "job 0 (+model.password=${oc.env:DBPW}): it failed",
        "KeyError: 'foo'",
        "if password == other:",
        "password=${oc.env:DBPW}",
        'f"pg://{user}:{password}@{host}"',
    ],
)
def test_the_rest_is_left(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize("name", ["DB_PASSWORD", "HF_TOKEN", "XKEY", "MYSQL_PWD", "DB_SECRET_1"])
def test_a_secret_of_the_environment_is_hidden_however_it_is_written(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, NASTY)
    for written in (
        *(NASTY, quote(NASTY), quote(NASTY, safe=""), repr(NASTY), ascii(NASTY)),
        *(json.dumps(NASTY), json.dumps(NASTY, ensure_ascii=False), f"{NASTY.encode()!r}"),
        yaml.safe_dump(NASTY, allow_unicode=True),
    ):
        shown = hidden(f"before{written}after")
        assert not any(part in shown for part in ("p/w", "p%2Fw", "o\\", "d'", "d%27")), shown
        assert shown.startswith("before")
        assert shown.rstrip().endswith("after")


def test_the_passwords_of_addresses_in_the_environment_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE", "postgresql+psycopg2://me:correct%2Fhorse@db/x")
    assert hidden("cannot log in with correct/horse") == "cannot log in with ***"
    assert list(passwords_in("http://host/?user=me&api_key=abc")) == ["abc"]
    assert not list(passwords_in("sqlite:////home/me@work/x.db"))


def test_ordinary_words_and_files_are_not_taken_for_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = f"false 1 digits {sys.executable}"
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    monkeypatch.setenv("USE_TOKEN", "false")
    monkeypatch.setenv("X_KEY", "1")
    monkeypatch.setenv("SSH_KEY", sys.executable)
    assert hidden(text) == text


@pytest.mark.parametrize(
    ("path", "value", "secret"),
    [
        ("data.password", "x", True),
        ("data.password", 1234, True),
        ("data.password", None, False),
        ("data.credentials.user", "x", True),
        ("model.max_tokens", 128, False),
        ("model.max_tokens", "128", False),
        ("model.tokenizer", "bert", False),
        ("model.keypoints", "coco", False),
    ],
)
def test_a_key_tells_whether_its_value_is_secret(path: str, value: object, secret: bool) -> None:
    assert is_secret(tuple(path.split(".")), value) is secret


def test_of_nested_data_the_keys_stay() -> None:
    remember("correct-horse")
    data = {"correct-horse": ["a correct-horse b", 1, {"x": ("http://a:b@c",)}]}
    assert hidden_data(data) == {"correct-horse": ["a *** b", 1, {"x": ["http://a:***@c"]}]}


def test_a_patch_keeps_its_program_but_for_texts() -> None:
    code = b"diff --git a/x.py b/x.py\n+def f(token: str, key=sorted):\n+    token = take()\n"
    assert hidden_patch(code) == code
    secret = b"+    password = 's 3'\ndiff --git a/x.yaml b/x.yaml\n+  password: s 3\n\xff"
    assert hidden_patch(code + secret) == (
        code + b"+    password = '***'\ndiff --git a/x.yaml b/x.yaml\n+  password: ***\n\xff"
        b"secrets are hidden above\n"
    )


def test_what_is_printed_is_guarded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", NASTY)
    with guarded_output():
        print("out", NASTY)
        print("err", NASTY, file=sys.stderr)
        print(warnings.formatwarning(NASTY, UserWarning, "own.py", 1), file=sys.stderr)
        traceback.print_exception(ValueError(f"401 for {NASTY}"))
    printed = "".join(capsys.readouterr())
    assert "out ***" in printed
    assert "err ***" in printed
    assert "own.py:1: UserWarning: ***" in printed
    assert "ValueError: 401 for ***" in printed
    assert NASTY not in printed


class Shrinking(UserDict[str, str]):
    """An environment of which another thread removes a variable during a loop over it."""

    def __iter__(self) -> Iterator[str]:
        yield "EXPERIMENTS_JOB"
        yield from super().__iter__()


def test_a_variable_may_be_removed_while_secrets_are_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", Shrinking({"MY_TOKEN": "s3cret-of-mine"}))
        assert hidden("it is s3cret-of-mine") == "it is ***"
